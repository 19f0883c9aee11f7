/* client.h - an SMTP client (RFC 5321), as a protocol of common/session.h: from the other server's
 * replies to our commands, for one shipment after the other. It knows no sockets; a test plays the
 * server.
 *
 *     GREETING -> EHLO --(5xx)--> HELO
 *                  | STARTTLS is offered: STARTTLS -> SHAKING -> EHLO
 *                  v
 *         .-----> MAIL -> RCPT ... -> DATA -> BODY -> SENT -> IDLE -> QUIT -> end
 *         |         (BINARYMIME: RCPT -> BODY, as BDAT; RFC 3030)
 *         '---(RSET)---------------- the next shipment -------'
 *
 * With PIPELINING (RFC 2920) MAIL and all RCPT go out at once. TLS is as the task's policy demands;
 * where that allows clear text and the handshake fails, the caller connects again without TLS.
 *
 * Every recipient gets an outcome when the server has spoken of it. What is OPEN at the end may be
 * tried at the next server at once: `text` says what was in the way.
 *
 * Threads: a worker with its desk, see common/session.h.
 */
#pragma once

#include "common/session.h"
#include "smtpd/remote/shipment.h"
#include "smtpd/remote/tls_policy.h"

enum client_phase {
    CLIENT_GREETING,
    CLIENT_EHLO,
    CLIENT_HELO,
    CLIENT_STARTTLS,
    CLIENT_SHAKING, /* the TLS handshake */
    CLIENT_AUTH,
    CLIENT_MAIL,
    CLIENT_RCPT,  /* replies to one RCPT after the other */
    CLIENT_DATA,  /* we wait for 354 */
    CLIENT_BODY,  /* we send the message */
    CLIENT_SENT,  /* we wait for the reply that decides */
    CLIENT_DRAIN, /* all is decided, but replies to pipelined commands are still to come */
    CLIENT_IDLE,  /* for the next shipment */
    CLIENT_RSET,
    CLIENT_QUIT,
};

/* How long we wait for a whole reply: to most commands, to DATA, to the end of the message (RFC
 * 5321 section 4.5.3.2); 0: for ever. And how fast a message must be taken, in bytes a second; 0:
 * at all. */
struct client_patience {
    uint64_t command_ms, data_ms, sent_ms;
    uint64_t rate;
};

/* One connection; the caller's, until `ended`. With `finished` it serves several shipments: that
 * is called when one is done with; then set `shipment`, or NULL for the end, and send the session a
 * notice of `key`. A new shipment that was not `begun` at the end has not been tried. */
struct client_task {
    struct shipment *shipment;
    uint64_t key;                 /* of the session, for notices */
    uint64_t idle_ms;             /* how long it waits for the next shipment */
    const char *hostname;         /* ours, for EHLO */
    bool lmtp;                    /* it is LMTP (RFC 2033): LHLO, and after the message a reply
                                     for each recipient that was accepted */
    const char *login, *password; /* AUTH with these, over TLS; NULL: none */
    struct tls_policy policy;
    bool no_tls; /* STARTTLS has failed with this server */
    struct client_patience patience;

    /* Filled by the client. */
    bool tls_failed;        /* worth another try with no_tls, if the policy allows that */
    bool permanent;         /* the server lacks what the message's sender demands */
    const char *tls_result; /* as in RFC 8460 section 4.3, "" is success; NULL: it did
                               not come so far */
    char tls_reason[SHIPMENT_TEXT_SIZE]; /* more of a failure */
    bool begun;                          /* the shipment */
    bool got_through;          /* ... up to a reply to its MAIL: the server itself is well */
    unsigned n_done;           /* shipments before this one */
    uint64_t transactions_max; /* the server's limit (RFC 9422); 0: none */
    void (*finished)(struct client_task *task); /* on a worker; NULL: one shipment only */
    char status[ANSWER_STATUS];
    char text[SHIPMENT_TEXT_SIZE];           /* why recipients are still OPEN */
    void (*ended)(struct client_task *task); /* on a worker; the client is gone */
};

enum extension {
    EXTENSION_PIPELINING = 1,
    EXTENSION_8BITMIME = 2,
    EXTENSION_SMTPUTF8 = 4,
    EXTENSION_DSN = 8,
    EXTENSION_STARTTLS = 16,
    EXTENSION_SIZE = 32,
    EXTENSION_CHUNKING = 64,
    EXTENSION_BINARYMIME = 128,
    EXTENSION_REQUIRETLS = 256,
    EXTENSION_LIMITS = 512,
    EXTENSION_AUTH_PLAIN = 1024,
    EXTENSION_AUTH_LOGIN = 2048,
};

struct client {
    struct client_task *task;
    struct shipment *shipment;
    struct call *call; /* the one in hand */
    enum client_phase phase;
    unsigned extensions;   /* enum extension */
    uint64_t size_max;     /* of SIZE; 0: not said */
    uint64_t rcpt_max;     /* recipients of a transaction, of LIMITS; 0: not said */
    unsigned n_auth_parts; /* of AUTH LOGIN, that the server will still ask for */
    bool in_transaction;   /* MAIL was accepted, and it is not over for the server */
    bool pipelines;        /* all RCPT are out */
    unsigned n_unanswered; /* commands without a reply */
    size_t next_rcpt;      /* whose reply comes next */
    size_t rcpt_end;       /* those from here on are for another transaction */
    size_t n_accepted;     /* recipients of this transaction */
    uint64_t since_ms;     /* clock_ms() when this reply was asked for, or the message was begun */
    bool waits;            /* for a reply, since then */
    uint64_t body_len;     /* of the message, as it was begun */
    bool in_chunks;        /* the message goes as BDAT */
    bool has_8bit;         /* the message has a byte over 127 */
    struct slice parts[2]; /* of the message still to send: trace lines, body */
    bool in_line;          /* what was sent of it does not end with a line end */
};

/* The protocol's functions (struct protocol); the context is a struct client_task. */
void *client_open(struct call *call, void *task);
enum next client_run(struct call *call);
void client_close(struct call *call);

/* client_message.c: what depends on the message. */

void client_learn(struct client *client, struct slice line); /* one of EHLO's reply */

bool client_read_body(struct client *client, struct error *err); /* once for all servers asked */

/* As many of those without an outcome as the server takes at once. */
void client_choose_recipients(struct client *client);

/* False when this server cannot take it: the recipients have their outcome. Decides how to send. */
bool client_may_send(struct client *client);
/* For the log and the queue's history: "TLS1.3 AES-256-GCM, DANE". */
void client_describe_tls(struct client *client);

void client_say_mail(struct client *client);
void client_say_rcpt(struct client *client, const struct queue_recipient *to);
void client_begin_body(struct client *client);
bool client_send_body(struct client *client); /* a piece; false when that was the last */

/* client_patience.c */

/* Sets call->idle_ms for the reply that is waited for; false when its time is over. */
bool client_wait(struct client *client);
void client_time_body(struct client *client);         /* from now on */
bool client_is_too_slow(const struct client *client); /* the server, in taking the message */

/* Doubles dots at the start of lines (RFC 5321 section 4.5.2). *in_line: whether `bytes` goes on
 * inside a line, and afterwards whether its end is inside one. */
void client_stuff_dots(struct slice bytes, bool *in_line, struct buf *out);

/* client_auth.c: logging in. */

void client_learn_auth(struct client *client, struct slice mechanisms); /* "PLAIN LOGIN" */
void client_say_auth(struct client *client);
/* False: the reply is the last one. */
bool client_go_on_auth(struct client *client, const struct answer *answer);
