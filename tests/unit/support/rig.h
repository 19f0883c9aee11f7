/* rig.h - plays one session of a protocol in memory: no sockets, no loop, a real store.
 *
 *     rig_start(&rig, &pop3_protocol, &service);
 *     rig_say(&rig, "STAT\r\n");      runs the protocol as session.c would
 *     rig_text(&rig)                  what it answered since the last rig_say()
 *
 * A store in a temporary folder holds the domain example.test with bob@example.test, password
 * "secret", and eve@example.test; they are made with the cheapest hashes.
 */
#pragma once

#include "common/deflate.h"
#include "common/session.h"
#include "storage/login.h"
#include "storage/mail.h"
#include "storage/store.h"

struct rig {
    char path[64];
    struct store *store;
    struct desk *desk;
    uint64_t bob, eve;
    struct login_cache *cache;
    struct login_options login;

    struct protocol protocol;
    struct call call;
    struct conn_peer peer, local;
    struct buf answer;
    struct inflater *inflater; /* after NEXT_COMPRESS: what is said is DEFLATE, answers are clear */
    struct buf packed;
    bool unpacks_no_more; /* after NEXT_UNCOMPRESS */
    size_t turns;         /* how often the protocol ran for what was said last */
    bool closed, wants_tls, waits_notice, waits_resume;
    unsigned n_light; /* runs that the loop thread makes */
    bool may_hear;    /* a server would tell it of a notice here */
    /* NULL, or called between two turns of a command; it may set `closed`: the client is gone. */
    void (*between)(struct rig *rig);
};

void rig_open(struct rig *rig);  /* the store */
void rig_close(struct rig *rig); /* removes it */

void rig_start(struct rig *rig, const struct protocol *protocol, void *context);
void rig_say(struct rig *rig, const char *text);
void rig_say_bytes(struct rig *rig, struct slice bytes);
void rig_event(struct rig *rig, enum why why); /* a timeout, a notice, the end of input */
void rig_secure(struct rig *rig);              /* what follows NEXT_TLS */
const char *rig_text(struct rig *rig);
void rig_stop(struct rig *rig); /* ends the session */

/* Puts a message (CRLF) into a mailbox of an account; returns its UID. */
uint32_t rig_append(struct rig *rig, uint64_t account, const char *mailbox, const char *message);
