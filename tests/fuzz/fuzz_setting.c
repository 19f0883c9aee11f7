/* fuzz_setting.c - settings that are lists: networks, and the servers and services of filters. The
 * first line is an address, and the services. */
#include "common/networks.h"
#include "smtpd/milter/servers.h"

#include "common/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printed is read as the same. */
static void check_network(struct slice text)
{
    struct network network, again;
    char printed[NETWORK_TEXT];

    if (!network_parse(text, &network))
        return;
    network_trim(&network);
    network_print(&network, printed);
    if (!network_parse(slice_of(printed), &again) || again.bits != network.bits ||
        memcmp(again.bytes, network.bytes, sizeof(again.bytes)) != 0)
        abort();
}

static void check_networks(struct slice list, const char *address)
{
    struct slice rest = list, word;
    struct network network;
    struct error err;

    (void)networks_contain(list, address);
    if (!networks_check(list, &err) && err.kind != ERROR_INVALID)
        abort();
    while (slice_split(&rest, ' ', &word))
        check_network(word);
    if (network_of(address, 24, 56, &network) && !network_contains(&network, address))
        abort();
}

static void check_servers(struct slice text)
{
    AUTO(milter_servers_free) struct milter_servers servers = { 0 };
    struct error err;

    if (!milter_servers_parse(text, &servers, &err))
        return;
    for (size_t i = 0; i < servers.count; i++)
        if ((servers.items[i].port == 0) != (servers.items[i].address[0] == '/'))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice rest = slice_make(data, size), first;
    struct error err;
    unsigned services;

    if (!slice_split(&rest, '\n', &first))
        return 0;
    check_networks(rest, slice_text(&arena, first));
    check_servers(rest);
    if (milter_services_parse(first, &services, &err) && services > 7)
        abort();
    return 0;
}
