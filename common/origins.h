/* origins.h - counts the sessions of each address, for per-address limits.
 *
 * IPv6 addresses count by their /64: that is what one customer gets. Sockets without an address
 * ("unix") are not counted.
 *
 * Threads: one at a time.
 */
#pragma once

#include "common/base.h"

struct origins;

struct origins *origins_new(void);
void origins_free(struct origins **origins);

/* The same for all addresses that count together. */
uint64_t origins_key(const char *address);

/* Counts one more session of `address`, unless it has `limit` already (0: no limit). */
bool origins_enter(struct origins *origins, const char *address, size_t limit) MUST_CHECK;
void origins_leave(struct origins *origins, const char *address);
