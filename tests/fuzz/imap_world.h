/* imap_world.h - what the fuzzers of IMAP commands say them to: a store with some messages.
 *
 * Made anew once in a while, since sessions change it. Header only: each fuzzer is one program.
 */
#pragma once

#include "imapd/client.h"
#include "tests/unit/imapd/parts.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

#define SESSIONS_PER_STORE 2000

struct world {
    struct rig rig;
    struct settings settings;
    struct imap imap;
    unsigned sessions;
};

static inline void world_open(struct world *world)
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
    rig_append(&world->rig, world->rig.bob, "INBOX", PARTS_MESSAGE);
    rig_append(
        &world->rig, world->rig.bob, "INBOX",
        "From: =?UTF-8?Q?J=C3=BCrgen?= <j@example.test>\r\nTo: a@b, c: d@e;\r\n"
        "Date: 1 Jan 2024 00:00:00 +0000\r\nSubject: =?x?Q?a?= b\r\n c\r\n\r\n\xff text\r\n");
}

/* One command with its arguments from the input, in a session of its own, which goes on. */
static inline void world_begin(struct world *world, const char *command, const uint8_t *data,
                               size_t size)
{
    AUTO(buf_free) struct buf input = { 0 };

    if (world->rig.store == NULL || world->sessions == SESSIONS_PER_STORE) {
        if (world->rig.store != NULL) {
            settings_free(&world->settings);
            rig_close(&world->rig);
        }
        world_open(world);
    }
    world->sessions++;
    /* Of every other length meets the limits of RFC 9738. */
    world->settings.message_limit = world->settings.save_limit = size % 2 == 0 ? 1 : UINT32_MAX;
    buf_fmt(&input, "1 %s ", command);
    buf_add(&input, (const char *)data, size);
    buf_add_text(&input, "\r\n");
    rig_start(&world->rig, &imap_protocol, &world->imap);
    rig_say(&world->rig, "0 LOGIN bob secret\r\n0 ENABLE QRESYNC\r\n0 SELECT INBOX\r\n");
    rig_say_bytes(&world->rig, buf_slice(&input));
}

static inline void world_say(struct world *world, const char *command, const uint8_t *data,
                             size_t size)
{
    world_begin(world, command, data, size);
    rig_stop(&world->rig);
}
