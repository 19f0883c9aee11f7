/* exact.h - input on the heap, of just its size, so that AddressSanitizer sees one byte too far. */
#pragma once

#include "common/mem.h"
#include "common/slice.h"

#include <stdlib.h>

static inline void exact_free(struct slice *slice)
{
    free((char *)slice->data);
}

/* AUTO(exact_free) struct slice input = exact_copy(SLICE("...")); */
static inline struct slice exact_copy(struct slice text)
{
    char *copy = mem_resize(NULL, text.len);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return (struct slice){ copy, text.len };
}
