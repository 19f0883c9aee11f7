/* metadata.c - see metadata.h: the table `metadata`, its counter and its limits.
 *
 * A removed entry stays as a row with the value NULL, so that others can be told; the oldest of
 * these go when there are many.
 */
#include "storage/metadata.h"
#include "storage/sqlite/account_private.h"

#include <stdlib.h>

#define REMOVED_KEPT 1000 /* changes after which a removal is forgotten */

/* The entry itself, and with `below` what lies below it: '0' is the character behind '/'. */
static bool query(struct account *account, uint64_t mailbox, uint64_t reader, struct slice name,
                  bool below, struct sql_row *row_out, struct error *err)
{
    return sql_query(&account->db, SQL_METADATA_GET, row_out, err, "uutu", mailbox, reader, name,
                     (uint64_t)below);
}

static void add_row(struct metadata_list *list, size_t *room, struct arena *arena,
                    const struct sql_row *row)
{
    list->items = mem_grow(list->items, room, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = (struct metadata_entry){
        .mailbox = sql_u64(row, 0),
        .name = slice_copy(arena, sql_slice(row, 1)),
        .has_value = !sql_is_null(row, 2),
        .value = slice_copy(arena, sql_slice(row, 2)),
    };
}

/* Reads the rows of a query to its end; the list ends up in the arena. */
static bool read_rows(struct sql_row *row, struct arena *arena, struct metadata_list *list_out,
                      struct error *err)
{
    struct metadata_list list = { 0 };
    size_t room = 0;

    while (sql_next(row, err))
        add_row(&list, &room, arena, row);
    *list_out = (struct metadata_list){ ARENA_ARRAY(arena, struct metadata_entry, list.count + 1),
                                        list.count };
    for (size_t i = 0; i < list.count; i++)
        list_out->items[i] = list.items[i];
    free(list.items);
    return !row->failed;
}

bool metadata_get(struct account *account, uint64_t mailbox, uint64_t reader, struct slice name,
                  bool below, struct arena *arena, struct metadata_list *list_out,
                  struct error *err)
{
    struct sql_row row;

    return query(account, mailbox, reader, name, below, &row, err) &&
           read_rows(&row, arena, list_out, err);
}

static bool one_number(struct account *account, enum account_slot slot, uint64_t mailbox,
                       uint64_t *number_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, slot, &row, err, "u", mailbox))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no count");
    *number_out = sql_u64(&row, 0);
    sql_end(&row);
    return true;
}

static bool next_change(struct account *account, uint64_t *change_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_METADATA_NEXT, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    *change_out = sql_u64(&row, 0);
    sql_end(&row);
    return true;
}

static bool put(struct account *account, uint64_t mailbox, uint64_t reader, uint64_t change,
                const struct metadata_entry *entry, struct error *err)
{
    bool shared = slice_starts(entry->name, "/shared/");

    if (!entry->has_value)
        return sql_run(&account->db, SQL_METADATA_REMOVE, NULL, err, "uutu", mailbox,
                       shared ? 0 : reader, entry->name, change);
    return sql_run(&account->db, SQL_METADATA_PUT, NULL, err, "uutbu", mailbox, shared ? 0 : reader,
                   entry->name, entry->value, change);
}

static bool put_all(struct account *account, uint64_t mailbox, uint64_t reader,
                    const struct metadata_entry *entries, size_t count, uint64_t *change_out,
                    struct error *err)
{
    struct mailbox_row mailbox_there;

    if ((mailbox != 0 && !mailbox_row(account, mailbox, &mailbox_there, err)) ||
        !next_change(account, change_out, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!put(account, mailbox, reader, *change_out, &entries[i], err))
            return false;
    return sql_run(&account->db, SQL_METADATA_FORGET, NULL, err, "i",
                   (int64_t)*change_out - REMOVED_KEPT);
}

static bool check_guest(struct account *account, uint64_t reader, struct error *err)
{
    uint64_t entries, bytes;
    struct sql_row row;

    if (reader == account->id)
        return true;
    if (!sql_query(&account->db, SQL_METADATA_OF, &row, err, "u", reader))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no count");
    entries = sql_u64(&row, 0);
    bytes = sql_u64(&row, 1);
    sql_end(&row);
    return (entries <= METADATA_GUEST_ENTRIES_MAX && bytes <= METADATA_GUEST_BYTES_MAX) ||
           error_set(err, ERROR_LIMIT, "too many private annotations in another's account");
}

/* Only what adds something can be refused: who is over a limit can still remove entries. */
static bool check_limits(struct account *account, uint64_t mailbox, uint64_t reader,
                         const struct metadata_entry *entries, size_t count, struct error *err)
{
    struct quota_rest rest;
    uint64_t there;
    bool adds = false;

    for (size_t i = 0; i < count; i++)
        adds = adds || entries[i].has_value;
    if (!adds)
        return true;
    if (!one_number(account, SQL_METADATA_COUNT, mailbox, &there, err) ||
        !account_quota_rest(account, &rest, err))
        return false;
    if (there > METADATA_ENTRIES_MAX)
        return error_set(err, ERROR_LIMIT, "too many annotations");
    if (rest.annotation_bytes_max > 0 && rest.annotation_bytes > rest.annotation_bytes_max)
        return error_set(err, ERROR_OVER_QUOTA, "annotations are over their quota");
    return check_guest(account, reader, err);
}

bool metadata_set(struct account *account, uint64_t mailbox, uint64_t reader,
                  const struct metadata_entry *entries, size_t count, uint64_t *change_out,
                  struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!put_all(account, mailbox, reader, entries, count, change_out, err) ||
        !check_limits(account, mailbox, reader, entries, count, err))
        return account_rollback(account);
    return account_commit(account, mailbox, err);
}

bool metadata_changed(struct account *account, uint64_t reader, uint64_t since, struct arena *arena,
                      struct metadata_list *list_out, uint64_t *now_out, struct error *err)
{
    struct sql_row row;

    *list_out = (struct metadata_list){ 0 };
    if (!sql_query(&account->db, SQL_METADATA_LAST, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    *now_out = sql_u64(&row, 0);
    sql_end(&row);
    if (*now_out <= since)
        return true;
    return sql_query(&account->db, SQL_METADATA_CHANGED, &row, err, "uu", since, reader) &&
           read_rows(&row, arena, list_out, err);
}
