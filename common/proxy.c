/* proxy.c - see proxy.h. */
#include "common/proxy.h"

#include <arpa/inet.h>

#define SIGNATURE  "\r\n\r\n\0\r\nQUIT\n"
#define V2_HEAD    16
#define V2_VERSION 2

enum { V2_LOCAL, V2_PROXY };                     /* commands */
enum { V2_TCP_IPV4 = 0x11, V2_TCP_IPV6 = 0x21 }; /* families, with their transport */

/* Whether the input begins like `prefix`, as far as there is input. */
static bool may_start(struct slice in, struct slice prefix)
{
    size_t len = MIN(in.len, prefix.len);

    return len == 0 || memcmp(in.data, prefix.data, len) == 0;
}

/* IPv4 that is mapped into IPv6 is told as IPv4, as everywhere. */
static void print_address(const char *bytes, size_t len, struct conn_peer *peer)
{
    struct in6_addr v6;

    if (len == 16)
        memcpy(&v6, bytes, sizeof(v6));
    if (len == 16 && IN6_IS_ADDR_V4MAPPED(&v6)) {
        bytes += 12;
        len = 4;
    }
    inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, peer->address, sizeof(peer->address));
}

/* --- version 1 --- */

/* One address, in the one form that inet_ntop() would give it or another one that it reads. */
static bool read_address(struct slice text, int family, struct conn_peer *peer)
{
    char bytes[16];

    if (text.len == 0 || text.len >= sizeof(peer->address) || slice_find(text, '\0') >= 0)
        return false;
    memcpy(peer->address, text.data, text.len);
    peer->address[text.len] = '\0';
    if (inet_pton(family, peer->address, bytes) != 1)
        return false;
    print_address(bytes, family == AF_INET ? 4 : 16, peer);
    return true;
}

static bool read_port(struct slice text, struct conn_peer *peer)
{
    uint64_t port;

    if (!slice_number(text, UINT16_MAX, &port))
        return false;
    peer->port = (uint16_t)port;
    return true;
}

/* "192.0.2.1 198.51.100.1 56324 443" */
static bool read_words(struct slice rest, int family, struct proxy_header *header)
{
    struct slice words[4];

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (!slice_split(&rest, ' ', &words[i]))
            return false;
    return rest.len == 0 && read_address(words[0], family, &header->peer) &&
           read_address(words[1], family, &header->local) && read_port(words[2], &header->peer) &&
           read_port(words[3], &header->local);
}

static enum parse read_line(struct slice line, struct proxy_header *header)
{
    struct slice rest = slice_from(line, 6), family;

    if (!slice_split(&rest, ' ', &family))
        return PARSE_BAD;
    if (slice_equal(family, SLICE("UNKNOWN")))
        return PARSE_OK;
    header->has_addresses = true;
    if (slice_equal(family, SLICE("TCP4")))
        return read_words(rest, AF_INET, header) ? PARSE_OK : PARSE_BAD;
    if (slice_equal(family, SLICE("TCP6")))
        return read_words(rest, AF_INET6, header) ? PARSE_OK : PARSE_BAD;
    return PARSE_BAD;
}

static enum parse parse_v1(struct slice in, struct proxy_header *header)
{
    ptrdiff_t end = slice_search(slice_part(in, 0, PROXY_LINE_MAX), SLICE("\r\n"));

    if (end < 0)
        return in.len >= PROXY_LINE_MAX ? PARSE_BAD : PARSE_MORE;
    if (end < 6)
        return PARSE_BAD;
    header->len = (size_t)end + 2;
    return read_line(slice_part(in, 0, (size_t)end), header);
}

/* --- version 2 --- */

static uint16_t u16(const char *bytes)
{
    return (uint16_t)((unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]);
}

/* Both addresses, then both ports. */
static enum parse read_block(struct slice block, size_t address_len, struct proxy_header *header)
{
    if (block.len < 2 * address_len + 4)
        return PARSE_BAD;
    print_address(block.data, address_len, &header->peer);
    print_address(block.data + address_len, address_len, &header->local);
    header->peer.port = u16(block.data + 2 * address_len);
    header->local.port = u16(block.data + 2 * address_len + 2);
    header->has_addresses = true;
    return PARSE_OK;
}

static enum parse read_family(unsigned char family, struct slice block, struct proxy_header *header)
{
    switch (family) {
    case V2_TCP_IPV4:
        return read_block(block, 4, header);
    case V2_TCP_IPV6:
        return read_block(block, 16, header);
    default: /* unix sockets, datagrams, what is to come */
        return PARSE_OK;
    }
}

static enum parse parse_v2(struct slice in, struct proxy_header *header)
{
    unsigned char command;
    size_t len;

    if (in.len > 12 && (unsigned char)in.data[12] >> 4 != V2_VERSION)
        return PARSE_BAD;
    if (in.len < V2_HEAD)
        return PARSE_MORE;
    len = u16(in.data + 14);
    if (len > PROXY_MAX - V2_HEAD)
        return PARSE_BAD;
    if (in.len < V2_HEAD + len)
        return PARSE_MORE;
    header->len = V2_HEAD + len;
    command = in.data[12] & 0xf;
    if (command == V2_LOCAL)
        return PARSE_OK;
    if (command != V2_PROXY)
        return PARSE_BAD;
    return read_family((unsigned char)in.data[13], slice_part(in, V2_HEAD, len), header);
}

enum parse proxy_parse(struct slice in, struct proxy_header *header)
{
    *header = (struct proxy_header){ 0 };
    if (in.len == 0)
        return PARSE_MORE;
    if (may_start(in, SLICE("PROXY ")))
        return parse_v1(in, header);
    if (may_start(in, SLICE(SIGNATURE)))
        return parse_v2(in, header);
    return PARSE_BAD;
}
