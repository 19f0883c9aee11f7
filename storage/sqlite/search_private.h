/* search_private.h - the inside of search.db, shared by the files that make it up.
 *
 *     search_db.c      opening, making anew, removing messages
 *     search_fill.c    filling
 *     search_query.c   asking
 *
 * A row holds a block: the signatures of one part of BLOCK_SIZE messages whose numbers follow each
 * other, so that reading all of them is one pass over few long rows. Its bytes:
 *
 *     a checksum of 64 bits, of the block's number and all that follows
 *     BLOCK_SIZE lengths of 16 bits, in words of 8 bytes; 0: not indexed
 *     the signatures, in order
 *
 * In the byte order of the machine: search.db is not to be carried to another. `state` has the last
 * message that was indexed, and its hash: another message of that number belongs to another
 * mail.db. Whoever writes holds flock(<account>/search.lock), which is not on search.db itself
 * since closing that would take SQLite's own locks.
 */
#pragma once

#include "storage/search.h"
#include "storage/sqlite/account_private.h"

#define BLOCK_SIZE  64
#define BLOCK_PARTS 3

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

/* One block taken apart; slices into the row. A damaged one has nothing: a wrong bit would hide a
 * message, and SQLite does not see it. */
struct block {
    struct slice signatures[BLOCK_SIZE];
};
void block_read(uint64_t number, struct slice row, struct block *block_out);
void block_write(uint64_t number, const struct block *block, struct buf *out); /* replaces *out */

/* Messages that the collector has removed; ascending. What fails here is only logged. */
void search_forget(struct account *account, const uint64_t *msgs, size_t count);
