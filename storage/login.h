/* login.h - one attempt to log in, over whatever protocol: SASL against the directory.
 *
 * The caller speaks the protocol, decodes base64 and obeys:
 *
 *     LOGIN_CHALLENGE  send `out` base64-encoded, give the answer to login_step()
 *     LOGIN_SLOW       go to the slow lane (no desk there), call login_slow() ONCE, then go back to
 *                      a worker and call login_finish()
 *     LOGIN_OK         `account` is who it is; `out` is final SASL data if not empty
 *     LOGIN_REFUSED    wrong user or password, or disabled: all the same to the client
 *     LOGIN_BAD        the client does not speak the mechanism
 *     LOGIN_LATER      the store cannot be asked now; err says why
 *
 * A password that was right once is remembered for a while under a key that dies with the process
 * (login_cache), so that a phone that reconnects every minute costs no Argon2. Changing a password
 * or disabling the account takes effect at once all the same: the cache is checked against the
 * stored hash.
 *
 * An account with a TOTP key (totp.h) takes its main password only with the code behind it, so not
 * with SCRAM. The code is looked at after the password, and costs a commit when it is right: it
 * counts once. A wrong one takes the time of a wrong password, even where the password is
 * remembered.
 *
 * App passwords (app_password.h) are tried where the password has their form, and beside the main
 * one with SCRAM. They are in no cache: the row is read at each login.
 *
 * Threads: login_start, login_step, login_finish on a worker with its desk; the cache may be
 * shared.
 */
#pragma once

#include "common/crypto.h"
#include "common/sasl.h"
#include "storage/app_password.h"
#include "storage/directory.h"

enum login_result {
    LOGIN_CHALLENGE,
    LOGIN_SLOW,
    LOGIN_OK,
    LOGIN_REFUSED,
    LOGIN_BAD,
    LOGIN_LATER,
};

struct call;
struct login_uses;
struct gate;
struct login_cache;
struct login_cache *login_cache_new(size_t entries);
void login_cache_free(struct login_cache **cache);

struct login_options {
    struct login_cache *cache;
    struct password_cost cost;
    const char *default_domain; /* for a bare local part; may be "" */
    unsigned scope;             /* the protocol: what app passwords must be for (login_scope) */
    struct login_uses *uses;    /* NULL: what is used is not noted */
    struct gate *gate;          /* NULL: nobody waits, nothing is counted */
};

struct login {
    const struct login_options *options;
    struct sasl sasl;
    uint64_t account;   /* 0 until LOGIN_OK */
    uint64_t candidate; /* whom the user claims to be: nothing is proved yet */
    struct buf address; /* of the account, after LOGIN_OK; else the user as claimed, for the log */
    struct buf argon;
    bool known, matched;
    struct app_password app; /* the app password that was right; its id is 0 when it is the main
                                one. The texts are not kept, but for the name */
    struct buf totp_key;     /* a code is needed; empty: none is */
    bool has_code;
    uint32_t code;
    struct buf app_name;
    struct buf app_ids; /* SCRAM: whose keys were given behind the main ones; uint64_t each */
    const char *reason; /* for the log: "unknown user", "wrong password", "disabled" */
    const char *method; /* "PLAIN" */
    char peer[64];      /* whom gate_ended() is told of; "": nobody yet */
    uint32_t mark;      /* stands for the password there */
    bool no_guess;      /* refused only for what the password may not be used for */
    bool hashed, ended;
};

/* With a mechanism; `initial` has data NULL when the client sent no initial response. */
enum login_result login_start(struct login *login, const struct login_options *options,
                              struct desk *desk, enum sasl_mechanism mechanism,
                              const struct sasl_binding *binding, struct slice initial,
                              struct buf *out, struct error *err);
enum login_result login_step(struct login *login, struct desk *desk, struct slice answer,
                             struct buf *out, struct error *err);

/* USER/PASS of POP3, LOGIN of IMAP: as a finished PLAIN exchange. */
enum login_result login_password(struct login *login, const struct login_options *options,
                                 struct desk *desk, struct slice user, struct slice password,
                                 struct error *err);

/* How long the client has to wait: ask after each of the functions above, and hold back what
 * follows so long, whatever it is: a challenge, the slow lane, the answer. */
uint64_t login_wait(struct login *login, const struct call *call);

void login_slow(struct login *login);
enum login_result login_finish(struct login *login, struct desk *desk, struct buf *out,
                               struct error *err);

/* After LOGIN_OK: logs it, notes that an app password was used, and ties the session to it, so that
 * it ends when the app password is revoked. From here on what the client sends is no password. */
void login_admit(struct login *login, struct call *call);

/* How it ended: event "login" when there is an account, else "login failed"; and it counts. */
void login_log(struct login *login, const struct call *call);

void login_free(struct login *login); /* wipes secrets; may be used again after */
