/* fuzz_deflate.c - what a client sends after COMPRESS: any bytes, with any room, cut anywhere; and
 * that what we compress can be read again. */
#include "common/deflate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inflate_any(struct slice bytes, size_t cut, size_t room)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };

    for (size_t at = 0; at < bytes.len; at += cut) {
        enum parse result = PARSE_OK;

        buf_add_slice(&packed, slice_part(bytes, at, cut));
        while (result == PARSE_OK) {
            AUTO(buf_free) struct buf out = { 0 };

            result = inflater_run(inflater, &packed, &out, room);
            if (out.len > room || (result == PARSE_OK) != (out.len > 0 && result != PARSE_BAD) ||
                inflater_memory(inflater) > 80 * 1024)
                abort();
        }
        if (result == PARSE_BAD)
            return;
    }
}

/* It is over at some place: what is left is a part of what came. */
static void finish_any(struct slice bytes, size_t at)
{
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf packed = { 0 };
    AUTO(buf_free) struct buf out = { 0 };

    buf_add_slice(&packed, slice_part(bytes, 0, at));
    if (inflater_run(inflater, &packed, &out, 1000) == PARSE_BAD)
        return;
    buf_add_slice(&packed, slice_from(bytes, MIN(at, bytes.len)));
    if (inflater_finish(inflater, &packed) != PARSE_OK)
        return;
    if (packed.len > bytes.len ||
        !slice_equal(buf_slice(&packed), slice_from(bytes, bytes.len - packed.len)))
        abort();
}

static void round_trip(struct slice bytes, size_t cut)
{
    AUTO(deflater_free) struct deflater *deflater = deflater_new();
    AUTO(inflater_free) struct inflater *inflater = inflater_new();
    AUTO(buf_free) struct buf got = { 0 };

    for (size_t at = 0; at < bytes.len; at += cut) {
        AUTO(buf_free) struct buf piece = { 0 };

        buf_add_slice(&piece, slice_part(bytes, at, cut));
        deflater_run(deflater, &piece);
        while (inflater_run(inflater, &piece, &got, 100) == PARSE_OK)
            continue;
    }
    if (!slice_equal(buf_slice(&got), bytes))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes;

    if (size < 3)
        return 0;
    bytes = slice_make((const char *)data + 2, size - 2);
    inflate_any(bytes, data[0] + 1u, (data[1] + 1u) * 16);
    finish_any(bytes, data[0] * 4u);
    round_trip(bytes, data[0] * 16 + 1u);
    return 0;
}
