/* maildrop.h - the fixed view of INBOX that one POP3 session works on (RFC 1939 section 3).
 *
 * Taken at login; whatever happens to INBOX meanwhile, numbers stay. Deletions are marks until
 * maildrop_update(), which removes the marked messages in one go.
 *
 * Threads: the account's worker. Ownership: embedded in the session; maildrop_free() is idempotent.
 */
#pragma once

#include "storage/mail.h"

struct maildrop_item {
    uint32_t uid, size;
    uint64_t msg;
    bool deleted, seen, retrieved;
    bool second_copy; /* an item before it has the same msg */
};

struct maildrop {
    uint64_t mailbox;
    struct maildrop_item *items; /* message number n is items[n - 1] */
    size_t count;
};

bool maildrop_open(struct maildrop *drop, struct account *account, struct error *err) MUST_CHECK;
void maildrop_free(struct maildrop *drop);

/* The item, or NULL when there is no such message or it is marked as deleted. */
struct maildrop_item *maildrop_item(struct maildrop *drop, uint64_t number);

/* Messages and bytes that are not marked as deleted. */
void maildrop_sum(const struct maildrop *drop, uint64_t *count_out, uint64_t *bytes_out);
void maildrop_reset(struct maildrop *drop); /* takes all marks back */

/* The unique-id (RFC 1939 section 7): that of the message's bytes, the same in every mailbox and
 * for ever; a second copy within INBOX has its UID behind it. */
void maildrop_uidl(struct account *account, const struct maildrop_item *item, struct buf *out);

/* Removes what is marked, and marks as \Seen what was retrieved and stays. */
bool maildrop_update(struct maildrop *drop, struct account *account, uint64_t *removed_out,
                     struct error *err) MUST_CHECK;
