/* daemon.h - the skeleton of the three daemons: sockets, signals, certificates, graceful stop.
 *
 * Listening sockets are always inherited by the systemd protocol: LISTEN_FDS, LISTEN_PID (or
 * none), LISTEN_FDNAMES. Each name ("imap", "imaps") is looked up in the daemon's table of
 * listeners; a socket with no row, or no sockets at all, is an error that says what to do.
 *
 * SIGTERM, SIGINT: stop accepting, let sessions finish their command and say goodbye, leave within
 * stop_ms. SIGHUP: read certificates again, call on_reload. SIGPIPE is ignored. With NOTIFY_SOCKET
 * set, systemd is told when the daemon is ready and when it stops, and with WATCHDOG_USEC that its
 * loop goes round.
 *
 * Threads: daemon_run() is the loop thread.
 */
#pragma once

#include "common/clock.h"
#include "common/session.h"

struct daemon_listener {
    const char *name; /* in LISTEN_FDNAMES */
    const struct protocol *protocol;
    bool tls_at_once;
};

struct daemon {
    const char *name; /* "imapd" */
    const struct daemon_listener *listeners;
    size_t n_listeners;
    struct tls_files tls;
    const char *authorities; /* see net_trust(); NULL: it is nobody's client */
    unsigned workers, slow_workers;
    struct pool_desk desk;
    uint64_t idle_ms, stall_ms, connect_ms, stop_ms;
    uint64_t login_ms; /* 0: nobody needs to log in */
    size_t input_max, max_sessions, max_per_address;
    size_t descriptors; /* that the work of all workers may need */
    const char *busy_reply, *banned_reply, *proxy_hosts;
    void *context;

    /* All may be NULL; all on the loop thread. */
    bool (*is_banned)(struct daemon *daemon, const struct protocol *protocol, const char *address);
    bool (*on_start)(struct daemon *daemon, struct error *err); /* before the first accept */
    void (*on_reload)(struct daemon *daemon);
    void (*on_stop)(struct daemon *daemon); /* before sessions are told to stop */
    void (*on_end)(struct daemon *daemon);  /* sessions are gone, workers still run */

    /* Filled by daemon_run() before on_start. */
    struct uv_loop_s *loop;
    struct server *server;
    struct pool *pool, *slow;
    struct log log;
    struct daemon_state *state; /* daemon.c's own */
};

/* Runs until stopped; the result is the process's exit code. */
int daemon_run(struct daemon *daemon);

/* Calls on_readable on the loop thread whenever `fd` can be read, from on_start until the end. */
void daemon_watch(struct daemon *daemon, int fd, void (*on_readable)(struct daemon *, int fd));

/* Calls on_tick every so often, from on_start until the end. */
void daemon_every(struct daemon *daemon, uint64_t ms, void (*on_tick)(struct daemon *));

/* Calls on_tick every `ms` while things happen on the loop. It returns in how many ms something is
 * due (0: something is under way; UINT64_MAX: nothing); when nothing happens it is called then, and
 * once in a minute. So a daemon without work sleeps. */
void daemon_tick(struct daemon *daemon, uint64_t ms, uint64_t (*on_tick)(struct daemon *));

/* Answers on a unix socket at `path`: each connection gets what `report` writes, then is closed.
 * For `postane status`. */
bool daemon_report(struct daemon *daemon, const char *path,
                   void (*report)(struct daemon *, struct buf *out), struct error *err) MUST_CHECK;
