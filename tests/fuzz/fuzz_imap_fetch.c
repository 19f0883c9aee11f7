/* fuzz_imap_fetch.c - the input is what stands behind "UID FETCH" and "FETCH". */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = { "FETCH", "UID FETCH" };
    static struct world world;

    if (size > 0)
        world_say(&world, commands[data[0] % COUNT_OF(commands)], data + 1, size - 1);
    return 0;
}
