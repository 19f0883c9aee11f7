/* tls_text.c - see tls_text.h. */
#include "smtpd/remote/tls_text.h"

#include "common/buf.h"
#include "common/tlsa.h"

static struct slice cut(struct arena *arena, const struct buf *text)
{
    return slice_copy(arena, slice_trim(slice_part(buf_slice(text), 0, TLS_TEXT_MAX)));
}

/* "3 1 1 0123abcd..." */
struct slice tls_text_of_records(struct arena *arena, const struct dns_answer *tlsa)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct tlsa record;

    for (size_t i = 0; i < tlsa->count && text.len < TLS_TEXT_MAX; i++) {
        if (!tlsa_parse(tlsa->records[i], &record))
            continue;
        buf_fmt(&text, "%u %u %u ", record.usage, record.selector, record.matching);
        for (size_t k = 0; k < MIN(record.data.len, (size_t)TLS_TEXT_MAX); k++)
            buf_fmt(&text, "%02x", (unsigned char)record.data.data[k]);
        buf_add_byte(&text, '\n');
    }
    return cut(arena, &text);
}

struct slice tls_text_of_lines(struct arena *arena, struct slice policy)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct slice line;

    while (slice_split(&policy, '\n', &line) && text.len < TLS_TEXT_MAX) {
        if (slice_trim(line).len == 0)
            continue;
        buf_add_slice(&text, slice_trim(line));
        buf_add_byte(&text, '\n');
    }
    return cut(arena, &text);
}
