/* sockets.h - the listening sockets of all daemons, opened from the [listen] settings.
 *
 * They are opened once, by `postane serve`, and given to each new process of a daemon: while one
 * is restarted, clients wait in the socket's queue and nobody is turned away.
 */
#pragma once

#include "storage/settings.h"

#include <sys/types.h>

struct listening {
    const char *daemon; /* "imapd" */
    const char *name;   /* "imaps", as the daemon's table of listeners has it */
    char *address;      /* as in the settings */
    int fd;             /* closed on exec */
};

struct sockets {
    struct listening *items; /* those of one daemon lie together */
    size_t count, room;
};

/* Opens all. On failure some may be open: sockets_close() them too. */
bool sockets_open(const struct settings *settings, struct sockets *sockets,
                  struct error *err) MUST_CHECK;
void sockets_close(struct sockets *sockets);

/* In a child just before exec: puts the daemon's sockets where the systemd protocol wants them and
 * says so in the environment. */
bool sockets_pass(const struct sockets *sockets, const char *daemon, struct error *err) MUST_CHECK;
