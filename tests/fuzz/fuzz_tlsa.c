/* fuzz_tlsa.c - TLSA records: each is its length in one byte, and its bytes. */
#include "common/tlsa.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_make(data, size), records[2 * TLSA_MAX];
    struct tlsa chosen[TLSA_MAX];
    size_t count = 0;

    while (rest.len > 0 && count < COUNT_OF(records)) {
        records[count] = slice_part(rest, 1, (unsigned char)rest.data[0]);
        rest = slice_from(rest, 1 + records[count++].len);
    }
    size_t n = tlsa_choose(records, count, chosen);
    for (size_t i = 0; i < n; i++)
        if (!tlsa_is_usable(&chosen[i]))
            abort();
    return 0;
}
