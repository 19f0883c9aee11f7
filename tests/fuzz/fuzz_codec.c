/* fuzz_codec.c - what a decoder takes must be what the encoder writes, and the other way round;
 * what is quoted stays on its line. */
#include "common/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct codec {
    void (*encode)(struct slice, struct buf *);
    bool (*decode)(struct slice, struct buf *);
    bool text_only; /* encodes UTF-8, not any bytes */
};

static const struct codec codecs[] = {
    { base64_encode, base64_decode, false },
    { utf7_encode, utf7_decode, true },
    { hex_encode, hex_decode, false },
};

static void check_encoding(const struct codec *codec, struct slice plain)
{
    AUTO(buf_free) struct buf encoded = { 0 };
    AUTO(buf_free) struct buf again = { 0 };

    codec->encode(plain, &encoded);
    if (!codec->decode(buf_slice(&encoded), &again))
        abort();
    if ((!codec->text_only || utf8_valid(plain)) && !slice_equal(plain, buf_slice(&again)))
        abort();
}

static void check_decoding(const struct codec *codec, struct slice text)
{
    AUTO(buf_free) struct buf plain = { 0 };
    AUTO(buf_free) struct buf again = { 0 };

    if (!codec->decode(text, &plain))
        return;
    if (codec->text_only && !utf8_valid(buf_slice(&plain)))
        abort();
    codec->encode(buf_slice(&plain), &again);
    if (!slice_equal_case(text, buf_slice(&again))) /* hex may be in capitals */
        abort();
}

static void check_quoting(void (*quote)(struct slice, struct buf *), struct slice text)
{
    AUTO(buf_free) struct buf out = { 0 };

    quote(text, &out);
    if (out.len < 2 || out.data[0] != '"' || out.data[out.len - 1] != '"' ||
        !utf8_valid(buf_slice(&out)))
        abort();
    for (size_t i = 0; i < out.len; i++)
        if ((unsigned char)out.data[i] < 0x20 || out.data[i] == 0x7F)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);

    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        check_encoding(&codecs[i], input);
        check_decoding(&codecs[i], input);
    }
    check_quoting(json_quote, input);
    check_quoting(quoted_string, input);
    return 0;
}
