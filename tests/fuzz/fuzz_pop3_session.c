/* fuzz_pop3_session.c - whole POP3 sessions in memory, logged in, on a real store.
 *
 * The input is what the client says; it comes in two pieces, so that commands are cut anywhere. Its
 * first byte says where, and, when it is odd, that nobody is logged in; its next two bits how it
 * ends. What a session removed at QUIT is put back before the next one.
 */
#include "pop3d/pop3.h"
#include "tests/unit/support/rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct rig rig;
    struct pop3_service service;
    bool open;
};

static void open_world(struct world *world)
{
    rig_open(&world->rig);
    world->service = (struct pop3_service){
        .login = world->rig.login, .tls_available = true, .plaintext = true, .failures_max = 3
    };
    world->open = true;
}

static void log_in(struct world *world)
{
    rig_start(&world->rig, &pop3_protocol, &world->service);
    rig_say(&world->rig, "USER bob\r\nPASS secret\r\n");
}

static void fill(struct world *world)
{
    static const char message[] = "Subject: dots\r\n\r\n.\r\n..\r\nend\r\n";

    while (strncmp(rig_text(&world->rig), "+OK And the password?\r\n+OK 2 ", 29) != 0) {
        rig_append(&world->rig, world->rig.bob, "INBOX", message);
        rig_stop(&world->rig);
        log_in(world);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum why ends[] = { WHY_ENDED, WHY_TIMEOUT, WHY_STOP, WHY_SECURED };
    static struct world world;
    size_t first = size > 0 ? data[0] * size / 256 : 0;

    if (size == 0)
        return 0;
    if (!world.open)
        open_world(&world);
    log_in(&world);
    fill(&world);
    if (data[0] % 2 != 0) {
        rig_stop(&world.rig);
        rig_start(&world.rig, &pop3_protocol, &world.service);
    }
    rig_say_bytes(&world.rig, slice_make(data + 1, first > 0 ? first - 1 : 0));
    rig_say_bytes(&world.rig, slice_make(data + MAX(first, 1), size - MAX(first, 1)));
    if (!world.rig.closed && ends[data[0] >> 1 & 3] != WHY_ENDED)
        rig_event(&world.rig, ends[data[0] >> 1 & 3]);
    rig_stop(&world.rig);
    return 0;
}
