/* app_password.h - passwords for single devices, beside an account's main one.
 *
 * Postane makes them: 140 random bits, shown once. So nobody can guess one from what is stored,
 * however fast the hash; a plain BLAKE2b does, and a login with one costs no Argon2. Beside it lie
 * SCRAM keys, with the salt and iterations of the main password (scram_hash_like()): SCRAM tells a
 * salt before the client shows which of the passwords it has.
 *
 *     "k7dm-2xqa-..."  --app_password_verify()-->  verifier  --app_password_find()-->  the row
 *
 * An app password opens the protocols of its scope, until it expires or is revoked. Which was used
 * last, and from where, is written behind the login (login_use.h).
 *
 * Threads: one desk, one thread. Slices of results live in the arena given.
 */
#pragma once

#include "common/crypto.h"
#include "storage/store.h"

enum login_scope { LOGIN_IMAP = 1, LOGIN_POP3 = 2, LOGIN_SMTP = 4 };
#define LOGIN_ANY (LOGIN_IMAP | LOGIN_POP3 | LOGIN_SMTP)

#define APP_PASSWORDS_MAX         64  /* of one account: each is compared at a SCRAM login */
#define APP_PASSWORD_NAME_MAX     100 /* bytes */
#define APP_PASSWORD_USE_EVERY_MS (60 * 60 * 1000)

struct app_password {
    uint64_t id;                    /* never used again; not 0 */
    struct slice name;              /* of the device: UTF-8 without control characters */
    unsigned scope;                 /* of enum login_scope */
    int64_t created_ms, expires_ms; /* 0: never */
    int64_t used_ms;                /* 0: not yet */
    unsigned used_scope;            /* the protocol of that time */
    struct slice used_address;
    struct slice verifier, scram;
};

struct app_password_list {
    struct app_password *items;
    size_t count;
};

/* A new one: "k7dm-2xqa-..." with its dashes. Wipe it. */
void app_password_make(struct buf *out);
void app_password_verify(struct slice password, unsigned char verifier[HASH_SIZE]);
bool app_password_has_form(struct slice password); /* may it be one? */
bool app_password_expired(const struct app_password *password);

/* Errors: ERROR_EXISTS the name is taken, ERROR_INVALID it is none, ERROR_DENIED there are too
 * many, ERROR_NOT_FOUND. */
bool app_password_add(struct desk *desk, uint64_t account, const struct app_password *password,
                      struct error *err) MUST_CHECK;
bool app_password_all(struct desk *desk, uint64_t account, struct arena *arena,
                      struct app_password_list *list_out, struct error *err) MUST_CHECK;
bool app_password_by_id(struct desk *desk, uint64_t account, uint64_t id, struct arena *arena,
                        struct app_password *password_out, struct error *err) MUST_CHECK;

/* The one with the verifier. Errors: ERROR_NOT_FOUND. */
bool app_password_find(struct desk *desk, uint64_t account, const unsigned char verifier[HASH_SIZE],
                       struct arena *arena, struct app_password *password_out,
                       struct error *err) MUST_CHECK;

/* Takes effect at once; sessions that logged in with it are told to end. Errors: ERROR_NOT_FOUND.
 */
bool app_password_revoke(struct desk *desk, uint64_t account, struct slice name,
                         struct error *err) MUST_CHECK;

/* Notes uses, in one transaction. */
struct app_password_use {
    uint64_t id;
    unsigned scope;
    int64_t at_ms;
    char address[46];
};
bool app_password_used(struct desk *desk, const struct app_password_use *uses, size_t count,
                       struct error *err) MUST_CHECK;
