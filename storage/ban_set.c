/* ban_set.c - see ban_set.h: sorted by length and bytes, so that an address is looked for once for
 * each length there is. */
#include "storage/ban_set.h"

#include <stdlib.h>

struct item {
    struct network network;
    int64_t until_ms; /* 0: for ever */
    bool automatic;
};

struct ban_set {
    struct item *items;
    size_t count;
    bool lengths[129]; /* that there are */
};

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->network.bits != y->network.bits)
        return x->network.bits < y->network.bits ? -1 : 1;
    return memcmp(x->network.bytes, y->network.bytes, sizeof(x->network.bytes));
}

struct ban_set *ban_set_new(const struct ban_list *bans)
{
    struct ban_set *set = NEW(struct ban_set);

    set->items = mem_zero((bans->count + 1) * sizeof(set->items[0]));
    set->count = bans->count;
    for (size_t i = 0; i < bans->count; i++) {
        const struct ban *ban = &bans->items[i];
        struct item *item = &set->items[i];

        *item = (struct item){ ban->network, ban->until_ms, ban->automatic };
        network_trim(&item->network);
        set->lengths[item->network.bits] = true;
    }
    qsort(set->items, set->count, sizeof(set->items[0]), compare);
    return set;
}

void ban_set_free(struct ban_set **set_pointer)
{
    struct ban_set *set = TAKE(*set_pointer);

    if (set == NULL)
        return;
    free(set->items);
    free(set);
}

static enum banned find(const struct ban_set *set, const struct item *wanted, int64_t now_ms)
{
    const struct item *found =
        bsearch(wanted, set->items, set->count, sizeof(set->items[0]), compare);

    if (found == NULL || (found->until_ms != 0 && found->until_ms <= now_ms))
        return BANNED_NOT;
    return found->automatic ? BANNED_AUTOMATICALLY : BANNED_BY_OPERATOR;
}

enum banned ban_set_find(const struct ban_set *set, const char *address, int64_t now_ms)
{
    enum banned worst = BANNED_NOT;
    struct item wanted = { 0 };

    if (set == NULL || set->count == 0 || !network_of(address, 32, 128, &wanted.network))
        return BANNED_NOT;
    for (unsigned bits = 129; bits-- > 0;) {
        if (!set->lengths[bits])
            continue;
        wanted.network.bits = bits;
        network_trim(&wanted.network);
        worst = MAX(worst, find(set, &wanted, now_ms));
    }
    return worst;
}
