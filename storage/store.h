/* store.h - the data directory, and one thread's desk in it.
 *
 * A process opens the store once; each worker thread has a desk with its own database handles, so
 * that nothing in here needs a lock. Writers of different processes queue on files (flock).
 *
 *     <data>/postane.db                  domains, accounts, aliases, credentials   (directory.h)
 *                                        keys, counts, policies (keys.h, tally.h, sts.h);
 *                                        private: mode 0600
 *     <data>/queue.db, queue/            accepted, not yet delivered               (queue.h)
 *     <data>/accounts/<hh>/<id>/mail.db  one account; lock, big/ beside it         (account.h)
 *     <data>/logins.db                   bans, logins                              (logbook.h)
 *     <data>/guard                       counts of wrong passwords                 (guard.h)
 *     <data>/run/                        sockets                                   (notice.h)
 *
 * Threads: blocking. The store may be shared; a desk belongs to the thread that opened it.
 * Errors: any function of storage/ that returns bool may give ERROR_TEMPORARY (busy, disk full:
 * nothing was changed), ERROR_NEWER or ERROR_INTERNAL; others are listed at the function.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/mem.h"

struct store;
struct desk;

/* What an account may keep. 0: the default, in store_options: no limit; LIMIT_NONE: as much as it
 * likes. */
#define LIMIT_NONE ((uint64_t)INT64_MAX)
struct account_limits {
    uint64_t bytes, messages;
    uint64_t mailboxes;        /* never more than MAILBOX_COUNT_MAX */
    uint64_t annotation_bytes; /* names and values, metadata.h */
};

struct store_options {
    const char *path;             /* the data directory */
    struct log log;               /* for what the background work finds; library calls do not log */
    size_t inline_max_bytes;      /* bodies up to this lie in the database (128 KB) */
    size_t handles_per_desk;      /* open accounts a desk keeps */
    struct account_limits limits; /* where the account has none of its own; 0: no limit */
    bool relaxed_flags;           /* flag changes commit without an fsync of their own */
};

/* Makes the directories and databases of a new store; fine if they are there already. */
bool store_create(const char *path, struct error *err) MUST_CHECK;

/* Errors: ERROR_NOT_FOUND when there is no store at the path, ERROR_NEWER. */
bool store_open(const struct store_options *options, struct store **store_out,
                struct error *err) MUST_CHECK;
void store_close(struct store **store); /* after its desks */
const char *store_path(const struct store *store);

/* These fit struct pool_desk of common/pool.h, with the store as context. */
bool desk_open(struct store *store, struct desk **desk_out, struct error *err) MUST_CHECK;
/* Collects garbage, gives back memory, closes old handles; to be called when there is nothing else
 * to do. Returns in how many milliseconds there may be more of it; 0: when the desk was used again.
 */
uint64_t desk_idle(struct desk *desk);
/* Memory is short: gives back what is only kept to be quick. Not from within a job. */
void desk_relieve(struct desk *desk);
void desk_close(struct desk **desk);

/* What a daemon keeps beside the handles of a desk, on the same thread. Whoever asks first makes
 * it. */
struct desk_guest {
    uint64_t (*idle)(struct desk_guest *guest); /* as desk_idle(); 0: no need to be called again */
    void (*relieve)(struct desk_guest *guest);  /* as desk_relieve() */
    void (*close)(struct desk_guest *guest);    /* with the desk; frees it */
};
struct desk_guest **desk_guest(struct desk *desk); /* points to NULL before there is one */
