/* fuzz_header.c - fields of any bytes: they and the rest must be the whole, in order. */
#include "message/header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice rest = slice_make(data, size);
    size_t len = header_length(rest);
    const char *end = rest.data;
    struct header_field field;

    while (header_next(&rest, &field)) {
        if (field.raw.data < end || field.name.len == 0)
            abort();
        end = field.raw.data + field.raw.len;
        if (end != rest.data || slice_find(header_unfold(&arena, field.value), '\n') >= 0)
            abort();
    }
    if (size - rest.len + header_end_length(rest) != len)
        abort();
    return 0;
}
