/* tally.c - see storage/tally.h. No notices: nobody waits for statistics. */
#include "storage/tally.h"

#include "storage/sqlite/directory_private.h"

#include <stdlib.h>

static bool has_room(struct sql_db *db, const struct tally *tally, bool *room_out,
                     struct error *err)
{
    struct sql_row row;
    uint64_t keys = 0;

    if (!sql_query(db, TALLY_COUNT, &row, err, "uit", (uint64_t)tally->kind, tally->day,
                   tally->domain))
        return false;
    if (sql_next(&row, err))
        keys = sql_u64(&row, 0);
    sql_end(&row);
    *room_out = keys < TALLY_KEYS_MAX;
    return !row.failed;
}

static bool add(struct sql_db *db, const struct tally *tally, struct error *err)
{
    uint64_t changed = 0;
    bool room;

    if (!sql_run(db, TALLY_UPDATE, &changed, err, "uittu", (uint64_t)tally->kind, tally->day,
                 tally->domain, tally->key, tally->count))
        return false;
    if (changed > 0)
        return true;
    if (!has_room(db, tally, &room, err))
        return false;
    return !room || sql_run(db, TALLY_INSERT, NULL, err, "uittu", (uint64_t)tally->kind, tally->day,
                            tally->domain, tally->key, tally->count);
}

bool tally_add(struct desk *desk, const struct tally *items, size_t count, struct error *err)
{
    struct sql_db *db;
    bool ok = true;

    if (!directory_begin(desk, &db, err))
        return false;
    for (size_t i = 0; ok && i < count; i++)
        ok = add(db, &items[i], err);
    if (ok)
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

/* Rows of kind, day, domain, key, count. */
static bool read_rows(struct sql_row *row, struct arena *arena, struct tally_list *list_out,
                      struct error *err)
{
    struct tally *items = NULL;
    size_t count = 0, room = 0;

    while (sql_next(row, err)) {
        items = mem_grow(items, &room, count + 1, sizeof(items[0]));
        items[count++] = (struct tally){
            .kind = (enum tally_kind)sql_i64(row, 0),
            .day = sql_i64(row, 1),
            .domain = slice_copy(arena, sql_slice(row, 2)),
            .key = slice_copy(arena, sql_slice(row, 3)),
            .count = sql_u64(row, 4),
        };
    }
    list_out->items = ARENA_ARRAY(arena, struct tally, count);
    list_out->count = count;
    if (count > 0)
        memcpy(list_out->items, items, count * sizeof(items[0]));
    free(items);
    return !row->failed;
}

bool tally_due(struct desk *desk, struct arena *arena, int64_t day, const struct tally *after,
               size_t max, struct tally_list *list_out, struct error *err)
{
    struct tally first = { 0 };
    struct sql_row row;
    struct sql_db *db;

    if (after != NULL)
        first = *after;
    return desk_directory(desk, &db, err) &&
           sql_query(db, TALLY_DUE, &row, err, "iuuit", day, (uint64_t)max, (uint64_t)first.kind,
                     first.day, first.domain.len > 0 ? first.domain : SLICE("")) &&
           read_rows(&row, arena, list_out, err);
}

bool tally_read(struct desk *desk, struct arena *arena, const struct tally *which,
                struct tally_list *list_out, struct error *err)
{
    struct sql_row row;
    struct sql_db *db;

    return desk_directory(desk, &db, err) &&
           sql_query(db, TALLY_READ, &row, err, "uit", (uint64_t)which->kind, which->day,
                     which->domain) &&
           read_rows(&row, arena, list_out, err);
}

bool tally_drop(struct desk *desk, const struct tally *which, struct error *err)
{
    struct sql_db *db;
    bool ok;

    if (!directory_begin(desk, &db, err))
        return false;
    ok = sql_run(db, TALLY_DELETE, NULL, err, "uit", (uint64_t)which->kind, which->day,
                 which->domain);
    if (ok)
        return sql_commit(db, err);
    sql_rollback(db);
    return false;
}
