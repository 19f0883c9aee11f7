/* logbook.c - logins.db; see storage/logbook.h. */
#include "storage/logbook.h"

#include "storage/notice.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_EVERY_MS (60 * 60 * 1000)
#define BANS_A_COUNT   100 /* so often it is looked whether there are too many */

enum {
    BAN_PUT,
    BAN_PUT_AUTOMATIC,
    BAN_DROP,
    BAN_DROP_ENDED,
    BAN_DROP_MANY,
    BAN_LIST,
    LOGIN_ADD,
    LOGIN_TRIM,
    LOGIN_DROP_OLD,
    LOGIN_LIST,
    LOGIN_FORGET,
    STATEMENTS
};

#define BAN_INSERT                                                                                 \
    "INSERT INTO ban(address, bits, since, until, automatic, reason) VALUES(?, ?, ?, ?, ?, ?)"     \
    "  ON CONFLICT(address, bits) DO UPDATE SET since = excluded.since, until = excluded.until,"   \
    "  automatic = excluded.automatic, reason = excluded.reason"

static const char *const statements[STATEMENTS] = {
    [BAN_PUT] = BAN_INSERT,
    [BAN_PUT_AUTOMATIC] = BAN_INSERT " WHERE automatic",
    [BAN_DROP] = "DELETE FROM ban WHERE address = ? AND bits = ?",
    [BAN_DROP_ENDED] = "DELETE FROM ban WHERE until > 0 AND until <= ?",
    [BAN_DROP_MANY] = "DELETE FROM ban WHERE automatic AND until <="
                      "  (SELECT until FROM ban WHERE automatic ORDER BY until DESC"
                      "   LIMIT 1 OFFSET ?)",
    [BAN_LIST] = "SELECT address, bits, since, until, automatic, reason FROM ban"
                 "  WHERE until = 0 OR until > ? ORDER BY address, bits",
    [LOGIN_ADD] =
        "INSERT INTO login(account, protocol, address, method, reason, first, last, count)"
        "  VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
        "  ON CONFLICT DO UPDATE SET last = max(last, excluded.last),"
        "  first = min(first, excluded.first), count = count + excluded.count",
    [LOGIN_TRIM] = "DELETE FROM login WHERE account = ?1 AND (reason = '') = ?2 AND last <"
                   "  (SELECT last FROM login WHERE account = ?1 AND (reason = '') = ?2"
                   "   ORDER BY last DESC LIMIT 1 OFFSET ?3)",
    [LOGIN_DROP_OLD] = "DELETE FROM login WHERE last < ?",
    [LOGIN_LIST] = "SELECT protocol, address, method, reason, first, last, count FROM login"
                   "  WHERE account = ? ORDER BY last DESC, first DESC",
    [LOGIN_FORGET] = "DELETE FROM login WHERE account = ?",
};

static const char *const migrations[] = {
    "CREATE TABLE ban("
    "  address BLOB NOT NULL, bits INTEGER NOT NULL, since INTEGER NOT NULL,"
    "  until INTEGER NOT NULL, automatic INTEGER NOT NULL, reason TEXT NOT NULL,"
    "  PRIMARY KEY(address, bits)) WITHOUT ROWID;"
    "CREATE INDEX ban_automatic ON ban(until) WHERE automatic;"
    "CREATE TABLE login("
    "  account INTEGER NOT NULL, protocol TEXT NOT NULL, address TEXT NOT NULL,"
    "  method TEXT NOT NULL, reason TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    "  count INTEGER NOT NULL, PRIMARY KEY(account, protocol, address, method, reason))"
    "  WITHOUT ROWID;"
    "CREATE INDEX login_last ON login(last);",
};

struct logbook {
    struct store *store;
    pthread_mutex_t lock; /* for all below */
    struct sql_db db;
    uint64_t swept_ms; /* clock_ms(); 0: not yet */
    uint64_t n_put;    /* bans, so far */
};

static bool open_file(struct logbook *logbook, const char *path, bool durable, struct error *err)
{
    if (!sql_open(&logbook->db, path, true, durable ? SQL_FULL : SQL_NORMAL, statements,
                  COUNT_OF(statements), err))
        return false;
    if (sql_migrate(&logbook->db, migrations, COUNT_OF(migrations), err))
        return true;
    sql_close(&logbook->db);
    return false;
}

static void put_aside(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTO(buf_free) struct buf name = { 0 };
        AUTO(buf_free) struct buf aside = { 0 };

        buf_fmt(&name, "%s%s", path, ends[i]);
        buf_fmt(&aside, "%s.damaged%s", path, ends[i]);
        (void)!rename(buf_text(&name), buf_text(&aside));
    }
}

bool logbook_open(struct store *store, bool durable, struct logbook **logbook_out,
                  struct error *err)
{
    AUTO(logbook_close) struct logbook *logbook = NEW(struct logbook);
    AUTO(buf_free) struct buf path = { 0 };

    pthread_mutex_init(&logbook->lock, NULL);
    logbook->store = store;
    buf_fmt(&path, "%s/logins.db", store->options.path);
    if (!open_file(logbook, buf_text(&path), durable, err)) {
        if (err->kind != ERROR_INTERNAL)
            return false;
        log_error(&store->options.log, "logbook put aside", F_ERR(err));
        put_aside(buf_text(&path));
        if (!open_file(logbook, buf_text(&path), durable, err))
            return false;
    }
    *logbook_out = TAKE(logbook);
    return true;
}

void logbook_close(struct logbook **logbook_pointer)
{
    struct logbook *logbook = TAKE(*logbook_pointer);

    if (logbook == NULL)
        return;
    sql_close(&logbook->db);
    pthread_mutex_destroy(&logbook->lock);
    free(logbook);
}

/* --- bans --- */

static void tell(const struct logbook *logbook)
{
    const struct notice notice = { .kind = NOTICE_BANS };

    notice_send(logbook->store, &notice);
}

static struct slice address_of(const struct network *network)
{
    return slice_make(network->bytes, sizeof(network->bytes));
}

static bool put_ban(struct logbook *logbook, const struct ban *ban, struct error *err)
{
    struct sql_db *db = &logbook->db;

    return sql_run(db, ban->automatic ? BAN_PUT_AUTOMATIC : BAN_PUT, NULL, err, "biiiit",
                   address_of(&ban->network), (int64_t)ban->network.bits, ban->since_ms,
                   ban->until_ms, (int64_t)ban->automatic,
                   slice_part(ban->reason, 0, LOGBOOK_REASON_MAX)) &&
           sql_run(db, BAN_DROP_ENDED, NULL, err, "i", time_ms()) &&
           (++logbook->n_put % BANS_A_COUNT != 0 ||
            sql_run(db, BAN_DROP_MANY, NULL, err, "i", (int64_t)LOGBOOK_AUTOMATIC_MAX));
}

bool logbook_ban(struct logbook *logbook, const struct ban *ban, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&logbook->lock);
    ok = sql_begin(&logbook->db, err);
    if (ok && !put_ban(logbook, ban, err)) {
        sql_rollback(&logbook->db);
        ok = false;
    }
    ok = ok && sql_commit(&logbook->db, err);
    pthread_mutex_unlock(&logbook->lock);
    if (ok)
        tell(logbook);
    return ok;
}

bool logbook_unban(struct logbook *logbook, const struct network *network, struct error *err)
{
    uint64_t changes = 0;
    bool ok;

    pthread_mutex_lock(&logbook->lock);
    ok = sql_run(&logbook->db, BAN_DROP, &changes, err, "bi", address_of(network),
                 (int64_t)network->bits);
    pthread_mutex_unlock(&logbook->lock);
    if (!ok)
        return false;
    if (changes == 0)
        return error_set(err, ERROR_NOT_FOUND, "it is not banned");
    tell(logbook);
    return true;
}

static struct ban read_ban(const struct sql_row *row, struct arena *arena)
{
    struct slice address = sql_slice(row, 0);
    struct ban ban = {
        .network.bits = (unsigned)MIN(sql_u64(row, 1), (uint64_t)128),
        .since_ms = sql_i64(row, 2),
        .until_ms = sql_i64(row, 3),
        .automatic = sql_i64(row, 4) != 0,
        .reason = slice_copy(arena, sql_slice(row, 5)),
    };

    memcpy(ban.network.bytes, address.data, MIN(address.len, sizeof(ban.network.bytes)));
    return ban;
}

static bool list_bans(struct logbook *logbook, struct arena *arena, struct ban_list *list_out,
                      struct error *err)
{
    struct ban *items = NULL;
    size_t count = 0, room = 0;
    struct sql_row row;

    if (!sql_query(&logbook->db, BAN_LIST, &row, err, "i", time_ms()))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(*items));
        items[count++] = read_ban(&row, arena);
    }
    *list_out = (struct ban_list){ ARENA_ARRAY(arena, struct ban, count), count };
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(*items));
    free(items);
    return !row.failed;
}

bool logbook_bans(struct logbook *logbook, struct arena *arena, struct ban_list *list_out,
                  struct error *err)
{
    pthread_mutex_lock(&logbook->lock);
    bool ok = list_bans(logbook, arena, list_out, err);
    pthread_mutex_unlock(&logbook->lock);
    return ok;
}

/* --- logins --- */

static bool add_record(struct sql_db *db, const struct login_record *record, struct error *err)
{
    bool right = record->reason.len == 0;

    return sql_run(db, LOGIN_ADD, NULL, err, "uttttiiu", record->account, record->protocol,
                   record->address, record->method, record->reason, record->first_ms,
                   record->last_ms, record->count) &&
           sql_run(db, LOGIN_TRIM, NULL, err, "uii", record->account, (int64_t)right,
                   (int64_t)(right ? LOGBOOK_RIGHT : LOGBOOK_WRONG) - 1);
}

/* Once an hour. */
static bool sweep(struct logbook *logbook, uint64_t keep_ms, struct error *err)
{
    uint64_t now = clock_ms();

    if (logbook->swept_ms != 0 && now - logbook->swept_ms < SWEEP_EVERY_MS)
        return true;
    logbook->swept_ms = now;
    return sql_run(&logbook->db, LOGIN_DROP_OLD, NULL, err, "i", time_ms() - (int64_t)keep_ms);
}

static bool add_all(struct logbook *logbook, const struct login_record *records, size_t count,
                    uint64_t keep_ms, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!add_record(&logbook->db, &records[i], err))
            return false;
    return sweep(logbook, keep_ms, err);
}

bool logbook_add(struct logbook *logbook, const struct login_record *records, size_t count,
                 uint64_t keep_ms, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&logbook->lock);
    ok = sql_begin(&logbook->db, err);
    if (ok && !add_all(logbook, records, count, keep_ms, err)) {
        sql_rollback(&logbook->db);
        ok = false;
    }
    ok = ok && sql_commit(&logbook->db, err);
    pthread_mutex_unlock(&logbook->lock);
    return ok;
}

static struct login_record read_record(const struct sql_row *row, uint64_t account,
                                       struct arena *arena)
{
    return (struct login_record){
        .account = account,
        .protocol = slice_copy(arena, sql_slice(row, 0)),
        .address = slice_copy(arena, sql_slice(row, 1)),
        .method = slice_copy(arena, sql_slice(row, 2)),
        .reason = slice_copy(arena, sql_slice(row, 3)),
        .first_ms = sql_i64(row, 4),
        .last_ms = sql_i64(row, 5),
        .count = sql_u64(row, 6),
    };
}

static bool list_logins(struct logbook *logbook, uint64_t account, struct arena *arena,
                        struct login_records *out, struct error *err)
{
    size_t room = LOGBOOK_RIGHT + LOGBOOK_WRONG + 16; /* rows of one moment may be a few more */
    struct sql_row row;

    *out = (struct login_records){ ARENA_ARRAY(arena, struct login_record, room), 0 };
    if (!sql_query(&logbook->db, LOGIN_LIST, &row, err, "u", account))
        return false;
    while (out->count < room && sql_next(&row, err))
        out->items[out->count++] = read_record(&row, account, arena);
    if (out->count == room)
        sql_end(&row);
    return !row.failed;
}

bool logbook_logins(struct logbook *logbook, uint64_t account, struct arena *arena,
                    struct login_records *records_out, struct error *err)
{
    pthread_mutex_lock(&logbook->lock);
    bool ok = list_logins(logbook, account, arena, records_out, err);
    pthread_mutex_unlock(&logbook->lock);
    return ok;
}

bool logbook_forget(struct logbook *logbook, uint64_t account, struct error *err)
{
    pthread_mutex_lock(&logbook->lock);
    bool ok = sql_run(&logbook->db, LOGIN_FORGET, NULL, err, "u", account);
    pthread_mutex_unlock(&logbook->lock);
    return ok;
}
