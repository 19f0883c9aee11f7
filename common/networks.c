/* networks.c - see networks.h. */
#include "common/networks.h"

#include <arpa/inet.h>
#include <stdio.h>

#define MAPPED_BITS 96

static const unsigned char mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const unsigned char bytes[16])
{
    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

static bool address_parse(struct slice text, unsigned char bytes_out[16], bool *is_v4_out)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof(copy) || slice_find(text, '\0') >= 0)
        return false;
    snprintf(copy, sizeof(copy), SLICE_FMT, SLICE_ARG(text));
    memcpy(bytes_out, mapped, sizeof(mapped));
    *is_v4_out = inet_pton(AF_INET, copy, bytes_out + 12) == 1;
    return *is_v4_out || inet_pton(AF_INET6, copy, bytes_out) == 1;
}

bool network_parse(struct slice text, struct network *network_out)
{
    struct slice address;
    uint64_t bits;
    bool has_bits = slice_find(text, '/') >= 0, is_v4;

    if (!slice_split(&text, '/', &address) || !address_parse(address, network_out->bytes, &is_v4))
        return false;
    network_out->bits = 128;
    if (!has_bits)
        return true;
    if (!slice_number(text, is_v4 ? 32 : 128, &bits))
        return false;
    network_out->bits = (unsigned)bits + (is_v4 ? MAPPED_BITS : 0);
    return true;
}

void network_trim(struct network *network)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (whole >= sizeof(network->bytes))
        return;
    network->bytes[whole] &= (unsigned char)(0xff00u >> rest);
    memset(network->bytes + whole + 1, 0, sizeof(network->bytes) - whole - 1);
}

bool network_of(const char *address, unsigned v4_bits, unsigned v6_bits,
                struct network *network_out)
{
    bool is_v4;

    if (!address_parse(slice_of(address), network_out->bytes, &is_v4))
        return false;
    network_out->bits = is_mapped(network_out->bytes) ? v4_bits + MAPPED_BITS : v6_bits;
    network_trim(network_out);
    return true;
}

void network_print(const struct network *network, char text[NETWORK_TEXT])
{
    bool is_v4 = network->bits >= MAPPED_BITS && is_mapped(network->bytes);
    char address[INET6_ADDRSTRLEN] = "";

    inet_ntop(is_v4 ? AF_INET : AF_INET6, network->bytes + (is_v4 ? sizeof(mapped) : 0), address,
              sizeof(address));
    if (network->bits >= 128)
        snprintf(text, NETWORK_TEXT, "%s", address);
    else
        snprintf(text, NETWORK_TEXT, "%s/%u", address, network->bits - (is_v4 ? MAPPED_BITS : 0));
}

bool network_contains(const struct network *network, const char *address)
{
    unsigned char bytes[16];
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    bool is_v4;

    if (!address_parse(slice_of(address), bytes, &is_v4) ||
        memcmp(bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

bool networks_contain(struct slice list, const char *address)
{
    struct slice part;
    struct network network;

    while (slice_split(&list, ' ', &part))
        if (network_parse(part, &network) && network_contains(&network, address))
            return true;
    return false;
}

bool networks_check(struct slice list, struct error *err)
{
    struct slice part;
    struct network network;

    while (slice_split(&list, ' ', &part))
        if (part.len > 0 && !network_parse(part, &network))
            return error_set(err, ERROR_INVALID, "\"" SLICE_FMT "\" is no network",
                             SLICE_ARG(slice_part(part, 0, 60)));
    return true;
}
