/* fuzz_imap_notify.c - the input is what stands behind "NOTIFY"; then there are news to tell. */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;

    world_begin(&world, "NOTIFY", data, size);
    if (!world.rig.closed && world.rig.may_hear) {
        rig_append(&world.rig, world.rig.bob, "INBOX", PARTS_MESSAGE);
        rig_event(&world.rig, WHY_NOTICE);
    }
    if (!world.rig.closed)
        rig_say(&world.rig, "2 CREATE x\r\n3 DELETE x\r\n4 NOOP\r\n");
    rig_stop(&world.rig);
    return 0;
}
