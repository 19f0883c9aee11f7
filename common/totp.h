/* totp.h - one-time codes that a phone shows: HOTP (RFC 4226) and TOTP (RFC 6238).
 *
 * HMAC-SHA1, six digits, steps of 30 seconds: what every authenticator knows. A code is good in its
 * step and in the ones before and after (RFC 6238 section 5.2). Pure.
 */
#pragma once

#include "common/buf.h"

#define TOTP_DIGITS   6
#define TOTP_STEP_S   30
#define TOTP_KEY_SIZE 20 /* bytes of a new key: RFC 4226 section 4, R6 */

uint32_t hotp(struct slice key, uint64_t counter, unsigned digits);

/* Was the code right within a step of `now_s`? *step_out is the step it is of: it must be later
 * than that of every code used before, else somebody repeats one. */
bool totp_matches(struct slice key, uint32_t code, int64_t now_s, uint64_t *step_out) MUST_CHECK;

/* Takes the code off the end of "password123456". False when there are no six digits behind at
 * least one other character. */
bool totp_split(struct slice text, struct slice *password_out, uint32_t *code_out) MUST_CHECK;

/* otpauth://totp/example.org:bob%40example.org?secret=..., as authenticators read it. */
void totp_uri(struct slice key, struct slice issuer, struct slice account, struct buf *out);
