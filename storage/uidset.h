/* uidset.h - a set of UIDs or sequence numbers as ascending, disjoint, non-adjacent ranges.
 *
 * { 0 } is the empty set. Numbers are 1..UINT32_MAX.
 */
#pragma once

#include "common/buf.h"

struct uid_range {
    uint32_t lo, hi; /* both belong to it */
};

struct uidset {
    struct uid_range *ranges;
    size_t count, room;
};

void uidset_add(struct uidset *set, uint32_t lo, uint32_t hi); /* fast when at or past the end */
void uidset_remove(struct uidset *set, uint32_t lo, uint32_t hi);
/* All of another set. Subtracting is one pass. */
void uidset_add_all(struct uidset *set, const struct uidset *others);
void uidset_subtract(struct uidset *set, const struct uidset *others);
/* What belongs to both; `both` starts as { 0 }. */
void uidset_intersect(const struct uidset *a, const struct uidset *b, struct uidset *both);
bool uidset_has(const struct uidset *set, uint32_t uid);
uint64_t uidset_size(const struct uidset *set);               /* how many numbers */
uint32_t uidset_last(const struct uidset *set);               /* greatest, 0 if empty */
void uidset_print(const struct uidset *set, struct buf *out); /* "1:3,7" */
void uidset_copy(struct uidset *to, const struct uidset *from);
void uidset_clear(struct uidset *set); /* empties it, keeps the memory */
void uidset_free(struct uidset *set);
