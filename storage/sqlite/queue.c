/* queue.c - queue.db: its tables and statements, and reading.
 *
 * Bodies have a table of their own, so that walking the messages does not walk over them.
 */
#include "storage/sqlite/queue_private.h"

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

    "ALTER TABLE message ADD COLUMN client TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE recipient ADD COLUMN state INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN report INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN last_try INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE recipient ADD COLUMN waited INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE attempt("
    "  id INTEGER PRIMARY KEY, recipient INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  host TEXT NOT NULL, tls TEXT NOT NULL, status TEXT NOT NULL, reply TEXT NOT NULL,"
    "  answered INTEGER NOT NULL);"
    "CREATE INDEX attempt_recipient ON attempt(recipient);"
    "CREATE INDEX recipient_report ON recipient(message) WHERE report <> 0;"
    "CREATE INDEX recipient_tried ON recipient(next_try) WHERE tries > 0;"
    "DROP INDEX recipient_due;"
    "CREATE INDEX recipient_due ON recipient(next_try, message) WHERE account = 0 AND state = 0;",

    "ALTER TABLE recipient ADD COLUMN reverse_path TEXT NOT NULL DEFAULT '';",

    "CREATE TABLE sent("
    "  account INTEGER NOT NULL, step INTEGER NOT NULL, recipients INTEGER NOT NULL,"
    "  PRIMARY KEY(account, step)) WITHOUT ROWID;",

    "ALTER TABLE recipient ADD COLUMN domain TEXT NOT NULL DEFAULT '';"
    "UPDATE recipient SET domain = lower(substr(address, instr(address, '@') + 1))"
    "  WHERE account = 0;"
    "DROP INDEX recipient_due;"
    "CREATE INDEX recipient_due ON recipient(domain, next_try, message)"
    "  WHERE account = 0 AND state = 0;"
    "CREATE INDEX recipient_local ON recipient(message) WHERE account <> 0 AND state = 0;",
};

static const char *const statements[QUEUE_STATEMENTS] = {
    [QUEUE_SAVEPOINT] = "SAVEPOINT change",
    [QUEUE_RELEASE] = "RELEASE change",
    [QUEUE_ROLLBACK_TO] = "ROLLBACK TO change",
    [QUEUE_DATA_VERSION] = "PRAGMA data_version",
    [QUEUE_COUNT] = "SELECT count(*) FROM recipient",
    [QUEUE_INSERT_MESSAGE] =
        "INSERT INTO message(sender, account, envid, ret, features, arrived, size, prefix,"
        "  body_size, file, hash, client) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUEUE_INSERT_BODY] = "INSERT INTO body(message, data) VALUES(?, ?)",
    [QUEUE_INSERT_RECIPIENT] =
        "INSERT INTO recipient(message, account, address, detail, original, orcpt, notify,"
        "  delivery_id, tries, next_try, reply, state, report, reverse_path,"
        "  domain) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [QUEUE_DELETE_RECIPIENT] = "DELETE FROM recipient WHERE id = ? RETURNING message, tries",
    [QUEUE_HAS_RECIPIENTS] = "SELECT 1 FROM recipient WHERE message = ? LIMIT 1",
    [QUEUE_DELETE_MESSAGE] = "DELETE FROM message WHERE id = ?",
    [QUEUE_DELETE_BODY] = "DELETE FROM body WHERE message = ?",
    [QUEUE_RETRY] = "UPDATE recipient SET tries = tries + 1, next_try = ?2, reply = ?3,"
                    "  last_try = ?4, waited = ?5, report = CASE ?6 WHEN 0 THEN report ELSE ?6 END"
                    "  WHERE id = ?1",
    [QUEUE_END] = "UPDATE recipient SET tries = tries + 1, reply = ?2, last_try = ?3, state = 2,"
                  "  report = ?4, next_try = 0 WHERE id = ?1",
    [QUEUE_WARNED] = "UPDATE recipient SET report = 0, warned = 1 WHERE id = ? AND report = 2",
    [QUEUE_INSERT_ATTEMPT] =
        "INSERT INTO attempt(recipient, at, host, tls, status, reply, answered)"
        "  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
        "  WHERE EXISTS(SELECT 1 FROM recipient WHERE id = ?1)",
    [QUEUE_TRIM_ATTEMPTS] = "DELETE FROM attempt WHERE recipient = ?1 AND id <= (SELECT id FROM"
                            "  attempt WHERE recipient = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    [QUEUE_DELETE_ATTEMPTS] = "DELETE FROM attempt WHERE recipient = ?",
    [QUEUE_READ_ATTEMPTS] = "SELECT at, host, tls, status, reply, answered FROM attempt"
                            "  WHERE recipient = ? ORDER BY id",
    [QUEUE_SCAN] = "SELECT recipient.id, message.id, recipient.address, recipient.original,"
                   "  recipient.state, message.account, message.sender"
                   "  FROM recipient INDEXED BY recipient_message"
                   "  JOIN message ON message.id = recipient.message"
                   "  WHERE recipient.message BETWEEN ?1 AND ?2"
                   "  ORDER BY recipient.message",
    [QUEUE_TOTALS] = "SELECT (SELECT count(*) FROM message), count(*),"
                     "  (SELECT count(*) FROM recipient WHERE state = 1) FROM recipient",
    [QUEUE_SET_STATE] = "UPDATE recipient SET state = ?3 WHERE id = ?1 AND state = ?2",
    [QUEUE_SET_DUE] = "UPDATE recipient SET next_try = ?2 WHERE id = ?1 AND state = 0",
    [QUEUE_MEND_TIMES] = "UPDATE recipient SET next_try = ?1 WHERE tries > 0 AND next_try > ?2",
    [QUEUE_LIST_REPORTS] = "SELECT DISTINCT message FROM recipient INDEXED BY recipient_report"
                           "  WHERE report <> 0 AND message > ?1 ORDER BY message LIMIT ?2",
    [QUEUE_LIST_ALL] = "SELECT id FROM message WHERE id > ?1 ORDER BY id LIMIT ?2",
    [QUEUE_LIST_LOCAL] = "SELECT message FROM recipient INDEXED BY recipient_local"
                         "  WHERE account <> 0 AND state = 0 AND message > ?1"
                         "  GROUP BY message ORDER BY message LIMIT ?2",
    [QUEUE_LANES] = "SELECT domain, min(next_try) FROM recipient INDEXED BY recipient_due"
                    "  WHERE account = 0 AND state = 0 GROUP BY domain",
    [QUEUE_LANE_DUE] = "SELECT message FROM recipient INDEXED BY recipient_due"
                       "  WHERE account = 0 AND state = 0 AND domain = ?1 AND next_try <= ?2"
                       "  ORDER BY next_try LIMIT ?3",
    [QUEUE_LANE_NEXT] = "SELECT next_try FROM recipient INDEXED BY recipient_due"
                        "  WHERE account = 0 AND state = 0 AND domain = ?1 AND next_try > ?2"
                        "  ORDER BY next_try LIMIT 1",
    [QUEUE_READ_MESSAGE] = "SELECT id, sender, account, envid, ret, features, arrived, size,"
                           "  prefix, client FROM message WHERE id = ?",
    [QUEUE_READ_RECIPIENTS] = "SELECT id, account, address, detail, original, orcpt, notify,"
                              "  delivery_id, tries, next_try, reply, state, report,"
                              "  warned, last_try, waited, reverse_path, domain FROM recipient "
                              "WHERE message = ? ORDER BY id",
    [QUEUE_READ_BODY] = "SELECT body_size, file, hash, data FROM message"
                        "  LEFT JOIN body ON body.message = message.id WHERE id = ?",
    [QUEUE_ADD_SENT] = "INSERT INTO sent(account, step, recipients) VALUES(?1, ?2, ?3)"
                       "  ON CONFLICT(account, step) DO UPDATE SET recipients = recipients + ?3",
    [QUEUE_FORGET_SENT] = "DELETE FROM sent WHERE account = ?1 AND (step < ?2 OR step > ?3)",
    [QUEUE_READ_SENT] = "SELECT coalesce(sum(recipients) FILTER (WHERE step > ?3), 0),"
                        "  coalesce(sum(recipients), 0) FROM sent"
                        "  WHERE account = ?1 AND step > ?2 AND step <= ?4",
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
        .state = (enum queue_state)sql_i64(row, 11),
        .report = (enum queue_report)sql_i64(row, 12),
        .warned = sql_u64(row, 13) != 0,
        .last_try_ms = sql_i64(row, 14),
        .waited_ms = sql_i64(row, 15),
        .reverse_path = slice_copy(arena, sql_slice(row, 16)),
        .domain = slice_copy(arena, sql_slice(row, 17)),
    };
    memcpy(out->delivery_id, delivery_id.data, MIN(delivery_id.len, sizeof(out->delivery_id)));
}

static bool keeps_all(const struct queue_choice *choice, const struct queue_message *message,
                      const struct queue_recipient *recipient)
{
    return true;
}

static bool keeps_local(const struct queue_choice *choice, const struct queue_message *message,
                        const struct queue_recipient *recipient)
{
    return recipient->account != 0 && recipient->state == QUEUE_WAITING;
}

static bool read_recipients(struct sql_db *db, struct arena *arena,
                            const struct queue_choice *choice, struct queue_message *message,
                            struct error *err)
{
    struct queue_recipient *items = NULL;
    struct sql_row row;
    size_t count = 0, room = 0;

    if (!sql_query(db, QUEUE_READ_RECIPIENTS, &row, err, "u", message->id))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        recipient_from_row(arena, &row, &items[count]);
        if (choice->keeps(choice, message, &items[count]))
            count++;
    }
    message->n_recipients = count;
    message->recipients = ARENA_ARRAY(arena, struct queue_recipient, count);
    if (count > 0)
        memcpy(message->recipients, items, count * sizeof(items[0]));
    free(items);
    return !row.failed;
}

static void try_from_row(struct arena *arena, const struct sql_row *row, struct queue_try *out)
{
    *out = (struct queue_try){
        .at_ms = sql_i64(row, 0),
        .host = slice_copy(arena, sql_slice(row, 1)),
        .tls = slice_copy(arena, sql_slice(row, 2)),
        .status = slice_copy(arena, sql_slice(row, 3)),
        .reply = slice_copy(arena, sql_slice(row, 4)),
        .answered = sql_u64(row, 5) != 0,
    };
}

static bool read_log(struct sql_db *db, struct arena *arena, struct queue_recipient *recipient,
                     struct error *err)
{
    struct sql_row row;

    recipient->log = ARENA_ARRAY(arena, struct queue_try, QUEUE_TRIES_KEPT);
    if (!sql_query(db, QUEUE_READ_ATTEMPTS, &row, err, "u", recipient->id))
        return false;
    while (sql_next(&row, err))
        if (recipient->n_log < QUEUE_TRIES_KEPT)
            try_from_row(arena, &row, &recipient->log[recipient->n_log++]);
    return !row.failed;
}

/* Who was never tried has none. */
static bool read_logs(struct sql_db *db, struct arena *arena, struct queue_message *message,
                      struct error *err)
{
    for (size_t i = 0; i < message->n_recipients; i++)
        if (message->recipients[i].tries > 0 && !read_log(db, arena, &message->recipients[i], err))
            return false;
    return true;
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
        .tls_optional = (features & FEATURE_TLS_OPTIONAL) != 0,
        .arrived_ms = sql_i64(row, 6),
        .size = sql_u64(row, 7),
        .prefix = slice_copy(arena, sql_slice(row, 8)),
        .client = slice_copy(arena, sql_slice(row, 9)),
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

bool queue_read(struct sql_db *db, struct arena *arena, uint64_t id,
                const struct queue_choice *choice, struct queue_message *out, struct error *err)
{
    return read_message(db, arena, id, out, err) && read_recipients(db, arena, choice, out, err);
}

static const struct {
    enum queue_statement statement;
    bool (*keeps)(const struct queue_choice *choice, const struct queue_message *message,
                  const struct queue_recipient *recipient);
} lists[] = {
    [QUEUE_ALL] = { QUEUE_LIST_ALL, keeps_all },
    [QUEUE_LOCAL] = { QUEUE_LIST_LOCAL, keeps_local },
};

struct search {
    enum queue_which which;
    uint64_t after;
    size_t max;
};

static bool list_ids(struct sql_db *db, const struct search *search, struct arena *arena,
                     uint64_t **ids_out, size_t *count_out, struct error *err)
{
    struct sql_row row;

    *ids_out = ARENA_ARRAY(arena, uint64_t, search->max);
    *count_out = 0;
    if (!sql_query(db, lists[search->which].statement, &row, err, "uu", search->after,
                   (uint64_t)search->max))
        return false;
    while (sql_next(&row, err))
        (*ids_out)[(*count_out)++] = sql_u64(&row, 0);
    return !row.failed;
}

static bool find(struct sql_db *db, const struct search *search, struct arena *arena,
                 struct queue_list *list_out, struct error *err)
{
    const struct queue_choice choice = { .keeps = lists[search->which].keeps };
    uint64_t *ids;
    size_t count;

    if (!list_ids(db, search, arena, &ids, &count, err))
        return false;
    list_out->items = ARENA_ARRAY(arena, struct queue_message, count);
    list_out->count = count;
    for (size_t i = 0; i < count; i++)
        if (!queue_read(db, arena, ids[i], &choice, &list_out->items[i], err))
            return false;
    return true;
}

/* Ends a read transaction, with the outcome of what was read in it. */
bool queue_end_read(struct sql_db *db, bool ok, struct error *err)
{
    if (ok)
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

bool queue_find(struct desk *desk, struct arena *arena, enum queue_which which,
                uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                struct error *err)
{
    struct search search = { which, after_message_id, max_messages };
    struct sql_db *db;

    *list_out = (struct queue_list){ 0 };
    if (!desk_queue(desk, &db, err) || !sql_begin_read(db, err))
        return false;
    return queue_end_read(db, find(db, &search, arena, list_out, err), err);
}

bool queue_by_id(struct desk *desk, struct arena *arena, uint64_t message,
                 struct queue_message *message_out, struct error *err)
{
    const struct queue_choice choice = { .keeps = keeps_all };
    struct sql_db *db;
    bool ok;

    if (!desk_queue(desk, &db, err) || !sql_begin_read(db, err))
        return false;
    ok = queue_read(db, arena, message, &choice, message_out, err) &&
         read_logs(db, arena, message_out, err);
    return queue_end_read(db, ok, err);
}

bool queue_reports(struct desk *desk, uint64_t after_message_id, size_t max, uint64_t *ids_out,
                   size_t *count_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    *count_out = 0;
    if (!desk_queue(desk, &db, err) ||
        !sql_query(db, QUEUE_LIST_REPORTS, &row, err, "uu", after_message_id, (uint64_t)max))
        return false;
    while (sql_next(&row, err))
        ids_out[(*count_out)++] = sql_u64(&row, 0);
    return !row.failed;
}

bool queue_sent(struct desk *desk, uint64_t account, int64_t now_ms, struct queue_sent *sent_out,
                struct error *err)
{
    int64_t now = now_ms / QUEUE_SENT_STEP_MS;
    struct sql_db *db;
    struct sql_row row;

    *sent_out = (struct queue_sent){ 0 };
    if (!desk_queue(desk, &db, err) || !sql_query(db, QUEUE_READ_SENT, &row, err, "uiii", account,
                                                  now - STEPS_PER_DAY, now - STEPS_PER_HOUR, now))
        return false;
    if (sql_next(&row, err)) {
        *sent_out = (struct queue_sent){ .hour = sql_u64(&row, 0), .day = sql_u64(&row, 1) };
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
