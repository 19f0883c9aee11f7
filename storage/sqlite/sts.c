/* sts.c - see storage/sts.h. No notices: smtpd alone reads and writes them. */
#include "storage/sts.h"

#include "storage/sqlite/directory_private.h"

#include <stdlib.h>

static void take_row(struct arena *arena, const struct sql_row *row, struct sts_entry *entry)
{
    *entry = (struct sts_entry){
        .domain = slice_copy(arena, sql_slice(row, 0)),
        .id = slice_copy(arena, sql_slice(row, 1)),
        .text = slice_copy(arena, sql_slice(row, 2)),
        .fetched_ms = sql_i64(row, 3),
        .expires_ms = sql_i64(row, 4),
    };
}

bool sts_all(struct desk *desk, struct arena *arena, int64_t now_ms, struct sts_list *list_out,
             struct error *err)
{
    struct sts_entry *items = NULL;
    size_t count = 0, room = 0;
    struct sql_row row;
    struct sql_db *db;

    *list_out = (struct sts_list){ 0 };
    if (!desk_directory(desk, &db, err) || !sql_query(db, STS_LIST, &row, err, "i", now_ms))
        return false;
    while (sql_next(&row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        take_row(arena, &row, &items[count++]);
    }
    list_out->items = ARENA_ARRAY(arena, struct sts_entry, count);
    list_out->count = count;
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    free(items);
    return !row.failed;
}

static bool has_room(struct sql_db *db, struct error *err)
{
    struct sql_row row;
    uint64_t count = 0;

    if (!sql_query(db, STS_COUNT, &row, err, ""))
        return false;
    if (sql_next(&row, err))
        count = sql_u64(&row, 0);
    sql_end(&row);
    if (row.failed)
        return false;
    return count < STS_ENTRIES_MAX || error_set(err, ERROR_LIMIT, "too many policies of MTA-STS");
}

static bool put(struct sql_db *db, const struct sts_entry *entry, struct error *err)
{
    return sql_run(db, STS_DELETE, NULL, err, "ti", entry->domain, entry->fetched_ms) &&
           has_room(db, err) &&
           sql_run(db, STS_INSERT, NULL, err, "tttii", entry->domain, entry->id, entry->text,
                   entry->fetched_ms, entry->expires_ms);
}

bool sts_put(struct desk *desk, const struct sts_entry *entry, struct error *err)
{
    struct sql_db *db;

    if (!directory_begin(desk, &db, err))
        return false;
    if (put(db, entry, err))
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}
