/* fuzz_summary.c - the IMAP texts of any bytes: one balanced list each, by the rules for strings.
 */
#include "message/summary.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice skip_quoted(struct slice rest)
{
    size_t i = 1;

    while (i < rest.len && rest.data[i] != '"') {
        if ((rest.data[i] & 0x80) != 0 || rest.data[i] == '\0' || rest.data[i] == '\r' ||
            rest.data[i] == '\n')
            abort();
        i += rest.data[i] == '\\' ? 2 : 1;
    }
    if (i >= rest.len)
        abort();
    return slice_from(rest, i + 1);
}

static struct slice skip_literal(struct slice rest)
{
    ptrdiff_t end = slice_find(rest, '}');
    uint64_t len;

    if (end < 0 || !slice_number(slice_part(rest, 1, (size_t)end - 1), rest.len, &len) ||
        !slice_starts(slice_from(rest, (size_t)end), "}\r\n"))
        abort();
    rest = slice_from(rest, (size_t)end + 3);
    if (len > rest.len || slice_find(slice_part(rest, 0, len), '\0') >= 0)
        abort();
    return slice_from(rest, len);
}

static void check_list(struct slice rest)
{
    size_t depth = 0;

    while (rest.len > 0) {
        char c = rest.data[0];

        if (c == '"') {
            rest = skip_quoted(rest);
            continue;
        }
        if (c == '{') {
            rest = skip_literal(rest);
            continue;
        }
        depth += c == '(';
        if (c == ')' && depth-- == 0)
            abort();
        rest = slice_from(rest, 1);
        if (depth == 0 && rest.len > 0)
            abort();
    }
    if (depth != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(summary_free) struct summary summary;

    summary_make(slice_make(data, size), &summary);
    if (summary.header_len > size)
        abort();
    check_list(buf_slice(&summary.envelope));
    check_list(buf_slice(&summary.body_structure));
    check_list(buf_slice(&summary.body));
    return 0;
}
