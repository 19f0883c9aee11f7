/* fuzz_results.c - what we write is one field in our name, whatever values it has; what is taken
 * out of a header leaves none in our name behind, and the rest as it was. */
#include "message/proof/results.h"

#include <stdlib.h>

#define NAME "mx.example.org"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice part(struct slice *rest)
{
    struct slice text = { 0 };

    slice_split(rest, '\0', &text);
    return text;
}

/* Lines are short, printable, and all but the first a continuation. */
static void must_be_one_field(struct slice field)
{
    struct slice line;
    bool first = true;

    while (slice_split(&field, '\n', &line)) {
        if (line.len > 998 || (!first && line.data[0] != ' '))
            abort();
        for (size_t i = 0; i < line.len; i++)
            if ((unsigned char)line.data[i] < ' ' && (line.data[i] != '\r' || i + 1 < line.len))
                abort();
        first = false;
    }
}

static void check_print(struct slice input)
{
    AUTO(buf_free) struct buf field = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct spf_outcome spf = { .result = SPF_FAIL, .reason = part(&input) };
    struct dkim_verdict dkim = { .result = DKIM_PASS };
    struct dmarc_outcome dmarc = { .result = DMARC_FAIL };
    struct results results = { .authserv_id = SLICE(NAME),
                               .spf_helo = &spf,
                               .spf_sender = &spf,
                               .iprev = "pass",
                               .address = "192.0.2.1",
                               .dkim = &dkim,
                               .n_dkim = 1,
                               .dmarc = &dmarc };

    results.login = part(&input);
    results.helo = part(&input);
    results.sender = part(&input);
    results.from_domain = part(&input);
    dkim.domain = part(&input);
    dkim.selector = part(&input);
    dkim.identity = part(&input);
    dkim.start = part(&input);
    buf_add_text(&field, "Authentication-Results: ");
    results_print(&results, &field);
    buf_add_text(&field, "\r\n");
    must_be_one_field(buf_slice(&field));
    if (results_remove(buf_slice(&field), SLICE(NAME), &out) != 1 || out.len != 0)
        abort();
}

static void check_remove(struct slice header)
{
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf again = { 0 };
    size_t removed = results_remove(header, SLICE(NAME), &out);

    if (removed == 0 ? out.len != 0 : out.len >= header.len)
        abort();
    if (removed > 0 && results_remove(buf_slice(&out), SLICE(NAME), &again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    AUTO(buf_free) struct buf field = { 0 };

    check_print(input);
    check_remove(input);
    buf_add_text(&field, "Authentication-Results: ");
    buf_add_slice(&field, input);
    check_remove(buf_slice(&field));
    return 0;
}
