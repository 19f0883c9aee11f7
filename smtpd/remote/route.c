/* route.c - see route.h. */
#include "smtpd/remote/route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct search {
    const struct route_question *question;
    const struct route_machine *machine;
    struct dns_table *table;
    struct route *route;
    bool some_failed;    /* some lookups */
    struct slice reason; /* of the first of them */
    uint64_t state;      /* of the order by chance */
};

static void end(struct search *search, enum route_state state, const char *status,
                const char *reason)
{
    struct route *route = search->route;
    bool is_dns = state == ROUTE_LATER && search->reason.len > 0;
    struct slice why = is_dns ? search->reason : SLICE("");

    route->state = state;
    route->status = status;
    snprintf(route->reason, sizeof(route->reason), "%s%s" SLICE_FMT, reason, is_dns ? ": " : "",
             (int)MIN(why.len, 150), why.data);
}

/* splitmix64: the same row of numbers for the same seed. */
static uint64_t chance(struct search *search)
{
    uint64_t number = (search->state += 0x9e3779b97f4a7c15u);

    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

static int compare(const void *a, const void *b)
{
    const struct route_host *one = a, *two = b;

    if (one->preference != two->preference)
        return one->preference < two->preference ? -1 : 1;
    return one->chance < two->chance ? -1 : one->chance > two->chance;
}

static void sort(struct route *route)
{
    qsort(route->hosts, route->n_hosts, sizeof(route->hosts[0]), compare);
}

static void add_host(struct search *search, struct slice name, unsigned preference)
{
    struct route *route = search->route;
    uint64_t by_chance = chance(search);

    if (route->n_hosts == ROUTE_HOSTS_MAX) {
        sort(route);
        if (route->hosts[ROUTE_HOSTS_MAX - 1].preference <= preference)
            return;
        route->n_hosts--; /* the least preferred makes room */
    }
    struct route_host *host = &route->hosts[route->n_hosts++];
    *host = (struct route_host){ .preference = preference, .chance = by_chance };
    snprintf(host->name, sizeof(host->name), SLICE_FMT, SLICE_ARG(name));
    host->canonical = slice_copy(&search->table->arena, name);
}

static void note_failure(struct search *search, struct slice reason)
{
    if (!search->some_failed)
        search->reason = reason;
    search->some_failed = true;
}

/* --- MX --- */

static bool is_null_mx(const struct dns_answer *answer, struct slice host)
{
    return answer->count == 1 && host.len == 0;
}

/* False: the search is over. */
static bool add_mx(struct search *search, const struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        unsigned preference;
        struct slice host;

        if (!dns_mx(&search->table->arena, answer->records[i], &preference, &host)) {
            note_failure(search, SLICE("a damaged MX record"));
        } else if (is_null_mx(answer, host)) {
            end(search, ROUTE_FAILED, "5.1.10", "The domain takes no mail");
            return false;
        } else if (host.len > 0 && host.len < ROUTE_NAME_SIZE) {
            add_host(search, host, preference);
        }
    }
    return true;
}

static bool take_mx(struct search *search, const struct dns_answer *answer)
{
    search->route->mx_secure = answer->secure;
    switch (answer->state) {
    case DNS_MISSING:
    case DNS_FAILED:
        note_failure(search, answer->reason);
        end(search, ROUTE_LATER, "4.4.3", "The domain's mail servers could not be looked up");
        return false;
    case DNS_NO_NAME:
        end(search, ROUTE_FAILED, "5.1.2", "There is no such domain");
        return false;
    case DNS_NOTHING:
        add_host(search, slice_of(search->question->domain), 0);
        return true;
    case DNS_FOUND:
        return add_mx(search, answer);
    }
    abort();
}

/* --- addresses --- */

/* "[192.0.2.1]" and "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3), or bare. */
static bool parse_literal(const char *domain, char address_out[46])
{
    struct slice text = slice_of(domain);
    bool is_bracketed = text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']';
    char binary[16];
    int family = AF_INET;

    if (is_bracketed)
        text = slice_part(text, 1, text.len - 2);
    if (slice_starts(text, "IPv6:")) {
        text = slice_from(text, strlen("IPv6:"));
        family = AF_INET6;
    } else if (!is_bracketed && slice_find(text, ':') >= 0) {
        family = AF_INET6;
    }
    snprintf(address_out, 46, SLICE_FMT, SLICE_ARG(text));
    return text.len < 46 && inet_pton(family, address_out, binary) == 1 &&
           inet_ntop(family, binary, address_out, 46) != NULL;
}

static void add_address(struct route_host *host, const char *address)
{
    bool is_v6 = strchr(address, ':') != NULL;
    size_t *count = is_v6 ? &host->n_v6 : &host->n_v4;

    if (*count == ROUTE_ADDRESS_MAX || strncmp(address, "::ffff:", 7) == 0)
        return;
    char *room = is_v6 ? host->v6[*count] : host->v4[*count];
    memcpy(room, address, strlen(address) + 1);
    ++*count;
}

static void take_addresses(struct search *search, struct route_host *host,
                           const struct dns_answer *answer)
{
    char address[46];

    host->secure &= answer->secure;
    if (answer->state == DNS_FAILED)
        note_failure(search, answer->reason);
    if (answer->state == DNS_FOUND)
        host->canonical = answer->canonical;
    for (size_t i = 0; i < answer->count; i++)
        if (dns_address(answer->records[i], address))
            add_address(host, address);
}

static bool wants(const struct route_machine *machine, enum dns_type type)
{
    switch (machine->families) {
    case ROUTE_AUTO:
        return type == DNS_A || machine->has_ipv6;
    case ROUTE_PREFER_4:
        return true;
    case ROUTE_ONLY_4:
        return type == DNS_A;
    case ROUTE_ONLY_6:
        return type == DNS_AAAA;
    }
    abort();
}

/* False: something is missing; all of it has been asked for. */
static bool find_addresses(struct search *search)
{
    static const enum dns_type types[] = { DNS_AAAA, DNS_A };
    bool is_complete = true;

    for (size_t i = 0; i < search->route->n_hosts; i++) {
        struct route_host *host = &search->route->hosts[i];

        host->secure = true;
        for (size_t k = 0; k < COUNT_OF(types); k++) {
            if (!wants(search->machine, types[k]))
                continue;
            const struct dns_answer *answer =
                dns_get(search->table, slice_of(host->name), types[k]);
            if (answer == NULL)
                is_complete = false;
            else
                take_addresses(search, host, answer);
        }
    }
    return is_complete;
}

/* --- targets --- */

static bool is_any_self(const struct search *search, const char (*addresses)[46], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (route_is_self(search->machine, addresses[i], search->question->port))
            return true;
    return false;
}

static bool is_self(const struct search *search, const struct route_host *host)
{
    /* A relay may be another server on this machine, under its name. */
    if (!search->question->is_host && slice_is(slice_of(host->name), search->machine->hostname))
        return true;
    return is_any_self(search, host->v4, host->n_v4) || is_any_self(search, host->v6, host->n_v6);
}

/* RFC 5321 section 5.1: those as preferred as this server, too. */
static void leave_out_self(struct search *search)
{
    struct route *route = search->route;

    for (size_t i = 0; i < route->n_hosts; i++) {
        if (!is_self(search, &route->hosts[i]))
            continue;
        while (i > 0 && route->hosts[i - 1].preference == route->hosts[i].preference)
            i--;
        route->n_hosts = i;
    }
}

static void add_targets(struct route *route, const struct route_host *host,
                        const char (*addresses)[46], size_t count)
{
    for (size_t i = 0; i < count && route->n_targets < ROUTE_TARGETS_MAX; i++)
        route->targets[route->n_targets++] =
            (struct route_target){ .host = host, .address = addresses[i] };
}

static void set_targets(struct search *search)
{
    struct route *route = search->route;
    bool v4_first = search->machine->families == ROUTE_PREFER_4;
    size_t n_before = route->n_hosts;

    sort(route);
    leave_out_self(search);
    for (size_t i = 0; i < route->n_hosts; i++) {
        const struct route_host *host = &route->hosts[i];

        if (v4_first)
            add_targets(route, host, host->v4, host->n_v4);
        add_targets(route, host, host->v6, host->n_v6);
        if (!v4_first)
            add_targets(route, host, host->v4, host->n_v4);
    }
    if (route->n_targets > 0)
        route->state = ROUTE_FOUND;
    else if (route->n_hosts == 0 && n_before > 0)
        end(search, ROUTE_FAILED, "5.4.6", "Mail for this domain would come back to this server");
    else if (search->some_failed)
        end(search, ROUTE_LATER, "4.4.3", "The domain's mail servers could not be looked up");
    else
        end(search, ROUTE_FAILED, "5.4.4", "The domain has no mail server with an address");
}

static void take_literal(struct search *search, const char *address)
{
    add_host(search, slice_of(search->question->domain), 0);
    add_address(&search->route->hosts[0], address);
    set_targets(search);
}

/* A unix socket's. */
static void take_path(struct search *search)
{
    struct route *route = search->route;

    add_host(search, slice_of(search->question->domain), 0);
    route->targets[route->n_targets++] =
        (struct route_target){ .host = &route->hosts[0], .address = route->hosts[0].name };
}

/* False: again. */
static bool find_hosts(struct search *search, bool *goes_on_out)
{
    const struct dns_answer *mx;

    *goes_on_out = true;
    if (search->question->is_host) {
        add_host(search, slice_of(search->question->domain), 0);
        return true;
    }
    mx = dns_get(search->table, slice_of(search->question->domain), DNS_MX);
    if (mx == NULL)
        return false;
    *goes_on_out = take_mx(search, mx);
    return true;
}

/* An address in the place of a domain, or nothing that could be one: no DNS is needed. */
static bool is_plain(struct search *search)
{
    const struct route_question *question = search->question;
    bool is_bracketed = question->domain[0] == '[';
    char address[46];

    if (question->domain[0] == '\0')
        end(search, ROUTE_FAILED, "5.1.2", "The address has no domain that mail can go to");
    else if (question->is_host && question->domain[0] == '/')
        take_path(search);
    else if ((question->is_host || is_bracketed) && parse_literal(question->domain, address))
        take_literal(search, address);
    else if (is_bracketed)
        end(search, ROUTE_FAILED, "5.1.2", "The address literal is not understood");
    else
        return false;
    return true;
}

bool route_find(const struct route_question *question, struct dns_table *table,
                struct route *route_out)
{
    struct search search = { .question = question,
                             .machine = question->machine,
                             .table = table,
                             .route = route_out,
                             .state = question->seed };
    bool goes_on;

    *route_out = (struct route){ .state = ROUTE_FOUND };
    if (is_plain(&search))
        return true;
    if (!find_hosts(&search, &goes_on))
        return false;
    if (!goes_on)
        return true;
    if (!find_addresses(&search))
        return false;
    set_targets(&search);
    return true;
}
