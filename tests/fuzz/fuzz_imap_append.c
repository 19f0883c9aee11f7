/* fuzz_imap_append.c - the input is what stands behind "APPEND", "REPLACE", "UID REPLACE" or
 * "URLFETCH": literals, CATENATE, literal8. */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = { "APPEND INBOX", "APPEND",   "REPLACE 1 INBOX",
                                            "UID REPLACE",  "URLFETCH", "GENURLAUTH" };
    static struct world world;

    if (size > 0)
        world_say(&world, commands[data[0] % COUNT_OF(commands)], data + 1, size - 1);
    return 0;
}
