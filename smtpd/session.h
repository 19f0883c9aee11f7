/* session.h - one SMTP or LMTP client (RFC 5321, 2033), shared by the files of the receiving side.
 *
 * Two questions, two enums: how far the dialogue is (phase: which commands are allowed), and what
 * the next bytes or the next call mean (step).
 *
 *     START --HELO/EHLO/LHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA, last BDAT--> READY
 *                                  ^---------------RSET, EHLO, refusal-----------------'
 *
 *     COMMAND --AUTH--> AUTH --> HASH --> HASHED --> COMMAND
 *             --DATA--> DATA --end of data--> STATIONS --> COMMIT --queue committed--> COMMAND
 *             --BDAT--> CHUNK --last--------> STATIONS
 *
 * A command may need answers of the DNS: smtp_repeat() waits for them and runs the command again,
 * from its beginning. Until then it must have changed nothing.
 *
 * Threads: a worker, see common/session.h. During COMMIT the queue's writer owns `change`.
 */
#pragma once

#include "common/session.h"
#include "smtpd/content.h"
#include "smtpd/data.h"
#include "smtpd/door/door.h"
#include "smtpd/forward.h"
#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

enum phase {
    PHASE_START = 1, /* nobody has said HELO yet */
    PHASE_READY = 2,
    PHASE_MAIL = 4,  /* the sender is known */
    PHASE_RCPT = 8,  /* and a recipient */
    PHASE_BDAT = 16, /* between two chunks */
};
#define PHASE_ANY (PHASE_START | PHASE_READY | PHASE_MAIL | PHASE_RCPT | PHASE_BDAT)

enum step {
    STEP_GREETING, /* the client was made to wait for it */
    STEP_COMMAND,  /* a command line */
    STEP_AUTH,     /* the client's answer to a challenge */
    STEP_HASH,     /* in the slow lane: check a password */
    STEP_HASHED,   /* back from there */
    STEP_DATA,     /* message, up to its dot */
    STEP_CHUNK,    /* the octets of one BDAT */
    STEP_BURL,     /* a message of ours is being read for BURL */
    STEP_REPEAT,   /* what a command waited for is there */
    STEP_STATIONS, /* what a station waited for is there: accept.h */
    STEP_COMMIT,   /* the queue has an answer */
};

/* Commands: RFC 5321 section 4.5.3.1.4 asks for 512, parameters for some more, and base64 answers
 * of AUTH for 12288 (RFC 4954 section 4). */
#define SMTP_LINE_MAX 12290

struct filter;

/* One mail transaction, from MAIL to the reply to its data. */
struct transaction {
    struct letter *letter;
    struct slice first_original; /* for Received's "for", if there is one recipient only */
    size_t n_accepted;           /* RCPT commands that got 250 */
    uint64_t announced_size;     /* SIZE=, 0: unknown */
    struct data data;
    struct content content;
    bool has_content;
    size_t n_taken;        /* recipients that count in the account's allowance */
    size_t station;        /* of accept.c's table */
    struct filter *filter; /* where milters look at it */
    struct proof *proof;
    uint64_t proof_until_ms; /* on clock_ms() */
    struct seal_facts seal;  /* what the proof leaves, for a message that is forwarded */
    uint64_t chunk_left;
    bool chunk_is_last, chunk_is_refused;
    struct burl *burl; /* one in hand; NULL */
    int64_t began_ms;
};

struct smtp {
    struct smtpd *smtpd;
    enum smtp_service service;
    struct call *call; /* the one in hand */
    enum phase phase;
    enum step step;
    struct buf helo;
    bool esmtp;
    bool skip_line;    /* inside a line that is too long */
    struct slice line; /* the command in hand; lives in the call's arena */
    unsigned n_errors, n_auth_failures;
    struct login auth;
    bool auth_is_over;        /* logged in, the client has yet to answer the last challenge */
    uint64_t account;         /* logged in; 0: not */
    struct buf login;         /* as whom */
    const char *login_method; /* "PLAIN" */
    bool is_over_limit;       /* of recipients: the log knows */
    struct visitor visitor;
    struct transaction mail;
    struct queue_change change;
};

/* The protocol's functions (struct protocol). */
void *smtp_open(struct call *call, void *door);
enum next smtp_run(struct call *call);
void smtp_close(struct call *call);
bool smtp_is_light(const struct call *call);

/* Has what is missing in the table fetched; NEXT_WAIT. The table is the session's or its
 * transaction's. */
enum next smtp_fetch(struct smtp *smtp, struct dns_table *table);

/* The same, and then the command in hand is run again. */
enum next smtp_repeat(struct smtp *smtp, struct dns_table *table);

/* Ends the transaction, if there is one; phase READY. */
void smtp_reset(struct smtp *smtp);

/* Takes one line off the input, without its CRLF. PARSE_MORE: it is not complete. PARSE_BAD: it was
 * too long or had a bad line end; it was refused already and is gone. */
enum parse smtp_line(struct smtp *smtp, struct slice *line_out);
