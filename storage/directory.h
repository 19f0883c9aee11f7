/* directory.h - who is here: domains, accounts, aliases, credentials (postane.db).
 *
 * Names are stored in lower case (local parts too: mail for Bob@ and bob@ is the same), domains as
 * A-labels or U-labels alike: both forms are found. Changes take effect at once in all processes.
 *
 * Threads: one desk, one thread. Slices and arrays of results live in the arena given.
 */
#pragma once

#include "message/address.h"
#include "storage/store.h"

struct account_info {
    uint64_t id;          /* random, 63 bits; printed as 16 hex digits */
    struct slice address; /* "bob@example.org" */
    struct slice name;    /* the person's, may be empty */
    bool disabled;        /* may not log in; mail for it is refused */
    bool shared;          /* nobody's own: its mailboxes are under "Shared/" */
    struct account_limits limits;
    int64_t created_ms;
    struct slice argon, scram; /* crypto.h */
    struct slice totp_key;     /* the main password needs a code (totp.h); empty: it does not */
    uint64_t totp_step;        /* of the last code that was used */
};

struct account_list {
    struct account_info *items;
    size_t count;
};

struct domain_info {
    struct slice name;
    uint64_t n_accounts, n_aliases;
    int64_t created_ms;
};

struct domain_list {
    struct domain_info *items;
    size_t count;
};

struct alias_info {
    struct slice address;  /* "sales@example.org", "*@example.org" is the catch-all */
    struct slice *targets; /* local or remote addresses */
    size_t n_targets;
};

struct alias_list {
    struct alias_info *items;
    size_t count;
};

/* Errors: ERROR_EXISTS, ERROR_INVALID, ERROR_NOT_FOUND as the names say. Removing a domain that
 * has accounts is ERROR_DENIED; its aliases and signing keys go with it. */
bool domain_add(struct desk *desk, struct slice name, struct error *err) MUST_CHECK;
bool domain_remove(struct desk *desk, struct slice name, struct error *err) MUST_CHECK;
bool domain_all(struct desk *desk, struct arena *arena, struct domain_list *list_out,
                struct error *err) MUST_CHECK;
bool domain_is_local(struct desk *desk, struct slice name, bool *local_out,
                     struct error *err) MUST_CHECK;

/* A new account has INBOX, Drafts, Sent, Trash, Junk, Archive, all subscribed, made at once. */
bool account_add(struct desk *desk, struct slice address, struct slice name, struct slice argon,
                 struct slice scram, uint64_t *id_out, struct error *err) MUST_CHECK;
bool account_remove(struct desk *desk, uint64_t id,
                    struct error *err) MUST_CHECK; /* and its mail */
bool account_set_password(struct desk *desk, uint64_t id, struct slice argon, struct slice scram,
                          struct error *err) MUST_CHECK;
bool account_set_limits(struct desk *desk, uint64_t id, const struct account_limits *limits,
                        struct error *err) MUST_CHECK;
bool account_set_disabled(struct desk *desk, uint64_t id, bool disabled,
                          struct error *err) MUST_CHECK;
/* An empty key: the main password is enough. */
bool account_set_totp(struct desk *desk, uint64_t id, struct slice key,
                      struct error *err) MUST_CHECK;
/* The code of this step is used: once, whatever process asks. *fresh_out is false when it, or a
 * later one, was used before, or the key is another one now. */
bool account_use_totp(struct desk *desk, uint64_t id, struct slice key, uint64_t step,
                      bool *fresh_out, struct error *err) MUST_CHECK;
bool account_set_shared(struct desk *desk, uint64_t id, bool shared, struct error *err) MUST_CHECK;
bool account_all(struct desk *desk, struct arena *arena, struct account_list *list_out,
                 struct error *err) MUST_CHECK;
/* Errors: ERROR_NOT_FOUND. The address has its domain; who logs in with less completes it first. */
bool account_by_address(struct desk *desk, struct arena *arena, struct slice address,
                        struct account_info *info_out, struct error *err) MUST_CHECK;
bool account_by_id(struct desk *desk, struct arena *arena, uint64_t id,
                   struct account_info *info_out, struct error *err) MUST_CHECK;

bool alias_add(struct desk *desk, struct slice address, const struct slice *targets,
               size_t n_targets,
               struct error *err) MUST_CHECK; /* adds targets to one that exists */
bool alias_remove(struct desk *desk, struct slice address, struct error *err) MUST_CHECK;
bool alias_all(struct desk *desk, struct arena *arena, struct alias_list *list_out,
               struct error *err) MUST_CHECK;

/* Where mail for an address goes. */
enum resolve {
    RESOLVE_OK,       /* to `targets` */
    RESOLVE_REMOTE,   /* the domain is not ours */
    RESOLVE_UNKNOWN,  /* our domain, no such user: 550 5.1.1 */
    RESOLVE_DISABLED, /* 550 5.2.1 */
    RESOLVE_LOOP,     /* aliases lead to themselves or to more than RESOLVE_TARGETS_MAX */
};

#define RESOLVE_TARGETS_MAX 200

struct resolve_target {
    uint64_t account;     /* 0: remote */
    struct slice address; /* of the account, or remote */
    struct slice detail;  /* the subaddress ("tag" of bob+tag), where `address` was one */
};

struct resolved {
    enum resolve result;
    struct resolve_target *targets; /* without doubles */
    size_t count;
};

/* Order: the exact account or alias, then without +detail, then postmaster (of any local domain:
 * its own alias or account, else the oldest account), then the catch-all. `separator` 0: no
 * subaddresses. */
bool directory_resolve(struct desk *desk, struct arena *arena, struct slice local,
                       struct slice domain, char separator, struct resolved *resolved_out,
                       struct error *err) MUST_CHECK;

/* May the account send as this address: its own, with +detail too, or an alias that leads to it. */
bool directory_may_send_as(struct desk *desk, uint64_t account, struct slice local,
                           struct slice domain, char separator, bool *may_out,
                           struct error *err) MUST_CHECK;

/* 32 random bytes made with the store, the same in all daemons: to answer for unknown users as if
 * they were known ones. */
bool directory_secret(struct desk *desk, unsigned char secret_out[32],
                      struct error *err) MUST_CHECK;
