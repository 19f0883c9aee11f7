/* seqset.c - see seqset.h. */
#include "imapd/seqset.h"

#include <stdlib.h>

/* seq-number = nz-number / "*" */
static bool take_number(struct slice *rest, uint32_t *number_out)
{
    uint64_t number = 0;
    size_t i = 0;

    if (rest->len > 0 && rest->data[0] == '*') {
        *number_out = SEQSET_STAR;
        *rest = slice_from(*rest, 1);
        return true;
    }
    for (; i < rest->len && rest->data[i] >= '0' && rest->data[i] <= '9'; i++) {
        number = number * 10 + (uint64_t)(rest->data[i] - '0');
        if (number > UINT32_MAX || number == 0)
            return false;
    }
    if (i == 0)
        return false;
    *number_out = (uint32_t)number;
    *rest = slice_from(*rest, i);
    return true;
}

static bool take_byte(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->data[0] != byte)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* seq-number, or seq-range; "7:3" and "*:3" are put the right way round. */
static bool take_range(struct slice *rest, struct seq_range *range_out)
{
    uint32_t a, b;

    if (!take_number(rest, &a))
        return false;
    b = a;
    if (take_byte(rest, ':') && !take_number(rest, &b))
        return false;
    if (a == SEQSET_STAR || (b != SEQSET_STAR && a > b))
        *range_out = (struct seq_range){ b, a };
    else
        *range_out = (struct seq_range){ a, b };
    return true;
}

/* An upper bound of the ranges in the set: each but the first stands behind a comma. */
static size_t count_ranges(struct slice text)
{
    size_t count = 1;

    for (size_t i = 0;
         i < text.len && strchr("0123456789:*,", text.data[i]) != NULL && text.data[i] != '\0'; i++)
        count += text.data[i] == ',';
    return count;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct seq_range *x = a, *y = b;

    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

enum parse seqset_parse(struct arena *arena, struct slice *rest, struct seqset *set_out)
{
    *set_out = (struct seqset){ 0 };
    if (take_byte(rest, '$')) {
        set_out->saved = true;
        return PARSE_OK;
    }
    set_out->ranges = ARENA_ARRAY(arena, struct seq_range, count_ranges(*rest));
    do {
        if (!take_range(rest, &set_out->ranges[set_out->count++]))
            return PARSE_BAD;
    } while (take_byte(rest, ','));
    qsort(set_out->ranges, set_out->count, sizeof(set_out->ranges[0]), compare_ranges);
    return PARSE_OK;
}

static void print_number(uint32_t number, struct buf *out)
{
    if (number == SEQSET_STAR)
        buf_add_byte(out, '*');
    else
        buf_add_number(out, number);
}

void seqset_print(const struct seqset *set, struct buf *out)
{
    if (set->saved)
        buf_add_byte(out, '$');
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        print_number(set->ranges[i].lo, out);
        if (set->ranges[i].lo == set->ranges[i].hi)
            continue;
        buf_add_byte(out, ':');
        print_number(set->ranges[i].hi, out);
    }
}

bool seqset_has_star(const struct seqset *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->ranges[i].hi == SEQSET_STAR)
            return true;
    return false;
}
