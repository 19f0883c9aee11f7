/* dsn.h - the text of a delivery status notification: a multipart/report (RFC 6522) of words for
 * people, fields for programs (RFC 3464), and the message or its header.
 *
 * Where an address of the message is not ASCII and the message came by SMTPUTF8, the parts are
 * those of RFC 6533 (message/global-delivery-status and so on) and the report needs SMTPUTF8
 * itself. Otherwise all but the returned part is ASCII.
 *
 * Pure.
 */
#pragma once

#include "smtpd/bounce.h"

struct dsn {
    struct slice hostname;
    const struct queue_message *message;
    const struct bounce *bounce;
    struct slice returned; /* the message or its header, CRLF */
    bool returned_is_full;
    uint64_t id; /* for Message-ID and boundary */
    int64_t now_ms;
    int64_t give_up_ms; /* how long a message is tried, for Will-Retry-Until */
};

bool dsn_needs_utf8(const struct dsn *dsn);
void dsn_print(const struct dsn *dsn, struct buf *out);

/* dsn_words.c: the part for people. `is_global`: in UTF-8. */
const char *dsn_subject(const struct bounce *bounce);
void dsn_add_words(const struct dsn *dsn, bool is_global, struct buf *out);

/* Text from outside on one line: controls become blanks, and unless is_global what is not ASCII
 * "?". Without line end. */
void dsn_add_text(struct slice text, bool is_global, struct buf *out);

/* The last try of a recipient; all empty if there was none. */
struct queue_try dsn_last_try(const struct queue_recipient *recipient);

/* When a recipient that is delayed will be given up. */
int64_t dsn_retry_until(const struct dsn *dsn, const struct queue_recipient *recipient);
