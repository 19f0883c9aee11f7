/* xtext.h - how values stand in the parameters of DSN: xtext (RFC 3461 section 4), and addresses
 * of the type "utf-8" (RFC 6533 section 3):
 *
 *     utf-8-addr-xtext    "\x{FC}@example.org"   ASCII only: ORCPT without SMTPUTF8, 7-bit reports
 *     utf-8-addr-unitext  the same, with UTF-8 as it is where it need not be escaped
 *     utf-8-address       the address itself
 *
 * Pure; output is appended.
 */
#pragma once

#include "common/buf.h"

/* "+" only with two hex digits (upper case) behind it, no "=", blanks or controls; not empty. Bytes
 * over 127 are let through: MAIL and RCPT with SMTPUTF8 may have them. */
bool xtext_is_valid(struct slice text);
void xtext_decode(struct slice text, struct buf *out); /* what is no escape stays as it is */

/* Any of the three forms, as ORCPT may have it. */
bool utf8_address_is_valid(struct slice text);

/* Any form to the address itself. False, and nothing added, for one that is no valid form or hides
 * a control character: RFC 6533 has it copied without alteration. */
bool utf8_address_decode(struct slice text, struct buf *out) MUST_CHECK;

/* An address (valid UTF-8) as utf-8-addr-xtext; bytes that are no UTF-8 become "?". */
void utf8_address_encode(struct slice address, struct buf *out);
