/* cache.c - see cache_private.h. */
#include "storage/sqlite/cache_private.h"

#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define MAP_PAGES  "PRAGMA mmap_size = 268435456"
#define CHECK_PAGE 1000 /* ids looked at at a time */

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE envelope(msg INTEGER PRIMARY KEY, sent_ms INTEGER NOT NULL,"
    "  header_len INTEGER NOT NULL, envelope BLOB NOT NULL);"
    "CREATE TABLE structure(msg INTEGER PRIMARY KEY, structure BLOB NOT NULL, body BLOB NOT NULL,"
    "  preview BLOB NOT NULL);"
    "CREATE TABLE sorting(msg INTEGER PRIMARY KEY, keys BLOB NOT NULL);"
    "PRAGMA user_version = %d;"
    "COMMIT";

static const char *const statements[CACHE_SLOTS] = {
    [CACHE_RANGE] = "SELECT msg, sent_ms, header_len, envelope, structure, body, keys, preview"
                    " FROM envelope JOIN structure USING(msg) JOIN sorting USING(msg)"
                    " WHERE envelope.msg BETWEEN ? AND ? ORDER BY msg",
    [CACHE_ENVELOPES] = "SELECT msg, sent_ms, header_len, envelope, NULL, NULL, NULL, NULL"
                        " FROM envelope WHERE msg BETWEEN ? AND ? ORDER BY msg",
    [CACHE_SORTINGS] = "SELECT msg, 0, 0, NULL, NULL, NULL, keys, NULL"
                       " FROM sorting WHERE msg BETWEEN ? AND ? ORDER BY msg",
    [CACHE_PUT_ENVELOPE] = "INSERT OR REPLACE INTO envelope VALUES(?, ?, ?, ?)",
    [CACHE_PUT_STRUCTURE] = "INSERT OR REPLACE INTO structure VALUES(?, ?, ?, ?)",
    [CACHE_PUT_SORTING] = "INSERT OR REPLACE INTO sorting VALUES(?, ?)",
    [CACHE_DELETE_ENVELOPE] = "DELETE FROM envelope WHERE msg BETWEEN ? AND ?",
    [CACHE_DELETE_STRUCTURE] = "DELETE FROM structure WHERE msg BETWEEN ? AND ?",
    [CACHE_DELETE_SORTING] = "DELETE FROM sorting WHERE msg BETWEEN ? AND ?",
    [CACHE_AFTER] = "SELECT msg FROM envelope WHERE msg > ? ORDER BY msg LIMIT ?",
    [CACHE_LAST] = "SELECT max(coalesce((SELECT max(msg) FROM envelope), 0),"
                   " coalesce((SELECT max(msg) FROM structure), 0),"
                   " coalesce((SELECT max(msg) FROM sorting), 0))",
    [CACHE_VERSION] = "PRAGMA user_version",
    [CACHE_CHECK] = "PRAGMA integrity_check(1)",
};

void cache_failed(struct account *account, const struct error *why)
{
    log_warn(&account->store->options.log, "cache", F_NUM("account", (int64_t)account->id),
             F_ERR(why));
    account->cache_damaged |= why->kind == ERROR_INTERNAL;
}

void cache_close(struct account *account)
{
    if (account->cache.handle != NULL)
        sqlite3_wal_checkpoint_v2(account->cache.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL);
    sql_close(&account->cache);
    account->cache = (struct sql_db){ 0 };
}

/* Under the lock, so that nobody opens it meanwhile. Who has it open goes on with what no longer
 * has a name: that is still right, and nobody else's. */
static void throw_away(struct account *account)
{
    static const char *const names[] = { "cache.db", "cache.db-wal", "cache.db-shm" };

    sql_close(&account->cache);
    account->cache = (struct sql_db){ 0 };
    account->cache_damaged = false;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO(buf_free) struct buf path = { 0 };

        store_account_path(account->store, account->id, names[i], &path);
        unlink(buf_text(&path));
    }
}

static bool delete_range(struct account *account, uint64_t first, uint64_t last, struct error *err)
{
    for (size_t slot = CACHE_DELETE_ENVELOPE; slot <= CACHE_DELETE_SORTING; slot++)
        if (!sql_run(&account->cache, slot, NULL, err, "uu", first, last))
            return false;
    return true;
}

/* Rows of messages that mail.db will give other bytes. */
static bool drop_unborn(struct account *account, struct error *err)
{
    uint64_t last = 0, given = 0;

    if (!sql_number(&account->cache, CACHE_LAST, &last, err, "") ||
        !sql_number(&account->db, SQL_MSG_LAST, &given, err, ""))
        return false;
    return last <= given || delete_range(account, given + 1, last, err);
}

static bool open_file(struct account *account, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf script = { 0 };
    uint64_t version = 0;

    store_account_path(account->store, account->id, "cache.db", &path);
    if (!sql_open(&account->cache, buf_text(&path), true, SQL_NORMAL, statements, CACHE_SLOTS,
                  err) ||
        !sql_number(&account->cache, CACHE_VERSION, &version, err, ""))
        return false;
    if (version != 0 && version != SUMMARY_VERSION)
        return error_set(err, ERROR_INTERNAL, "%s is of version %llu", buf_text(&path),
                         (unsigned long long)version);
    buf_fmt(&script, schema, SUMMARY_VERSION);
    return (version != 0 || sql_script(&account->cache, buf_text(&script), err)) &&
           sql_script(&account->cache, MAP_PAGES, err) && drop_unborn(account, err);
}

static bool open_locked(struct account *account)
{
    struct error why;

    if (account->cache_damaged)
        throw_away(account);
    if (open_file(account, &why))
        return true;
    cache_failed(account, &why);
    if (account->cache_damaged) {
        throw_away(account);
        if (open_file(account, &why))
            return true;
        cache_failed(account, &why);
    }
    sql_close(&account->cache);
    account->cache = (struct sql_db){ 0 };
    return false;
}

bool cache_ready(struct account *account)
{
    bool ok;

    if (account->cache.handle != NULL && !account->cache_damaged)
        return true;
    if (flock(account->lock, LOCK_EX) != 0)
        return false;
    ok = open_locked(account);
    flock(account->lock, LOCK_UN);
    return ok;
}

static bool put_one(struct sql_db *db, const struct cache_item *item, struct error *err)
{
    const struct summary *summary = item->summary;

    return item->msg == 0 ||
           (sql_run(db, CACHE_PUT_ENVELOPE, NULL, err, "uiub", item->msg, summary->sent_ms,
                    (uint64_t)summary->header_len, buf_slice(&summary->envelope)) &&
            sql_run(db, CACHE_PUT_STRUCTURE, NULL, err, "ubbb", item->msg,
                    buf_slice(&summary->body_structure), buf_slice(&summary->body),
                    buf_slice(&summary->preview)) &&
            sql_run(db, CACHE_PUT_SORTING, NULL, err, "ub", item->msg,
                    buf_slice(&summary->sort_keys)));
}

void cache_put(struct account *account, const struct cache_item *items, size_t count)
{
    struct sql_db *db = &account->cache;
    struct error why;
    bool ok;

    if (db->handle == NULL || account->cache_damaged)
        return;
    ok = sql_begin(db, &why);
    for (size_t i = 0; i < count && ok; i++)
        ok = put_one(db, &items[i], &why);
    if (ok && sql_commit(db, &why))
        return;
    cache_failed(account, &why);
    sql_rollback(db);
}

void cache_forget(struct account *account, const uint64_t *msgs, size_t count)
{
    struct error why;
    bool ok;

    if (!cache_ready(account))
        return;
    ok = sql_begin(&account->cache, &why);
    for (size_t i = 0; i < count && ok; i++)
        ok = delete_range(account, msgs[i], msgs[i], &why);
    if (ok && sql_commit(&account->cache, &why))
        return;
    cache_failed(account, &why);
    sql_rollback(&account->cache);
}

static bool msg_exists(struct account *account, uint64_t msg, bool *exists_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_MSG_FIND, &row, err, "u", msg))
        return false;
    *exists_out = sql_next(&row, err);
    if (*exists_out)
        sql_end(&row);
    return !row.failed;
}

static bool load_ids(struct account *account, uint64_t after, uint64_t *ids, size_t *count_out,
                     struct error *err)
{
    struct sql_row row;

    *count_out = 0;
    if (!sql_query(&account->cache, CACHE_AFTER, &row, err, "uu", after, (uint64_t)CHECK_PAGE))
        return false;
    while (sql_next(&row, err))
        ids[(*count_out)++] = sql_u64(&row, 0);
    return !row.failed;
}

static bool is_sound(struct account *account)
{
    struct sql_row row;
    struct error why;
    bool sound;

    if (!sql_query(&account->cache, CACHE_CHECK, &row, &why, "") || !sql_next(&row, &why))
        return false;
    sound = slice_is(sql_slice(&row, 0), "ok");
    sql_end(&row);
    return sound;
}

bool cache_check(struct account *account, bool mend, uint64_t *orphans_out, bool *damaged_out,
                 struct error *err)
{
    uint64_t ids[CHECK_PAGE], after = 0;
    size_t count = 1;

    *orphans_out = 0;
    *damaged_out = cache_ready(account) && !is_sound(account);
    if (*damaged_out && mend)
        account->cache_damaged = true;
    while (count > 0 && !*damaged_out && account->cache.handle != NULL) {
        if (!load_ids(account, after, ids, &count, err))
            return false;
        for (size_t i = 0; i < count; i++) {
            bool exists;

            if (!msg_exists(account, ids[i], &exists, err))
                return false;
            *orphans_out += !exists;
            if (!exists && mend)
                cache_forget(account, &ids[i], 1);
        }
        after = count > 0 ? ids[count - 1] : after;
    }
    return true;
}

void cache_release(struct account *account)
{
    if (account->cache.handle != NULL)
        cache_close(account);
}
