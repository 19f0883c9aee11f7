/* fuzz_imap_search.c - the input is what stands behind "UID SEARCH" and "SEARCH". */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;

    if (size > 0)
        world_say(&world, data[0] % 2 == 0 ? "SEARCH" : "UID SEARCH", data + 1, size - 1);
    return 0;
}
