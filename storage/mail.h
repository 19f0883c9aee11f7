/* mail.h - the messages of one mailbox: sets in, sets out, one call is one transaction.
 *
 * UIDs ascend, are never reused, and fit 32 bits. MODSEQ (RFC 7162) is a counter per mailbox; each
 * transaction that changes something raises it once and gives the new value to all it changed.
 * Calls return after the commit is on disk and notices are sent (notice.h).
 *
 * Flag changes and expunges of more than MAIL_SLICE messages are committed in slices, so that no
 * lock is held for long: others may see what the first slices did, and come in between. A crash or
 * an error leaves some of them done.
 *
 * A message (`msg`) is the immutable bytes and what was computed from them; the same msg may lie in
 * several mailboxes of the account. Its bytes stay readable for a while after the last one is
 * expunged, so that whoever looks at a snapshot can finish.
 *
 * Threads and ownership: as in account.h; what has a *_free() is on the heap.
 */
#pragma once

#include "storage/account.h"
#include "storage/body.h"
#include "storage/uidset.h"

/* Flags: system flags, then keywords by their bit in the account's table. */
#define MAIL_SEEN          (1ull << 0)
#define MAIL_ANSWERED      (1ull << 1)
#define MAIL_FLAGGED       (1ull << 2)
#define MAIL_DELETED       (1ull << 3)
#define MAIL_DRAFT         (1ull << 4)
#define MAIL_KEYWORD_FIRST 8
#define MAIL_KEYWORD_LAST  62

struct mail {
    uint32_t uid;
    uint32_t size; /* bytes, as IMAP and POP3 send them: CRLF */
    uint64_t modseq;
    uint64_t flags;
    int64_t received_ms; /* INTERNALDATE */
    int64_t saved_ms;    /* when it came into this mailbox */
    uint64_t msg;
};

#define MAIL_SLICE 2000

struct keyword_list {
    struct slice names[64]; /* by bit; empty where there is none */
};
bool keyword_all(struct account *account, struct arena *arena, struct keyword_list *list_out,
                 struct error *err) MUST_CHECK;
/* Bit of a keyword, made if it is new. Errors: ERROR_LIMIT when all bits are taken. */
bool keyword_bit(struct account *account, struct slice name, unsigned *bit_out,
                 struct error *err) MUST_CHECK;

/* What changed in a mailbox after `since`. One consistent view. With since 0 all that is there, and
 * `vanished` stays empty. A `since` greater than the mailbox's modseq: nothing. */
struct changes {
    struct mail *mails; /* ascending UID; changed or new, only those in `which` if given */
    size_t count;
    struct uidset vanished; /* expunged after `since`, only those in `which` if given; may name UIDs
                               that never were */
    bool all_vanished_known; /* false: `since` is older than the tombstones; then `vanished` is
                                everything below uidnext that is not there */
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;
    uint64_t n_total;
};
/* `since` equal to the mailbox's modseq costs one row read. Errors: ERROR_NOT_FOUND. */
bool mailbox_changes(struct account *account, uint64_t mailbox, uint64_t since,
                     const struct uidset *which, struct changes *changes_out,
                     struct error *err) MUST_CHECK;
void changes_free(struct changes *changes);

/* The same for mailboxes of any size: the mails go to `sink` in slices, ascending, and
 * changes_out->mails stays empty. A sink may not call the store; after an error it may have had
 * some. NULL: what vanished, and the counters. */
struct mail_sink {
    void (*take)(void *context, const struct mail *mails, size_t count);
    void *context;
};
bool mailbox_changes_each(struct account *account, uint64_t mailbox, uint64_t since,
                          const struct uidset *which, const struct mail_sink *sink,
                          struct changes *changes_out, struct error *err) MUST_CHECK;

/* UIDs from *first_out on are \Recent to the caller; with `claim` to nobody after it. */
bool mailbox_recent(struct account *account, uint64_t mailbox, bool claim, uint32_t *first_out,
                    struct error *err) MUST_CHECK;

struct append {
    struct body *body;   /* finished; stays the caller's */
    struct slice prefix; /* header lines that go before it; may be empty */
    uint64_t flags;
    int64_t received_ms;           /* 0: now */
    unsigned char delivery_id[16]; /* all zero: none; one that was seen before makes no message */
    bool summary_later; /* with the search index, or when asked for; not of a large one */
    uint32_t uid_out;   /* filled: 0 if it was a replay */
};
/* All or none. Errors: ERROR_NOT_FOUND, ERROR_OVER_QUOTA (unless over_quota_is_fine). */
bool mailbox_append(struct account *account, uint64_t mailbox, struct append *items, size_t count,
                    bool over_quota_is_fine, uint32_t *uidvalidity_out,
                    struct error *err) MUST_CHECK;

/* The same in one transaction with mailbox_recent(), for who has the mailbox selected: UIDs from
 * *recent_from_out on are \Recent to the caller, and to nobody after it. */
bool mailbox_append_claiming(struct account *account, uint64_t mailbox, struct append *items,
                             size_t count, uint32_t *recent_from_out, uint32_t *uidvalidity_out,
                             struct error *err) MUST_CHECK;

/* Stores one message and removes another one of the same account, both or neither (RFC 8508); the
 * quota sees the difference only. Errors: as mailbox_append(); ERROR_NOT_FOUND with replaced->gone
 * set when that other message is not there. */
struct replaced {
    uint64_t mailbox;
    uint32_t uid;
    uint64_t modseq; /* filled: of its mailbox, afterwards */
    bool gone;       /* filled */
};
bool mailbox_replace(struct account *account, uint64_t mailbox, struct append *item,
                     struct replaced *replaced, uint32_t *uidvalidity_out,
                     struct error *err) MUST_CHECK;

enum flag_op { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };

struct flag_change {
    enum flag_op op;
    uint64_t flags;
    uint64_t kept; /* bits it leaves as they are, whatever `op` says */
    bool guarded;  /* only messages with modseq <= unchanged_since (RFC 7162) */
    uint64_t unchanged_since;
};
struct flags_result {
    struct mail *mails; /* those of `which` that exist and were not refused, with their new flags;
                           modseq is the old one where nothing changed */
    size_t count;
    struct uidset refused; /* changed since: MODIFIED */
    uint64_t modseq;       /* of the mailbox, afterwards */
    uint64_t since;        /* and before, if these are all changes in between; else 0 */
};
/* Errors: ERROR_LIMIT when a reader of somebody else's mailbox has too many ranges of \Seen; to set
 * or clear it of all messages makes them few again. */
bool mailbox_store_flags(struct account *account, uint64_t mailbox, const struct uidset *which,
                         const struct flag_change *change, struct flags_result *result_out,
                         struct error *err) MUST_CHECK;
void flags_result_free(struct flags_result *result);

struct copy_result {
    uint32_t uidvalidity;   /* of the target */
    struct uidset from, to; /* the n-th of one is the n-th of the other */
    uint64_t modseq;        /* of the source, after a move */
};
/* Errors: ERROR_NOT_FOUND (target), ERROR_OVER_QUOTA. `move` within one mailbox gives new UIDs. */
bool mailbox_copy(struct account *account, uint64_t mailbox, const struct uidset *which,
                  uint64_t target, bool move, struct copy_result *result_out,
                  struct error *err) MUST_CHECK;
/* Many at once hold the account's lock for long: copying.h.
 *
 * The same to a mailbox of any account, with only those flags of the messages that are in
 * target->flags; room is asked for in the target's account. All copies, or none, are made in one
 * transaction. A move to another account is durable there before the messages go here; what a crash
 * breaks off in between is ended when the account is opened again. */
struct copy_target {
    struct account *account;
    uint64_t mailbox;
    uint64_t flags;
};
bool mailbox_copy_to(struct account *account, uint64_t mailbox, const struct uidset *which,
                     const struct copy_target *target, bool move, struct copy_result *result_out,
                     struct error *err) MUST_CHECK;
void copy_result_free(struct copy_result *result);

/* Removes those of `which` (NULL: all) that have \Deleted. With `whatever_flags` it is all of
 * `which`, and all or none of them after a crash too, as POP3's QUIT must be (RFC 1939
 * section 6). */
bool mailbox_expunge(struct account *account, uint64_t mailbox, const struct uidset *which,
                     bool whatever_flags, struct uidset *expunged_out, uint64_t *modseq_out,
                     struct error *err) MUST_CHECK;

/* Stored summaries (message/summary.h), in the order asked; a msg that is gone has empty slices.
 * `each` may not call the store. Ascending order is fastest. */
enum cached_part {
    CACHED_ENVELOPE = 1,  /* envelope, sent_ms, header_len */
    CACHED_STRUCTURE = 2, /* body_structure, body, preview */
    CACHED_SORT_KEYS = 4, /* sort_keys, for message/sort_key.h */
    CACHED_ALL = 7,
};
struct cached {
    uint64_t msg;
    struct slice envelope, body_structure, body, sort_keys, preview; /* valid during the call */
    int64_t sent_ms;
    uint64_t header_len;
};
/* `parts`: enum cached_part bits; what was not asked for may be empty. */
bool account_summaries(struct account *account, unsigned parts, const uint64_t *msgs, size_t count,
                       void (*each)(const struct cached *cached, void *context), void *context,
                       struct error *err) MUST_CHECK;
/* All parts. */
bool account_cached(struct account *account, const uint64_t *msgs, size_t count,
                    void (*each)(const struct cached *cached, void *context), void *context,
                    struct error *err) MUST_CHECK;

/* What a message is known by in all mailboxes (RFC 8474). A msg that is gone does not exist. */
struct object_ids {
    uint64_t msg;
    uint64_t thread;        /* the same for messages that belong together, never 0 */
    unsigned char hash[32]; /* of its bytes */
    bool exists;
};
bool account_objects(struct account *account, const uint64_t *msgs, size_t count,
                     struct object_ids *ids_out, struct error *err) MUST_CHECK;

/* Appends up to `len` bytes of the message from `offset` on; fewer at its end.
 * Errors: ERROR_NOT_FOUND when it is gone. */
bool account_read(struct account *account, uint64_t msg, uint64_t offset, size_t len,
                  struct buf *out, struct error *err) MUST_CHECK;

/* Between the two, all reads of this handle share one snapshot, which saves the locks that each
 * takes otherwise. Only account_read() and account_summaries() may be called meanwhile, and whoever
 * holds must release before it waits for anything, since no checkpoint gets past a snapshot. */
bool account_hold_reads(struct account *account, struct error *err) MUST_CHECK;
void account_release_reads(struct account *account);

/* A stable name of the message for POP3's UIDL: 32 hex digits, the same in every mailbox. Two
 * copies in one mailbox share it, as RFC 1939 section 7 allows. */
void account_uidl(struct account *account, uint64_t msg, struct buf *out);
