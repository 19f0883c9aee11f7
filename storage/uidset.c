/* uidset.c - see uidset.h.
 *
 * Sets are mostly built in ascending order: adding at the end looks at the last range alone.
 */
#include "storage/uidset.h"

#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

/* Index of the first range that ends at `uid` or after it; count if there is none. */
static size_t first_reaching(const struct uidset *set, uint32_t uid)
{
    size_t lo = 0, hi = set->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (set->ranges[middle].hi < uid)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

/* Puts `with` ranges in the place of `count` ranges at `at`. */
static void replace(struct uidset *set, size_t at, size_t count, const struct uid_range *with,
                    size_t n_with)
{
    set->ranges = mem_grow(set->ranges, &set->room, set->count + n_with, sizeof(set->ranges[0]));
    memmove(set->ranges + at + n_with, set->ranges + at + count,
            (set->count - at - count) * sizeof(set->ranges[0]));
    if (n_with > 0)
        memcpy(set->ranges + at, with, n_with * sizeof(set->ranges[0]));
    set->count += n_with - count;
}

/* Adds at the end, where that is possible without looking further back. */
static bool add_last(struct uidset *set, uint32_t lo, uint32_t hi)
{
    struct uid_range *last = set->count > 0 ? &set->ranges[set->count - 1] : NULL;

    if (last != NULL && lo < last->lo)
        return false;
    if (last != NULL && (lo <= last->hi || lo - 1 == last->hi)) {
        last->hi = MAX(last->hi, hi);
        return true;
    }
    set->ranges = mem_grow(set->ranges, &set->room, set->count + 1, sizeof(set->ranges[0]));
    set->ranges[set->count++] = (struct uid_range){ lo, hi };
    return true;
}

void uidset_add(struct uidset *set, uint32_t lo, uint32_t hi)
{
    struct uid_range merged = { lo, hi };
    size_t at, end;

    assert(lo >= 1 && lo <= hi);
    if (add_last(set, lo, hi))
        return;

    at = first_reaching(set, lo - 1); /* a neighbour counts too: ranges are never adjacent */
    for (end = at; end < set->count; end++) {
        struct uid_range range = set->ranges[end];

        if (hi != UINT32_MAX && range.lo > hi + 1)
            break;
        merged.lo = MIN(merged.lo, range.lo);
        merged.hi = MAX(merged.hi, range.hi);
    }
    replace(set, at, end - at, &merged, 1);
}

void uidset_remove(struct uidset *set, uint32_t lo, uint32_t hi)
{
    size_t at = first_reaching(set, lo), end = at;
    struct uid_range left[2];
    size_t n_left = 0;

    while (end < set->count && set->ranges[end].lo <= hi)
        end++;
    if (end == at)
        return;
    if (set->ranges[at].lo < lo)
        left[n_left++] = (struct uid_range){ set->ranges[at].lo, lo - 1 };
    if (set->ranges[end - 1].hi > hi)
        left[n_left++] = (struct uid_range){ hi + 1, set->ranges[end - 1].hi };
    replace(set, at, end - at, left, n_left);
}

void uidset_add_all(struct uidset *set, const struct uidset *others)
{
    for (size_t i = 0; i < others->count; i++)
        uidset_add(set, others->ranges[i].lo, others->ranges[i].hi);
}

void uidset_subtract(struct uidset *set, const struct uidset *others)
{
    struct uidset left = { 0 };

    for (size_t i = 0, k = 0; i < set->count; i++) {
        uint32_t lo = set->ranges[i].lo, hi = set->ranges[i].hi;

        while (k < others->count && others->ranges[k].hi < lo)
            k++;
        for (; k < others->count && others->ranges[k].lo <= hi; k++) {
            if (others->ranges[k].lo > lo)
                uidset_add(&left, lo, others->ranges[k].lo - 1);
            lo = others->ranges[k].hi + 1;
            if (others->ranges[k].hi >= hi)
                break; /* it may reach into the next range */
        }
        if (k == others->count || others->ranges[k].lo > hi)
            uidset_add(&left, lo, hi);
    }
    uidset_free(set);
    *set = left;
}

void uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *both)
{
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        uint32_t lo = MAX(a->ranges[i].lo, b->ranges[k].lo);
        uint32_t hi = MIN(a->ranges[i].hi, b->ranges[k].hi);

        if (lo <= hi)
            uidset_add(both, lo, hi);
        if (a->ranges[i].hi < b->ranges[k].hi)
            i++;
        else
            k++;
    }
}

bool uidset_has(const struct uidset *set, uint32_t uid)
{
    size_t at = first_reaching(set, uid);

    return at < set->count && set->ranges[at].lo <= uid;
}

uint64_t uidset_size(const struct uidset *set)
{
    uint64_t size = 0;

    for (size_t i = 0; i < set->count; i++)
        size += (uint64_t)set->ranges[i].hi - set->ranges[i].lo + 1;
    return size;
}

uint32_t uidset_last(const struct uidset *set)
{
    return set->count > 0 ? set->ranges[set->count - 1].hi : 0;
}

void uidset_print(const struct uidset *set, struct buf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        buf_add_number(out, set->ranges[i].lo);
        if (set->ranges[i].hi == set->ranges[i].lo)
            continue;
        buf_add_byte(out, ':');
        buf_add_number(out, set->ranges[i].hi);
    }
}

void uidset_copy(struct uidset *to, const struct uidset *from)
{
    uidset_clear(to);
    if (from->count > 0)
        replace(to, 0, 0, from->ranges, from->count);
}

void uidset_clear(struct uidset *set)
{
    set->count = 0;
}

void uidset_free(struct uidset *set)
{
    free(set->ranges);
    *set = (struct uidset){ 0 };
}
