/* partial.h - PARTIAL (RFC 9394, RFC 5267 section 4.4): a page of a result, counted from its start
 * or from its end.
 */
#pragma once

#include "imapd/args.h"

struct partial {
    bool from_end;     /* "-1:-100": the last is 1 */
    uint32_t lo, hi;   /* lo <= hi, both from 1 */
    struct slice text; /* as the client wrote it; empty: there is no PARTIAL */
};

/* partial-range; "500:400" is "400:500". */
bool partial_take(struct args *args, struct partial *partial_out);

/* The page's results among `count`: from *first_out on, before *end_out; none if they are equal. */
void partial_bounds(const struct partial *partial, size_t count, size_t *first_out,
                    size_t *end_out);
