/* fuzz_imap_session.c - whole IMAP sessions in memory, on a real store.
 *
 * The input is what the client says; it comes in two pieces, so that commands are cut anywhere. The
 * first byte says where, and with its last bits that there is compression, that nobody is
 * logged in, and how it ends. The store is made anew once in a while, since sessions fill it.
 */
#include "imapd/client.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

#define SESSIONS_PER_STORE 500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct rig rig;
    struct settings settings;
    struct imap imap;
    unsigned sessions;
};

static void open_world(struct world *world)
{
    struct error err;

    *world = (struct world){ 0 };
    rig_open(&world->rig);
    if (!settings_load("/dev/null", &world->settings, &err))
        abort();
    world->settings.plaintext = true;
    world->imap = (struct imap){ .settings = &world->settings,
                                 .store = world->rig.store,
                                 .login = world->rig.login };
    for (int i = 0; i < 3; i++)
        rig_append(&world->rig, world->rig.bob, "INBOX",
                   "From: a@example.test\r\nSubject: hello\r\nContent-Type: multipart/mixed; "
                   "boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n");
}

static void close_world(struct world *world)
{
    settings_free(&world->settings);
    rig_close(&world->rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world = { .sessions = SESSIONS_PER_STORE };
    size_t first = size > 0 ? data[0] * size / 256 : 0;

    if (size == 0)
        return 0;
    if (world.sessions == SESSIONS_PER_STORE) {
        if (world.rig.store != NULL)
            close_world(&world);
        open_world(&world);
    }
    world.sessions++;
    rig_start(&world.rig, &imap_protocol, &world.imap);
    if ((data[0] & 2) == 0)
        rig_say(&world.rig, "0 LOGIN bob secret\r\n1 SELECT INBOX\r\n");
    if ((data[0] & 1) != 0)
        rig_say(&world.rig, "2 COMPRESS DEFLATE\r\n");
    rig_say_bytes(&world.rig, slice_make(data + 1, first > 0 ? first - 1 : 0));
    rig_say_bytes(&world.rig, slice_make(data + MAX(first, 1), size - MAX(first, 1)));
    if (world.rig.may_hear)
        rig_event(&world.rig, WHY_NOTICE);
    if (!world.rig.closed && (data[0] & 4) != 0)
        rig_event(&world.rig, (data[0] & 8) != 0 ? WHY_TIMEOUT : WHY_STOP);
    rig_stop(&world.rig);
    return 0;
}
