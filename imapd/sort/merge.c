/* merge.c - see merge.h. */
#include "imapd/sort/merge.h"

#include "common/mem.h"

#include <stdlib.h>

#define STEP_COUNT (256 * 1024) /* positions moved in one step */

void merge_start(struct merge *merge, size_t count)
{
    *merge = (struct merge){ .count = count, .width = 1, .right = MIN(count, 1) };
    merge->order = mem_zero((count + 1) * sizeof(*merge->order));
    merge->other = mem_zero((count + 1) * sizeof(*merge->other));
    for (size_t i = 0; i < count; i++)
        merge->order[i] = (uint32_t)i;
}

/* Begins with the two runs at `start`, or with the next pass. */
static void next_pair(struct merge *merge, size_t start)
{
    uint32_t *order = merge->order;

    if (start >= merge->count) {
        merge->order = merge->other;
        merge->other = order;
        merge->width *= 2;
        start = 0;
    }
    merge->start = merge->left = start;
    merge->right = MIN(start + merge->width, merge->count);
}

bool merge_step(struct merge *merge, merge_compare compare, const void *context)
{
    for (size_t moved = 0; merge->width < merge->count && moved < STEP_COUNT;) {
        size_t middle = MIN(merge->start + merge->width, merge->count);
        size_t end = MIN(middle + merge->width, merge->count);
        size_t left = merge->left, right = merge->right;
        size_t to = left + (right - middle);
        const uint32_t *order = merge->order;

        for (; to < end && moved < STEP_COUNT; moved++)
            if (left < middle && (right == end || compare(context, order[left], order[right]) <= 0))
                merge->other[to++] = order[left++];
            else
                merge->other[to++] = order[right++];
        merge->left = left;
        merge->right = right;
        if (to == end)
            next_pair(merge, end);
    }
    return merge->width >= merge->count;
}

void merge_free(struct merge *merge)
{
    free(merge->order);
    free(merge->other);
    *merge = (struct merge){ 0 };
}
