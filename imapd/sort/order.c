/* order.c - see order.h. */
#include "imapd/sort/order.h"

#include "imapd/sort/run.h"

#include <stdlib.h>

#define SPARE_KEYS (1024 * 1024) /* bytes of messages that have gone; then all are copied */

struct entry {
    uint32_t uid, at; /* in `keys`: two bytes of length, then the key */
};

struct sort_order {
    struct search_order order; /* first: a struct search_order is a struct sort_order */
    struct sort_criteria criteria;
    struct buf keys;
    size_t spare;          /* bytes of keys of messages that have gone */
    struct entry *entries; /* in their order */
    size_t count, room;
};

static struct sort_order *order_of(struct search_order *order)
{
    return CONTAINER_OF(order, struct sort_order, order);
}

static struct slice key_at(const struct sort_order *order, uint32_t at)
{
    uint16_t len;

    memcpy(&len, order->keys.data + at, sizeof(len));
    return slice_make(order->keys.data + at + sizeof(len), len);
}

static uint32_t add_key(struct buf *keys, struct slice key)
{
    uint32_t at = (uint32_t)keys->len;
    uint16_t len = (uint16_t)key.len;

    buf_add(keys, &len, sizeof(len));
    buf_add_slice(keys, key);
    return at;
}

/* Where a message belongs: behind those that are less, or equal with a lower UID. */
static size_t place_of(const struct sort_order *order, uint32_t uid, struct slice key)
{
    size_t lo = 0, hi = order->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        const struct entry *there = &order->entries[middle];
        int compared = slice_compare(key_at(order, there->at), key);

        if (compared < 0 || (compared == 0 && there->uid < uid))
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static void drop_spare_keys(struct sort_order *order)
{
    struct buf fresh = { 0 };

    if (order->spare <= SPARE_KEYS)
        return;
    for (size_t i = 0; i < order->count; i++)
        order->entries[i].at = add_key(&fresh, key_at(order, order->entries[i].at));
    buf_free(&order->keys);
    order->keys = fresh;
    order->spare = 0;
}

struct adding {
    const struct sort_order *order;
    const struct view *view;
    size_t index;
    struct buf *key;
};

static void add_stored(const struct cached *cached, void *context)
{
    struct adding *adding = context;
    int64_t received_ms = view_received_ms(adding->view, adding->index);
    struct sort_keys keys;

    if (sort_keys_read(cached->sort_keys, &keys))
        sort_key_add(adding->key, &adding->order->criteria, adding->view, adding->index, &keys,
                     keys.has_date ? keys.sent_ms : received_ms, 0);
}

static void put(struct sort_order *order, size_t place, uint32_t uid, struct slice key)
{
    order->entries =
        mem_grow(order->entries, &order->room, order->count + 1, sizeof(*order->entries));
    memmove(order->entries + place + 1, order->entries + place,
            (order->count - place) * sizeof(*order->entries));
    order->entries[place] = (struct entry){ uid, add_key(&order->keys, key) };
    order->count++;
}

static bool insert(struct search_order *base, struct account *account, const struct view *view,
                   size_t index, size_t *position_out)
{
    AUTO(buf_free) struct buf key = { 0 };
    struct sort_order *order = order_of(base);
    struct adding adding = { order, view, index, &key };
    uint64_t msg = view_msg(view, index);
    uint32_t uid = view_uid(view, index);
    struct error err;
    size_t place;

    drop_spare_keys(order);
    if (!account_summaries(account, CACHED_SORT_KEYS, &msg, 1, add_stored, &adding, &err) ||
        key.len == 0)
        return false;
    place = place_of(order, uid, buf_slice(&key));
    put(order, place, uid, buf_slice(&key));
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
        order->spare += key_at(order, order->entries[i].at).len;
        gone_out[n_gone] = order->entries[i].uid;
        positions_out[n_gone++] = to + 1;
    }
    order->count = to;
    return n_gone;
}

static size_t size_of(const struct search_order *base)
{
    const struct sort_order *order = CONTAINER_OF(base, const struct sort_order, order);

    return sizeof(*order) + order->room * sizeof(*order->entries) + order->keys.room;
}

static void free_order(struct search_order *base)
{
    struct sort_order *order = order_of(base);

    buf_free(&order->keys);
    free(order->entries);
    free(order);
}

struct search_order *sort_order_new(const struct sort_criteria *criteria)
{
    struct sort_order *order = NEW(struct sort_order);

    order->order = (struct search_order){ insert, take_out, size_of, free_order };
    order->criteria = *criteria;
    return &order->order;
}

void sort_order_add(struct search_order *base, uint32_t uid, struct slice key)
{
    struct sort_order *order = order_of(base);

    put(order, order->count, uid, key);
}
