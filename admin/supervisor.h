/* supervisor.h - keeps the daemons running until it is told to stop.
 *
 *              start            connects to its status socket
 *     WAITING --------> STARTING -----------------------------> READY
 *        ^                 | ends                                 | ends
 *        '-----------------+--------------------------------------'
 *
 * A daemon that ends is started again at once the first time, then with growing pauses, the longest
 * just under a second. One that gives up by itself three times in a row without ever becoming
 * ready has a reason that a restart will not cure (it has logged it): then everything stops.
 *
 * Threads: one; signals are taken synchronously.
 */
#pragma once

#include "admin/sockets.h"

struct supervisor_options {
    const struct sockets *sockets;
    const char *config_path;         /* passed on to the daemons; NULL: they find it themselves */
    const char *data;                /* where their status sockets are */
    uint64_t stop_ms;                /* how long they may take to stop */
    void (*on_ready)(void *context); /* once, when all are ready for the first time */
    void *context;
};

/* Runs until SIGTERM or SIGINT; false when a daemon cannot run. */
bool supervisor_run(const struct supervisor_options *options, struct error *err) MUST_CHECK;
