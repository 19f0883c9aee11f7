/* queue.h - accepted, not yet delivered messages (queue.db).
 *
 * Everything that changes the queue goes through one writer thread: it takes whatever is waiting,
 * commits it with one fsync, and calls back. So SMTP's 250 for 32 clients costs one sync. Reading
 * for the courier goes through the desk of a worker.
 *
 *                     .--(failed for now: next_try_ms)--.
 *                     v                                 |
 * A recipient:  --> WAITING ----------------------------+--(nothing to report, removed)--> gone
 *                   ^     |                             |                                   ^
 *                release hold                           '--> ENDED --(its report enters)----'
 *                   |     v
 *                    HELD: never due
 *
 * A message goes when its last recipient has gone. delivery_id makes local delivery repeatable:
 * after a crash between the account's commit and the queue's the account knows it has it already.
 *
 * What the sender is to be told is kept with the recipient until a report of it enters the queue,
 * in one change: so it is told once, and one report speaks of several recipients.
 *
 * Threads: queue_write() from any; `done` is called on the writer thread and must only wake.
 */
#pragma once

#include "storage/body.h"
#include "storage/store.h"

struct queue;

#define QUEUE_FILE_NAME_SIZE 17 /* 16 hex digits and a NUL */

enum dsn_notify {
    NOTIFY_DEFAULT = 0,
    NOTIFY_NEVER = 1,
    NOTIFY_SUCCESS = 2,
    NOTIFY_FAILURE = 4,
    NOTIFY_DELAY = 8,
};
enum dsn_return { RETURN_DEFAULT, RETURN_FULL, RETURN_HEADERS };

enum queue_state {
    QUEUE_WAITING,
    QUEUE_HELD,  /* by the operator, or for him */
    QUEUE_ENDED, /* will not be tried again; `report` says what there is to tell */
};

/* What the sender has yet to be told of a recipient (the actions of RFC 3464 section 2.3.3). */
enum queue_report {
    REPORT_NONE,
    REPORT_FAILED,
    REPORT_DELAYED, /* still trying */
    REPORT_DELIVERED,
    REPORT_RELAYED,  /* handed to a server that knows no reports */
    REPORT_EXPANDED, /* sent on to the several targets of an alias */
};

/* One try, as it is remembered. Texts from outside: the writer cuts them to its bounds. */
struct queue_try {
    int64_t at_ms;
    struct slice host;   /* the server that was asked; empty: none */
    struct slice tls;    /* how the connection was secured; empty: not at all */
    struct slice status; /* "4.4.1" */
    struct slice reply;
    bool answered; /* `reply` is the host's own; else it is in our words */
};

#define QUEUE_TRIES_KEPT 20 /* of each recipient, the last ones */

struct queue_recipient {
    uint64_t id;                   /* filled by the writer */
    uint64_t account;              /* 0: remote */
    struct slice address;          /* where it goes */
    struct slice domain;           /* of the address, see queue_domain(); filled by the writer */
    struct slice detail;           /* subaddress, local only */
    struct slice original;         /* as in RCPT TO: for Delivered-To, DSNs */
    struct slice reverse_path;     /* MAIL FROM for it, where it is not the message's sender */
    struct slice orcpt;            /* RFC 3461, as given; may be empty */
    unsigned notify;               /* enum dsn_notify */
    unsigned char delivery_id[16]; /* all zero: filled by the writer */
    unsigned tries;
    int64_t next_try_ms;
    struct slice last_reply; /* of the last try, bounded */
    enum queue_state state;
    enum queue_report report;
    bool warned;           /* the sender has been told of the delay */
    int64_t last_try_ms;   /* 0: never tried */
    int64_t waited_ms;     /* how long it has been tried, as the times between the tries prove */
    struct queue_try *log; /* oldest first; queue_by_id() fills it, others leave it empty */
    size_t n_log;
};

struct queue_message {
    uint64_t id;         /* filled by the writer */
    struct slice sender; /* "" is the null sender */
    uint64_t account;    /* who submitted it; 0: came from outside */
    struct slice envid;
    enum dsn_return ret;
    bool utf8, eight_bit, binary; /* SMTPUTF8, BODY=8BITMIME, BODY=BINARYMIME */
    bool junk;                    /* deliver into Junk: somebody found it suspicious */
    bool require_tls;             /* REQUIRETLS (RFC 8689) */
    bool tls_optional;            /* "TLS-Required: No" (the same) */
    int64_t arrived_ms;
    uint64_t size;       /* of prefix and body; filled by the writer */
    struct slice client; /* the server it came from, "name ([address])"; empty: not to be told */
    struct slice prefix; /* Received and other lines that go before the body */
    struct queue_recipient *recipients;
    size_t n_recipients;
};

struct queue_options {
    struct store *store;
    uint64_t recipients_max; /* backlog: more than this waiting is ERROR_TEMPORARY;
                                0: no limit. A change that also removes recipients always goes */
};

/* Opens queue.db for writing and starts the writer thread; one process at a time (locked).
 * Errors: ERROR_EXISTS when another process has it. */
bool queue_open(const struct queue_options *options, struct queue **queue_out,
                struct error *err) MUST_CHECK;
void queue_close(struct queue **queue); /* finishes what is waiting */

/* One change, embedded in its owner until `done`. Any part may be empty; all of it is one
 * transaction: a bounce enters as the failed recipient leaves. All that it points to must stay as
 * it is until then. Errors: ERROR_INVALID for a message without recipients. */
struct queue_change {
    struct queue_message *message; /* to accept, with `body`; ids are filled */
    struct body *body;             /* finished; stays the caller's */
    const uint64_t *gone;          /* recipients to remove */
    size_t n_gone;
    struct queue_retry {
        uint64_t recipient;
        int64_t next_try_ms;
        int64_t waited_ms;
        bool warn; /* tell the sender of the delay: REPORT_DELAYED */
        struct queue_try made;
    } * retries; /* recipients to try again; their count of tries goes up */
    size_t n_retries;
    struct queue_end {
        uint64_t recipient;
        enum queue_report report;
        struct queue_try made;
    } * ends; /* recipients that become ENDED, for a report */
    size_t n_ends;
    const uint64_t *warned; /* recipients whose delay `message` reports */
    size_t n_warned;
    bool lazy; /* need not be durable before `done`: goes along with the next commit, or soon */
    void (*done)(struct queue_change *change); /* may be NULL */

    bool ok; /* the outcome, valid in and after done */
    struct error error;
    struct queue_change *next;       /* the writer's, as is: */
    char file[QUEUE_FILE_NAME_SIZE]; /* where a large body went */
};
/* Blocks for a large body only, which is linked into the queue's folder here. */
void queue_write(struct queue *queue, struct queue_change *change);

uint64_t queue_backlog(struct queue *queue); /* recipients waiting */

/* To how many recipients an account has sent messages that were accepted before now_ms. Counted
 * when a message with its `account` enters; in steps of QUEUE_SENT_STEP_MS, forgotten after a day.
 */
#define QUEUE_SENT_STEP_MS (5 * 60 * 1000)
struct queue_sent {
    uint64_t hour, day;
};
bool queue_sent(struct desk *desk, uint64_t account, int64_t now_ms, struct queue_sent *sent_out,
                struct error *err) MUST_CHECK;

struct queue_list {
    struct queue_message *items;
    size_t count;
};

/* Reading, with any desk, in any process. Messages in the order of their ids, with those of their
 * recipients that match. QUEUE_LOCAL: all local ones that wait, whatever their next_try_ms. */
enum queue_which { QUEUE_ALL, QUEUE_LOCAL };
bool queue_find(struct desk *desk, struct arena *arena, enum queue_which which,
                uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                struct error *err) MUST_CHECK;
/* Errors: ERROR_NOT_FOUND. */
bool queue_by_id(struct desk *desk, struct arena *arena, uint64_t message,
                 struct queue_message *message_out, struct error *err) MUST_CHECK;
/* What waits for other servers, by the domain it goes to: each domain once. */
struct queue_lane {
    struct slice domain;
    int64_t due_ms; /* when the first of its recipients is */
};
bool queue_lanes(struct desk *desk, struct arena *arena, struct queue_lane **lanes_out,
                 size_t *count_out, struct error *err) MUST_CHECK;
/* Messages with recipients that are due at one domain, those due first before the others; of at
 * least `max_recipients`, if there are so many. *due_ms_out: when the next one after these is. */
bool queue_lane_due(struct desk *desk, struct arena *arena, struct slice domain, int64_t now_ms,
                    size_t max_recipients, struct queue_list *list_out, int64_t *due_ms_out,
                    struct error *err) MUST_CHECK;
/* The domain of an address as the DNS knows it (A-labels, lower case); a literal as it is; "" when
 * the address has none. The room: QUEUE_DOMAIN_SIZE. */
#define QUEUE_DOMAIN_SIZE 256
void queue_domain(struct slice address, char *domain_out);

/* Messages after `after_message_id` of which there is something to report, ids only. */
bool queue_reports(struct desk *desk, uint64_t after_message_id, size_t max, uint64_t *ids_out,
                   size_t *count_out, struct error *err) MUST_CHECK;
/* The stored body, opened as a finished body that the caller frees. */
bool queue_body(struct desk *desk, uint64_t message, struct body **body_out,
                struct error *err) MUST_CHECK;
