/* fuzz_transfer.c - bodies decoded in pieces give what they give as a whole; a message that is made
 * storable has no NUL. */
#include "message/storable.h"
#include "message/transfer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pieces(enum transfer how, struct slice text, size_t size)
{
    AUTO(buf_free) struct buf whole = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    struct transfer_decoder decoder = { .how = how };
    size_t len = size;

    transfer_decode_piece(&decoder, text, true, &whole);
    decoder = (struct transfer_decoder){ .how = how };
    while (text.len > 0) {
        struct slice piece = slice_part(text, 0, len);
        size_t taken = transfer_decode_piece(&decoder, piece, piece.len == text.len, &got);

        if (taken > piece.len || (taken == 0 && piece.len >= TRANSFER_PIECE_MIN))
            abort();
        len = taken == 0 ? len + size : size;
        text = slice_from(text, taken);
    }
    /* Blanks without end may come out otherwise. */
    if (!slice_equal(buf_slice(&whole), buf_slice(&got)) && whole.len < TRANSFER_PIECE_MIN)
        abort();
}

static bool add(void *context, struct slice bytes, struct error *err)
{
    buf_add_slice(context, bytes);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct slice text = slice_from(slice_make(data, size), 1);
    struct error err;

    if (size == 0)
        return 0;
    check_pieces(TRANSFER_BASE64, text, 1 + data[0] % 64);
    check_pieces(TRANSFER_QUOTED_PRINTABLE, text, 1 + data[0] % 64);
    if (message_make_storable(text, add, &out, &err)) {
        if (out.len > 0 && memchr(out.data, '\0', out.len) != NULL)
            abort();
    } else if (err.kind != ERROR_INVALID) {
        abort();
    }
    return 0;
}
