/* fuzz_smtp_data.c - message data, cut in two at a place that the first byte names: the cut changes
 * nothing, and no bare newline gets through unseen. */
#include "smtpd/data.h"
#include "smtpd/submit.h"

#include "common/buf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool feed(struct data *data, struct slice *in, struct buf *out)
{
    struct slice piece;
    enum data_event event;

    while ((event = data_next(data, in, &piece)) == DATA_BYTES)
        buf_add_slice(out, piece);
    return event == DATA_END;
}

static bool has_bare_newline(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] == '\n' && (i == 0 || bytes.data[i - 1] != '\r'))
            return true;
        if (bytes.data[i] == '\r' && i + 1 < bytes.len && bytes.data[i + 1] != '\n')
            return true;
    }
    return false;
}

static void compare_cut(struct slice input, size_t cut, bool fix)
{
    AUTO(buf_free) struct buf whole = { 0 };
    AUTO(buf_free) struct buf parts = { 0 };
    struct data one = { .fix_newlines = fix }, two = { .fix_newlines = fix };
    struct slice first = slice_part(input, 0, cut), second = slice_from(input, cut);
    struct slice rest = input;
    bool ended = feed(&one, &rest, &whole);
    bool ended_in_parts = feed(&two, &first, &parts) || feed(&two, &second, &parts);

    if (ended != ended_in_parts || one.bare_newline != two.bare_newline)
        abort();
    if (!slice_equal(buf_slice(&whole), buf_slice(&parts)))
        abort();
    if (!one.bare_newline && has_bare_newline(buf_slice(&whole)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf mended = { 0 };
    const struct submit_facts facts = { .hostname = SLICE("mx.test"), .sender = SLICE("a@b.test") };
    struct slice input;

    if (size == 0)
        return 0;
    input = slice_make(data + 1, size - 1);
    compare_cut(input, MIN((size_t)data[0], input.len), false);
    compare_cut(input, MIN((size_t)data[0], input.len), true);
    submit_fix(input, &facts, &mended);
    if (mended.len < 2 || memcmp(mended.data + mended.len - 2, "\r\n", 2) != 0)
        abort();
    return 0;
}
