/* directory.c - postane.db: its tables and statements, and the domains.
 *
 * The database is small and read often; whoever changes it tells all processes with a notice after
 * the commit, but nothing is cached that would have to be thrown away then.
 */
#include "storage/sqlite/directory_private.h"

#include "storage/names.h"
#include "storage/notice.h"

#include <stdlib.h>

static const char more_limits[] =
    "ALTER TABLE account ADD COLUMN quota_mailboxes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE account ADD COLUMN quota_annotations INTEGER NOT NULL DEFAULT 0;";

/* who 0: anyone. */
static const char sharing[] =
    "ALTER TABLE account ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE share("
    "  who INTEGER NOT NULL, owner INTEGER NOT NULL, PRIMARY KEY(who, owner)) WITHOUT ROWID;"
    "CREATE INDEX share_owner ON share(owner);";

/* Ids are never given again: sessions are known by them. */
static const char app_passwords[] =
    "CREATE TABLE app_password("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE, name TEXT NOT NULL,"
    "  scope INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"
    "  used INTEGER NOT NULL DEFAULT 0, used_scope INTEGER NOT NULL DEFAULT 0,"
    "  used_address TEXT NOT NULL DEFAULT '', verifier BLOB NOT NULL, scram TEXT NOT NULL,"
    "  UNIQUE(account, name), UNIQUE(account, verifier));";

static const char totp[] = "ALTER TABLE account ADD COLUMN totp_key BLOB NOT NULL DEFAULT x'';"
                           "ALTER TABLE account ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;";

static const char *const migrations[] = {
    "PRAGMA application_id = 0x506f7374;" /* "Post" */
    "CREATE TABLE domain("
    "  name TEXT PRIMARY KEY, created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE account("
    "  id INTEGER PRIMARY KEY, local TEXT NOT NULL,"
    "  domain TEXT NOT NULL REFERENCES domain(name), name TEXT NOT NULL,"
    "  argon TEXT NOT NULL, scram TEXT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,"
    "  quota_bytes INTEGER NOT NULL DEFAULT 0, quota_messages INTEGER NOT NULL DEFAULT 0,"
    "  created INTEGER NOT NULL, UNIQUE(domain, local));"
    /* One row for each target. local "*" is the catch-all. Local parts of targets are as given,
     * for a remote host may mind their case. */
    "CREATE TABLE alias("
    "  domain TEXT NOT NULL REFERENCES domain(name), local TEXT NOT NULL,"
    "  target_local TEXT NOT NULL, target_domain TEXT NOT NULL,"
    "  PRIMARY KEY(domain, local, target_domain, target_local)) WITHOUT ROWID;"
    "CREATE TABLE secret(bytes BLOB NOT NULL);"
    "INSERT INTO secret VALUES(randomblob(32));",
    "CREATE TABLE tally("
    "  kind INTEGER NOT NULL, day INTEGER NOT NULL, domain TEXT NOT NULL, key TEXT NOT NULL,"
    "  count INTEGER NOT NULL, PRIMARY KEY(kind, day, domain, key)) WITHOUT ROWID;",
    "CREATE TABLE signing_key("
    "  domain TEXT NOT NULL REFERENCES domain(name), selector TEXT NOT NULL,"
    "  algorithm TEXT NOT NULL, pem TEXT NOT NULL, state INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, changed INTEGER NOT NULL,"
    "  PRIMARY KEY(domain, selector)) WITHOUT ROWID;",
    "CREATE TABLE sts("
    "  domain TEXT PRIMARY KEY, id TEXT NOT NULL, policy TEXT NOT NULL,"
    "  fetched INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;",
    more_limits,
    sharing,
    app_passwords,
    totp,
};

#define ACCOUNT_COLUMNS                                                                            \
    "id, local, domain, name, disabled, created, argon, scram, quota_bytes, quota_messages,"       \
    " quota_mailboxes, quota_annotations, shared, totp_key, totp_step"

#define APP_PASSWORD_COLUMNS                                                                       \
    "id, name, scope, created, expires, used, used_scope, used_address, verifier, scram"

static const char *const statements[DIRECTORY_STATEMENTS] = {
    [DOMAIN_INSERT] = "INSERT INTO domain(name, created) VALUES(?, ?)",
    [DOMAIN_DELETE] = "DELETE FROM domain WHERE name = ?",
    [DOMAIN_FIND] = "SELECT 1 FROM domain WHERE name = ?",
    [DOMAIN_LIST] = "SELECT name, created,"
                    "  (SELECT count(*) FROM account WHERE account.domain = domain.name),"
                    "  (SELECT count(DISTINCT local) FROM alias WHERE alias.domain = domain.name)"
                    "  FROM domain ORDER BY name",
    [DOMAIN_DELETE_ALIASES] = "DELETE FROM alias WHERE domain = ?",
    [DOMAIN_DELETE_KEYS] = "DELETE FROM signing_key WHERE domain = ?",
    [DOMAIN_COUNT_ACCOUNTS] = "SELECT count(*) FROM account WHERE domain = ?",
    [ACCOUNT_INSERT] = "INSERT INTO account(id, local, domain, name, argon, scram, created)"
                       "  VALUES(?, ?, ?, ?, ?, ?, ?)",
    [ACCOUNT_DELETE] = "DELETE FROM account WHERE id = ?",
    [ACCOUNT_SET_PASSWORD] = "UPDATE account SET argon = ?2, scram = ?3 WHERE id = ?1",
    [ACCOUNT_SET_LIMITS] = "UPDATE account SET quota_bytes = ?2, quota_messages = ?3,"
                           " quota_mailboxes = ?4, quota_annotations = ?5 WHERE id = ?1",
    [ACCOUNT_SET_DISABLED] = "UPDATE account SET disabled = ?2 WHERE id = ?1",
    [ACCOUNT_SET_TOTP] = "UPDATE account SET totp_key = ?2, totp_step = 0 WHERE id = ?1",
    [ACCOUNT_USE_TOTP] = "UPDATE account SET totp_step = ?3"
                         "  WHERE id = ?1 AND totp_key = ?2 AND totp_step < ?3",
    [ACCOUNT_SET_SHARED] = "UPDATE account SET shared = ?2 WHERE id = ?1",
    [ACCOUNT_LIST] = "SELECT " ACCOUNT_COLUMNS " FROM account ORDER BY domain, local",
    [ACCOUNT_BY_ADDRESS] =
        "SELECT " ACCOUNT_COLUMNS " FROM account WHERE domain = ?1 AND local = ?2",
    [ACCOUNT_BY_ID] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id = ?",
    [ACCOUNT_OLDEST] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE NOT disabled"
                       "  ORDER BY domain <> ?, created, id LIMIT 1",
    [ALIAS_INSERT] = "INSERT OR IGNORE INTO alias(domain, local, target_local, target_domain)"
                     "  VALUES(?, ?, ?, ?)",
    [ALIAS_DELETE] = "DELETE FROM alias WHERE domain = ?1 AND local = ?2",
    [ALIAS_LIST] = "SELECT domain, local, target_local, target_domain FROM alias"
                   "  ORDER BY domain, local, target_domain, target_local",
    [ALIAS_TARGETS] = "SELECT target_local, target_domain FROM alias"
                      "  WHERE domain = ?1 AND local = ?2",
    [SECRET_READ] = "SELECT bytes FROM secret",
    [KEY_INSERT] = "INSERT INTO signing_key(domain, selector, algorithm, pem, state, created,"
                   "  changed) VALUES(?, ?, ?, ?, ?, ?, ?)",
    [KEY_LIST] = "SELECT domain, selector, algorithm, pem, state, created, changed"
                 "  FROM signing_key WHERE ?1 IN ('', domain) ORDER BY domain, created, selector",
    [KEY_SET_STATE] = "UPDATE signing_key SET state = ?3, changed = ?4"
                      "  WHERE domain = ?1 AND selector = ?2",
    [KEY_DELETE] = "DELETE FROM signing_key WHERE domain = ? AND selector = ?",
    [TALLY_UPDATE] = "UPDATE tally SET count = count + ?5"
                     "  WHERE kind = ?1 AND day = ?2 AND domain = ?3 AND key = ?4",
    [TALLY_INSERT] = "INSERT INTO tally(kind, day, domain, key, count) VALUES(?, ?, ?, ?, ?)",
    [TALLY_COUNT] = "SELECT count(*) FROM tally WHERE kind = ? AND day = ? AND domain = ?",
    [TALLY_DUE] = "SELECT kind, day, domain, '', sum(count) FROM tally WHERE day < ?1"
                  "  AND (kind, day, domain) > (?3, ?4, ?5)"
                  "  GROUP BY kind, day, domain ORDER BY kind, day, domain LIMIT ?2",
    [TALLY_READ] = "SELECT kind, day, domain, key, count FROM tally"
                   "  WHERE kind = ? AND day = ? AND domain = ? ORDER BY key",
    [TALLY_DELETE] = "DELETE FROM tally WHERE kind = ? AND day = ? AND domain = ?",
    [STS_LIST] = "SELECT domain, id, policy, fetched, expires FROM sts WHERE expires > ?1"
                 "  ORDER BY domain",
    [STS_COUNT] = "SELECT count(*) FROM sts",
    [STS_INSERT] = "INSERT INTO sts(domain, id, policy, fetched, expires) VALUES(?, ?, ?, ?, ?)",
    [STS_DELETE] = "DELETE FROM sts WHERE domain = ?1 OR expires <= ?2",
    [SHARE_ADD] = "INSERT OR IGNORE INTO share(who, owner) VALUES(?, ?)",
    [SHARE_REMOVE] = "DELETE FROM share WHERE who = ? AND owner = ?",
    [SHARE_REMOVE_ACCOUNT] = "DELETE FROM share WHERE who = ?1 OR owner = ?1",
    [SHARE_FIND] = "SELECT 1 FROM share WHERE owner = ?2 AND who IN (0, ?1) AND owner <> ?1",
    [SHARE_OWNERS] = "SELECT " ACCOUNT_COLUMNS " FROM account WHERE id IN"
                     "  (SELECT owner FROM share WHERE who IN (0, ?1)) AND id <> ?1"
                     "  ORDER BY domain, local",
    [APP_PASSWORD_COUNT] = "SELECT count(*) FROM app_password WHERE account = ?",
    [APP_PASSWORD_INSERT] = "INSERT INTO app_password(account, name, scope, created, expires,"
                            "  verifier, scram) VALUES(?, ?, ?, ?, ?, ?, ?)",
    [APP_PASSWORD_LIST] = "SELECT " APP_PASSWORD_COLUMNS " FROM app_password WHERE account = ?"
                          "  ORDER BY id LIMIT ?",
    [APP_PASSWORD_BY_ID] = "SELECT " APP_PASSWORD_COLUMNS " FROM app_password"
                           "  WHERE account = ? AND id = ?",
    [APP_PASSWORD_FIND] = "SELECT " APP_PASSWORD_COLUMNS " FROM app_password"
                          "  WHERE account = ? AND verifier = ?",
    [APP_PASSWORD_ID] = "SELECT id FROM app_password WHERE account = ? AND name = ?",
    [APP_PASSWORD_DELETE] = "DELETE FROM app_password WHERE id = ?",
    [APP_PASSWORD_USED] = "UPDATE app_password SET used = ?2, used_scope = ?3, used_address = ?4"
                          "  WHERE id = ?1 AND used < ?2",
    [SHARE_OF_OWNER] = "SELECT who FROM share WHERE owner = ? ORDER BY who",
};

bool directory_database_open(const struct store *store, bool create, struct sql_db *db,
                             struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    buf_fmt(&path, "%s/postane.db", store->options.path);
    if (!sql_open(db, buf_text(&path), create, SQL_FULL, statements, COUNT_OF(statements), err))
        return false;
    if (sql_script(db, "PRAGMA foreign_keys = ON", err) &&
        sql_migrate(db, migrations, COUNT_OF(migrations), err))
        return true;
    sql_close(db);
    return false;
}

bool stored_address_parse(struct arena *arena, struct slice text, struct stored_address *out,
                          struct error *err)
{
    AUTO(buf_free) struct buf local = { 0 }, domain = { 0 };
    struct path path;

    if (!path_parse_bare(arena, text, &path) || !name_local(path.local, &local) ||
        !name_domain(path.domain, &domain))
        return error_set(err, ERROR_INVALID, "\"" SLICE_FMT "\" is no mail address",
                         SLICE_ARG(slice_part(text, 0, 100)));
    out->local = slice_copy(arena, buf_slice(&local));
    out->domain = slice_copy(arena, buf_slice(&domain));
    return true;
}

struct slice stored_address_print(struct arena *arena, struct slice local, struct slice domain)
{
    AUTO(buf_free) struct buf address = { 0 };

    path_print(local, domain, &address);
    return slice_copy(arena, buf_slice(&address));
}

bool directory_begin(struct desk *desk, struct sql_db **db_out, struct error *err)
{
    return desk_directory(desk, db_out, err) && sql_begin(*db_out, err);
}

bool directory_finish(struct desk *desk, bool ok, struct error *err)
{
    struct notice notice = { .kind = NOTICE_DIRECTORY };

    if (!ok) {
        sql_rollback(desk->directory);
        return false;
    }
    if (!sql_commit(desk->directory, err))
        return false;
    notice_send(desk->store, &notice);
    return true;
}

bool domain_exists(struct sql_db *db, struct slice domain, bool *exists_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, DOMAIN_FIND, &row, err, "t", domain))
        return false;
    *exists_out = sql_next(&row, err);
    sql_end(&row);
    return !row.failed;
}

/* False, too, when the name is none. */
static bool parse_domain(struct slice name, struct buf *out, struct error *err)
{
    if (name_domain(name, out))
        return true;
    return error_set(err, ERROR_INVALID, "\"" SLICE_FMT "\" is no domain name",
                     SLICE_ARG(slice_part(name, 0, 100)));
}

bool domain_add(struct desk *desk, struct slice name, struct error *err)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct sql_db *db;
    bool ok;

    if (!parse_domain(name, &domain, err) || !directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, DOMAIN_INSERT, NULL, err, "ti", buf_slice(&domain), time_ms());
    if (!ok && err->kind == ERROR_EXISTS)
        error_set(err, ERROR_EXISTS, "domain %s exists already", buf_text(&domain));
    return directory_finish(desk, ok, err);
}

static bool check_unused(struct sql_db *db, struct slice domain, struct error *err)
{
    struct sql_row row;
    uint64_t accounts = 0;

    if (!sql_query(db, DOMAIN_COUNT_ACCOUNTS, &row, err, "t", domain))
        return false;
    if (sql_next(&row, err))
        accounts = sql_u64(&row, 0);
    sql_end(&row);
    if (row.failed)
        return false;
    return accounts == 0 || error_set(err, ERROR_DENIED, "domain " SLICE_FMT " has %llu accounts",
                                      SLICE_ARG(domain), (unsigned long long)accounts);
}

static bool remove_domain(struct sql_db *db, struct slice domain, struct error *err)
{
    uint64_t removed = 0;

    if (!check_unused(db, domain, err) ||
        !sql_run(db, DOMAIN_DELETE_ALIASES, NULL, err, "t", domain) ||
        !sql_run(db, DOMAIN_DELETE_KEYS, NULL, err, "t", domain) ||
        !sql_run(db, DOMAIN_DELETE, &removed, err, "t", domain))
        return false;
    return removed > 0 ||
           error_set(err, ERROR_NOT_FOUND, "no domain " SLICE_FMT, SLICE_ARG(domain));
}

bool domain_remove(struct desk *desk, struct slice name, struct error *err)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct sql_db *db;

    if (!parse_domain(name, &domain, err) || !directory_begin(desk, &db, err))
        return false;
    return directory_finish(desk, remove_domain(db, buf_slice(&domain), err), err);
}

static void free_items(void *items)
{
    free(*(void **)items);
}

bool domain_all(struct desk *desk, struct arena *arena, struct domain_list *list_out,
                struct error *err)
{
    AUTO(free_items) struct domain_info *items = NULL;
    struct sql_db *db;
    struct sql_row row;
    size_t count = 0, room = 0;

    if (!desk_directory(desk, &db, err) || !sql_query(db, DOMAIN_LIST, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        items[count++] = (struct domain_info){
            .name = slice_copy(arena, sql_slice(&row, 0)),
            .created_ms = sql_i64(&row, 1),
            .n_accounts = sql_u64(&row, 2),
            .n_aliases = sql_u64(&row, 3),
        };
    }
    if (row.failed)
        return false;
    list_out->count = count;
    list_out->items = ARENA_ARRAY(arena, struct domain_info, count);
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    return true;
}

bool domain_is_local(struct desk *desk, struct slice name, bool *local_out, struct error *err)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct sql_db *db;

    *local_out = false;
    if (!name_domain(name, &domain)) /* an address literal, for example: not an error */
        return true;
    return desk_directory(desk, &db, err) && domain_exists(db, buf_slice(&domain), local_out, err);
}

bool directory_secret(struct desk *desk, unsigned char secret_out[32], struct error *err)
{
    struct sql_db *db;
    struct sql_row row;
    struct slice bytes = { 0 };

    if (!desk_directory(desk, &db, err) || !sql_query(db, SECRET_READ, &row, err, ""))
        return false;
    if (sql_next(&row, err))
        bytes = sql_slice(&row, 0);
    if (bytes.len == 32)
        memcpy(secret_out, bytes.data, 32);
    sql_end(&row);
    return bytes.len == 32 ||
           (!row.failed && error_set(err, ERROR_INTERNAL, "postane.db has no secret"));
}
