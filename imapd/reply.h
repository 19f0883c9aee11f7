/* reply.h - everything the server says (RFC 3501 section 7).
 *
 * The reply_*() that return NEXT_COMMAND end the command in hand: they write the news of the
 * selected mailbox (unless the command's row forbids) and the tagged line. All others add to
 * call->out or to the buffer given. Client data never goes through a format string's text.
 */
#pragma once

#include "common/session.h"
#include "imapd/client.h"

struct args;

enum next reply_ok(struct call *call, const char *text);
/* `code` without brackets, "APPENDUID 1 2"; NULL: none. */
enum next reply_ok_code(struct call *call, const char *code, const char *text);
enum next reply_no(struct call *call, const char *code, const char *text);
enum next reply_bad(struct call *call, const char *text);
enum next reply_bad_code(struct call *call, const char *code, const char *text);
enum next reply_syntax(struct call *call, const struct args *args); /* BAD with args->error */
/* NO with the code of RFC 5530 that fits the kind; internal ones are logged. */
enum next reply_error(struct call *call, const struct error *err);
/* The response code for a kind of error: "NONEXISTENT", "OVERQUOTA", ... */
const char *reply_error_code(enum error_kind kind);

/* For a tagged line whose code is built up: writes the news, then "tag OK ", and the caller adds
 * "[CODE] text" with CRLF to call->out and returns reply_end(). */
void reply_begin_ok(struct call *call);
enum next reply_end(struct call *call);

void reply_untagged(struct call *call, const char *format, ...) PRINTF_LIKE(2, 3); /* "* ", CRLF */
void reply_continue(struct call *call, const char *text);                          /* "+ " */
/* Says BYE and ends the session; `code` may be NULL. */
enum next reply_bye(struct call *call, const char *code, const char *text);

/* Strings of the wire: quoted where that is possible, else a literal. */
void reply_string(struct buf *out, struct slice text);
void reply_mailbox(const struct client *client, struct buf *out, struct slice name);

/* "* n FETCH (", or "* u UIDFETCH (" with UIDONLY (RFC 9586 section 3.3). */
void reply_fetch_begin(struct call *call, size_t index);
/* "* MYRIGHTS name rights" */
void reply_rights(struct call *call, struct slice mailbox, unsigned rights);

/* "* n FETCH (UID u FLAGS (...) MODSEQ (m))": UID with UID commands and IMAP4rev2, UID and MODSEQ
 * once CONDSTORE is enabled. */
void reply_fetch_flags(struct call *call, size_t index);

/* EXPUNGE or VANISHED, EXISTS and RECENT, FETCH, as far as there is news. */
void reply_news(struct call *call, const struct view_news *news);

/* The FLAGS response: all there are. Sent by itself when a keyword is new. */
void reply_flags(struct call *call);
/* OK [PERMANENTFLAGS ...]: what this user may change there. */
void reply_permanent_flags(struct call *call);

/* Asks the store for news and tells them. False when it could not be asked. */
bool reply_sync(struct call *call, bool may_expunge, struct error *err) MUST_CHECK;
/* May EXPUNGE be sent with the command in hand? */
bool reply_may_expunge(const struct client *client);
