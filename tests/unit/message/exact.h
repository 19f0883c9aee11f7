/* exact.h - copies of just the right size, so that the sanitizer sees one byte too far. */
#pragma once

#include "common/buf.h"
#include "common/mem.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static inline void exact_free(struct slice *copy)
{
    free((char *)copy->data);
}

static inline struct slice exact(struct slice text)
{
    char *copy = malloc(text.len);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return slice_make(copy, text.len);
}

/* Fails naming the case when `got` is not `want`. */
static inline void check_text(const char *name, struct buf *got, const char *want)
{
    if (!buf_is(got, want))
        fail_msg("%s: got <%s> for <%s>", name, buf_text(got), want);
}
