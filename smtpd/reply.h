/* reply.h - what the client hears.
 *
 * Replies carry enhanced status codes (RFC 2034, 3463). A refusal is counted, logged, and past the
 * limit of errors ends the session with 421.
 */
#pragma once

#include "smtpd/session.h"

/* One line, without CRLF. Returns NEXT_COMMAND, so that accepting is one statement. */
enum next reply(struct smtp *smtp, const char *format, ...) PRINTF_LIKE(2, 3);
enum next refuse(struct smtp *smtp, const char *format, ...) PRINTF_LIKE(2, 3);

/* A line that is only the reply to one of several recipients (LMTP): counted and logged alike. */
void refuse_one(struct smtp *smtp, struct slice line);

/* A failure of ours: logged with its text, the client hears its kind only. */
enum next refuse_error(struct smtp *smtp, const struct error *err);

/* "452 4.3.1 ..." for the kind of an error. */
const char *reply_for_error(const struct error *err);

/* 421 and the end. */
enum next goodbye(struct smtp *smtp, const char *text);
