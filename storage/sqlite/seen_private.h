/* seen_private.h - what each reader of somebody else's mailbox has \Seen.
 *
 *     message.flags & MAIL_SEEN   the owner's         mailbox.recent_from   the owner's
 *     seen(mailbox, reader, ...)  everybody else's    reader(...)           everybody else's
 *
 * A row of `seen` says of a range of UIDs that this reader has seen them, or has made them unseen
 * again, and with which modseq; a message in no range is unseen. Ranges of a reader do not overlap
 * and do not reach beyond the last message there was when they were written. The modseq is one of
 * the mailbox's own counter (RFC 7162), so that the reader's other sessions hear of the change as
 * of any other; those of other users find nothing new under it.
 *
 * For whom a handle reads is said with desk_read_as(). For the owner nothing here costs anything:
 * the rows of `message` are as they should be.
 */
#pragma once

#include "storage/sqlite/account_private.h"

/* Puts the reader's own \Seen and modseqs into rows as they are in `message`; ascending UIDs. */
bool seen_overlay(struct account *account, uint64_t mailbox, struct mail *mails, size_t count,
                  struct error *err) MUST_CHECK;

/* UIDs of which the reader's \Seen has changed after a modseq; added to a set. */
bool seen_changed(struct account *account, uint64_t mailbox, uint64_t since, struct uidset *set,
                  struct error *err) MUST_CHECK;

/* The following within a transaction. The range has been seen by the reader, or is unseen. */
bool seen_put(struct account *account, uint64_t mailbox, struct uid_range range, bool seen,
              uint64_t modseq, struct error *err) MUST_CHECK;

/* Has the reader more ranges than anybody should have to write down? Then ERROR_LIMIT. It is the
 * owner's room that they take. */
#define SEEN_RANGES_MAX 100000
bool seen_check_room(struct account *account, uint64_t mailbox, struct error *err) MUST_CHECK;

/* Of a message that the reader puts into the mailbox: \Seen goes from its flags to the reader's. */
bool seen_put_new(struct account *account, uint64_t mailbox, uint32_t uid, uint64_t *flags,
                  uint64_t modseq, struct error *err) MUST_CHECK;

/* Messages of one mailbox were copied to another one of the account, in this order and from a UID
 * on: everybody who has seen the message has seen the copy. `except` is a reader who has no right
 * to; 0: none. */
struct seen_copy {
    uint64_t mailbox, target;
    const struct mail *mails;
    size_t count;
    uint32_t first_uid;
    uint64_t modseq, except;
};
bool seen_copy(struct account *account, const struct seen_copy *copy, struct error *err) MUST_CHECK;

/* UIDs from here on are \Recent to the reader; `row` is the owner's. */
bool seen_recent(struct account *account, uint64_t mailbox, const struct mailbox_row *row,
                 uint32_t *first_out, struct error *err) MUST_CHECK;
/* Within a transaction: none are, any more. */
bool seen_claim(struct account *account, uint64_t mailbox, struct error *err) MUST_CHECK;

/* Within a transaction: removes up to SEEN_BATCH rows of a mailbox, all of them or those of
 * messages that are gone; *more_out when there may be more. */
#define SEEN_BATCH 2000
bool seen_drop(struct account *account, uint64_t mailbox, bool *more_out,
               struct error *err) MUST_CHECK;
bool seen_trim(struct account *account, uint64_t mailbox, struct error *err) MUST_CHECK;
bool seen_is_stale(struct account *account, uint64_t mailbox, bool *stale_out,
                   struct error *err) MUST_CHECK;
