/* queue.c - queue.db: its tables and statements, reading, and the operator's changes.
 *
 * Bodies have a table of their own, so that walking the messages does not walk over them.
 */
#include "storage/sqlite/queue_private.h"

#include "storage/notice.h"

#include <stdlib.h>

static const char *const migrations[] = {
    "PRAGMA application_id = 0x506f7374;" /* "Post" */
    /* AUTOINCREMENT: ids are kept by whoever works on the queue, so they may never come again. */
    "CREATE TABLE message("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, sender TEXT NOT NULL, account INTEGER NOT NULL,"
    "  envid TEXT NOT NULL, ret INTEGER NOT NULL, features INTEGER NOT NULL,"
    "  arrived INTEGER NOT NULL, size INTEGER NOT NULL, prefix BLOB NOT NULL,"
    "  body_size INTEGER NOT NULL, file TEXT NOT NULL, hash BLOB NOT NULL);"
    "CREATE TABLE body(message INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE recipient("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL, account INTEGER NOT NULL,"
    "  address TEXT NOT NULL, detail TEXT NOT NULL, original TEXT NOT NULL, orcpt TEXT NOT NULL,"
    "  notify INTEGER NOT NULL, delivery_id BLOB NOT NULL, tries INTEGER NOT NULL,"
    "  next_try INTEGER NOT NULL, reply TEXT NOT NULL);"
    "CREATE INDEX recipient_message ON recipient(message, account);"
    "CREATE INDEX recipient_due ON recipient(next_try, message) WHERE account = 0;"
    "CREATE INDEX message_file ON message(file) WHERE file <> '';",
};

static const char *const statements[QUEUE_STATEMENTS] = {
    [QUEUE_SAVEPOINT] = "SAVEPOINT change",
    [QUEUE_RELEASE] = "RELEASE change",
    [QUEUE_ROLLBACK_TO] = "ROLLBACK TO change",
    [QUEUE_DATA_VERSION] = "PRAGMA data_version",
    [QUEUE_COUNT] = "SELECT count(*) FROM recipient",
    [QUEUE_INSERT_MESSAGE] =
        "INSERT INTO message(sender, account, envid, ret, features, arrived, size, prefix,"
        "  body_size, file, hash) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUEUE_INSERT_BODY] = "INSERT INTO body(message, data) VALUES(?, ?)",
    [QUEUE_INSERT_RECIPIENT] =
        "INSERT INTO recipient(message, account, address, detail, original, orcpt, notify,"
        "  delivery_id, tries, next_try, reply) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUEUE_DELETE_RECIPIENT] = "DELETE FROM recipient WHERE id = ? RETURNING message",
    [QUEUE_DELETE_RECIPIENTS_OF] = "DELETE FROM recipient WHERE message = ?",
    [QUEUE_HAS_RECIPIENTS] = "SELECT 1 FROM recipient WHERE message = ? LIMIT 1",
    [QUEUE_DELETE_MESSAGE] = "DELETE FROM message WHERE id = ?",
    [QUEUE_DELETE_BODY] = "DELETE FROM body WHERE message = ?",
    [QUEUE_RETRY] = "UPDATE recipient SET tries = tries + 1, next_try = ?2, reply = ?3"
                    "  WHERE id = ?1",
    [QUEUE_RETRY_NOW] = "UPDATE recipient SET next_try = ?1 WHERE message = ?2",
    [QUEUE_RETRY_ALL_NOW] = "UPDATE recipient SET next_try = ?1",
    [QUEUE_LIST_ALL] = "SELECT id FROM message WHERE id > ?1 AND ?2 IS NOT NULL"
                       "  ORDER BY id LIMIT ?3",
    [QUEUE_LIST_LOCAL] = "SELECT DISTINCT message FROM recipient INDEXED BY recipient_message"
                         "  WHERE account <> 0 AND message > ?1 AND ?2 IS NOT NULL"
                         "  ORDER BY message LIMIT ?3",
    [QUEUE_LIST_DUE] = "SELECT DISTINCT message FROM recipient INDEXED BY recipient_due"
                       "  WHERE account = 0 AND message > ?1 AND next_try <= ?2"
                       "  ORDER BY message LIMIT ?3",
    [QUEUE_NEXT_DUE] = "SELECT min(next_try) FROM recipient WHERE account = 0",
    [QUEUE_READ_MESSAGE] = "SELECT id, sender, account, envid, ret, features, arrived, size,"
                           "  prefix FROM message WHERE id = ?",
    [QUEUE_READ_RECIPIENTS] = "SELECT id, account, address, detail, original, orcpt, notify,"
                              "  delivery_id, tries, next_try, reply FROM recipient"
                              "  WHERE message = ? ORDER BY id",
    [QUEUE_READ_BODY] = "SELECT body_size, file, hash, data FROM message"
                        "  LEFT JOIN body ON body.message = message.id WHERE id = ?",
    [QUEUE_FIND_FILE] = "SELECT file FROM message WHERE id = ?",
    [QUEUE_FIND_BY_FILE] = "SELECT 1 FROM message WHERE file = ? AND file <> ''",
};

bool queue_database_open(const struct store *store, bool create, struct sql_db *db,
                         struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    buf_fmt(&path, "%s/queue.db", store->options.path);
    if (!sql_open(db, buf_text(&path), create, SQL_FULL, statements, COUNT_OF(statements), err))
        return false;
    if (sql_migrate(db, migrations, COUNT_OF(migrations), err))
        return true;
    sql_close(db);
    return false;
}

static void recipient_from_row(struct arena *arena, const struct sql_row *row,
                               struct queue_recipient *out)
{
    struct slice delivery_id = sql_slice(row, 7);

    *out = (struct queue_recipient){
        .id = sql_u64(row, 0),
        .account = sql_u64(row, 1),
        .address = slice_copy(arena, sql_slice(row, 2)),
        .detail = slice_copy(arena, sql_slice(row, 3)),
        .original = slice_copy(arena, sql_slice(row, 4)),
        .orcpt = slice_copy(arena, sql_slice(row, 5)),
        .notify = (unsigned)sql_u64(row, 6),
        .tries = (unsigned)sql_u64(row, 8),
        .next_try_ms = sql_i64(row, 9),
        .last_reply = slice_copy(arena, sql_slice(row, 10)),
    };
    memcpy(out->delivery_id, delivery_id.data, MIN(delivery_id.len, sizeof(out->delivery_id)));
}

static bool matches(const struct queue_recipient *recipient, enum queue_which which, int64_t now_ms)
{
    switch (which) {
    case QUEUE_ALL:
        return true;
    case QUEUE_LOCAL:
        return recipient->account != 0;
    case QUEUE_REMOTE_DUE:
        return recipient->account == 0 && recipient->next_try_ms <= now_ms;
    }
    return false;
}

static bool read_recipients(struct sql_db *db, struct arena *arena, enum queue_which which,
                            int64_t now_ms, struct queue_message *message, struct error *err)
{
    struct queue_recipient *items = NULL;
    struct sql_row row;
    size_t count = 0, room = 0;

    if (!sql_query(db, QUEUE_READ_RECIPIENTS, &row, err, "u", message->id))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        recipient_from_row(arena, &row, &items[count]);
        if (matches(&items[count], which, now_ms))
            count++;
    }
    message->n_recipients = count;
    message->recipients = ARENA_ARRAY(arena, struct queue_recipient, count);
    if (count > 0)
        memcpy(message->recipients, items, count * sizeof(items[0]));
    free(items);
    return !row.failed;
}

static void message_from_row(struct arena *arena, const struct sql_row *row,
                             struct queue_message *out)
{
    uint64_t features = sql_u64(row, 5);

    *out = (struct queue_message){
        .id = sql_u64(row, 0),
        .sender = slice_copy(arena, sql_slice(row, 1)),
        .account = sql_u64(row, 2),
        .envid = slice_copy(arena, sql_slice(row, 3)),
        .ret = (enum dsn_return)sql_i64(row, 4),
        .utf8 = (features & FEATURE_UTF8) != 0,
        .eight_bit = (features & FEATURE_EIGHT_BIT) != 0,
        .binary = (features & FEATURE_BINARY) != 0,
        .junk = (features & FEATURE_JUNK) != 0,
        .require_tls = (features & FEATURE_REQUIRE_TLS) != 0,
        .arrived_ms = sql_i64(row, 6),
        .size = sql_u64(row, 7),
        .prefix = slice_copy(arena, sql_slice(row, 8)),
    };
}

static bool read_message(struct sql_db *db, struct arena *arena, uint64_t id,
                         struct queue_message *out, struct error *err)
{
    struct sql_row row;
    bool found;

    if (!sql_query(db, QUEUE_READ_MESSAGE, &row, err, "u", id))
        return false;
    found = sql_next(&row, err);
    if (found)
        message_from_row(arena, &row, out);
    sql_end(&row);
    if (row.failed)
        return false;
    return found ||
           error_set(err, ERROR_NOT_FOUND, "no message %llu in the queue", (unsigned long long)id);
}

static const enum queue_statement lists[] = {
    [QUEUE_ALL] = QUEUE_LIST_ALL,
    [QUEUE_LOCAL] = QUEUE_LIST_LOCAL,
    [QUEUE_REMOTE_DUE] = QUEUE_LIST_DUE,
};

struct search {
    enum queue_which which;
    int64_t now_ms;
    uint64_t after;
    size_t max;
};

static bool list_ids(struct sql_db *db, const struct search *search, struct arena *arena,
                     uint64_t **ids_out, size_t *count_out, struct error *err)
{
    struct sql_row row;

    *ids_out = ARENA_ARRAY(arena, uint64_t, search->max);
    *count_out = 0;
    if (!sql_query(db, lists[search->which], &row, err, "uiu", search->after, search->now_ms,
                   (uint64_t)search->max))
        return false;
    while (sql_next(&row, err))
        (*ids_out)[(*count_out)++] = sql_u64(&row, 0);
    return !row.failed;
}

static bool find(struct sql_db *db, const struct search *search, struct arena *arena,
                 struct queue_list *list_out, struct error *err)
{
    uint64_t *ids;
    size_t count;

    if (!list_ids(db, search, arena, &ids, &count, err))
        return false;
    list_out->items = ARENA_ARRAY(arena, struct queue_message, count);
    list_out->count = count;
    for (size_t i = 0; i < count; i++) {
        struct queue_message *message = &list_out->items[i];

        if (!read_message(db, arena, ids[i], message, err) ||
            !read_recipients(db, arena, search->which, search->now_ms, message, err))
            return false;
    }
    return true;
}

/* Ends a read transaction, with the outcome of what was read in it. */
static bool end_read(struct sql_db *db, bool ok, struct error *err)
{
    if (ok)
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

bool queue_find(struct desk *desk, struct arena *arena, enum queue_which which, int64_t now_ms,
                uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                struct error *err)
{
    struct search search = { which, now_ms, after_message_id, max_messages };
    struct sql_db *db;

    *list_out = (struct queue_list){ 0 };
    if (!desk_queue(desk, &db, err) || !sql_begin_read(db, err))
        return false;
    return end_read(db, find(db, &search, arena, list_out, err), err);
}

bool queue_by_id(struct desk *desk, struct arena *arena, uint64_t message,
                 struct queue_message *message_out, struct error *err)
{
    struct sql_db *db;
    bool ok;

    if (!desk_queue(desk, &db, err) || !sql_begin_read(db, err))
        return false;
    ok = read_message(db, arena, message, message_out, err) &&
         read_recipients(db, arena, QUEUE_ALL, 0, message_out, err);
    return end_read(db, ok, err);
}

bool queue_next_due(struct desk *desk, int64_t *due_ms_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    *due_ms_out = INT64_MAX;
    if (!desk_queue(desk, &db, err) || !sql_query(db, QUEUE_NEXT_DUE, &row, err, ""))
        return false;
    if (sql_next(&row, err)) {
        if (!sql_is_null(&row, 0))
            *due_ms_out = sql_i64(&row, 0);
        sql_end(&row);
    }
    return !row.failed;
}

static bool body_from_row(struct store *store, const struct sql_row *row, struct body **body_out,
                          struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf name = { 0 };
    struct slice hash = sql_slice(row, 2);
    size_t size = sql_u64(row, 0);

    buf_add_slice(&name, sql_slice(row, 1));
    if (hash.len != HASH_SIZE || (name.len == 0 && sql_is_null(row, 3)))
        return error_set(err, ERROR_INTERNAL, "queue.db: a message without its body");
    if (name.len > 0) {
        queue_file_path(store, buf_text(&name), &path);
        return body_open_file(store, buf_text(&path), size, (const unsigned char *)hash.data,
                              body_out, err);
    }
    *body_out = body_from_bytes(store, sql_slice(row, 3), (const unsigned char *)hash.data);
    return true;
}

bool queue_body(struct desk *desk, uint64_t message, struct body **body_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;
    bool ok;

    if (!desk_queue(desk, &db, err) || !sql_query(db, QUEUE_READ_BODY, &row, err, "u", message))
        return false;
    if (!sql_next(&row, err))
        return !row.failed && error_set(err, ERROR_NOT_FOUND, "no message %llu in the queue",
                                        (unsigned long long)message);
    ok = body_from_row(desk->store, &row, body_out, err);
    sql_end(&row);
    return ok;
}

/* Ends an operator's change: commits it and tells the daemon. */
static bool finish(struct desk *desk, struct sql_db *db, bool ok, struct error *err)
{
    struct notice notice = { .kind = NOTICE_QUEUE };

    if (!ok) {
        sql_rollback(db);
        return false;
    }
    if (!sql_commit(db, err))
        return false;
    notice_send(desk->store, &notice);
    return true;
}

bool queue_retry_now(struct desk *desk, uint64_t message, uint64_t *count_out, struct error *err)
{
    struct sql_db *db;
    bool ok;

    if (!desk_queue(desk, &db, err) || !sql_begin(db, err))
        return false;
    if (message != 0)
        ok = sql_run(db, QUEUE_RETRY_NOW, count_out, err, "iu", time_ms(), message);
    else
        ok = sql_run(db, QUEUE_RETRY_ALL_NOW, count_out, err, "i", time_ms());
    return finish(desk, db, ok, err);
}

static bool remove_message(struct sql_db *db, uint64_t message, struct file_names *obsolete,
                           struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_message found;

    return read_message(db, &arena, message, &found, err) &&
           sql_run(db, QUEUE_DELETE_RECIPIENTS_OF, NULL, err, "u", message) &&
           queue_delete_message(db, message, obsolete, err);
}

bool queue_remove(struct desk *desk, uint64_t message, struct error *err)
{
    struct file_names obsolete = { 0 };
    struct sql_db *db;
    bool ok;

    if (!desk_queue(desk, &db, err) || !sql_begin(db, err))
        return false;
    ok = finish(desk, db, remove_message(db, message, &obsolete, err), err);
    if (ok)
        file_names_unlink(&obsolete, desk->store);
    free(obsolete.items);
    return ok;
}
