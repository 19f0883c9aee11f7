/* notice.h - tells other processes that something changed, by datagrams after the commit.
 *
 * A process that wants notices listens on its own socket in <data>/run; writers send to all they
 * find there. A lost datagram is not a lost change: readers look again when they act. Who loses one
 * because a listener is behind leaves a mark for it, notice_lost().
 *
 * Threads: sending from any thread that holds a desk; notice_read() where the socket is watched.
 */
#pragma once

#include "storage/store.h"

enum notice_kind {
    NOTICE_ACCOUNT = 1, /* mail of `id` changed: `mailbox` tells which, 0 several */
    NOTICE_QUEUE,       /* the queue was changed by somebody else (operator) */
    NOTICE_DIRECTORY,   /* accounts, aliases or domains changed */
    NOTICE_REVOKED,     /* sessions that logged in with app password `id` have to end */
    NOTICE_BANS,        /* somebody was banned, or is no more */
};

struct notice {
    enum notice_kind kind;
    uint64_t id, mailbox;
};

/* Opens the listening socket; `name` is the daemon's. Removes sockets of dead processes. `calm`: it
 * does not want to hear of mail, which comes all the time: no NOTICE_ACCOUNT, no NOTICE_QUEUE. */
bool notice_listen(struct store *store, const char *name, bool calm, int *fd_out,
                   struct error *err) MUST_CHECK;
bool notice_read(int fd, struct notice *notice_out); /* false when there is none now */
/* Was any notice lost since this was asked last? Costs one look at the file system. */
bool notice_lost(int fd);
void notice_unlisten(struct store *store, int fd);
void notice_send(struct store *store, const struct notice *notice);
