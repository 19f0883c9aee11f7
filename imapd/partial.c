/* partial.c - see partial.h. */
#include "imapd/partial.h"

bool partial_take(struct args *args, struct partial *partial_out)
{
    const char *start = args->rest.data;
    uint32_t a, b;

    *partial_out = (struct partial){ .from_end = args_try_byte(args, '-') };
    if (!args_nz_number(args, &a))
        return false;
    if (!args_try_byte(args, ':') || args_try_byte(args, '-') != partial_out->from_end)
        return args_fail(args, "expected: a range such as 1:100 or -1:-100");
    if (!args_nz_number(args, &b))
        return false;
    partial_out->lo = MIN(a, b);
    partial_out->hi = MAX(a, b);
    partial_out->text = slice_make(start, (size_t)(args->rest.data - start));
    return true;
}

void partial_bounds(const struct partial *partial, size_t count, size_t *first_out, size_t *end_out)
{
    size_t lo = MIN(partial->lo - 1, count), hi = MIN(partial->hi, count);

    *first_out = partial->from_end ? count - hi : lo;
    *end_out = partial->from_end ? count - lo : hi;
}
