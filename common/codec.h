/* codec.h - base64 (RFC 4648), quoted forms for logs and JSON, and IMAP's modified UTF-7.
 *
 * Pure. Decoders append to `out` and return false on input that is not the encoding; `out` then
 * holds what was decoded so far.
 */
#pragma once

#include "common/buf.h"

void base64_encode(struct slice bytes, struct buf *out);           /* with padding, no line ends */
bool base64_decode(struct slice text, struct buf *out) MUST_CHECK; /* strict: padded, no blanks */

/* RFC 4648 section 6, in lower case, without padding. */
void base32_encode(struct slice bytes, struct buf *out);

void hex_encode(struct slice bytes, struct buf *out); /* lower case */
bool hex_decode(struct slice text, struct buf *out) MUST_CHECK;

bool utf8_valid(struct slice text);

/* Length of the character at the front (RFC 3629), 0 when there is none or it is malformed. */
size_t utf8_next(struct slice text, uint32_t *code_out);
void utf8_add(struct buf *out, uint32_t code);

/* Modified UTF-7, RFC 3501 section 5.1.3. Decoding refuses what is not the one right encoding;
 * encoding takes bad UTF-8 as U+FFFD. */
void utf7_encode(struct slice utf8, struct buf *out);
bool utf7_decode(struct slice text, struct buf *out) MUST_CHECK;

void json_quote(struct slice text, struct buf *out); /* with quotes; bad UTF-8 becomes U+FFFD */

/* With quotes; control characters, quotes, backslashes and bad UTF-8 as \xHH. */
void quoted_string(struct slice text, struct buf *out);
