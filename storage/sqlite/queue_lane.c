/* queue_lane.c - what is due for other servers, by the domain it goes to.
 *
 * All of it walks one index, (domain, next_try): a domain's first row says when it is due, and a
 * page of what is due is a run of rows.
 */
#include "storage/sqlite/queue_private.h"

#include "message/address.h"
#include "storage/names.h"

#include <stdlib.h>

void queue_domain(struct slice address, char *domain_out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf name = { 0 };
    struct path path;

    domain_out[0] = '\0';
    if (!path_parse_bare(&arena, address, &path) || path.domain.len == 0)
        return;
    if (path.domain.data[0] == '[')
        buf_add_slice(&name, path.domain);
    else if (!name_domain(path.domain, &name))
        return;
    if (name.len < QUEUE_DOMAIN_SIZE)
        memcpy(domain_out, buf_text(&name), name.len + 1);
}

bool queue_lanes(struct desk *desk, struct arena *arena, struct queue_lane **lanes_out,
                 size_t *count_out, struct error *err)
{
    struct queue_lane *lanes = NULL;
    size_t count = 0, room = 0;
    struct sql_db *db;
    struct sql_row row;

    *lanes_out = NULL;
    *count_out = 0;
    if (!desk_queue(desk, &db, err) || !sql_query(db, QUEUE_LANES, &row, err, ""))
        return false;
    while (sql_next(&row, err)) {
        lanes = mem_grow(lanes, &room, count + 1, sizeof(lanes[0]));
        lanes[count++] =
            (struct queue_lane){ slice_copy(arena, sql_slice(&row, 0)), sql_i64(&row, 1) };
    }
    *lanes_out = ARENA_ARRAY(arena, struct queue_lane, count);
    if (count > 0)
        memcpy(*lanes_out, lanes, count * sizeof(lanes[0]));
    *count_out = count;
    free(lanes);
    return !row.failed;
}

struct page {
    struct slice domain;
    int64_t now_ms;
    size_t max, n_rows;
};

static bool keeps_lane(const struct queue_choice *choice, const struct queue_message *message,
                       const struct queue_recipient *recipient)
{
    return recipient->account == 0 && recipient->state == QUEUE_WAITING &&
           recipient->next_try_ms <= choice->now_ms &&
           slice_compare(recipient->domain, ((const struct page *)choice->context)->domain) == 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

    return one < two ? -1 : one > two;
}

static void remove_doubles(uint64_t *ids, size_t *count)
{
    size_t kept = 0;

    qsort(ids, *count, sizeof(ids[0]), compare_ids);
    for (size_t i = 0; i < *count; i++)
        if (kept == 0 || ids[kept - 1] != ids[i])
            ids[kept++] = ids[i];
    *count = kept;
}

static bool list_ids(struct sql_db *db, struct page *page, uint64_t *ids, struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, QUEUE_LANE_DUE, &row, err, "tiu", page->domain, page->now_ms,
                   (uint64_t)page->max))
        return false;
    while (sql_next(&row, err))
        ids[page->n_rows++] = sql_u64(&row, 0);
    return !row.failed;
}

static bool read_next_due(struct sql_db *db, const struct page *page, int64_t *due_ms_out,
                          struct error *err)
{
    struct sql_row row;

    *due_ms_out = page->now_ms;
    if (page->n_rows == page->max)
        return true;
    *due_ms_out = INT64_MAX;
    if (!sql_query(db, QUEUE_LANE_NEXT, &row, err, "ti", page->domain, page->now_ms))
        return false;
    if (sql_next(&row, err)) {
        *due_ms_out = sql_i64(&row, 0);
        sql_end(&row);
    }
    return !row.failed;
}

static bool read_page(struct sql_db *db, struct arena *arena, struct page *page,
                      struct queue_list *list_out, int64_t *due_ms_out, struct error *err)
{
    const struct queue_choice choice = { .keeps = keeps_lane,
                                         .now_ms = page->now_ms,
                                         .context = page };
    uint64_t *ids = ARENA_ARRAY(arena, uint64_t, page->max);
    size_t count;

    if (!list_ids(db, page, ids, err))
        return false;
    count = page->n_rows;
    remove_doubles(ids, &count);
    list_out->items = ARENA_ARRAY(arena, struct queue_message, count);
    for (; list_out->count < count; list_out->count++)
        if (!queue_read(db, arena, ids[list_out->count], &choice, &list_out->items[list_out->count],
                        err))
            return false;
    return read_next_due(db, page, due_ms_out, err);
}

bool queue_lane_due(struct desk *desk, struct arena *arena, struct slice domain, int64_t now_ms,
                    size_t max_recipients, struct queue_list *list_out, int64_t *due_ms_out,
                    struct error *err)
{
    struct page page = { .domain = domain, .now_ms = now_ms, .max = max_recipients };
    struct sql_db *db;

    *list_out = (struct queue_list){ 0 };
    if (!desk_queue(desk, &db, err) || !sql_begin_read(db, err))
        return false;
    return queue_end_read(db, read_page(db, arena, &page, list_out, due_ms_out, err), err);
}
