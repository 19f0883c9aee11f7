/* order.c - see order.h. */
#include "imapd/sort/order.h"

#include "imapd/sort/run.h"

#include <stdlib.h>

#define SPARE_ROWS 10000 /* of messages that have gone; then the table is made anew */

struct entry {
    uint32_t uid, row;
};

struct sort_order {
    struct search_order order; /* first: a struct search_order is a struct sort_order */
    struct sort_table table;
    struct entry *entries; /* in their order */
    size_t count, room;
};

static struct sort_order *order_of(struct search_order *order)
{
    return CONTAINER_OF(order, struct sort_order, order);
}

/* Where an entry belongs: behind those that are less, or equal with a lower UID. */
static size_t place_of(const struct sort_order *order, struct entry entry)
{
    size_t lo = 0, hi = order->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        const struct entry *there = &order->entries[middle];
        int compared = sort_table_compare(&order->table, there->row, entry.row);

        if (compared < 0 || (compared == 0 && there->uid < entry.uid))
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static void drop_spare_rows(struct sort_order *order)
{
    struct sort_table fresh = { .criteria = order->table.criteria };

    if (order->table.n_rows <= order->count + SPARE_ROWS)
        return;
    for (size_t i = 0; i < order->count; i++) {
        uint32_t row = order->entries[i].row;

        order->entries[i].row = (uint32_t)fresh.n_rows;
        sort_table_copy(&fresh, &order->table, row);
    }
    sort_table_free(&order->table);
    order->table = fresh;
}

struct adding {
    struct sort_order *order;
    const struct view *view;
    size_t index;
    bool added;
};

static void add_stored(const struct cached *cached, void *context)
{
    struct adding *adding = context;
    int64_t received_ms = view_received_ms(adding->view, adding->index);
    struct sort_keys keys;

    if (!sort_keys_read(cached->sort_keys, &keys))
        return;
    sort_table_add(&adding->order->table, adding->view, adding->index, &keys,
                   keys.has_date ? keys.sent_ms : received_ms, 0);
    adding->added = true;
}

static bool insert(struct search_order *base, struct account *account, const struct view *view,
                   size_t index, size_t *position_out)
{
    struct sort_order *order = order_of(base);
    struct adding adding = { .order = order, .view = view, .index = index };
    struct entry entry = { view_uid(view, index), 0 };
    uint64_t msg = view_msg(view, index);
    struct error err;
    size_t place;

    drop_spare_rows(order);
    entry.row = (uint32_t)order->table.n_rows;
    if (!account_summaries(account, CACHED_SORT_KEYS, &msg, 1, add_stored, &adding, &err) ||
        !adding.added)
        return false;
    place = place_of(order, entry);
    order->entries =
        mem_grow(order->entries, &order->room, order->count + 1, sizeof(*order->entries));
    memmove(order->entries + place + 1, order->entries + place,
            (order->count - place) * sizeof(*order->entries));
    order->entries[place] = entry;
    order->count++;
    *position_out = place + 1;
    return true;
}

static size_t take_out(struct search_order *base, const struct uidset *uids, uint32_t *gone_out,
                       size_t *positions_out)
{
    struct sort_order *order = order_of(base);
    size_t n_gone = 0, to = 0;

    for (size_t i = 0; i < order->count; i++) {
        if (!uidset_has(uids, order->entries[i].uid)) {
            order->entries[to++] = order->entries[i];
            continue;
        }
        gone_out[n_gone] = order->entries[i].uid;
        positions_out[n_gone++] = to + 1;
    }
    order->count = to;
    return n_gone;
}

static size_t size_of(const struct search_order *base)
{
    const struct sort_order *order = CONTAINER_OF(base, const struct sort_order, order);

    return sizeof(*order) + order->room * sizeof(*order->entries) + order->table.texts.room +
           order->table.room * sizeof(*order->table.values);
}

static void free_order(struct search_order *base)
{
    struct sort_order *order = order_of(base);

    sort_table_free(&order->table);
    free(order->entries);
    free(order);
}

struct search_order *sort_order_new(struct sort_table *table, const uint32_t *rows,
                                    const uint32_t *uids, size_t count)
{
    struct sort_order *order = NEW(struct sort_order);

    order->order = (struct search_order){ insert, take_out, size_of, free_order };
    order->table = *table;
    *table = (struct sort_table){ .criteria = table->criteria };
    order->room = order->count = count;
    order->entries = mem_zero((count + 1) * sizeof(*order->entries));
    for (size_t i = 0; i < count; i++)
        order->entries[i] = (struct entry){ uids[i], rows[i] };
    return &order->order;
}
