/* cache_private.h - cache.db: the summaries of an account's messages (message/summary.h).
 *
 *     envelope  1--1  structure  1--1  sorting      a row each for a msg of mail.db
 *
 * Apart from mail.db, so that a list of all messages reads what it shows and nothing else, and so
 * that deliveries fsync less: nothing here is ever fsynced for itself. All of it can be made again
 * from the messages, and is when it is missing, damaged, or of another SUMMARY_VERSION: then the
 * file is thrown away. Deliveries leave them out (struct append): whoever fills the search index
 * makes them in passing, many at once, or a session that asks before. A row is written after its
 * message is committed, under the account's lock; message ids are never given again, so a row that
 * is there is right. Rows of ids that mail.db has not given yet (it was put back from an older
 * copy) go when the file is opened.
 *
 * What fails here is logged and costs time later, but fails nothing else.
 *
 * Threads and ownership: as in account.h.
 */
#pragma once

#include "message/summary.h"
#include "storage/sqlite/account_private.h"

/* Columns of the three that give rows: msg, sent_ms, header_len, envelope, structure, body, sort
 * keys, preview. */
enum cache_slot {
    CACHE_RANGE, /* everything */
    CACHE_ENVELOPES,
    CACHE_SORTINGS,
    CACHE_PUT_ENVELOPE,
    CACHE_PUT_STRUCTURE,
    CACHE_PUT_SORTING,
    CACHE_DELETE_ENVELOPE,
    CACHE_DELETE_STRUCTURE,
    CACHE_DELETE_SORTING,
    CACHE_AFTER, /* ids from one on */
    CACHE_LAST,
    CACHE_VERSION,
    CACHE_CHECK,
    CACHE_SLOTS,
};

/* Opens it if it is not open; without the account's lock, which it takes. False: not now. */
bool cache_ready(struct account *account);
/* What a statement said: logged, and a damaged file is thrown away by the next cache_ready(). */
void cache_failed(struct account *account, const struct error *why);

/* Stores summaries; ids that are 0 are passed over. */
struct cache_item {
    uint64_t msg;
    const struct summary *summary;
};
void cache_put(struct account *account, const struct cache_item *items, size_t count);
void cache_forget(struct account *account, const uint64_t *msgs, size_t count);

/* How many rows belong to no message; with `mend` they go, and a damaged file does. */
bool cache_check(struct account *account, bool mend, uint64_t *orphans_out, bool *damaged_out,
                 struct error *err) MUST_CHECK;

void cache_release(struct account *account); /* memory */
void cache_close(struct account *account);
