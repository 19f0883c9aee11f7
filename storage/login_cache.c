/* login_cache.c - see login_cache.h. */
#include "storage/login_cache.h"

#include "storage/sqlite/store_private.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKET_SIZE 4
#define LIFETIME_MS (60 * 60 * 1000)

struct entry {
    unsigned char hash[HASH_SIZE];
    uint64_t until_ms; /* 0: empty */
};

struct login_cache {
    unsigned char key[32];
    pthread_mutex_t lock;
    size_t n_buckets;
    struct entry entries[]; /* BUCKET_SIZE for each bucket */
};

struct login_cache *login_cache_new(size_t entries)
{
    size_t n_buckets = MAX(entries / BUCKET_SIZE, 1);
    struct login_cache *cache =
        mem_zero(sizeof(*cache) + n_buckets * BUCKET_SIZE * sizeof(cache->entries[0]));

    random_bytes(cache->key, sizeof(cache->key));
    pthread_mutex_init(&cache->lock, NULL);
    cache->n_buckets = n_buckets;
    return cache;
}

void login_cache_free(struct login_cache **cache)
{
    if (*cache == NULL)
        return;
    mem_wipe((*cache)->key, sizeof((*cache)->key));
    pthread_mutex_destroy(&(*cache)->lock);
    free(TAKE(*cache));
}

/* Lengths stand before the texts, so that no two triples run together. */
static void hash_triple(const struct login_cache *cache, uint64_t account, struct slice argon,
                        struct slice password, unsigned char hash[HASH_SIZE])
{
    AUTO(buf_free) struct buf all = { .secret = true };
    uint64_t head[2] = { account, argon.len };

    buf_add(&all, head, sizeof(head));
    buf_add_slice(&all, argon);
    buf_add_slice(&all, password);
    hash_keyed(cache->key, buf_slice(&all), hash);
}

static struct entry *bucket_of(struct login_cache *cache, const unsigned char hash[HASH_SIZE])
{
    uint64_t number;

    memcpy(&number, hash, sizeof(number));
    return &cache->entries[number % cache->n_buckets * BUCKET_SIZE];
}

bool login_cache_has(struct login_cache *cache, uint64_t account, struct slice argon,
                     struct slice password)
{
    uint64_t now = clock_ms();
    unsigned char hash[HASH_SIZE];
    const struct entry *bucket;
    bool found = false;

    hash_triple(cache, account, argon, password, hash);
    pthread_mutex_lock(&cache->lock);
    bucket = bucket_of(cache, hash);
    for (size_t i = 0; i < BUCKET_SIZE; i++) {
        if (bucket[i].until_ms > now && bytes_equal_constant_time(bucket[i].hash, hash, HASH_SIZE))
            found = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void login_cache_add(struct login_cache *cache, uint64_t account, struct slice argon,
                     struct slice password)
{
    unsigned char hash[HASH_SIZE];
    struct entry *bucket, *oldest;

    hash_triple(cache, account, argon, password, hash);
    pthread_mutex_lock(&cache->lock);
    bucket = oldest = bucket_of(cache, hash);
    for (size_t i = 0; i < BUCKET_SIZE; i++) {
        if (bucket[i].until_ms < oldest->until_ms)
            oldest = &bucket[i];
    }
    memcpy(oldest->hash, hash, HASH_SIZE);
    oldest->until_ms = clock_ms() + LIFETIME_MS;
    pthread_mutex_unlock(&cache->lock);
}
