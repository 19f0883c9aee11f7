/* servers.c - see servers.h. */
#include "smtpd/milter/servers.h"

#include "common/mem.h"
#include "smtpd/smtpd.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define UNIX_PATH_MAX 107

static bool is_numeric(const char *address)
{
    unsigned char binary[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, address, binary) == 1 || inet_pton(AF_INET6, address, binary) == 1;
}

/* "host:port", "[::1]:port" */
static bool read_inet(struct slice text, struct milter_server *server)
{
    ptrdiff_t colon = slice_find_last(text, ':');
    struct slice host = slice_part(text, 0, colon < 0 ? 0 : (size_t)colon);
    uint64_t port;

    if (colon < 0 || !slice_number(slice_from(text, (size_t)colon + 1), UINT16_MAX, &port) ||
        port == 0)
        return false;
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_part(host, 1, host.len - 2);
    server->port = (uint16_t)port;
    server->address = slice_strdup(slice_is(host, "localhost") ? SLICE("127.0.0.1") : host);
    return is_numeric(server->address);
}

static bool read_server(struct slice text, struct milter_server *server)
{
    server->name = slice_strdup(text);
    if (slice_starts(text, "inet:"))
        return read_inet(slice_from(text, 5), server);
    if (!slice_starts(text, "unix:/") || text.len - 5 > UNIX_PATH_MAX)
        return false;
    server->address = slice_strdup(slice_from(text, 5));
    return true;
}

bool milter_servers_parse(struct slice text, struct milter_servers *servers, struct error *err)
{
    struct slice part;
    size_t room = 0;

    *servers = (struct milter_servers){ 0 };
    while (slice_split(&text, ' ', &part)) {
        if (part.len == 0)
            continue;
        servers->items =
            mem_grow(servers->items, &room, servers->count + 1, sizeof(*servers->items));
        struct milter_server *server = &servers->items[servers->count++];
        *server = (struct milter_server){ 0 };
        if (read_server(part, server))
            continue;
        milter_servers_free(servers);
        return error_set(err, ERROR_INVALID,
                         "[milter] servers: \"" SLICE_FMT "\" is not inet:ADDRESS:PORT with a "
                         "numeric address, nor unix:/PATH",
                         SLICE_ARG(part));
    }
    return true;
}

static unsigned service_named(struct slice name)
{
    if (slice_is(name, "smtp"))
        return SERVICE_MX;
    if (slice_is(name, "submission"))
        return SERVICE_SUBMISSION;
    return slice_is(name, "lmtp") ? SERVICE_LMTP : 0;
}

bool milter_services_parse(struct slice text, unsigned *services, struct error *err)
{
    struct slice part;

    *services = 0;
    while (slice_split(&text, ' ', &part)) {
        unsigned service = service_named(part);

        if (service == 0 && part.len > 0)
            return error_set(err, ERROR_INVALID,
                             "[milter] services: \"" SLICE_FMT "\" is not smtp, submission or lmtp",
                             SLICE_ARG(part));
        *services |= service;
    }
    return true;
}

void milter_servers_free(struct milter_servers *servers)
{
    for (size_t i = 0; i < servers->count; i++) {
        free(servers->items[i].name);
        free(servers->items[i].address);
    }
    free(servers->items);
    *servers = (struct milter_servers){ 0 };
}
