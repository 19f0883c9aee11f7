/* milter.h - one conversation with one milter about one message, as a protocol of
 * common/session.h. It knows no sockets; a test plays the milter.
 *
 *     NEGOTIATE -> CONNECT -> HELO -> MAIL -> RCPT ... -> DATA -> HEADER ... -> EOH -> BODY ... ->
 * END
 *
 * All of it happens when the message is complete. That is simpler than to have a connection per
 * client that follows the dialogue, a slow filter costs nothing before there is a message, and no
 * filter sees a message that is not taken anyway. The price: what a milter says of the client, its
 * greeting, the sender or a recipient refuses the message, not the command. So nobody has to be
 * told later of a recipient that was accepted and then refused.
 *
 * A milter may be slow, broken or hostile: one answer may take timeout_ms, all of it (and the
 * answer to the end of the message) MILTER_PATIENCE times that; what it may send has the limits
 * below and those of frame.h.
 *
 * Threads: a worker, see common/session.h. The task is the caller's until `ended`.
 */
#pragma once

#include "common/session.h"
#include "smtpd/data.h"
#include "smtpd/milter/frame.h"
#include "smtpd/milter/servers.h"
#include "storage/body.h"

enum milter_stage {
    MILTER_NEGOTIATE,
    MILTER_CONNECT,
    MILTER_HELO,
    MILTER_MAIL,
    MILTER_RCPT,
    MILTER_DATA,
    MILTER_HEADER,
    MILTER_EOH,
    MILTER_BODY,
    MILTER_END,
};

enum milter_verdict {
    MILTER_LOST, /* there is none: `text` says why */
    MILTER_PASS,
    MILTER_REFUSE, /* `text` is the reply */
    MILTER_DISCARD,
    MILTER_STOPPED, /* the daemon stops */
};

#define MILTER_TEXT_SIZE    512
#define MILTER_PATIENCE     10
#define MILTER_CHANGES_MAX  1000          /* to one message */
#define MILTER_CHANGES_SIZE (1024 * 1024) /* of all their texts */

/* A change to the message: ADDHEADER, INSHEADER, CHGHEADER, ADDRCPT, DELRCPT, CHGFROM, with the
 * fields of struct frame_reply. */
struct milter_change {
    struct milter_change *next;
    struct frame_reply reply; /* slices live in the task's arena */
};

struct milter_facts {
    const char *hostname; /* ours */
    const struct conn_peer *peer;
    const char *client_name;  /* proven by the DNS; "": none */
    struct slice helo, login; /* login: empty when there was none */
    const char *login_method; /* "PLAIN" */
    const char *tls_name;
    uint64_t trace_id;
    struct slice sender;
    const struct slice *recipients; /* as in RCPT TO */
    size_t n_recipients;
    bool eight_bit, utf8;
    struct slice header; /* with the empty line, if there is one */
    struct slice body;
};

struct milter_task {
    const struct milter_server *server;
    struct milter_facts facts;
    uint64_t timeout_ms; /* for one answer */
    uint64_t size_max;   /* of a new body */
    struct store *store; /* a new body goes there */

    /* Filled by the conversation. */
    enum milter_verdict verdict;
    char text[MILTER_TEXT_SIZE];
    struct arena arena;
    struct milter_change *first_change, **last_change;
    size_t n_changes, changes_size;
    bool has_leading_blanks; /* values of fields come with the blank behind the colon */
    struct body *new_body;   /* not finished; NULL: it stays. Its lines end in CRLF */
    bool quarantined;

    void (*ended)(struct milter_task *task); /* on a worker; the conversation is over */
};

struct milter {
    struct milter_task *task;
    struct call *call; /* the one in hand */
    struct buf in;     /* what the milter said; a packet may be longer than the session's room */
    enum milter_stage stage;
    uint32_t options;          /* enum frame_option */
    bool entered;              /* something of this stage was said */
    uint64_t give_up_ms;       /* clock_ms(): all of it has to be over by then */
    struct data body_lines;    /* of the new body */
    size_t next_recipient;     /* to be said */
    struct slice header, body; /* still to be said */
};

/* The protocol's functions (struct protocol); the context is a struct milter_task. */
void *milter_open(struct call *call, void *task);
enum next milter_run(struct call *call);
void milter_close(struct call *call);

/* Frees what the conversation filled. */
void milter_task_free(struct milter_task *task);

/* milter_say.c: says the next command of the stage; false when there is none (any more). */
bool milter_say(struct milter *milter);
/* Whether it answers that. */
bool milter_awaits(const struct milter *milter);
