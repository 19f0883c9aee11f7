/* directory_account.c - rows of accounts in postane.db, and the folders that go with them.
 *
 * Crash states: the folder is made before the row commits, and removed after the row is gone. So
 * there may be a folder without an account (found by store_check()), never the reverse.
 */
#include "storage/sqlite/directory_private.h"

#include "common/crypto.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void account_from_row(struct arena *arena, const struct sql_row *row, struct account_info *out)
{
    *out = (struct account_info){
        .id = sql_u64(row, 0),
        .address = stored_address_print(arena, sql_slice(row, 1), sql_slice(row, 2)),
        .name = slice_copy(arena, sql_slice(row, 3)),
        .disabled = sql_i64(row, 4) != 0,
        .created_ms = sql_i64(row, 5),
        .argon = slice_copy(arena, sql_slice(row, 6)),
        .scram = slice_copy(arena, sql_slice(row, 7)),
        .shared = sql_i64(row, 12) != 0,
        .totp_key = slice_copy(arena, sql_slice(row, 13)),
        .totp_step = sql_u64(row, 14),
        .limits = { sql_u64(row, 8), sql_u64(row, 9), sql_u64(row, 10), sql_u64(row, 11) },
    };
}

bool account_exists(struct sql_db *db, const struct stored_address *address, bool *exists_out,
                    struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, ACCOUNT_BY_ADDRESS, &row, err, "tt", address->domain, address->local))
        return false;
    *exists_out = sql_next(&row, err);
    sql_end(&row);
    return !row.failed;
}

/* The address must be free and its domain ours. */
static bool check_free(struct sql_db *db, const struct stored_address *address, struct error *err)
{
    bool domain, account, alias;

    if (!domain_exists(db, address->domain, &domain, err) ||
        !account_exists(db, address, &account, err) || !alias_exists(db, address, &alias, err))
        return false;
    if (!domain)
        return error_set(err, ERROR_NOT_FOUND, "no domain " SLICE_FMT, SLICE_ARG(address->domain));
    if (account || alias)
        return error_set(err, ERROR_EXISTS, "there is an %s with this address already",
                         account ? "account" : "alias");
    return address->local.len != 1 || address->local.data[0] != '*' ||
           error_set(err, ERROR_INVALID, "\"*\" is for the catch-all alias");
}

struct new_account {
    struct stored_address address;
    struct slice name, argon, scram;
    uint64_t id;
};

static bool insert_account(struct desk *desk, struct sql_db *db, const struct new_account *account,
                           struct error *err)
{
    return check_free(db, &account->address, err) &&
           sql_run(db, ACCOUNT_INSERT, NULL, err, "uttttti", account->id, account->address.local,
                   account->address.domain, account->name, account->argon, account->scram,
                   time_ms()) &&
           account_store_create(desk->store, account->id, err);
}

static bool remove_folder(struct desk *desk, uint64_t id, struct error *err)
{
    AUTO(buf_free) struct buf folder = { 0 };
    AUTO(buf_free) struct buf trash = { 0 };

    /* Renamed first: it must not be found half removed. */
    store_account_path(desk->store, id, NULL, &folder);
    store_temporary_path(desk->store, &trash);
    if (rename(buf_text(&folder), buf_text(&trash)) != 0)
        return errno == ENOENT || error_errno(err, "renaming %s", buf_text(&folder));
    return tree_remove(buf_text(&trash), err);
}

static uint64_t new_id(void)
{
    uint64_t id;

    do
        id = random_u64() >> 1;
    while (id == 0);
    return id;
}

bool account_add(struct desk *desk, struct slice address, struct slice name, struct slice argon,
                 struct slice scram, uint64_t *id_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct new_account account = { .name = name, .argon = argon, .scram = scram, .id = new_id() };
    struct error ignored;
    struct sql_db *db;

    if (!stored_address_parse(&arena, address, &account.address, err) ||
        !directory_begin(desk, &db, err))
        return false;
    if (!directory_finish(desk, insert_account(desk, db, &account, err), err)) {
        if (!remove_folder(desk, account.id, &ignored))
            error_wrap(err, "left a folder of account %016" PRIx64 " behind", account.id);
        return false;
    }
    *id_out = account.id;
    return true;
}

/* The end of every change of one row. */
static bool finish_one(struct desk *desk, bool ok, uint64_t changed, uint64_t id, struct error *err)
{
    if (ok && changed == 0)
        ok = error_set(err, ERROR_NOT_FOUND, "no account %016" PRIx64, id);
    return directory_finish(desk, ok, err);
}

bool account_remove(struct desk *desk, uint64_t id, struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, SHARE_REMOVE_ACCOUNT, NULL, err, "u", id) &&
         sql_run(db, ACCOUNT_DELETE, &changed, err, "u", id);
    if (!finish_one(desk, ok, changed, id, err))
        return false;
    return remove_folder(desk, id, err) ||
           error_wrap(err, "the account is removed, but its mail is not");
}

bool account_set_password(struct desk *desk, uint64_t id, struct slice argon, struct slice scram,
                          struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ACCOUNT_SET_PASSWORD, &changed, err, "utt", id, argon, scram);
    return finish_one(desk, ok, changed, id, err);
}

bool account_set_limits(struct desk *desk, uint64_t id, const struct account_limits *limits,
                        struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (MAX(limits->bytes, limits->messages) > LIMIT_NONE ||
        MAX(limits->mailboxes, limits->annotation_bytes) > LIMIT_NONE)
        return error_set(err, ERROR_INVALID, "a quota of 2^63 or more");
    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ACCOUNT_SET_LIMITS, &changed, err, "uuuuu", id, limits->bytes,
                 limits->messages, limits->mailboxes, limits->annotation_bytes);
    return finish_one(desk, ok, changed, id, err);
}

bool account_set_disabled(struct desk *desk, uint64_t id, bool disabled, struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ACCOUNT_SET_DISABLED, &changed, err, "uu", id, (uint64_t)disabled);
    return finish_one(desk, ok, changed, id, err);
}

bool account_set_totp(struct desk *desk, uint64_t id, struct slice key, struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ACCOUNT_SET_TOTP, &changed, err, "ub", id, key);
    return finish_one(desk, ok, changed, id, err);
}

/* No notice: nobody else looks at it. */
bool account_use_totp(struct desk *desk, uint64_t id, struct slice key, uint64_t step,
                      bool *fresh_out, struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;

    if (!directory_begin(desk, &db, err))
        return false;
    if (!sql_run(db, ACCOUNT_USE_TOTP, &changed, err, "ubu", id, key, step)) {
        sql_rollback(db);
        return false;
    }
    *fresh_out = changed > 0;
    return sql_commit(db, err);
}

bool account_set_shared(struct desk *desk, uint64_t id, bool shared, struct error *err)
{
    uint64_t changed = 0;
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, ACCOUNT_SET_SHARED, &changed, err, "uu", id, (uint64_t)shared);
    return finish_one(desk, ok, changed, id, err);
}

static void free_items(void *items)
{
    free(*(void **)items);
}

bool account_list_read(struct sql_row *row, struct arena *arena, struct account_list *list_out,
                       struct error *err)
{
    AUTO(free_items) struct account_info *items = NULL;
    size_t count = 0, room = 0;

    while (sql_next(row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        account_from_row(arena, row, &items[count++]);
    }
    if (row->failed)
        return false;
    list_out->count = count;
    list_out->items = ARENA_ARRAY(arena, struct account_info, count);
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    return true;
}

bool account_all(struct desk *desk, struct arena *arena, struct account_list *list_out,
                 struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(desk, &db, err) && sql_query(db, ACCOUNT_LIST, &row, err, "") &&
           account_list_read(&row, arena, list_out, err);
}

static bool take_account(struct arena *arena, struct sql_row *row, struct account_info *info_out,
                         struct error *err)
{
    bool found = sql_next(row, err);

    if (found)
        account_from_row(arena, row, info_out);
    sql_end(row);
    if (row->failed)
        return false;
    return found || error_set(err, ERROR_NOT_FOUND, "no such account");
}

bool account_by_address(struct desk *desk, struct arena *arena, struct slice address,
                        struct account_info *info_out, struct error *err)
{
    struct stored_address stored;
    struct sql_db *db;
    struct sql_row row;

    if (!stored_address_parse(arena, address, &stored, err)) {
        err->kind = ERROR_NOT_FOUND; /* what can be nobody's address is nobody's */
        return false;
    }
    return desk_directory(desk, &db, err) &&
           sql_query(db, ACCOUNT_BY_ADDRESS, &row, err, "tt", stored.domain, stored.local) &&
           take_account(arena, &row, info_out, err);
}

bool account_by_id(struct desk *desk, struct arena *arena, uint64_t id,
                   struct account_info *info_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(desk, &db, err) && sql_query(db, ACCOUNT_BY_ID, &row, err, "u", id) &&
           take_account(arena, &row, info_out, err);
}
