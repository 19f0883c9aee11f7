/* machine.c - what of the network this machine is: declared in route.h. */
#include "common/slice.h"
#include "smtpd/remote/route.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>

/* An IPv4 or IPv6 address as 16 bytes, IPv4 mapped, so that both compare alike. */
struct address {
    unsigned char bytes[16];
};

static const unsigned char v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

static struct address of_v4(const void *bytes)
{
    struct address address;

    memcpy(address.bytes, v4_mapped, 12);
    memcpy(address.bytes + 12, bytes, 4);
    return address;
}

static bool parse(const char *text, struct address *out)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1) {
        *out = of_v4(bytes);
        return true;
    }
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_v4(const struct address *address)
{
    return memcmp(address->bytes, v4_mapped, 12) == 0;
}

static bool is_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, 16) == 0;
}

/* 0.0.0.0/8 and "::": where they go is this machine. */
static bool is_unspecified(const struct address *address)
{
    static const unsigned char zero[16];

    return is_v4(address) ? address->bytes[12] == 0 : memcmp(address->bytes, zero, 16) == 0;
}

static bool is_loopback(const struct address *address)
{
    static const unsigned char one[16] = { [15] = 1 };

    return is_v4(address) ? address->bytes[12] == 127 : memcmp(address->bytes, one, 16) == 0;
}

static bool of_interface(const struct ifaddrs *interface, struct address *out)
{
    const struct sockaddr *address = interface->ifa_addr;

    if (address == NULL)
        return false;
    if (address->sa_family == AF_INET)
        *out = of_v4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
    else if (address->sa_family == AF_INET6)
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    return true;
}

static bool is_of_machine(const struct route_machine *machine, const struct address *address)
{
    struct address own;

    if (is_unspecified(address) || is_loopback(address))
        return true;
    for (const struct ifaddrs *i = machine->interfaces; i != NULL; i = i->ifa_next)
        if (of_interface(i, &own) && is_equal(&own, address))
            return true;
    return false;
}

/* "192.0.2.1:25" or "[::]:25"; a listener on all addresses has those of the machine. */
static bool covers(const struct route_machine *machine, struct slice listener,
                   const struct address *address, uint16_t port)
{
    ptrdiff_t colon = slice_find_last(listener, ':');
    struct address own;
    uint64_t own_port;
    char text[64];

    if (colon < 1 || !slice_number(slice_from(listener, (size_t)colon + 1), 65535, &own_port) ||
        own_port != port)
        return false;
    struct slice host = slice_part(listener, 0, (size_t)colon);
    if (host.len > 1 && host.data[0] == '[')
        host = slice_part(host, 1, host.len - 2);
    snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(host));
    if (!parse(text, &own))
        return false;
    if (is_unspecified(&own))
        return is_of_machine(machine, address);
    return is_equal(&own, address) || is_unspecified(address);
}

bool route_is_self(const struct route_machine *machine, const char *text, uint16_t port)
{
    struct slice rest = slice_of(machine->listens), listener;
    struct address address;

    if (!parse(text, &address))
        return false;
    while (slice_split(&rest, ' ', &listener))
        if (covers(machine, listener, &address, port))
            return true;
    return false;
}

/* Neither of this host or link only, nor IPv4 in disguise. */
static bool is_global_v6(const struct address *address)
{
    bool is_link_local = address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;

    return !is_v4(address) && !is_loopback(address) && !is_unspecified(address) && !is_link_local;
}

void route_machine_look(struct route_machine *machine)
{
    struct address own;

    route_machine_free(machine);
    machine->has_ipv6 = false;
    if (getifaddrs(&machine->interfaces) != 0)
        machine->interfaces = NULL;
    for (const struct ifaddrs *i = machine->interfaces; i != NULL; i = i->ifa_next)
        machine->has_ipv6 |= of_interface(i, &own) && is_global_v6(&own);
}

void route_machine_free(struct route_machine *machine)
{
    if (machine->interfaces != NULL)
        freeifaddrs(machine->interfaces);
    machine->interfaces = NULL;
}
