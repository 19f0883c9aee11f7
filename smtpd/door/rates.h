/* rates.h - how often somebody does something, in bounded memory.
 *
 * A bucket for each key, found by a secret hash: `limit` tokens, which come back evenly over a
 * minute. The table has a fixed number of buckets; when it is full those that are nearly empty are
 * forgotten first, so somebody who floods it with addresses can only make us more lenient.
 *
 * Threads: any.
 */
#pragma once

#include "common/networks.h"

struct rates;

#define RATES_MINUTE_MS 60000

enum rates_scope {
    RATES_ADDRESS, /* one address */
    RATES_NETWORK, /* IPv4: /24, IPv6: /64 */
};

struct rates *rates_new(size_t buckets);
void rates_free(struct rates **rates);

/* Takes a token of the address, or its network; false: there was none. `limit` 0: always true, as
 * it is for what is no IP address. `now_ms` is of clock_ms(). */
bool rates_take(struct rates *rates, enum rates_scope scope, const char *address, uint64_t limit,
                uint64_t now_ms);

/* Whether there is none, without taking one. */
bool rates_is_over(struct rates *rates, enum rates_scope scope, const char *address, uint64_t limit,
                   uint64_t now_ms);

/* "192.0.2.0/24", "2001:db8::/64"; the text itself when it is no address. */
void rates_network(const char *address, char text_out[NETWORK_TEXT]);
