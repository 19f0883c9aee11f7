/* keyring.h - the signing keys that are in use, read and parsed once.
 *
 * A set of keys is a snapshot, counted by its users: it stays whole while somebody signs with it,
 * whatever the operator does meanwhile.
 *
 * Threads: any; one lock, not held while keys are read.
 */
#pragma once

#include "message/proof/dkim.h"
#include "storage/keys.h"

#include <stdatomic.h>

struct keyring;

struct ring_key {
    struct slice domain, selector;
    enum signature_algorithm algorithm;
    struct private_key *key;
};

struct key_set {
    atomic_uint references;
    struct arena arena;
    struct ring_key *items; /* the active ones */
    size_t count;
    const char *broken; /* the selector of one that cannot be read; NULL: none */
};

struct keyring *keyring_new(void);
void keyring_free(struct keyring **keyring);

/* What is read from here on is new: the operator has changed something. */
void keyring_forget(struct keyring *keyring);

/* Give it back with key_set_free(). */
bool keyring_get(struct keyring *keyring, struct desk *desk, struct key_set **set_out,
                 struct error *err) MUST_CHECK;
void key_set_free(struct key_set **set);

struct dkim_signer ring_key_signer(const struct ring_key *key); /* as long-lived as its set */
bool key_set_has(const struct key_set *set, struct slice domain);
