/* account_private.h - the inside of an account's store, shared by the files that make it up.
 *
 *     account_sql.c   schema and every statement      mail_scan.c     reading rows of a uidset
 *     account.c       open, lock, transactions        mail_append.c   new messages
 *     mailbox.c       names, tree, subscriptions      mail_flags.c    flags, keywords, \Recent
 *     changes.c       what is new since a modseq      mail_copy.c     copy and move
 *     mail_read.c     bytes                           mail_expunge.c  expunge
 *     mail_summary.c  summaries                       check.c         looks for damage
 *     mail_import.c   copy between accounts           leaving.c       moves that broke off
 *     copying.c       copies in steps                 collect.c       removes what nobody needs
 *     metadata.c      annotations                     acl.c           who may do what
 *
 * Every write takes flock(<account>/lock) first, so that processes queue fairly, then BEGIN
 * IMMEDIATE. Reads need no lock: WAL gives each a snapshot.
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "storage/mail.h"
#include "storage/sqlite/account_slot.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

extern const char *const account_statements[ACCOUNT_SLOTS];

/* One script per user_version; account_schema_version is how many there are. */
extern const char *const account_schema[];
extern const size_t account_schema_version;

struct account {
    struct store *store;
    struct desk *desk; /* whose handle it is */
    uint64_t id;
    struct sql_db db;
    struct sql_db cache; /* see cache_private.h */
    bool cache_damaged;
    int lock;     /* descriptor of the lock file */
    bool relaxed; /* the boot id has been recorded: see account_relax() */
    int64_t collect_due_ms, trim_due_ms;
    struct sql_db *search; /* search.db: NULL until asked for */
};

/* The same as account_handle_open(), to a schema of other steps: for tests of migration. */
bool account_handle_open_schema(struct desk *desk, uint64_t id, const char *const *steps,
                                size_t n_steps, struct account **account_out,
                                struct error *err) MUST_CHECK;

/* A write. SQL_NORMAL commits without an fsync: for what may be lost in a power cut. */
bool account_begin(struct account *account, enum sql_sync sync, struct error *err) MUST_CHECK;
/* Sends a notice for `mailbox` (0: several) after the commit. */
bool account_commit(struct account *account, uint64_t mailbox, struct error *err) MUST_CHECK;
/* The same in two steps. */
bool account_commit_holding(struct account *account, struct error *err) MUST_CHECK;
void account_let_go(struct account *account, uint64_t mailbox);
bool account_commit_quietly(struct account *account, struct error *err) MUST_CHECK;
bool account_rollback(struct account *account); /* always false, so that failing is one statement */
/* Like account_begin(), but *busy_out instead of waiting for another writer. */
bool account_try_begin(struct account *account, enum sql_sync sync, bool *busy_out,
                       struct error *err) MUST_CHECK;

/* A lock of an open file (F_OFD_SETLK) on one byte of the lock file: F_WRLCK or F_UNLCK. Writers'
 * flock() is another kind and not hindered by it. It ends with the descriptor. */
bool account_lock_byte(int lock, uint64_t byte, short type, bool wait, struct error *err);

/* Before the first SQL_NORMAL write of something that clients will see. */
bool account_relax(struct account *account, struct error *err) MUST_CHECK;

/* Within a transaction: counts what will be there, ERROR_OVER_QUOTA when it is too much. */
bool account_charge(struct account *account, int64_t bytes, int64_t messages, bool unlimited,
                    struct error *err) MUST_CHECK;

struct mailbox_row {
    uint32_t uidvalidity, uidnext, recent_from;
    uint64_t modseq, vanished_floor, n_total, n_deleted;
};
bool mailbox_row(struct account *account, uint64_t mailbox, struct mailbox_row *row_out,
                 struct error *err) MUST_CHECK;

/* What a transaction does to a mailbox's counters. uidnext and modseq only ever grow: 0 leaves
 * them as they are. */
struct mailbox_delta {
    int64_t total, unseen, deleted, bytes;
    uint64_t uidnext, modseq;
};
void mailbox_delta_mail(struct mailbox_delta *delta, uint64_t flags, uint32_t size, int sign);
bool mailbox_apply(struct account *account, uint64_t mailbox, const struct mailbox_delta *delta,
                   struct error *err) MUST_CHECK;

/* Within a transaction; the name is right and new, its superiors are there. */
bool mailbox_insert(struct account *account, struct slice name, enum special_use special_use,
                    uint64_t *id_out, struct error *err) MUST_CHECK;

/* The one spelling of a name: INBOX in capitals, also as first level. Errors: ERROR_INVALID. */
bool mailbox_name(struct slice name, struct buf *out, struct error *err) MUST_CHECK;

struct mail_list {
    struct mail *items;
    size_t count, room;
};
void mail_list_free(struct mail_list *list);

/* Which rows mail_scan() gives. */
struct mail_scan {
    uint64_t mailbox;
    const struct uidset *which; /* NULL: all */
    uint32_t after;             /* only greater UIDs */
    uint64_t since;             /* only greater modseqs */
    bool only_deleted;          /* only those with \Deleted */
    size_t max;                 /* at most so many; 0: no limit */
};
/* Adds rows to the list, ascending. *end_out (may be NULL): there are no more. */
bool mail_scan(struct account *account, const struct mail_scan *scan, struct mail_list *list,
               bool *end_out, struct error *err) MUST_CHECK;
/* Columns uid, size, modseq, flags, idate, saved, msg of every statement that gives mails. */
void mail_from_row(const struct sql_row *row, struct mail *mail_out);

/* The first range that ends at `uid` or behind it; at most set->count. */
size_t mail_range_at(const struct uidset *set, uint32_t uid);
/* The end of the range that a UID of the set is in: all rows up to it belong to the set. */
uint32_t mail_range_end(const struct uidset *which, uint32_t uid);

/* A change of many rows in slices that each hold the lock for a few milliseconds only, and have a
 * modseq each. */
#define SLICE_ROWS MAIL_SLICE
struct bulk {
    struct account *account;
    uint64_t mailbox;
    const struct uidset *which;
    bool only_deleted;
    bool durable;
    bool at_once; /* in one transaction, whatever its size */
    /* Does one slice, within its transaction; sets *changed when it wrote `modseq` somewhere. */
    bool (*slice)(struct bulk *bulk, const struct mail_list *mails, uint64_t modseq, bool *changed,
                  struct error *err);
    void *context;
    uint64_t modseq_out; /* of the mailbox, afterwards */
    uint64_t since;      /* its modseq before */
    uint64_t n_steps;    /* by so many it was raised here */
};
bool bulk_run(struct bulk *bulk, struct error *err) MUST_CHECK;

/* Removes rows of a scan: rows, tombstones, refs (unless they moved), delta. */
bool mail_remove(struct account *account, uint64_t mailbox, const struct mail *mails, size_t count,
                 bool keep_refs, uint64_t modseq, struct mailbox_delta *delta,
                 struct error *err) MUST_CHECK;
/* Drops the references of rows that go. */
bool mail_unref(struct account *account, const struct mail *mails, size_t count,
                struct error *err) MUST_CHECK;
/* Copies or moves within a transaction. */
bool mail_transfer(struct account *account, uint64_t mailbox, const struct uidset *which,
                   const struct copy_target *target, bool move, struct copy_result *result_out,
                   struct error *err) MUST_CHECK;
/* The same into another account, in transactions of its own. */
struct copying_note;
bool mail_import(struct account *account, uint64_t mailbox, const struct uidset *which,
                 const struct copy_target *target, bool move, const struct copying_note *note,
                 struct copy_result *result_out, struct error *err) MUST_CHECK;
/* One step of a COPY, to any account. */
bool mail_copy(struct account *account, uint64_t mailbox, const struct uidset *which,
               const struct copy_target *target, const struct copying_note *note,
               struct copy_result *result_out, struct error *err) MUST_CHECK;

/* copying.c: what the transaction of a step writes down beside the copies, in the target. */
struct copying_note {
    uint64_t id;
    bool last;
};
bool copying_note(struct account *to, const struct copying_note *note, uint64_t mailbox,
                  const struct uidset *made, struct error *err) MUST_CHECK;
/* Takes away what copies have made that were broken off, until a time (clock_ms(); 0: all). Sets
 * *more when there is some left. */
void copying_settle(struct account *account, uint64_t until_ms, bool *more);

/* leaving.c: such a move, so that a crash does not leave messages in both accounts. A move that was
 * noted ends with one of the next two; leaving_settle() takes messages away if they have arrived,
 * for every account that is opened. */
#define LEAVING_TOKEN_SIZE 16
bool leaving_note(struct account *from, uint64_t mailbox, const struct account *to,
                  const struct mail_list *mails, struct slice token, struct error *err) MUST_CHECK;
void leaving_forget(struct account *from, struct slice token);
void leaving_break_off(struct account *from); /* something failed */
void leaving_settle(struct account *account);

void account_big_path(const struct account *account, uint64_t msg, struct buf *out);

/* One pass of the collector, bounded; *more_out when there is work left. */
#define COLLECT_AGE_MS (10 * 60 * 1000ll)
bool account_collect(struct account *account, int64_t now_ms, bool *more_out,
                     struct error *err) MUST_CHECK;
/* Counts, and removes if told to, files without a row that nobody touched since `before_ms`. */
bool account_sweep(struct account *account, int64_t before_ms, bool remove, uint64_t *count_out,
                   struct error *err) MUST_CHECK;
