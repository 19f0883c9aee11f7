/* recover.h - the messages of an account whose mail.db is damaged, as many as can be read.
 *
 * Reads the file's pages itself and needs nothing to be whole: rows are known by the tables' trees,
 * or where a tree is broken, or the file's beginning is gone, by their looks. Then messages that
 * were expunged shortly before may be among them. What has no place any more is in the mailbox
 * RECOVERY_LOST: messages without row in a mailbox, without flags and date.
 *
 * Threads: one. The files stay open: they may be renamed meanwhile, not changed.
 */
#pragma once

#include "storage/store.h"

#define RECOVERY_LOST "Recovered"

struct recovery;

struct recovered {
    struct slice mailbox; /* its name, or "Mailbox 12" when that cannot be read */
    uint32_t uid;         /* 0 in RECOVERY_LOST */
    uint64_t flags;       /* as in struct mail */
    int64_t received_ms;  /* 0: not known */
    uint64_t msg;         /* its number in the account */
};

/* Errors: ERROR_NOT_FOUND when there is no mail.db. */
bool recovery_open(struct store *store, uint64_t account, struct recovery **recovery_out,
                   struct error *err) MUST_CHECK;
void recovery_free(struct recovery **recovery);

size_t recovery_count(const struct recovery *recovery);
const struct recovered *recovery_item(const struct recovery *recovery, size_t index);
/* The keyword of a flag, or "" */
struct slice recovery_keyword(const struct recovery *recovery, unsigned bit);

enum recovery_state {
    RECOVERY_WHOLE,
    RECOVERY_DAMAGED, /* some bytes, but not as they were: the hash does not fit */
    RECOVERY_GONE,    /* no bytes */
};
/* Appends a message's bytes. */
enum recovery_state recovery_read(struct recovery *recovery, size_t index, struct buf *bytes);

/* Renames all files of an account that recovery_open() has read: "mail.db" becomes
 * "mail.db.damaged-<time>", and so on; and makes a new, empty store in their place. Daemons notice
 * with the next command. */
bool recovery_start_anew(struct store *store, uint64_t account, struct error *err) MUST_CHECK;
