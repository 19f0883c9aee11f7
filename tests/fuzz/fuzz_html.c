/* fuzz_html.c - the text of any bytes as HTML: no longer than they are, blanks single, UTF-8 where
 * the input is.
 */
#include "message/html.h"

#include <stdlib.h>
#include <unistr.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf text = { 0 };

    html_to_text(slice_make(data, size), &text);
    if (text.len > size)
        abort();
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '\t' || c == '\r' || c == '\n' || c == '\f')
            abort();
        if (c == ' ' && (i == 0 || i + 1 == text.len || text.data[i - 1] == ' '))
            abort();
    }
    if (u8_check(data, size) == NULL && text.len > 0 &&
        u8_check((const uint8_t *)text.data, text.len) != NULL)
        abort();
    return 0;
}
