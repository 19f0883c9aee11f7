/* fuzz_decode.c - encodings and charsets: text is valid UTF-8 whatever comes in. The first byte of
 * the input chooses a charset. */
#include "common/codec.h"
#include "message/decode.h"
#include "message/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_text(struct buf *text)
{
    if (!utf8_valid(buf_slice(text)))
        abort();
    buf_clear(text);
}

/* What is encoded must be readable, and cannot bring in a line of its own. */
static void check_header_encode(struct slice text)
{
    AUTO(buf_free) struct buf encoded = { 0 };
    AUTO(buf_free) struct buf decoded = { 0 };

    header_encode(text, &encoded);
    for (size_t i = 0; i + 1 < encoded.len; i++)
        if (encoded.data[i] == '\n' && encoded.data[i + 1] != ' ')
            abort();
    header_decode(buf_slice(&encoded), &decoded);
    must_be_text(&decoded);
}

/* A text has itself, and what is folded does not change by folding again. */
static void check_fold(struct slice text)
{
    AUTO(buf_free) struct buf folded = { 0 };
    AUTO(buf_free) struct buf again = { 0 };

    text_fold(text, &folded);
    if (!text_contains(text, buf_slice(&folded)))
        abort();
    text_fold(buf_slice(&folded), &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const charsets[] = { "utf-8",       "us-ascii", "iso-8859-1",  "utf-7",
                                            "iso-2022-jp", "gb2312",   "iso-2022-kr", "utf-16",
                                            "big5",        "ucs-4",    "koi8-r",      "x-none" };
    AUTO(buf_free) struct buf out = { 0 };
    struct slice text = slice_from(slice_make(data, size), 1);

    if (size == 0)
        return 0;
    text_to_utf8(slice_of(charsets[data[0] % COUNT_OF(charsets)]), text, &out);
    must_be_text(&out);
    header_decode(text, &out);
    must_be_text(&out);
    quoted_printable_decode(text, &out);
    base64_body_decode(text, &out);
    if (out.len > 2 * size)
        abort();
    check_header_encode(text);
    check_fold(text);
    return 0;
}
