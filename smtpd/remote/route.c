/* route.c - see route.h. */
#include "smtpd/remote/route.h"

#include "common/crypto.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(struct route *route, enum route_state state, const char *status,
                 const char *reason)
{
    route->state = state;
    route->status = status;
    route->reason = reason;
}

void route_add_host(struct route *route, const char *name, unsigned preference, uint64_t chance)
{
    struct route_host *host;

    if (route->n_hosts == ROUTE_HOSTS_MAX) {
        route_sort(route);
        if (route->hosts[ROUTE_HOSTS_MAX - 1].preference <= preference)
            return;
        route->n_hosts--; /* the least preferred makes room */
    }
    host = &route->hosts[route->n_hosts++];
    *host = (struct route_host){ .preference = preference, .chance = chance };
    snprintf(host->name, sizeof(host->name), "%s", name);
}

/* A name on the wire (RFC 1035 section 3.1) as text; "" is the root. libunbound has undone its
 * compression. */
static bool name_parse(struct slice wire, char name_out[ROUTE_NAME_SIZE])
{
    size_t at = 0, len = 0;

    while (at < wire.len && wire.data[at] != 0) {
        size_t label = (unsigned char)wire.data[at++];
        if (label > 63 || label > wire.len - at || len + label + 1 >= ROUTE_NAME_SIZE)
            return false;
        if (memchr(wire.data + at, '\0', label) != NULL)
            return false;
        if (len > 0)
            name_out[len++] = '.';
        memcpy(name_out + len, wire.data + at, label);
        len += label;
        at += label;
    }
    name_out[len] = '\0';
    return at + 1 == wire.len;
}

bool route_add_mx(struct route *route, struct slice rdata, uint64_t chance)
{
    const unsigned char *bytes = (const unsigned char *)rdata.data;
    char name[ROUTE_NAME_SIZE];

    if (rdata.len < 3 || !name_parse(slice_from(rdata, 2), name))
        return false;
    route_add_host(route, name, (unsigned)bytes[0] << 8 | bytes[1], chance);
    return true;
}

bool route_is_null(const struct route *route)
{
    return route->n_hosts == 1 && route->hosts[0].name[0] == '\0';
}

void route_add_address(struct route_host *host, struct slice rdata)
{
    int family = rdata.len == 4 ? AF_INET : AF_INET6;

    if ((rdata.len != 4 && rdata.len != 16) || host->n_addresses == ROUTE_ADDRESS_MAX)
        return;
    if (inet_ntop(family, rdata.data, host->addresses[host->n_addresses],
                  sizeof(host->addresses[0])) != NULL)
        host->n_addresses++;
}

bool route_add_literal(struct route *route, const char *domain)
{
    struct slice text = slice_of(domain);
    char address[64], binary[16];
    bool is_v6 = slice_starts(text, "[IPv6:");
    size_t front = is_v6 ? strlen("[IPv6:") : 1;

    if (text.len < front + 2 || text.data[text.len - 1] != ']')
        return false;
    snprintf(address, sizeof(address), SLICE_FMT, (int)(text.len - front - 1), text.data + front);
    if (inet_pton(is_v6 ? AF_INET6 : AF_INET, address, binary) != 1)
        return false;
    route_add_host(route, domain, 0, 0);
    route_add_address(&route->hosts[0], slice_make(binary, is_v6 ? 16 : 4));
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct route_host *one = a, *two = b;

    if (one->preference != two->preference)
        return one->preference < two->preference ? -1 : 1;
    return one->chance < two->chance ? -1 : one->chance > two->chance;
}

void route_sort(struct route *route)
{
    qsort(route->hosts, route->n_hosts, sizeof(route->hosts[0]), compare);
}

/* Whether our own listener for other servers has the port that mail goes out to. Elsewhere a
 * server of another kind may be on this machine. */
static bool listens_on_remote_port(const struct settings *settings)
{
    struct slice rest = slice_of(settings->smtp), part;

    while (slice_split(&rest, ' ', &part)) {
        uint64_t port;
        ptrdiff_t colon = slice_find_last(part, ':');
        if (colon >= 0 && slice_number(slice_from(part, (size_t)colon + 1), 65535, &port) &&
            port == settings->remote_port)
            return true;
    }
    return false;
}

static bool is_address_of(const struct sockaddr *address, const char *text)
{
    char own[46];
    const void *binary = NULL;

    if (address != NULL && address->sa_family == AF_INET)
        binary = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address != NULL && address->sa_family == AF_INET6)
        binary = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return binary != NULL && inet_ntop(address->sa_family, binary, own, sizeof(own)) != NULL &&
           strcmp(own, text) == 0;
}

static bool is_own_address(const struct ifaddrs *interfaces, const char *text)
{
    if (strncmp(text, "127.", 4) == 0 || strncmp(text, "0.", 2) == 0 || strcmp(text, "::") == 0)
        return true;
    for (const struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next)
        if (is_address_of(i->ifa_addr, text))
            return true;
    return false;
}

static bool is_self(const struct route *route, const struct route_host *host,
                    const struct ifaddrs *interfaces)
{
    if (slice_is(slice_of(host->name), route->settings->hostname))
        return true;
    for (size_t i = 0; i < host->n_addresses; i++)
        if (is_own_address(interfaces, host->addresses[i]))
            return listens_on_remote_port(route->settings);
    return false;
}

void route_leave_out_self(struct route *route)
{
    struct ifaddrs *interfaces = NULL;

    (void)!getifaddrs(&interfaces);
    for (size_t i = 0; i < route->n_hosts; i++) {
        if (!is_self(route, &route->hosts[i], interfaces))
            continue;
        while (i > 0 && route->hosts[i - 1].preference == route->hosts[i].preference)
            i--;
        route->n_hosts = i;
    }
    freeifaddrs(interfaces);
}

static void add_targets(struct route *route, const struct route_host *host)
{
    for (size_t i = 0; i < host->n_addresses && route->n_targets < ROUTE_TARGETS_MAX; i++)
        route->targets[route->n_targets++] =
            (struct route_target){ .host = host, .address = host->addresses[i] };
}

void route_set_targets(struct route *route)
{
    size_t n_before = route->n_hosts;

    route_leave_out_self(route);
    route->n_targets = 0;
    for (size_t i = 0; i < route->n_hosts; i++)
        add_targets(route, &route->hosts[i]);
    if (route->n_targets > 0)
        route->state = ROUTE_FOUND;
    else if (route->n_hosts == 0 && n_before > 0)
        fail(route, ROUTE_FAILED, "5.4.6", "Mail for this domain would come back to this server");
    else if (route->some_failed)
        fail(route, ROUTE_LATER, "4.4.3", "The domain's mail servers could not be looked up");
    else
        fail(route, ROUTE_FAILED, "5.4.4", "The domain has no mail server with an address");
}

/* One question, in a table of its own. */
struct question {
    struct dns_table table;
    struct dns_answer answer;
    struct route *route;
    struct route_host *host;
    void (*done)(struct question *question);
};

static void on_fetched(void *context)
{
    struct question *question = context;

    question->done(question);
    dns_table_free(&question->table);
    free(question);
}

static void ask(struct route *route, struct route_host *host, const char *name, enum dns_type type,
                void (*done)(struct question *question))
{
    struct question *question = NEW(struct question);

    question->route = route;
    question->host = host;
    question->done = done;
    question->answer = (struct dns_answer){ .name = slice_of(name), .type = type };
    question->table.first = &question->answer;
    question->table.count = question->table.n_missing = 1;
    route->n_pending++;
    resolver_fetch(route->resolver, &question->table, on_fetched, question);
}

static void end_lookup(struct route *route)
{
    if (--route->n_pending > 0)
        return;
    if (route->state == ROUTE_FOUND)
        route_set_targets(route);
    route->done(route);
}

static void on_addresses(struct question *question)
{
    const struct dns_answer *answer = &question->answer;

    question->route->some_failed |= answer->state == DNS_FAILED;
    for (size_t i = 0; i < answer->count; i++)
        route_add_address(question->host, answer->records[i]);
    end_lookup(question->route);
}

/* IPv4 first: many receivers judge mail over IPv6 more harshly. But both are asked for at once. */
static void ask_addresses(struct route *route)
{
    static const enum dns_type types[] = { DNS_A, DNS_AAAA };

    route_sort(route);
    for (size_t i = 0; i < route->n_hosts; i++) {
        for (size_t k = 0; k < COUNT_OF(types); k++)
            ask(route, &route->hosts[i], route->hosts[i].name, types[k], on_addresses);
    }
}

static void take_mx(struct route *route, const struct dns_answer *answer)
{
    switch (answer->state) {
    case DNS_MISSING:
    case DNS_FAILED:
        fail(route, ROUTE_LATER, "4.4.3", "The domain's mail servers could not be looked up");
        return;
    case DNS_NO_NAME:
        fail(route, ROUTE_FAILED, "5.1.2", "There is no such domain");
        return;
    case DNS_NOTHING:
        route_add_host(route, route->domain, 0, 0);
        break;
    case DNS_FOUND:
        for (size_t i = 0; i < answer->count; i++)
            if (!route_add_mx(route, answer->records[i], random_u64()))
                route->some_failed = true;
        break;
    }
    if (route_is_null(route)) {
        fail(route, ROUTE_FAILED, "5.1.10", "The domain takes no mail");
        return;
    }
    ask_addresses(route);
}

static void on_mx(struct question *question)
{
    take_mx(question->route, &question->answer);
    end_lookup(question->route);
}

bool route_find(struct route *route, struct resolver *resolver, const struct settings *settings,
                const char *domain, void (*done)(struct route *route))
{
    *route = (struct route){ .resolver = resolver, .settings = settings, .done = done };
    snprintf(route->domain, sizeof(route->domain), "%s", domain);
    if (domain[0] == '[') {
        if (route_add_literal(route, domain))
            route_set_targets(route);
        else
            fail(route, ROUTE_FAILED, "5.1.2", "The address literal is not understood");
        return false;
    }
    if (domain[0] == '\0') {
        fail(route, ROUTE_FAILED, "5.1.2", "The address has no domain that mail can go to");
        return false;
    }
    ask(route, NULL, domain, DNS_MX, on_mx);
    return true;
}
