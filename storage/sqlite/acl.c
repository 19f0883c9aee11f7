/* acl.c - the table `acl` of an account: see acl.h. */
#include "storage/acl.h"

#include "storage/sqlite/account_private.h"
#include "storage/sqlite/share.h"

#include <stdlib.h>

static void free_items(void *items)
{
    free(*(void **)items);
}

bool acl_list(struct account *account, uint64_t mailbox, struct arena *arena,
              struct acl_list *list_out, struct error *err)
{
    AUTO(free_items) struct acl_entry *items = NULL;
    size_t count = 0, room = 0;
    struct sql_row row;

    if (!sql_query(&account->db, SQL_ACL, &row, err, "u", mailbox))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        items[count++] = (struct acl_entry){ sql_u64(&row, 0), sql_u64(&row, 1) != 0,
                                             (unsigned)sql_u64(&row, 2) & RIGHTS_ALL };
    }
    *list_out = (struct acl_list){ ARENA_ARRAY(arena, struct acl_entry, count + 1), count };
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    return !row.failed;
}

static bool check_room(struct account *account, uint64_t mailbox, struct error *err)
{
    uint64_t count;
    struct sql_row row;

    if (!sql_query(&account->db, SQL_ACL_COUNT, &row, err, "u", mailbox))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no count");
    count = sql_u64(&row, 0);
    sql_end(&row);
    return count <= ACL_ENTRIES_MAX ||
           error_set(err, ERROR_LIMIT, "too many entries in the mailbox's ACL");
}

/* Within a transaction. */
static bool change_entry(struct account *account, uint64_t mailbox, const struct acl_entry *entry,
                         enum acl_change change, struct error *err)
{
    uint64_t negative = entry->negative, rights = entry->rights & RIGHTS_ALL;
    struct mailbox_row row;
    bool ok = mailbox_row(account, mailbox, &row, err);

    if (!ok)
        return false;
    switch (change) {
    case ACL_REPLACE:
    case ACL_ADD:
        ok = sql_run(&account->db, SQL_ACL_ADD, NULL, err, "uuuuu", mailbox, entry->who, negative,
                     (uint64_t)(change == ACL_ADD ? RIGHTS_ALL : 0), rights);
        break;
    case ACL_REMOVE:
        ok = sql_run(&account->db, SQL_ACL_TAKE, NULL, err, "uuuu", mailbox, entry->who, negative,
                     ~rights & RIGHTS_ALL);
        break;
    }
    return ok && sql_run(&account->db, SQL_ACL_CLEAN, NULL, err, "u", mailbox) &&
           check_room(account, mailbox, err);
}

/* The pair is noted under the account's lock: nobody else settles it before the right is there. */
static bool write_entry(struct account *account, uint64_t mailbox, const struct acl_entry *entry,
                        enum acl_change change, bool gives, struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if ((gives && !share_note(account, entry->who, err)) ||
        !change_entry(account, mailbox, entry, change, err))
        return account_rollback(account);
    return account_commit(account, mailbox, err);
}

bool acl_change(struct account *account, uint64_t mailbox, const struct acl_entry *entry,
                enum acl_change change, struct error *err)
{
    bool gives = !entry->negative && change != ACL_REMOVE && entry->rights != 0;

    if (entry->who == account->id)
        return error_set(err, ERROR_DENIED, "the owner has all rights");
    return write_entry(account, mailbox, entry, change, gives, err) &&
           (gives || share_settle(account, entry->who, err));
}

/* What the rows of one mailbox come to; *more is false after the last row. */
static struct mailbox_rights sum_up(struct sql_row *row, bool *more, struct error *err)
{
    struct mailbox_rights sum = { .mailbox = sql_u64(row, 0) };
    unsigned given = 0, taken = 0;

    do {
        unsigned rights = (unsigned)sql_u64(row, 2);

        if (sql_u64(row, 1) != 0)
            taken |= rights;
        else
            given |= rights;
        *more = sql_next(row, err);
    } while (*more && sql_u64(row, 0) == sum.mailbox);
    sum.rights = given & ~taken & RIGHTS_ALL;
    return sum;
}

bool acl_rights(struct account *account, uint64_t mailbox, uint64_t who, unsigned *rights_out,
                struct error *err)
{
    struct sql_row row;
    bool more;

    *rights_out = who == account->id ? RIGHTS_ALL : 0;
    if (who == account->id)
        return true;
    if (!sql_query(&account->db, SQL_ACL_OF, &row, err, "uu", mailbox, who))
        return false;
    more = sql_next(&row, err);
    if (more)
        *rights_out = sum_up(&row, &more, err).rights;
    return !row.failed;
}

bool acl_rights_all(struct account *account, uint64_t who, struct arena *arena,
                    struct rights_list *list_out, struct error *err)
{
    AUTO(free_items) struct mailbox_rights *items = NULL;
    size_t count = 0, room = 0;
    struct sql_row row;
    bool more;

    if (!sql_query(&account->db, SQL_ACL_OF_ALL, &row, err, "u", who))
        return false;
    more = sql_next(&row, err);
    while (more) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        items[count] = sum_up(&row, &more, err);
        count += items[count].rights != 0;
    }
    *list_out = (struct rights_list){ ARENA_ARRAY(arena, struct mailbox_rights, count + 1), count };
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    return !row.failed;
}
