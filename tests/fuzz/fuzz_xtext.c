/* fuzz_xtext.c - xtext and utf-8 addresses, and a report that is made of them. */
#include "message/xtext.h"
#include "smtpd/dsn.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the sender and the other server wrote, they add no line and no field. */
static void print_report(struct slice text)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct queue_try last = { .host = text, .status = text, .reply = text, .answered = true };
    struct queue_recipient to = { .address = text,
                                  .original = text,
                                  .orcpt = text,
                                  .report = REPORT_FAILED,
                                  .log = &last,
                                  .n_log = 1 };
    const struct queue_recipient *list[] = { &to };
    const struct bounce bounce = { BOUNCE_FAILURE, list, 1 };
    const struct queue_message message = {
        .sender = text, .envid = text, .client = text, .utf8 = text.len % 2 == 0
    };
    const struct dsn dsn = { .hostname = SLICE("mx.test"), .message = &message, .bounce = &bounce };
    size_t lines = 0;

    dsn_print(&dsn, &out);
    for (size_t i = 0; i < out.len; i++) {
        lines += out.data[i] == '\n';
        if (out.data[i] == '\0' || (out.data[i] == '\n' && (i == 0 || out.data[i - 1] != '\r')))
            abort();
    }
    if (lines > 60)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf plain = { 0 };
    AUTO(buf_free) struct buf encoded = { 0 };
    AUTO(buf_free) struct buf again = { 0 };
    struct slice text = slice_make(data, size);

    xtext_decode(text, &plain);
    buf_clear(&plain);
    if (utf8_address_decode(text, &plain)) {
        if (!utf8_address_is_valid(text))
            abort();
        utf8_address_encode(buf_slice(&plain), &encoded);
        if (!utf8_address_decode(buf_slice(&encoded), &again) ||
            !slice_equal(buf_slice(&plain), buf_slice(&again)))
            abort();
    }
    print_report(text);
    return 0;
}
