/* fuzz_names.c - domains and local parts in their one form: it is its own form, and within bounds.
 */
#include "storage/names.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool (*form)(struct slice, struct buf *), struct slice text, size_t max)
{
    AUTO(buf_free) struct buf once = { 0 };
    AUTO(buf_free) struct buf twice = { 0 };

    if (!form(text, &once)) {
        if (once.len != 0)
            abort();
        return;
    }
    if (once.len == 0 || once.len > max || !form(buf_slice(&once), &twice) ||
        !slice_equal(buf_slice(&once), buf_slice(&twice)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(name_domain, slice_make(data, size), DOMAIN_MAX);
    check(name_local, slice_make(data, size), LOCAL_MAX);
    return 0;
}
