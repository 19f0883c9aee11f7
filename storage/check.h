/* check.h - looks for damage in the store, and mends what can be mended.
 *
 * Per account: SQLite's own integrity check, and when that finds more than indexes to rebuild,
 * nothing else, since repairs would be computed from what is damaged (recover.h); counters of
 * mailboxes against their rows; refs against rows; body present for every live msg, its hash; large
 * files without rows; tombstones in order; UIDs below uidnext; with whom it shares mailboxes. Of
 * the whole: accounts without folder and folders without account, queue rows without body,
 * leftovers in temporary folders.
 *
 * Threads: one desk. May run beside the daemons: it takes the account's lock for repairs only.
 */
#pragma once

#include "storage/store.h"

struct check_options {
    bool repair;
    bool hashes; /* read every body and compare its hash: slow */
    void (*finding)(const char *where, const char *what, bool repaired, void *context);
    void (*progress)(uint64_t done, uint64_t total, void *context);
    void *context;
};

/* False only when checking itself is impossible; findings go to the callback and are counted. */
bool store_check(struct desk *desk, const struct check_options *options, uint64_t *findings_out,
                 struct error *err) MUST_CHECK;

/* The sweeper: temporary files and files without a row that are older than an hour. Cheap enough
 * for once an hour; called by smtpd. */
void store_sweep(struct desk *desk);
