/* fuzz_sort_key.c - the sort keys of any header can be read back, and any bytes be tried as keys.
 */
#include "message/sort_key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf written = { 0 };
    struct sort_keys keys;
    uint64_t all = 0;

    sort_keys_write(&arena, slice_make(data, size), &written);
    if (!sort_keys_read(buf_slice(&written), &keys) || keys.n_references > SORT_REFERENCES_MAX)
        abort();
    if (sort_keys_read(slice_make(data, size), &keys))
        for (size_t i = 0; i < keys.n_references; i++)
            all |= sort_reference(&keys, i);
    if (all != 0 && keys.n_references == 0)
        abort();
    return 0;
}
