/* rates.c - the generic cell rate algorithm: a bucket is one time, at which it will be full again.
 */
#include "smtpd/door/rates.h"

#include "common/crypto.h"
#include "common/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WAYS 4 /* buckets that one key may be in */

struct bucket {
    uint64_t key;
    uint64_t full_us; /* when all tokens are back */
};

struct rates {
    pthread_mutex_t lock;
    uint64_t secret;
    size_t n_sets;
    struct bucket *buckets; /* WAYS for each set */
};

struct rates *rates_new(size_t buckets)
{
    struct rates *rates = NEW(struct rates);

    pthread_mutex_init(&rates->lock, NULL);
    rates->secret = random_u64();
    rates->n_sets = MAX(buckets / WAYS, 1);
    rates->buckets = mem_zero(rates->n_sets * WAYS * sizeof(*rates->buckets));
    return rates;
}

void rates_free(struct rates **rates_pointer)
{
    struct rates *rates = TAKE(*rates_pointer);

    if (rates == NULL)
        return;
    pthread_mutex_destroy(&rates->lock);
    free(rates->buckets);
    free(rates);
}

static bool find_network(enum rates_scope scope, const char *address, struct network *network_out)
{
    bool one = scope == RATES_ADDRESS;

    return network_of(address, one ? 32 : 24, one ? 128 : 64, network_out);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ hash >> 32;
}

static uint64_t key_of(const struct rates *rates, enum rates_scope scope,
                       const struct network *network)
{
    uint64_t words[2];

    memcpy(words, network->bytes, sizeof(words));
    return mix(mix(mix(rates->secret, words[0]), words[1]), (uint64_t)scope) | 1;
}

/* The key's bucket, or the one of its set that is closest to full, to be taken over. */
static struct bucket *find(struct rates *rates, uint64_t key)
{
    struct bucket *set = &rates->buckets[(key >> 1) % rates->n_sets * WAYS];
    struct bucket *best = &set[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].full_us < best->full_us)
            best = &set[i];
    }
    return best;
}

/* Takes a token if `take`; returns whether there was one. */
static bool ask(struct rates *rates, enum rates_scope scope, const char *address, uint64_t limit,
                uint64_t now_ms, bool take)
{
    struct network network;
    bool good;

    if (limit == 0 || !find_network(scope, address, &network))
        return true;
    pthread_mutex_lock(&rates->lock);
    uint64_t key = key_of(rates, scope, &network);
    struct bucket *bucket = find(rates, key);
    uint64_t now_us = now_ms * 1000, minute_us = RATES_MINUTE_MS * UINT64_C(1000);
    uint64_t full_us = bucket->key == key ? MAX(bucket->full_us, now_us) : now_us;
    full_us += MAX(minute_us / limit, 1);
    good = full_us <= now_us + minute_us;
    if (take && good)
        *bucket = (struct bucket){ key, full_us };
    pthread_mutex_unlock(&rates->lock);
    return good;
}

bool rates_take(struct rates *rates, enum rates_scope scope, const char *address, uint64_t limit,
                uint64_t now_ms)
{
    return ask(rates, scope, address, limit, now_ms, true);
}

bool rates_is_over(struct rates *rates, enum rates_scope scope, const char *address, uint64_t limit,
                   uint64_t now_ms)
{
    return !ask(rates, scope, address, limit, now_ms, false);
}

void rates_network(const char *address, char text[NETWORK_TEXT])
{
    struct network network;

    if (find_network(RATES_NETWORK, address, &network))
        network_print(&network, text);
    else
        snprintf(text, NETWORK_TEXT, "%s", address);
}
