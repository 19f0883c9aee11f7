/* merge.h - sorts in pieces, so that other sessions have their turns in between.
 *
 * Stable: what compares equal keeps its order. Pure; free with merge_free().
 */
#pragma once

#include "common/base.h"

struct merge {
    uint32_t *order; /* once it is done: positions 0 to count - 1, sorted */
    uint32_t *other;
    size_t count;
    size_t width, start, left,
        right; /* runs of `width` are sorted; where the merge of two stands */
};

/* Does position a come before b, or b before a: less or greater than 0. */
typedef int (*merge_compare)(const void *context, uint32_t a, uint32_t b);

void merge_start(struct merge *merge, size_t count);
/* The next piece of the work; true: it is done. */
bool merge_step(struct merge *merge, merge_compare compare, const void *context);
void merge_free(struct merge *merge);
