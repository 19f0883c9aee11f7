/* account.h - one account's mail: mailboxes and quota (mail.db).
 *
 * Threads: blocking; jobs of one account run on one worker, so a handle is used by one thread.
 * Ownership: desk_account() lends a handle; those of the last HANDLES_LENT accounts stay valid
 * within a job, so that it may work with two accounts at once. A job that looks into many accounts
 * says so with desk_begin_turn(). Ask again at the start of each job, for desk_idle() closes
 * handles in between. Slices of results live in the arena given.
 *
 * An account's jobs run on one worker, but others may look into its mailboxes from theirs (acl.h):
 * each desk has a connection of its own, and writers queue on the account's lock.
 */
#pragma once

#include "storage/store.h"

struct account;

#define HANDLES_LENT 4

/* Opens or finds the account's store, migrating an older one first.
 * Errors: ERROR_NOT_FOUND, ERROR_NEWER. */
bool desk_account(struct desk *desk, uint64_t id, struct account **account_out,
                  struct error *err) MUST_CHECK;
/* From here on all handles that are lent stay valid until the next call of this. Past some hundreds
 * of them desk_account() gives ERROR_TEMPORARY: take as many turns as it needs. */
void desk_begin_turn(struct desk *desk);

uint64_t account_id(const struct account *account);

/* From now on \Seen and \Recent in accounts of others are those of this account (0: the owner's),
 * in whatever the desk's handles read and write: flags, their modseqs, what is copied. A new
 * message is unseen to everybody but who put it there. */
void desk_read_as(struct desk *desk, uint64_t reader);
/* Whose they are there; 0: the owner's, who has them to himself. */
uint64_t account_reader(const struct account *account);

/* Attributes of RFC 6154. */
enum special_use {
    SPECIAL_NONE = 0,
    SPECIAL_DRAFTS,
    SPECIAL_SENT,
    SPECIAL_TRASH,
    SPECIAL_JUNK,
    SPECIAL_ARCHIVE,
    SPECIAL_ALL,
    SPECIAL_FLAGGED,
    SPECIAL_IMPORTANT, /* RFC 8457 */
};

/* Names: UTF-8 without control characters; no level is empty, "." or "..". They are in NFC, but
 * those that were made in another form stay; a name in another form means the same mailbox
 * everywhere. */
#define MAILBOX_NAME_MAX  1000 /* bytes of UTF-8 */
#define MAILBOX_DEPTH_MAX 32
#define MAILBOX_COUNT_MAX 10000

struct mailbox_info {
    uint64_t id;       /* never reused within the account */
    struct slice name; /* full, UTF-8, "/" between levels; INBOX in capitals */
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;                              /* HIGHESTMODSEQ, at least 1 */
    uint64_t n_total, n_unseen, n_deleted, bytes; /* unseen to the owner, see mailbox_unseen() */
    uint32_t recent_from; /* UIDs from here on are \Recent to the owner's next session */
    enum special_use special_use;
    bool subscribed;
};

struct mailbox_list {
    struct mailbox_info *items; /* sorted by name, INBOX first */
    size_t count;
};

struct name_list {
    struct slice *items;
    size_t count;
};

/* Does a name lie below another one, at any depth? */
bool mailbox_is_below(struct slice name, struct slice superior);

/* NFC of a name or a pattern; what is no UTF-8 stays as it is. */
struct slice mailbox_name_nfc(struct arena *arena, struct slice name);

bool mailbox_all(struct account *account, struct arena *arena, struct mailbox_list *list_out,
                 struct error *err) MUST_CHECK;
/* Errors: ERROR_NOT_FOUND. INBOX in any case. */
bool mailbox_by_name(struct account *account, struct arena *arena, struct slice name,
                     struct mailbox_info *info_out, struct error *err) MUST_CHECK;
bool mailbox_by_id(struct account *account, struct arena *arena, uint64_t id,
                   struct mailbox_info *info_out, struct error *err) MUST_CHECK;
/* How many messages the reader has not seen; counted, unless it is the owner. */
bool mailbox_unseen(struct account *account, const struct mailbox_info *info, uint64_t *unseen_out,
                    struct error *err) MUST_CHECK;

/* Makes missing superiors too. Errors: ERROR_EXISTS, ERROR_INVALID (name), ERROR_LIMIT. A special
 * use that another mailbox has is ERROR_DENIED. */
bool mailbox_create(struct account *account, struct slice name, enum special_use special_use,
                    uint64_t *id_out, struct error *err) MUST_CHECK;
/* Gives another special use, or none. Errors: ERROR_NOT_FOUND; ERROR_DENIED: another mailbox has
 * it. */
bool mailbox_set_special_use(struct account *account, uint64_t id, enum special_use special_use,
                             struct error *err) MUST_CHECK;
/* Inferiors stay. Errors: ERROR_NOT_FOUND, ERROR_DENIED (INBOX). */
bool mailbox_delete(struct account *account, struct slice name, struct error *err) MUST_CHECK;
/* With all inferiors; UIDVALIDITY and UIDs stay. INBOX: its messages move to the new mailbox, INBOX
 * and its inferiors stay (RFC 3501 section 6.3.5). Errors: ERROR_NOT_FOUND (a name that exists only
 * by its inferiors is found), ERROR_EXISTS, ERROR_INVALID (into itself). */
bool mailbox_rename(struct account *account, struct slice from, struct slice to,
                    struct error *err) MUST_CHECK;

/* Subscriptions are names, whether the mailbox exists or not. */
bool mailbox_subscribe(struct account *account, struct slice name, bool subscribed,
                       struct error *err) MUST_CHECK;
bool mailbox_subscriptions(struct account *account, struct arena *arena,
                           struct name_list *names_out, struct error *err) MUST_CHECK;

struct quota {
    uint64_t bytes, bytes_max; /* max 0: no limit */
    uint64_t messages, messages_max;
};
bool account_quota(struct account *account, struct quota *quota_out, struct error *err) MUST_CHECK;

/* What it may have, without opening it; 0: no limit. */
bool account_limits_by_id(struct desk *desk, uint64_t id, struct account_limits *limits_out,
                          struct error *err) MUST_CHECK;

/* What is counted when it is asked for. */
struct quota_rest {
    uint64_t mailboxes, mailboxes_max;               /* always limited */
    uint64_t annotation_bytes, annotation_bytes_max; /* max 0: no limit; see metadata.h */
};
bool account_quota_rest(struct account *account, struct quota_rest *rest_out,
                        struct error *err) MUST_CHECK;
