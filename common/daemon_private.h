/* daemon_private.h - the inside of the daemon skeleton, shared by daemon.c and daemon_extra.c. */
#pragma once

#include "common/daemon.h"
#include "common/listener.h"

#include <uv.h>

#define SOCKETS_MAX 64

/* One inherited socket and what is spoken on it. */
struct daemon_socket {
    struct daemon *daemon;
    const struct daemon_listener *row;
    struct listener *listener;
};

enum daemon_phase {
    DAEMON_STARTING,
    DAEMON_SERVING,
    DAEMON_STOPPING, /* sessions finish */
    DAEMON_CUTTING,  /* those that did not are cut off */
    DAEMON_ENDED,
};

struct daemon_state {
    uv_loop_t loop;
    struct net *net;
    struct tls *tls;
    enum daemon_phase phase;
    struct daemon_socket sockets[SOCKETS_MAX];
    size_t n_sockets;
    uv_signal_t signals[3];
    size_t n_signals;
    uv_timer_t deadline;

    struct watch *watches;  /* daemon_watch() */
    struct ticker *tickers; /* daemon_every(), daemon_tick() */
    uv_prepare_t turn; /* each time before the loop waits; there with the first daemon_tick() */
    bool watches_turns;
    bool ticked;            /* in this turn: that alone is nothing that has happened */
    struct report *reports; /* daemon_report() */
};

/* daemon_extra.c */
void daemon_extras_end(struct daemon *daemon);    /* watches, tickers, reports */
void daemon_feed_watchdog(struct daemon *daemon); /* from now on, if systemd asked for it */
