/* decode.h - transfer encodings (RFC 2045 section 6), encoded words (RFC 2047), parameters with
 * charset and continuation (RFC 2231), and charsets to UTF-8 through iconv.
 *
 * Decoding is lenient as a reader must be: what is broken passes through as far as it makes sense.
 * All output is valid UTF-8 where the interface says text; bytes that cannot be converted become
 * U+FFFD. An unknown charset is taken for UTF-8 if it is that, else for ISO-8859-1.
 * Threads: any; iconv handles are kept per thread.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

void quoted_printable_decode(struct slice text, struct buf *out);
void base64_body_decode(struct slice text, struct buf *out); /* skips line ends and rubbish */

/* By the name of a Content-Transfer-Encoding; unknown ones pass through. */
void transfer_decode(struct slice encoding, struct slice body, struct buf *out);

/* False when iconv does not know the charset; *out is untouched then. */
bool charset_known(struct slice charset);
bool charset_to_utf8(struct slice charset, struct slice bytes, struct buf *out) MUST_CHECK;

/* A header value as a person reads it: unfolded, encoded words decoded. UTF-8. */
void header_decode(struct slice value, struct buf *out);

/* Encodes UTF-8 text as encoded words where it is not ASCII (for bounces and the like). */
void header_encode(struct slice text, struct buf *out);
