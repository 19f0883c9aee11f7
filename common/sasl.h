/* sasl.h - SASL server mechanisms as pure state machines (RFC 4422).
 *
 * PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, 7677; channel bindings
 * tls-exporter of RFC 9266 and tls-server-end-point of RFC 5929). Bytes in and out are raw; base64
 * is the caller's. The machine never sees the user database: it asks.
 *
 *     SASL_CHALLENGE  send `out`, give the client's answer to sasl_step()
 *     SASL_PASSWORD   check user and password yourself; that is the outcome
 *     SASL_KEYS       look up the SCRAM keys of user, call sasl_keys() (with none if there are
 *                     none: the exchange then goes on and fails at its end, as for a wrong
 *                     password)
 *     SASL_DONE       `user` has proved the password; `out` is the final server data (send it as
 *                     a last challenge where the protocol has no place for it)
 *     SASL_FAILED     wrong, or not the mechanism's language (sasl->malformed)
 */
#pragma once

#include "common/buf.h"

enum sasl_mechanism { SASL_PLAIN, SASL_LOGIN, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS };

enum sasl_result { SASL_CHALLENGE, SASL_PASSWORD, SASL_KEYS, SASL_DONE, SASL_FAILED };

struct sasl_binding {
    struct slice exporter, end_point; /* empty where there is none; copied by sasl_start() */
};

struct scram_key; /* sasl_scram.c's */

struct sasl {
    enum sasl_mechanism mechanism;
    int phase;
    bool malformed;
    struct buf user;     /* authentication identity, as sent */
    struct buf authzid;  /* authorisation identity: empty, or the user; else SASL_FAILED */
    struct buf password; /* PLAIN and LOGIN */
    struct buf exporter, end_point;
    struct buf first_bare, server_first, nonce, gs2; /* SCRAM */
    struct scram_key *keys;
    size_t n_keys;
    size_t matched; /* after SASL_DONE: which of the keys given proved it */
    bool tls_offered_plus;
    uint64_t fake_iterations; /* told for unknown users; set it to what known ones have */
};

/* NULL past the last one. PLUS is for connections with a binding. */
const char *sasl_name(enum sasl_mechanism mechanism);
bool sasl_by_name(struct slice name, enum sasl_mechanism *mechanism_out) MUST_CHECK;
bool sasl_sends_password(enum sasl_mechanism mechanism); /* PLAIN, LOGIN: TLS only, by default */

/* `binding` may be NULL. An empty first answer stands for "no initial response". */
void sasl_start(struct sasl *sasl, enum sasl_mechanism mechanism,
                const struct sasl_binding *binding);
enum sasl_result sasl_step(struct sasl *sasl, struct slice answer, struct buf *out);

/* After SASL_KEYS: `keys` in the form of crypto.h's password_hash(), one for each password that the
 * user may have. The client is told one salt and one number of iterations, before it proves
 * anything: those of the first. Keys made with others match nothing. `fake_key` makes salts for
 * unknown users, so that they look like known ones. */
enum sasl_result sasl_keys(struct sasl *sasl, const struct slice *keys, size_t n_keys,
                           const unsigned char fake_key[32], struct buf *out);
/* The initial response as SMTP, IMAP and POP3 write it: base64, or "=" for an empty one, which is
 * not the same as none: out->data is not NULL then. */
bool sasl_initial(struct slice text, struct buf *out) MUST_CHECK;

void sasl_free(struct sasl *sasl); /* wipes the password */
