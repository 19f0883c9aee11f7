/* fuzz_imap_sort.c - the input is what stands behind SORT and THREAD, with and without UID. */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = { "SORT", "UID SORT", "THREAD", "UID THREAD" };
    static struct world world;

    if (size > 0)
        world_say(&world, commands[data[0] % 4], data + 1, size - 1);
    return 0;
}
