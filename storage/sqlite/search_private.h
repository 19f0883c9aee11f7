/* search_private.h - the inside of search.db, shared by the files that make it up.
 *
 *     search_db.c      opening, making anew, removing messages
 *     search_fill.c    filling
 *     search_query.c   asking
 *     search_attempt.c messages over which the process dies
 *
 * A row holds a block: what one part of BLOCK_TEXTS messages, whose numbers follow each other, has
 * of trigrams (message/trigram_block.h), behind a checksum of 64 bits of the block's number and all
 * that follows. A message that is not in its block is not indexed. Once no more messages can come
 * into a block, its rows take at most SEARCH_PERCENT of their headers and bodies
 * (message/trigram_fit.h).
 *
 * In the byte order of the machine: search.db is not to be carried to another. `state` has the last
 * message that was indexed, and its hash: another message of that number belongs to another
 * mail.db. Whoever writes holds flock(<account>/search.lock), which is not on search.db itself
 * since closing that would take SQLite's own locks.
 */
#pragma once

#include "message/trigram_fit.h"
#include "storage/search.h"
#include "storage/sqlite/account_private.h"

#define BLOCK_PARTS    3
#define SEARCH_PERCENT 30 /* what SQLite takes besides is a tenth of that */

/* What a block may take besides while it can still get messages: as much as so many of its
 * messages, at least a page; when three quarters are there, so much of all. */
#define SEARCH_MORE_BYTES   4096
#define SEARCH_MORE_TEXTS   5
#define SEARCH_MORE_PERCENT 5

enum search_slot {
    SEARCH_STATE,
    SEARCH_STATE_SET,
    SEARCH_GET, /* of the first part; the others follow */
    SEARCH_GET_HEADER,
    SEARCH_GET_BODY,
    SEARCH_PUT,
    SEARCH_PUT_HEADER,
    SEARCH_PUT_BODY,
    SEARCH_DROP,
    SEARCH_DROP_HEADER,
    SEARCH_DROP_BODY,
    SEARCH_CHECK,
    SEARCH_ROWS,
    SEARCH_SLOTS,
};

/* The account's handle, opened if need be. NULL in *db_out with true: there is no index, and
 * `create` is false. Errors: what SQLite says; ERROR_NEWER, ERROR_INTERNAL: it is of no use. */
bool search_open(struct account *account, bool create, struct sql_db **db_out,
                 struct error *err) MUST_CHECK;
void search_close(struct account *account);

/* The lock for writing; -1 when somebody has it. */
bool search_lock(struct account *account, bool wait, int *lock_out, struct error *err) MUST_CHECK;
void search_unlock(int lock);

/* Under the lock. */
bool search_remove_files(struct account *account, struct error *err) MUST_CHECK;

/* The last message that was indexed; 0: none. */
bool search_last(struct sql_db *db, uint64_t *last_out, struct buf *hash_out,
                 struct error *err) MUST_CHECK;
/* Is this the index of this mail.db? */
bool search_fits(struct account *account, struct sql_db *db, bool *fits_out,
                 struct error *err) MUST_CHECK;

/* Looks for damage; false says which. That there is no index is fine. */
bool search_check(struct account *account, struct error *err) MUST_CHECK;

/* Takes a row apart; slices into it. A damaged one is an empty block: a wrong bit would hide a
 * message, and SQLite does not see it. */
void search_row_read(uint64_t number, struct slice row, struct trigram_block *block_out);
/* Changes what the rows of a block have; in a transaction. `last` is the last message that is
 * indexed: by it a block is known to be full. */
bool search_change(struct sql_db *db, uint64_t number, const struct block_change changes[],
                   uint64_t last, struct error *err) MUST_CHECK;

/* Messages that the collector has removed; ascending. What fails here is only logged. */
void search_forget(struct account *account, const uint64_t *msgs, size_t count);

/* search_attempt.c. The piece that is being signed, as search.lock has it; under the lock. */
struct search_attempt {
    uint64_t last;    /* what was indexed when it was begun */
    uint64_t tries;   /* how often it was begun, and not ended */
    uint64_t until;   /* its last message */
    uint64_t careful; /* up to this message each is a piece of its own */
};
void search_attempt_begin(int lock, uint64_t last, struct search_attempt *attempt_out);
bool search_attempt_is_careful(const struct search_attempt *attempt);
/* Is the next message to be passed over? */
bool search_attempt_is_enough(const struct search_attempt *attempt);
void search_attempt_note(int lock, struct search_attempt *attempt, uint64_t until);
void search_attempt_end(int lock, struct search_attempt *attempt); /* whatever came of it */
