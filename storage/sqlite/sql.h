/* sql.h - a thin cover over SQLite: prepared statements by slot, one-line binding, transactions,
 * and SQLite's result codes turned into our error kinds. Only storage/sqlite/ includes this.
 *
 *     struct sql_row row;
 *     if (!sql_query(db, SQL_FIND, &row, err, "it", mailbox, name)) return false;
 *     while (sql_next(&row, err)) ... sql_u64(&row, 0) ...
 *     if (row.failed) return false;        // else: the end; the statement is reset
 *
 * Threads: a struct sql_db belongs to one thread.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

#include <sqlite3.h>

enum sql_control { SQL_BEGIN, SQL_BEGIN_READ, SQL_COMMIT, SQL_ROLLBACK, SQL_CONTROLS };

enum sql_sync { SQL_FULL, SQL_NORMAL };

/* A database handle with its statements, prepared when first used and kept. `texts` is a constant
 * table indexed by the caller's own enum. */
struct sql_db {
    sqlite3 *handle;
    const char *const *texts;
    sqlite3_stmt **statements;
    size_t n_statements;
    bool may_be_new; /* opened with `create` */
    sqlite3_stmt *controls[SQL_CONTROLS];
    enum sql_sync sync;
};

/* Errors: ERROR_NOT_FOUND when there is no file and `create` is false. */
bool sql_open(struct sql_db *db, const char *path, bool create, enum sql_sync sync,
              const char *const *texts, size_t n_texts, struct error *err) MUST_CHECK;
/* Outside a transaction. */
bool sql_set_sync(struct sql_db *db, enum sql_sync sync, struct error *err) MUST_CHECK;
void sql_close(struct sql_db *db);          /* { 0 } is fine too */
void sql_release_memory(struct sql_db *db); /* drops the page cache and the statements */

struct sql_row {
    sqlite3_stmt *statement;
    bool failed;
};

/* Types: i int64_t, u uint64_t, t struct slice as text, b struct slice as blob, n NULL (no arg).
 * Arguments must have just these types: cast narrower numbers. Slices are not copied: they must
 * live until the last sql_next(). A slot whose rows are still being read may not be used again. */
bool sql_query(struct sql_db *db, size_t slot, struct sql_row *row_out, struct error *err,
               const char *types, ...) MUST_CHECK;
bool sql_next(struct sql_row *row, struct error *err); /* false at the end, or failed */
void sql_end(struct sql_row *row);                     /* before the end, when you have enough */

int64_t sql_i64(const struct sql_row *row, int column);
uint64_t sql_u64(const struct sql_row *row, int column);
bool sql_is_null(const struct sql_row *row, int column);
struct slice sql_slice(const struct sql_row *row, int column); /* text or blob; until sql_next */

/* The number in the first row; without a row *number stays as it is. */
bool sql_number(struct sql_db *db, size_t slot, uint64_t *number, struct error *err,
                const char *types, ...) MUST_CHECK;

/* A statement without rows; *changes_out (may be NULL) is the number of rows changed. */
bool sql_run(struct sql_db *db, size_t slot, uint64_t *changes_out, struct error *err,
             const char *types, ...) MUST_CHECK;
bool sql_script(struct sql_db *db, const char *script, struct error *err) MUST_CHECK; /* many */
uint64_t sql_last_id(struct sql_db *db);

bool sql_begin(struct sql_db *db, struct error *err) MUST_CHECK;      /* IMMEDIATE */
bool sql_begin_read(struct sql_db *db, struct error *err) MUST_CHECK; /* DEFERRED */
bool sql_commit(struct sql_db *db, struct error *err) MUST_CHECK;     /* rolls back on failure */
void sql_rollback(struct sql_db *db);
bool sql_in_transaction(struct sql_db *db); /* false after SQLite rolled back by itself */

/* Maps SQLite's last error: busy, full, I/O -> ERROR_TEMPORARY; a UNIQUE or PRIMARY KEY
 * constraint -> ERROR_EXISTS; the rest ERROR_INTERNAL. */
bool sql_error(struct sql_db *db, struct error *err);

/* SQLite's integrity check: what it finds is appended to `what`, a line each; nothing when all is
 * well. False: not even that can be read. */
bool sql_check(struct sql_db *db, struct buf *what, struct error *err) MUST_CHECK;

/* Brings a database from its user_version to `count`, one script per step, in one transaction. A
 * greater user_version is ERROR_NEWER. One without tables that was opened without `create` has lost
 * them, and is ERROR_INTERNAL. */
bool sql_migrate(struct sql_db *db, const char *const *steps, size_t count,
                 struct error *err) MUST_CHECK;
