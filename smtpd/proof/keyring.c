/* keyring.c - see keyring.h. */
#include "smtpd/proof/keyring.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct keyring {
    pthread_mutex_t lock;
    struct key_set *set; /* one reference; NULL: to be read */
    unsigned changes;    /* what was read before the last one is old */
};

struct keyring *keyring_new(void)
{
    struct keyring *keyring = NEW(struct keyring);

    pthread_mutex_init(&keyring->lock, NULL);
    return keyring;
}

void keyring_free(struct keyring **keyring)
{
    struct keyring *old = TAKE(*keyring);

    if (old == NULL)
        return;
    key_set_free(&old->set);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

void keyring_forget(struct keyring *keyring)
{
    struct key_set *old;

    pthread_mutex_lock(&keyring->lock);
    keyring->changes++;
    old = TAKE(keyring->set);
    pthread_mutex_unlock(&keyring->lock);
    key_set_free(&old);
}

void key_set_free(struct key_set **set)
{
    struct key_set *old = TAKE(*set);

    if (old == NULL || atomic_fetch_sub(&old->references, 1) > 1)
        return;
    for (size_t i = 0; i < old->count; i++)
        private_key_free(&old->items[i].key);
    arena_free(&old->arena);
    free(old);
}

/* False when the key cannot be used: its algorithm is unknown, or it is damaged. */
static bool read_key(struct key_set *set, const struct signing_key *stored)
{
    struct ring_key *key = &set->items[set->count];
    struct error err;

    key->domain = stored->domain;
    key->selector = stored->selector;
    if (slice_is(stored->algorithm, "rsa-sha256"))
        key->algorithm = SIGNATURE_RSA_SHA256;
    else if (slice_is(stored->algorithm, "ed25519-sha256"))
        key->algorithm = SIGNATURE_ED25519_SHA256;
    else
        return false;
    if (!private_key_read(stored->pem, &key->key, &err))
        return false;
    set->count++;
    return true;
}

static bool read_set(struct desk *desk, struct key_set **set_out, struct error *err)
{
    AUTO(key_set_free) struct key_set *set = NEW(struct key_set);
    struct key_list list;

    atomic_init(&set->references, 1);
    if (!keys_all(desk, &set->arena, (struct slice){ 0 }, &list, err))
        return false;
    set->items = ARENA_ARRAY(&set->arena, struct ring_key, list.count);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].state == KEY_ACTIVE && !read_key(set, &list.items[i]))
            set->broken = slice_text(&set->arena, list.items[i].selector);
    *set_out = TAKE(set);
    return true;
}

static struct key_set *share(struct key_set *set)
{
    if (set != NULL)
        atomic_fetch_add(&set->references, 1);
    return set;
}

bool keyring_get(struct keyring *keyring, struct desk *desk, struct key_set **set_out,
                 struct error *err)
{
    unsigned changes;

    pthread_mutex_lock(&keyring->lock);
    *set_out = share(keyring->set);
    changes = keyring->changes;
    pthread_mutex_unlock(&keyring->lock);
    if (*set_out != NULL)
        return true;
    if (!read_set(desk, set_out, err))
        return false;
    pthread_mutex_lock(&keyring->lock);
    if (keyring->set == NULL && keyring->changes == changes)
        keyring->set = share(*set_out);
    pthread_mutex_unlock(&keyring->lock);
    return true;
}

struct dkim_signer ring_key_signer(const struct ring_key *key)
{
    return (struct dkim_signer){
        .key = key->key,
        .algorithm = key->algorithm,
        .domain = key->domain,
        .selector = key->selector,
        .now_s = time_ms() / 1000,
    };
}

bool key_set_has(const struct key_set *set, struct slice domain)
{
    for (size_t i = 0; i < set->count; i++)
        if (slice_equal_case(set->items[i].domain, domain))
            return true;
    return false;
}
