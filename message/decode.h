/* decode.h - transfer encodings (RFC 2045 section 6), encoded words (RFC 2047), and charsets to
 * UTF-8 through iconv. (The parameters of RFC 2231 are read in param.c; transfer.h has pieces of
 * bodies instead of whole ones.)
 *
 * Decoding is lenient as a reader must be: what is broken passes through as far as it makes sense.
 * All output is valid UTF-8 where the interface says text; bytes that cannot be converted become
 * U+FFFD. An unknown charset is taken for UTF-8 if it is that, else for ISO-8859-1.
 * Threads: any. Output is appended.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

/* The byte that the two hex digits behind text[at] stand for ("=C3", "%C3"); -1 if they are none.
 */
int hex_byte_after(struct slice text, size_t at);

void quoted_printable_decode(struct slice text, struct buf *out);

/* Skips line ends and rubbish; what follows padding is not read, as it is mostly a footer that a
 * mailing list has put there. */
void base64_body_decode(struct slice text, struct buf *out);

/* By the name of a Content-Transfer-Encoding; unknown ones pass through. */
void transfer_decode(struct slice encoding, struct slice body, struct buf *out);

bool charset_known(struct slice charset); /* one that mail uses; case does not matter */

/* False when the charset is not known; *out is untouched then. */
bool charset_to_utf8(struct slice charset, struct slice bytes, struct buf *out) MUST_CHECK;

/* The same for reading mail: gives text for any charset, also an empty one. */
void text_to_utf8(struct slice charset, struct slice bytes, struct buf *out);

/* A header value as a person reads it: unfolded, encoded words decoded. UTF-8. */
void header_decode(struct slice value, struct buf *out);

/* Encodes UTF-8 text as encoded words where it is not plain ASCII (for bounces and the like); long
 * text comes folded. Line ends in it cannot end the field. */
void header_encode(struct slice text, struct buf *out);
