/* origins.c - a hash table from address prefix to count; rows with a count of 0 are freed. */
#include "common/origins.h"

#include "common/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024 /* sessions are counted in thousands */

struct origin {
    uint64_t prefix; /* IPv4: the address; IPv6: its first 64 bits */
    int family;
    size_t sessions;
    struct origin *next;
};

struct origins {
    struct origin *buckets[BUCKETS];
};

struct origins *origins_new(void)
{
    return NEW(struct origins);
}

void origins_free(struct origins **origins_pointer)
{
    struct origins *origins = TAKE(*origins_pointer);

    if (origins == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (origins->buckets[i] != NULL) {
            struct origin *origin = origins->buckets[i];

            origins->buckets[i] = origin->next;
            free(origin);
        }
    free(origins);
}

/* Returns false for what is no IP address. */
static bool prefix_of(const char *address, struct origin *origin_out)
{
    struct in_addr v4;
    struct in6_addr v6;

    *origin_out = (struct origin){ 0 };
    if (inet_pton(AF_INET, address, &v4) == 1) {
        origin_out->family = AF_INET;
        origin_out->prefix = v4.s_addr;
        return true;
    }
    if (inet_pton(AF_INET6, address, &v6) != 1)
        return false;
    origin_out->family = AF_INET6;
    memcpy(&origin_out->prefix, &v6, sizeof(origin_out->prefix));
    return true;
}

uint64_t origins_key(const char *address)
{
    struct origin origin;

    return prefix_of(address, &origin) ? origin.prefix : 0;
}

/* Where the pointer to the origin is, or would be hung in. */
static struct origin **find(struct origins *origins, const struct origin *wanted)
{
    uint64_t mixed = (wanted->prefix * 0x9E3779B97F4A7C15u) >> 32;
    struct origin **place = &origins->buckets[mixed % BUCKETS];

    while (*place != NULL &&
           ((*place)->prefix != wanted->prefix || (*place)->family != wanted->family))
        place = &(*place)->next;
    return place;
}

bool origins_enter(struct origins *origins, const char *address, size_t limit)
{
    struct origin wanted;

    if (!prefix_of(address, &wanted))
        return true;
    struct origin **place = find(origins, &wanted);
    if (*place == NULL) {
        *place = NEW(struct origin);
        **place = wanted;
    }
    if (limit > 0 && (*place)->sessions >= limit)
        return false;
    (*place)->sessions++;
    return true;
}

void origins_leave(struct origins *origins, const char *address)
{
    struct origin wanted;

    if (!prefix_of(address, &wanted))
        return;
    struct origin **place = find(origins, &wanted);
    struct origin *origin = *place;
    if (origin == NULL || --origin->sessions > 0)
        return;
    *place = origin->next;
    free(origin);
}
