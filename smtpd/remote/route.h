/* route.h - which servers take mail for a domain, and in which order (RFC 5321 section 5.1).
 *
 *     MX --found--> A and AAAA of each host --> sorted addresses
 *      '--none----> A and AAAA of the domain itself
 *
 * By preference, by chance among equals, IPv6 before IPv4 unless the machine has none. Hosts that
 * are this server, and those less preferred, are left out. "MX 0 ." means that the domain takes no
 * mail (RFC 7505).
 *
 * Pure: the DNS is a table (common/dns.h), the machine is described. Slices of a result live in the
 * table's arena, the rest in the route itself.
 */
#pragma once

#include "common/dns.h"

#define ROUTE_HOSTS_MAX   10
#define ROUTE_TARGETS_MAX 20
#define ROUTE_NAME_SIZE   256
#define ROUTE_ADDRESS_MAX 4 /* of one host and family */

enum route_state {
    ROUTE_FOUND,
    ROUTE_FAILED, /* there is no way, and there will be none */
    ROUTE_LATER,  /* nobody knows now */
};

enum route_families { ROUTE_AUTO, ROUTE_PREFER_4, ROUTE_ONLY_4, ROUTE_ONLY_6 };

/* What depends on where we run. */
struct route_machine {
    const char *hostname;
    const char *listens;          /* "address:port ...", as in the setting [listen] smtp */
    enum route_families families; /* AUTO: IPv6 first if has_ipv6, else IPv4 only */
    bool has_ipv6;
    struct ifaddrs *interfaces; /* NULL: none are known */
};

struct route_question {
    const char *domain; /* A-labels, or a literal */
    bool is_host;       /* the server's own name, address or path: its MX is not asked for */
    uint16_t port;      /* where it will be asked */
    uint64_t seed;      /* the order among equals; stays the same while one search goes on */
    const struct route_machine *machine;
};

struct route_host {
    char name[ROUTE_NAME_SIZE]; /* without the last dot; or a literal */
    struct slice canonical;     /* where its CNAMEs lead */
    unsigned preference;
    uint64_t chance; /* among equals */
    bool secure;     /* its addresses, or their absence, by DNSSEC */
    size_t n_v4, n_v6;
    char v4[ROUTE_ADDRESS_MAX][46], v6[ROUTE_ADDRESS_MAX][46];
};

struct route_target {
    const struct route_host *host;
    const char *address;
};

struct route {
    struct route_host hosts[ROUTE_HOSTS_MAX];
    size_t n_hosts;
    struct route_target targets[ROUTE_TARGETS_MAX]; /* in the order to try them */
    size_t n_targets;
    bool mx_secure; /* the MX records, or their absence, by DNSSEC */

    enum route_state state;
    const char *status; /* unless FOUND: "5.1.2" */
    char reason[256];   /* ... in words */
};

/* False: answers are missing in the table. Have them fetched, and call again. */
bool route_find(const struct route_question *question, struct dns_table *table,
                struct route *route_out);

/* Asks the system for the machine's interfaces, and whether one has a global IPv6 address. */
void route_machine_look(struct route_machine *machine);
void route_machine_free(struct route_machine *machine);

/* Whether a connection there would come to this server. */
bool route_is_self(const struct route_machine *machine, const char *address, uint16_t port);
