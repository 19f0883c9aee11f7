/* urlauth.h - URLs that carry an authorization (RFC 4467): who has one may read one message or
 * part.
 *
 *     imap://bob%40example.org@host/INBOX/;UID=20;URLAUTH=submit+bob%40example.org:internal:<token>
 *            ^^^^^^^^^^^^^^^^^ owner                       ^^^^^^^^^^^^^^^^^^^^^^^^ who may use it
 *
 * The token is HMAC-SHA-256, with the mailbox's access key, over all in front of ":internal:". The
 * key is made when the first URL is, lies in the owner's mail.db, and goes with RESETKEY: then all
 * URLs that were made with it are worth nothing. Users are named by their full address.
 *
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "message/imap_url.h"
#include "storage/account.h"

#define URLAUTH_MECHANISM "INTERNAL"

/* Who comes with a URL. */
struct url_visitor {
    uint64_t account; /* as whom */
    bool submits;     /* over a submission server: "submit+" is for it */
};

/* The mailbox that a URL leads to, in its owner's account, when all of it is right.
 * Errors: ERROR_NOT_FOUND, no such user or mailbox; ERROR_DENIED: not for this visitor, not any
 * more, or not made by us; ERROR_INVALID: no absolute URL with an authorization. */
bool urlauth_open(struct desk *desk, const struct imap_url *url, const struct url_visitor *visitor,
                  uint64_t *owner_out, uint64_t *mailbox_out, uint32_t *uidvalidity_out,
                  struct error *err) MUST_CHECK;

/* The token of a URL of one of the account's mailboxes, appended. */
bool urlauth_sign(struct account *account, uint64_t mailbox, struct slice rump, struct buf *out,
                  struct error *err) MUST_CHECK;

/* Forgets a mailbox's key; 0: those of all of them. */
bool urlauth_reset(struct account *account, uint64_t mailbox, struct error *err) MUST_CHECK;
