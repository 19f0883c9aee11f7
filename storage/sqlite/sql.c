/* sql.c - see sql.h.
 *
 * SQLite's result codes stop here: the rest of storage/ sees only our own error kinds. Values are
 * bound without copies, so what a caller binds must live until the statement is reset.
 */
#include "storage/sqlite/sql.h"

#include "common/mem.h"
#include "storage/sqlite/gather.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 10000

/* Small: a daemon holds hundreds of handles, and most of them do nothing. */
#define LOOKASIDE_SLOT_BYTES 128
#define LOOKASIDE_SLOTS      100

static const char *const control_texts[SQL_CONTROLS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
};

static enum error_kind kind_of(int extended_code)
{
    if (extended_code == SQLITE_CONSTRAINT_UNIQUE || extended_code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return ERROR_EXISTS;

    switch (extended_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
    case SQLITE_NOMEM:
        return ERROR_TEMPORARY;
    default: /* SQLite's codes, not an enum of ours */
        return ERROR_INTERNAL;
    }
}

static const char *file_of(sqlite3 *handle)
{
    const char *path = sqlite3_db_filename(handle, "main");

    return path != NULL && *path != '\0' ? path : "database";
}

static bool fail(sqlite3 *handle, struct error *err)
{
    return error_set(err, kind_of(sqlite3_extended_errcode(handle)), "%s: sqlite: %s",
                     file_of(handle), sqlite3_errmsg(handle));
}

bool sql_error(struct sql_db *db, struct error *err)
{
    return fail(db->handle, err);
}

static bool put_sync(struct sql_db *db, enum sql_sync sync, struct error *err)
{
    if (!sql_script(db,
                    sync == SQL_FULL ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                    err))
        return false;
    db->sync = sync;
    return true;
}

bool sql_set_sync(struct sql_db *db, enum sql_sync sync, struct error *err)
{
    return db->sync == sync || put_sync(db, sync, err);
}

/* The settings of every database. FULL and not NORMAL wherever something is acknowledged: NORMAL
 * loses commits in a power cut. The WAL file is kept, because overwriting it in place is the
 * cheapest durable write there is; the limit shrinks it again after an unusually large change. */
static bool set_up(struct sql_db *db, enum sql_sync sync, struct error *err)
{
    int keep = 1;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_SLOT_BYTES,
                      LOOKASIDE_SLOTS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);

    if (!sql_script(db,
                    "PRAGMA page_size = 4096;"
                    "PRAGMA journal_mode = WAL;"
                    "PRAGMA wal_autocheckpoint = 1000;"
                    "PRAGMA journal_size_limit = 67108864;"
                    "PRAGMA temp_store = MEMORY;",
                    err) ||
        !put_sync(db, sync, err))
        return false;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    return true;
}

/* SQLite would make the file readable for all, as far as the umask lets it; the files beside it
 * take over its mode. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
}

bool sql_open(struct sql_db *db, const char *path, bool create, enum sql_sync sync,
              const char *const *texts, size_t n_texts, struct error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);

    *db = (struct sql_db){ .texts = texts, .n_statements = n_texts, .may_be_new = create };
    if (create)
        make_private(path);
    if (!create && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return error_set(err, ERROR_NOT_FOUND, "%s: there is no such database", path);

    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        error_set(err, kind_of(sqlite3_extended_errcode(db->handle)), "opening %s: sqlite: %s",
                  path, sqlite3_errmsg(db->handle));
        sql_close(db);
        return false;
    }
    db->statements = mem_zero(n_texts * sizeof(db->statements[0]) + 1);
    if (!set_up(db, sync, err)) {
        sql_close(db);
        return false;
    }
    return true;
}

static void finalize_all(struct sql_db *db)
{
    for (size_t i = 0; db->statements != NULL && i < db->n_statements; i++) {
        sqlite3_finalize(db->statements[i]);
        db->statements[i] = NULL;
    }
    for (size_t i = 0; i < SQL_CONTROLS; i++) {
        sqlite3_finalize(db->controls[i]);
        db->controls[i] = NULL;
    }
}

void sql_close(struct sql_db *db)
{
    int code;

    finalize_all(db);
    code = sqlite3_close(db->handle);
    assert(code == SQLITE_OK);
    free(db->statements);
    *db = (struct sql_db){ 0 };
}

void sql_release_memory(struct sql_db *db)
{
    if (db->handle == NULL)
        return;
    finalize_all(db);
    sqlite3_db_release_memory(db->handle);
}

static bool prepare(struct sql_db *db, const char *text, sqlite3_stmt **statement,
                    struct error *err)
{
    if (*statement != NULL)
        return true;
    if (sqlite3_prepare_v3(db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
        SQLITE_OK) {
        fail(db->handle, err);
        return error_wrap(err, "preparing \"%.60s\"", text);
    }
    return true;
}

/* SQLite takes a NULL pointer for NULL, whatever the length: an empty text needs an address. */
static int bind_slice(sqlite3_stmt *statement, int index, struct slice value, bool text)
{
    const char *data = value.data != NULL ? value.data : "";

    if (text)
        return sqlite3_bind_text64(statement, index, data, value.len, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(statement, index, data, value.len, SQLITE_STATIC);
}

static bool bind_all(struct sql_db *db, sqlite3_stmt *statement, const char *types, va_list args,
                     struct error *err)
{
    int code = SQLITE_OK;

    for (int index = 1; *types != '\0' && code == SQLITE_OK; types++, index++) {
        if (*types == 'i')
            code = sqlite3_bind_int64(statement, index, va_arg(args, int64_t));
        else if (*types == 'u')
            code = sqlite3_bind_int64(statement, index, (int64_t)va_arg(args, uint64_t));
        else if (*types == 't' || *types == 'b')
            code = bind_slice(statement, index, va_arg(args, struct slice), *types == 't');
        else
            code = sqlite3_bind_null(statement, index);
    }
    return code == SQLITE_OK || fail(db->handle, err);
}

static bool start(struct sql_db *db, size_t slot, struct sql_row *row_out, struct error *err,
                  const char *types, va_list args)
{
    *row_out = (struct sql_row){ NULL, true };
    assert(slot < db->n_statements);
    if (!prepare(db, db->texts[slot], &db->statements[slot], err))
        return false;
    /* A result left open keeps a read transaction open, which lets the WAL grow for ever. */
    assert(!sqlite3_stmt_busy(db->statements[slot]));
    if (!bind_all(db, db->statements[slot], types, args, err))
        return false;
    *row_out = (struct sql_row){ db->statements[slot], false };
    return true;
}

bool sql_query(struct sql_db *db, size_t slot, struct sql_row *row_out, struct error *err,
               const char *types, ...)
{
    va_list args;
    bool ok;

    va_start(args, types);
    ok = start(db, slot, row_out, err, types, args);
    va_end(args);
    return ok;
}

bool sql_next(struct sql_row *row, struct error *err)
{
    int code = sqlite3_step(row->statement);

    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE) {
        row->failed = true;
        fail(sqlite3_db_handle(row->statement), err);
    }
    sqlite3_reset(row->statement);
    return false;
}

void sql_end(struct sql_row *row)
{
    sqlite3_reset(row->statement);
}

int64_t sql_i64(const struct sql_row *row, int column)
{
    return sqlite3_column_int64(row->statement, column);
}

uint64_t sql_u64(const struct sql_row *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row->statement, column);
}

bool sql_is_null(const struct sql_row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}

struct slice sql_slice(const struct sql_row *row, int column)
{
    const void *data = sqlite3_column_blob(row->statement, column);

    return slice_make(data, (size_t)sqlite3_column_bytes(row->statement, column));
}

bool sql_number(struct sql_db *db, size_t slot, uint64_t *number, struct error *err,
                const char *types, ...)
{
    struct sql_row row;
    va_list args;
    bool ok;

    va_start(args, types);
    ok = start(db, slot, &row, err, types, args);
    va_end(args);
    if (!ok)
        return false;
    if (sql_next(&row, err)) {
        *number = sql_u64(&row, 0);
        sql_end(&row);
    }
    return !row.failed;
}

bool sql_run(struct sql_db *db, size_t slot, uint64_t *changes_out, struct error *err,
             const char *types, ...)
{
    struct sql_row row;
    va_list args;
    bool ok;

    va_start(args, types);
    ok = start(db, slot, &row, err, types, args);
    va_end(args);
    if (!ok)
        return false;
    while (sql_next(&row, err))
        continue;
    if (changes_out != NULL)
        *changes_out = (uint64_t)sqlite3_changes64(db->handle);
    return !row.failed;
}

bool sql_script(struct sql_db *db, const char *script, struct error *err)
{
    if (sqlite3_exec(db->handle, script, NULL, NULL, NULL) != SQLITE_OK)
        return fail(db->handle, err);
    return true;
}

uint64_t sql_last_id(struct sql_db *db)
{
    return (uint64_t)sqlite3_last_insert_rowid(db->handle);
}

static bool control(struct sql_db *db, enum sql_control which, struct error *err)
{
    struct sql_row row = { NULL, false };

    if (!prepare(db, control_texts[which], &db->controls[which], err))
        return false;
    row.statement = db->controls[which];
    while (sql_next(&row, err))
        continue;
    return !row.failed;
}

bool sql_begin(struct sql_db *db, struct error *err)
{
    return control(db, SQL_BEGIN, err);
}

bool sql_begin_read(struct sql_db *db, struct error *err)
{
    return control(db, SQL_BEGIN_READ, err);
}

bool sql_commit(struct sql_db *db, struct error *err)
{
    struct gather gather = { 0 };

    if (db->sync == SQL_FULL)
        gather_begin(&gather, db->handle);
    bool ok = control(db, SQL_COMMIT, err);
    gather_end(&gather);
    if (ok)
        return true;
    sql_rollback(db);
    return false;
}

bool sql_in_transaction(struct sql_db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

void sql_rollback(struct sql_db *db)
{
    struct error ignored;

    /* SQLite may have rolled back by itself, on a full disk for example. */
    if (sql_in_transaction(db))
        control(db, SQL_ROLLBACK, &ignored);
}

bool sql_check(struct sql_db *db, struct buf *what, struct error *err)
{
    struct sql_row row = { NULL, false };

    if (sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(20)", -1, &row.statement, NULL) !=
        SQLITE_OK)
        return fail(db->handle, err);
    while (sql_next(&row, err)) {
        if (slice_is(sql_slice(&row, 0), "ok"))
            continue;
        buf_add_slice(what, sql_slice(&row, 0));
        buf_add_byte(what, '\n');
    }
    sqlite3_finalize(row.statement);
    return !row.failed;
}

static bool read_version(struct sql_db *db, int64_t *version_out, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    bool ok;

    if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return fail(db->handle, err);
    ok = sqlite3_step(statement) == SQLITE_ROW || fail(db->handle, err);
    *version_out = ok ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return ok;
}

static bool refuse_newer(struct sql_db *db, int64_t version, size_t count, struct error *err)
{
    return error_set(err, ERROR_NEWER,
                     "%s: written by a newer version of Postane (format %lld, this program knows "
                     "up to %zu): run that version, or restore a backup",
                     file_of(db->handle), (long long)version, count);
}

static bool migrate_steps(struct sql_db *db, const char *const *steps, size_t count,
                          struct error *err)
{
    char set_version[64];
    int64_t version = 0;

    /* Again, now that nobody else can write: another process may have been faster. */
    if (!read_version(db, &version, err))
        return false;
    for (size_t i = (size_t)version; i < count; i++) {
        if (!sql_script(db, steps[i], err))
            return error_wrap(err, "migrating to format %zu", i + 1);
    }
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %zu", count);
    return (size_t)version >= count || sql_script(db, set_version, err);
}

bool sql_migrate(struct sql_db *db, const char *const *steps, size_t count, struct error *err)
{
    int64_t version = 0;

    if (!read_version(db, &version, err))
        return false;
    if (version < 0 || (uint64_t)version > count)
        return refuse_newer(db, version, count, err);
    if ((uint64_t)version == count)
        return true;
    if (version == 0 && !db->may_be_new)
        return error_set(err, ERROR_INTERNAL, "%s: its tables are gone", file_of(db->handle));

    if (!sql_begin(db, err))
        return false;
    if (!migrate_steps(db, steps, count, err)) {
        sql_rollback(db);
        return false;
    }
    return sql_commit(db, err);
}
