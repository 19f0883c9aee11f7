/* transfer.h - transfer encodings (RFC 2045 section 6) undone piece by piece, for bodies that
 * nobody wants to have in memory as a whole. Lenient as decode.h is. Of a line that is longer than
 * a piece, blanks in the middle may count or not. Pure.
 *
 *     struct transfer_decoder decoder = { .how = transfer_of(part->encoding) };
 *     while (...) taken = transfer_decode_piece(&decoder, piece, is_last, &out);
 */
#pragma once

#include "common/buf.h"

enum transfer {
    TRANSFER_IDENTITY, /* 7bit, 8bit, binary, or none named */
    TRANSFER_QUOTED_PRINTABLE,
    TRANSFER_BASE64,
    TRANSFER_UNKNOWN,
};

/* By the name of a Content-Transfer-Encoding; case does not matter. */
enum transfer transfer_of(struct slice encoding);

/* May be copied, to go on from the same place again. */
struct transfer_decoder {
    enum transfer how;
    uint32_t bits; /* of base64 characters that make no byte yet */
    unsigned n_bits;
    bool ended; /* padding came: what follows is not read */
};

/* Appends what the next piece stands for. Returns how many of its bytes were taken; the rest must
 * come again, in front of more. At least one is taken of a piece of TRANSFER_PIECE_MIN bytes, and
 * all when `last`. TRANSFER_UNKNOWN passes through. */
#define TRANSFER_PIECE_MIN 8192
size_t transfer_decode_piece(struct transfer_decoder *decoder, struct slice piece, bool last,
                             struct buf *out);
