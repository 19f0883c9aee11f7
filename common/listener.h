/* listener.h - accepts connections on sockets that somebody else has opened.
 *
 * Sockets come by the systemd protocol: descriptors from 3 on, LISTEN_FDS says how many, and
 * LISTEN_FDNAMES what they are for. Out of descriptors is no reason to spin: the listener rests
 * for a second and says so once.
 *
 * Threads: loop thread.
 */
#pragma once

#include "common/error.h"
#include "common/log.h"

struct uv_loop_s;
struct listener;

/* One inherited socket. */
struct inherited {
    int fd;
    char name[64];
};

/* Reads the environment and clears it, so that children do not inherit what they should not.
 * Fills up to `room` rows. Errors say what to do. */
bool listener_inherit(struct inherited *sockets, size_t room, size_t *count_out,
                      struct error *err) MUST_CHECK;

/* `accepted` owns the descriptor it is given: non-blocking, closed on exec. */
typedef void (*listener_accepted)(int fd, void *owner);

/* Takes over a listening socket. */
bool listener_open(struct uv_loop_s *loop, int fd, const struct log *log,
                   listener_accepted accepted, void *owner, struct listener **listener_out,
                   struct error *err) MUST_CHECK;

/* Stops accepting. The loop has to run once more, to take the handles back. */
void listener_close(struct listener **listener);
