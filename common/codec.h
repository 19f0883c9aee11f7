/* codec.h - base64 (RFC 4648), quoted forms for logs and JSON, and IMAP's modified UTF-7.
 *
 * Pure. Decoders append to `out` and return false on input that is not the encoding; `out` then
 * holds what was decoded so far.
 */
#pragma once

#include "common/buf.h"

void base64_encode(struct slice bytes, struct buf *out); /* with padding, no line ends */
bool base64_decode(struct slice text, struct buf *out) MUST_CHECK; /* strict: padded, no blanks */

void hex_encode(struct slice bytes, struct buf *out); /* lower case */
bool hex_decode(struct slice text, struct buf *out) MUST_CHECK;

bool utf8_valid(struct slice text);

/* Modified UTF-7, RFC 3501 section 5.1.3. Decoding refuses what is not the one right encoding. */
void utf7_encode(struct slice utf8, struct buf *out);
bool utf7_decode(struct slice text, struct buf *out) MUST_CHECK;

void json_string(struct slice text, struct buf *out); /* with quotes; bad UTF-8 becomes U+FFFD */
