/* pop3.h - one POP3 session (RFC 1939), shared by the files of this folder.
 *
 *     AUTHORIZATION --USER/PASS, AUTH--> TRANSACTION --QUIT--> (update, end)
 *
 * The session is a plain function from input to output (common/session.h); `then` is what goes on
 * when a command needs more than one call of it: the next chunk of a long reply, the slow lane, an
 * answer of the client to a SASL challenge.
 *
 * Threads: the worker of call->key; the slow lane only runs login_slow().
 */
#pragma once

#include "common/session.h"
#include "pop3d/maildrop.h"
#include "storage/login.h"

#define POP3_LINE_MAX 512   /* RFC 2449 section 4 asks for 255 */
#define POP3_SASL_MAX 12288 /* RFC 5034 section 4 */

enum phase {
    AUTHORIZATION = 1,
    TRANSACTION = 2,
    ANY_PHASE = AUTHORIZATION | TRANSACTION,
};

/* What all sessions of the daemon share; read-only. */
struct pop3_service {
    struct login_options login;
    bool tls_available, plaintext;
    uint64_t failure_delay_ms, failures_max, expire_days;
};

struct pop3 {
    const struct pop3_service *service;
    enum phase phase;
    enum next (*then)(struct call *call); /* NULL: take the next command */
    bool wants_line;                      /* `then` takes a line of input */
    bool skipping;                        /* the rest of an overlong line is thrown away */
    bool utf8;                            /* UTF8 command given: RFC 6856 */
    unsigned failures;                    /* wrong passwords so far */
    struct buf user;                      /* of USER, until PASS */
    struct login login;
    struct maildrop drop;

    struct maildrop_item *sending; /* RETR, TOP: the message on its way, and how far */
    uint64_t sent;
    uint64_t lines_left; /* TOP: of the body; UINT64_MAX: all */
    bool in_body, line_start, after_cr;
};

/* The protocol that main.c gives to its listeners; context is a struct pop3_service. */
extern const struct protocol pop3_protocol;

/* Replies. Each returns NEXT_COMMAND, so that a handler can end with it. */
enum next pop3_ok(struct call *call, const char *text);
enum next pop3_err(struct call *call, const char *text); /* with a RESP-CODE where there is one */
enum next pop3_failure(struct call *call, const struct error *err); /* of the store */

/* Handlers, by file. `args` is the rest of the line. */
enum next pop3_user(struct call *call, struct slice args); /* auth.c */
enum next pop3_pass(struct call *call, struct slice args);
enum next pop3_auth(struct call *call, struct slice args);
enum next pop3_sasl_answer(struct call *call, struct slice line);

enum next pop3_stat(struct call *call, struct slice args); /* mail.c */
enum next pop3_list(struct call *call, struct slice args);
enum next pop3_uidl(struct call *call, struct slice args);
enum next pop3_retr(struct call *call, struct slice args);
enum next pop3_top(struct call *call, struct slice args);
enum next pop3_dele(struct call *call, struct slice args);
enum next pop3_rset(struct call *call, struct slice args);
enum next pop3_update(struct call *call); /* QUIT in TRANSACTION */
