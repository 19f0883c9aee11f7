/* share.c - see share.h and acl.h: the table `share` of postane.db. */
#include "storage/sqlite/share.h"

#include "storage/acl.h"
#include "storage/sqlite/account_private.h"
#include "storage/sqlite/directory_private.h"

#include <stdlib.h>

static bool find(struct sql_db *db, uint64_t owner, uint64_t who, bool *found_out,
                 struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, SHARE_FIND, &row, err, "uu", who, owner))
        return false;
    *found_out = sql_next(&row, err);
    if (*found_out)
        sql_end(&row);
    return !row.failed;
}

bool share_is(struct desk *desk, uint64_t owner, uint64_t who, bool *shares_out, struct error *err)
{
    struct sql_db *db;

    return desk_directory(desk, &db, err) && find(db, owner, who, shares_out, err);
}

bool share_owners(struct desk *desk, uint64_t who, struct arena *arena,
                  struct account_list *owners_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(desk, &db, err) && sql_query(db, SHARE_OWNERS, &row, err, "u", who) &&
           account_list_read(&row, arena, owners_out, err);
}

static bool change(struct desk *desk, enum directory_statement slot, uint64_t who, uint64_t owner,
                   struct error *err)
{
    struct sql_db *db;

    if (!directory_begin(desk, &db, err))
        return false;
    return directory_finish(desk, sql_run(db, slot, NULL, err, "uu", who, owner), err);
}

bool share_note(struct account *account, uint64_t who, struct error *err)
{
    return change(account->desk, SHARE_ADD, who, account->id, err);
}

/* Has `who` a right in any mailbox? */
static bool has_rights(struct account *account, uint64_t who, bool *has_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_ACL_HAS, &row, err, "u", who))
        return false;
    *has_out = sql_next(&row, err);
    if (*has_out)
        sql_end(&row);
    return !row.failed;
}

/* Under the account's lock, so that nobody gives a right in between. */
bool share_settle(struct account *account, uint64_t who, struct error *err)
{
    bool has;

    if (!account_begin(account, SQL_FULL, err))
        return false;
    bool ok = has_rights(account, who, &has, err) &&
              (has || change(account->desk, SHARE_REMOVE, who, account->id, err));
    account_rollback(account);
    return ok;
}

/* Checking. */

struct ids {
    uint64_t *items;
    size_t count, room;
};

static void free_ids(struct ids *ids)
{
    free(ids->items);
}

static bool read_ids(struct sql_row *row, struct ids *ids, struct error *err)
{
    while (sql_next(row, err)) {
        ids->items = mem_grow(ids->items, &ids->room, ids->count + 1, sizeof(ids->items[0]));
        ids->items[ids->count++] = sql_u64(row, 0);
    }
    return !row->failed;
}

/* Both ascend. Calls share_note() or SHARE_REMOVE for what is in one of them only. */
static bool compare(struct account *account, const struct ids *noted, const struct ids *real,
                    bool repair, uint64_t *wrong_out, struct error *err)
{
    for (size_t n = 0, r = 0; n < noted->count || r < real->count;) {
        bool missing = n == noted->count || (r < real->count && real->items[r] < noted->items[n]);
        uint64_t who = missing ? real->items[r] : noted->items[n];
        bool both = n < noted->count && r < real->count && noted->items[n] == real->items[r];

        n += !missing;
        r += missing || both;
        if (both)
            continue;
        ++*wrong_out;
        if (repair &&
            !change(account->desk, missing ? SHARE_ADD : SHARE_REMOVE, who, account->id, err))
            return false;
    }
    return true;
}

static bool check_locked(struct account *account, bool repair, uint64_t *wrong_out,
                         struct error *err)
{
    AUTO(free_ids) struct ids noted = { 0 };
    AUTO(free_ids) struct ids real = { 0 };
    struct sql_db *db;
    struct sql_row row;

    return desk_directory(account->desk, &db, err) &&
           sql_query(db, SHARE_OF_OWNER, &row, err, "u", account->id) &&
           read_ids(&row, &noted, err) && sql_query(&account->db, SQL_ACL_WHO, &row, err, "") &&
           read_ids(&row, &real, err) && compare(account, &noted, &real, repair, wrong_out, err);
}

/* Without repairs it takes no lock: a right that is being given just now may count as wrong. */
bool share_check(struct account *account, bool repair, uint64_t *wrong_out, struct error *err)
{
    *wrong_out = 0;
    if (!repair)
        return check_locked(account, false, wrong_out, err);
    if (!account_begin(account, SQL_FULL, err))
        return false;
    bool ok = check_locked(account, true, wrong_out, err);
    account_rollback(account);
    return ok;
}
