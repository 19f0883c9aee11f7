/* gather.h - the many small writes of one commit to the write-ahead log, made one.
 *
 * SQLite writes each page of a commit in two pieces, a head of 24 bytes and the page, and syncs
 * behind the last. Between gather_begin() and gather_end(), what goes into the log is held in
 * memory and written in large pieces, the last of them before the sync. So it is for commits with
 * synchronous=FULL alone, around the COMMIT: without a sync, others would be told of what is not in
 * the file.
 *
 * Errors: a write that fails fails the sync, and so the commit; what is then still held is dropped,
 * like the unsynced rest of any commit that failed.
 * Threads: the handle's. One struct gather in a thread at a time.
 */
#pragma once

#include "common/buf.h"

#include <sqlite3.h>

struct gather {
    sqlite3_file *file; /* the log; NULL: nothing is gathered */
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    struct buf held;
    sqlite3_int64 offset; /* of the held bytes in the file */
};

void gather_begin(struct gather *gather, sqlite3 *handle);
void gather_end(struct gather *gather);
