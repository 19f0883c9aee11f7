/* fuzz_imap_acl.c - the input is what stands behind the commands of ACL, and LIST with MYRIGHTS. */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = {
        "SETACL INBOX",
        "SETACL",
        "DELETEACL",
        "GETACL",
        "LISTRIGHTS INBOX",
        "MYRIGHTS",
        "LIST \"\" % RETURN (MYRIGHTS",
        "SELECT",
        "CREATE",
    };
    static struct world world;

    if (size > 0)
        world_say(&world, commands[data[0] % COUNT_OF(commands)], data + 1, size - 1);
    return 0;
}
