/* search_db.c - search.db: opening, making anew, taking messages out (search_private.h). */
#include "storage/sqlite/search_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const char schema_1[] =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), last INTEGER NOT NULL,"
    "  hash BLOB NOT NULL);"
    "INSERT INTO state VALUES(1, 0, x'');"
    "CREATE TABLE envelope(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE header(block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE body(block INTEGER PRIMARY KEY, data BLOB NOT NULL);";

/* Rows are of another form: all is filled again. */
static const char schema_2[] = "DELETE FROM envelope; DELETE FROM header; DELETE FROM body;"
                               "UPDATE state SET last = 0, hash = x'';";

static const char *const schema[] = { schema_1, schema_2, schema_2 };

static const char *const statements[SEARCH_SLOTS] = {
    [SEARCH_STATE] = "SELECT last, hash FROM state",
    [SEARCH_STATE_SET] = "UPDATE state SET last = ?, hash = ?",
    [SEARCH_GET] = "SELECT data FROM envelope WHERE block = ?",
    [SEARCH_GET_HEADER] = "SELECT data FROM header WHERE block = ?",
    [SEARCH_GET_BODY] = "SELECT data FROM body WHERE block = ?",
    [SEARCH_PUT] = "INSERT OR REPLACE INTO envelope VALUES(?, ?)",
    [SEARCH_PUT_HEADER] = "INSERT OR REPLACE INTO header VALUES(?, ?)",
    [SEARCH_PUT_BODY] = "INSERT OR REPLACE INTO body VALUES(?, ?)",
    [SEARCH_DROP] = "DELETE FROM envelope WHERE block = ?",
    [SEARCH_DROP_HEADER] = "DELETE FROM header WHERE block = ?",
    [SEARCH_DROP_BODY] = "DELETE FROM body WHERE block = ?",
    [SEARCH_CHECK] = "PRAGMA integrity_check(5)",
    [SEARCH_ROWS] = ("SELECT block, data FROM envelope UNION ALL SELECT block, data FROM header"
                     " UNION ALL SELECT block, data FROM body"),
};

static void search_path(const struct account *account, const char *name, struct buf *out)
{
    buf_clear(out);
    store_account_path(account->store, account->id, name, out);
}

void search_close(struct account *account)
{
    if (account->search == NULL)
        return;
    sql_close(account->search);
    free(account->search);
    account->search = NULL;
}

static bool open_database(const char *path, bool create, struct sql_db *db, struct error *err)
{
    if (!sql_open(db, path, create, SQL_NORMAL, statements, SEARCH_SLOTS, err))
        return false;
    db->may_be_new = true; /* its first commit was not synced: a power cut leaves it empty */
    if (sql_migrate(db, schema, COUNT_OF(schema), err) &&
        sql_script(db, "PRAGMA mmap_size = 268435456", err))
        return true;
    sql_close(db);
    return false;
}

bool search_open(struct account *account, bool create, struct sql_db **db_out, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct sql_db db;

    *db_out = account->search;
    if (account->search != NULL)
        return true;
    search_path(account, "search.db", &path);
    if (!open_database(buf_text(&path), create, &db, err))
        return err->kind == ERROR_NOT_FOUND && !create;
    account->search = NEW(struct sql_db);
    *account->search = db;
    *db_out = account->search;
    return true;
}

bool search_lock(struct account *account, bool wait, int *lock_out, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    search_path(account, "search.lock", &path);
    *lock_out = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock_out < 0)
        return error_errno(err, "opening %s", buf_text(&path));
    if (flock(*lock_out, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0)
        return true;
    search_unlock(*lock_out);
    *lock_out = -1;
    return true;
}

void search_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* Others may have the files open: they go on with what they have. */
bool search_remove_files(struct account *account, struct error *err)
{
    static const char *const names[] = { "search.db", "search.db-wal", "search.db-shm" };
    AUTO(buf_free) struct buf path = { 0 };

    search_close(account);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        search_path(account, names[i], &path);
        if (unlink(buf_text(&path)) != 0 && errno != ENOENT)
            return error_errno(err, "removing %s", buf_text(&path));
    }
    return true;
}

bool account_index_reset(struct account *account, struct error *err)
{
    int lock;
    bool ok;

    if (!search_lock(account, true, &lock, err))
        return false;
    ok = search_remove_files(account, err) &&
         (ftruncate(lock, 0) == 0 || error_errno(err, "emptying search.lock")); /* try all again */
    search_unlock(lock);
    return ok;
}

bool search_last(struct sql_db *db, uint64_t *last_out, struct buf *hash_out, struct error *err)
{
    struct sql_row row;

    *last_out = 0;
    if (!sql_query(db, SEARCH_STATE, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "search.db has no state");
    *last_out = sql_u64(&row, 0);
    buf_add_slice(hash_out, sql_slice(&row, 1));
    sql_end(&row);
    return true;
}

bool search_fits(struct account *account, struct sql_db *db, bool *fits_out, struct error *err)
{
    AUTO(buf_free) struct buf hash = { 0 };
    struct sql_row row;
    uint64_t last;

    *fits_out = true;
    if (!search_last(db, &last, &hash, err))
        return false;
    if (last == 0)
        return true;
    if (!sql_query(&account->db, SQL_SEARCH_FITS, &row, err, "u", last))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no answer");
    *fits_out = sql_u64(&row, 0) >= last &&
                (sql_is_null(&row, 1) || slice_equal(sql_slice(&row, 1), buf_slice(&hash)));
    sql_end(&row);
    return true;
}

/* Of words of 8 bytes, in four lanes that a processor takes at once: a pass over the whole index
 * must not wait for it. */
static uint64_t checksum_of(uint64_t number, struct slice words)
{
    const uint64_t factor = 0x9e3779b97f4a7c15ull;
    uint64_t lanes[4] = { number, 1, 2, 3 }, word;
    size_t at = 0;

    for (; at + sizeof(lanes) <= words.len; at += sizeof(lanes)) {
        for (size_t i = 0; i < 4; i++) {
            memcpy(&word, words.data + at + i * sizeof(word), sizeof(word));
            lanes[i] = (lanes[i] ^ word) * factor;
            lanes[i] ^= lanes[i] >> 32;
        }
    }
    for (; at < words.len; at += sizeof(word)) {
        word = 0;
        memcpy(&word, words.data + at, MIN(words.len - at, sizeof(word)));
        lanes[0] = (lanes[0] ^ word) * factor;
    }
    lanes[1] ^= words.len;
    for (size_t i = 1; i < 4; i++)
        lanes[0] = (lanes[0] ^ lanes[0] >> 32 ^ lanes[i]) * factor;
    return lanes[0];
}

static bool is_whole(uint64_t number, struct slice row)
{
    uint64_t checksum;

    if (row.len < sizeof(checksum))
        return false;
    memcpy(&checksum, row.data, sizeof(checksum));
    return checksum == checksum_of(number, slice_from(row, sizeof(checksum)));
}

void search_row_read(uint64_t number, struct slice row, struct trigram_block *block_out)
{
    struct slice bytes = { 0 };

    if (is_whole(number, row))
        bytes = slice_from(row, sizeof(uint64_t));
    if (!block_read(bytes, block_out))
        *block_out = (struct trigram_block){ 0 };
}

/* Changing. */

static bool change_part(struct sql_db *db, size_t part, uint64_t number,
                        const struct block_change *change, struct buf *out, struct error *err)
{
    struct trigram_block block = { 0 };
    struct sql_row row;

    if (!sql_query(db, SEARCH_GET + part, &row, err, "u", number))
        return false;
    if (!sql_next(&row, err)) {
        block_write(&block, change, out);
        return !row.failed;
    }
    search_row_read(number, sql_slice(&row, 0), &block);
    block_write(&block, change, out);
    sql_end(&row);
    return true;
}

static bool put_part(struct sql_db *db, size_t part, uint64_t number, struct slice bytes,
                     struct error *err)
{
    AUTO(buf_free) struct buf row = { 0 };
    uint64_t checksum = checksum_of(number, bytes);

    if (block_texts(bytes) == 0)
        return sql_run(db, SEARCH_DROP + part, NULL, err, "u", number);
    buf_add(&row, &checksum, sizeof(checksum));
    buf_add_slice(&row, bytes);
    return sql_run(db, SEARCH_PUT + part, NULL, err, "ub", number, buf_slice(&row));
}

/* Of few texts lists take more than in the end: so a block that is not full may have some more.
 * What the envelope has is of the header. */
static void fit(struct buf *blocks, bool is_full)
{
    size_t n_texts = block_texts(buf_slice(&blocks[1]));
    uint64_t bytes =
        block_text_bytes(buf_slice(&blocks[1])) + block_text_bytes(buf_slice(&blocks[2]));
    uint64_t more = 0;

    if (!is_full && n_texts >= BLOCK_TEXTS * 3 / 4)
        more = bytes * SEARCH_MORE_PERCENT / 100;
    else if (!is_full && n_texts > 0)
        more = MAX(bytes / n_texts * SEARCH_MORE_TEXTS, SEARCH_MORE_BYTES);
    block_fit(blocks, BLOCK_PARTS, bytes * SEARCH_PERCENT / 100 + more);
}

bool search_change(struct sql_db *db, uint64_t number, const struct block_change changes[],
                   uint64_t last, struct error *err)
{
    struct buf blocks[BLOCK_PARTS] = { { 0 } };
    bool ok = true;

    for (size_t part = 0; ok && part < BLOCK_PARTS; part++)
        ok = change_part(db, part, number, &changes[part], &blocks[part], err);
    if (ok)
        fit(blocks, (last + 1) / BLOCK_TEXTS > number);
    for (size_t part = 0; ok && part < BLOCK_PARTS; part++)
        ok = put_part(db, part, number, buf_slice(&blocks[part]), err);
    for (size_t part = 0; part < BLOCK_PARTS; part++)
        buf_free(&blocks[part]);
    return ok;
}

/* Removing. */

static bool forget_all(struct sql_db *db, const uint64_t *msgs, size_t count, struct error *err)
{
    AUTO(buf_free) struct buf hash = { 0 };
    uint64_t last;

    if (!search_last(db, &last, &hash, err))
        return false;
    for (size_t i = 0, n; i < count; i += n) {
        uint64_t number = msgs[i] / BLOCK_TEXTS;

        struct block_change changes[BLOCK_PARTS] = { { 0 } };

        for (n = 0; i + n < count && msgs[i + n] / BLOCK_TEXTS == number; n++)
            for (size_t part = 0; part < BLOCK_PARTS; part++)
                changes[part].gone |= 1ull << (msgs[i + n] % BLOCK_TEXTS);
        if (!search_change(db, number, changes, last, err))
            return false;
    }
    return true;
}

void search_forget(struct account *account, const uint64_t *msgs, size_t count)
{
    struct sql_db *db = NULL;
    struct error err = { 0 };
    int lock = -1;
    bool ok;

    if (count == 0 || !search_lock(account, true, &lock, &err))
        return;
    ok = search_open(account, false, &db, &err);
    if (ok && db != NULL) {
        ok = sql_begin(db, &err);
        ok = ok && forget_all(db, msgs, count, &err) && sql_commit(db, &err);
        sql_rollback(db);
    }
    search_unlock(lock);
    if (ok)
        return;
    log_warn(&account->store->options.log, "search index", F_NUM("account", (int64_t)account->id),
             F_ERR(&err));
    search_close(account);
}

/* Looking for damage. */

static bool check_file(struct sql_db *db, struct error *err)
{
    struct sql_row row;
    bool ok;

    if (!sql_query(db, SEARCH_CHECK, &row, err, "") || !sql_next(&row, err))
        return false;
    ok = slice_is(sql_slice(&row, 0), "ok") ||
         error_set(err, ERROR_INTERNAL, "sqlite: " SLICE_FMT, SLICE_ARG(sql_slice(&row, 0)));
    sql_end(&row);
    return ok;
}

static bool check_rows(struct sql_db *db, struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, SEARCH_ROWS, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        if (is_whole(sql_u64(&row, 0), sql_slice(&row, 1)))
            continue;
        sql_end(&row);
        return error_set(err, ERROR_INTERNAL, "a row is damaged");
    }
    return !row.failed;
}

bool search_check(struct account *account, struct error *err)
{
    struct sql_db *db = NULL;
    bool fits;

    if (!search_open(account, false, &db, err))
        return false;
    if (db == NULL)
        return true;
    return check_file(db, err) && check_rows(db, err) && search_fits(account, db, &fits, err) &&
           (fits || error_set(err, ERROR_INTERNAL, "it is of another mail.db"));
}
