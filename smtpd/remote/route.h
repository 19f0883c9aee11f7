/* route.h - which servers take mail for a domain, and in which order (RFC 5321 section 5.1).
 *
 *     MX --found--> A and AAAA of each host --> sorted addresses
 *      '--none----> A and AAAA of the domain itself
 *
 * By preference, by chance among equals. Hosts that are this server, and those less preferred, are
 * left out. "MX 0 ." means that the domain takes no mail (RFC 7505).
 *
 * Threads: loop thread. The functions in the second half are pure.
 */
#pragma once

#include "common/resolver.h"
#include "storage/settings.h"

#define ROUTE_HOSTS_MAX   10
#define ROUTE_TARGETS_MAX 20
#define ROUTE_NAME_SIZE   256
#define ROUTE_ADDRESS_MAX 8 /* of one host */

enum route_state {
    ROUTE_FOUND,
    ROUTE_FAILED, /* there is no way, and there will be none */
    ROUTE_LATER,  /* nobody knows now */
};

struct route_host {
    char name[ROUTE_NAME_SIZE]; /* without the last dot; or a literal */
    unsigned preference;
    uint64_t chance; /* among equals */
    size_t n_addresses;
    char addresses[ROUTE_ADDRESS_MAX][46];
};

struct route_target {
    const struct route_host *host;
    const char *address;
};

/* One search; the caller's, and stays where it is until `done`. */
struct route {
    struct route_host hosts[ROUTE_HOSTS_MAX];
    size_t n_hosts;
    struct route_target targets[ROUTE_TARGETS_MAX]; /* in the order to try them */
    size_t n_targets;

    enum route_state state;
    const char *status; /* unless FOUND: "5.1.2" */
    const char *reason; /* ... in words */

    void (*done)(struct route *route);
    const struct settings *settings;
    struct resolver *resolver;
    size_t n_pending; /* lookups */
    bool some_failed; /* some lookups */
    char domain[ROUTE_NAME_SIZE];
};

/* `done` is called later, on the loop thread, if this returns true; else the result is there. */
bool route_find(struct route *route, struct resolver *resolver, const struct settings *settings,
                const char *domain, void (*done)(struct route *route));

/* The steps of it. */
bool route_add_literal(struct route *route, const char *domain); /* "[192.0.2.1]", "[IPv6:::1]" */
void route_add_host(struct route *route, const char *name, unsigned preference, uint64_t chance);
bool route_add_mx(struct route *route, struct slice rdata, uint64_t chance); /* false: damaged */
void route_add_address(struct route_host *host, struct slice rdata);         /* 4 or 16 bytes */
bool route_is_null(const struct route *route);                               /* "MX 0 ." */
void route_sort(struct route *route);
void route_leave_out_self(struct route *route); /* by its name and its own addresses */
void route_set_targets(struct route *route);    /* and the state */
