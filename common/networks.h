/* networks.h - a list of networks, as operators write it: "127.0.0.0/8 192.0.2.7 2001:db8::/32".
 *
 * An IPv4 address that is mapped into IPv6 (RFC 4291 section 2.5.5.2) is the IPv4 address.
 * Pure. Threads: any.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

struct network {
    unsigned char bytes[16]; /* IPv4: mapped into IPv6 */
    unsigned bits;           /* of these; 96 more for IPv4 */
};

/* One of them; without a length it is one address. */
bool network_parse(struct slice text, struct network *network_out);

/* The network of an address: so many bits of IPv4, so many of IPv6; the rest is zeroed. False for
 * what is no address ("unix"). */
bool network_of(const char *address, unsigned v4_bits, unsigned v6_bits,
                struct network *network_out);

/* "192.0.2.0/24", "2001:db8::/32"; without a length when it is one address. */
#define NETWORK_TEXT 64
void network_print(const struct network *network, char text_out[NETWORK_TEXT]);

/* Zeroes the bits past the length, so that equal networks have equal bytes. */
void network_trim(struct network *network);

/* `address` is numeric; anything else ("unix") is in no network. */
bool network_contains(const struct network *network, const char *address);

/* Whether the list contains the address. What cannot be parsed contains nothing. */
bool networks_contain(struct slice list, const char *address);

/* Names the first part that is no network. Errors: ERROR_INVALID. */
bool networks_check(struct slice list, struct error *err) MUST_CHECK;
