/* service.h - what the three daemons do alike around daemon_run(): options, settings, the store,
 * desks for the workers, notices, the status report.
 *
 *     struct service service;
 *     int code;
 *     if (!service_init(&service, "pop3d", "the POP3 server", argc, argv, &code)) return code;
 *     service.daemon.listeners = ...;
 *     return service_run(&service);
 *
 * Threads: the main thread, which becomes the loop thread. Lifetime: service_run() frees all.
 */
#pragma once

#include "common/daemon.h"
#include "storage/login.h"
#include "storage/notice.h"
#include "storage/settings.h"
#include "storage/store.h"

struct service {
    struct settings settings;
    struct store *store;
    struct login_cache *cache;
    struct login_options login; /* for the protocol's logins */
    struct login_uses *uses;
    struct gate *gate;
    struct job reload; /* of the gate's bans */
    bool reloading, reload_again;
    bool connects;        /* it opens connections to other machines */
    struct daemon daemon; /* filled from the settings; add listeners, idle_ms, hooks */

    /* All optional, on the loop thread. */
    void (*on_notice)(struct service *service, const struct notice *notice);
    void (*on_lost)(struct service *service); /* notices were lost: anything may have changed */
    void (*on_report)(struct service *service, struct buf *out); /* adds ,"key":value pairs */
    bool (*on_start)(struct service *service, struct error *err);
    void *context; /* the daemon's own */

    int notices; /* the socket they come from, -1: none */
    uint64_t started_ms;
};

/* Reads the command line and the settings, opens the store. False: leave with *exit_code_out;
 * everything was said. */
bool service_init(struct service *service, const char *name, const char *help, int argc,
                  char **argv, int *exit_code_out) MUST_CHECK;
/* Confines the process (storage/confinement.h), then serves. */
int service_run(struct service *service);
