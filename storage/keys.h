/* keys.h - the DKIM signing keys of our domains (RFC 6376, 8463), in postane.db.
 *
 *     keys_add --> KEY_WAITING --seen in the DNS--> KEY_ACTIVE --a newer one is active-->
 * KEY_RETIRED
 *
 * A key signs only while it is ACTIVE: receivers could not find the others. A retired one stays
 * published for as long as mail that it has signed may be under way. Several keys of one domain may
 * be active: one of each algorithm, as a rule, and mail gets a signature of each.
 *
 * The private part is kept as it is: postane.db is for the service user alone (mode 0600), and so
 * must be copies of it.
 *
 * Threads: one desk, one thread. Results live in the arena. Changes take effect at once in all
 * processes (a notice tells them, NOTICE_DIRECTORY).
 */
#pragma once

#include "storage/store.h"

enum key_state { KEY_WAITING = 1, KEY_ACTIVE = 2, KEY_RETIRED = 3 };

struct signing_key {
    struct slice domain;    /* one of ours, as stored: A-labels */
    struct slice selector;  /* "r20261125" */
    struct slice algorithm; /* "rsa-sha256", "ed25519-sha256" */
    struct slice pem;       /* the private key */
    enum key_state state;
    int64_t created_ms, changed_ms; /* changed: when the state last did */
};

struct key_list {
    struct signing_key *items;
    size_t count;
};

/* `state` and the times are set here: waiting, now. Errors: ERROR_NOT_FOUND for a domain that is
 * not ours, ERROR_EXISTS for a selector that the domain has already, ERROR_INVALID. */
bool keys_add(struct desk *desk, const struct signing_key *key, struct error *err) MUST_CHECK;

/* The keys of a domain (any form of its name), or of all when it is empty; by domain, the oldest
 * first. A domain that is not ours has none. */
bool keys_all(struct desk *desk, struct arena *arena, struct slice domain,
              struct key_list *list_out, struct error *err) MUST_CHECK;

/* Errors: ERROR_NOT_FOUND. */
bool keys_set_state(struct desk *desk, struct slice domain, struct slice selector,
                    enum key_state state, struct error *err) MUST_CHECK;
bool keys_remove(struct desk *desk, struct slice domain, struct slice selector,
                 struct error *err) MUST_CHECK;

const char *key_state_name(enum key_state state); /* "waiting" */
