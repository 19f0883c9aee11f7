/* queue.h - accepted, not yet delivered messages (queue.db).
 *
 * Everything that changes the queue goes through one writer thread: it takes whatever is waiting,
 * commits it with one fsync, and calls back. So SMTP's 250 for 32 clients costs one sync. Reading
 * for the courier goes through the desk of a worker.
 *
 * States of a recipient:  waiting --(delivered, bounced, removed)--> gone
 *                            ^  '--(failed for now: next_try_ms)--.
 *                            '-----------------------------------'
 * A message goes when its last recipient has gone. delivery_id makes local delivery repeatable:
 * after a crash between the account's commit and the queue's the account knows it has it already.
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

struct queue_recipient {
    uint64_t id;                   /* filled by the writer */
    uint64_t account;              /* 0: remote */
    struct slice address;          /* where it goes */
    struct slice detail;           /* subaddress, local only */
    struct slice original;         /* as in RCPT TO: for Delivered-To, DSNs */
    struct slice orcpt;            /* RFC 3461, as given; may be empty */
    unsigned notify;               /* enum dsn_notify */
    unsigned char delivery_id[16]; /* all zero: filled by the writer */
    unsigned tries;
    int64_t next_try_ms;
    struct slice last_reply; /* of the last try, bounded */
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
    int64_t arrived_ms;
    uint64_t size;       /* of prefix and body; filled by the writer */
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
        struct slice reply;
    } * retries; /* recipients to try again; their count of tries goes up */
    size_t n_retries;
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

struct queue_list {
    struct queue_message *items;
    size_t count;
};

/* Reading, with any desk, in any process. Messages in the order of their ids, with those of their
 * recipients that match. QUEUE_LOCAL: all local ones, whatever their next_try_ms. */
enum queue_which { QUEUE_ALL, QUEUE_LOCAL, QUEUE_REMOTE_DUE };
bool queue_find(struct desk *desk, struct arena *arena, enum queue_which which, int64_t now_ms,
                uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                struct error *err) MUST_CHECK;
bool queue_by_id(struct desk *desk, struct arena *arena, uint64_t message,
                 struct queue_message *message_out, struct error *err) MUST_CHECK;
/* When the next remote recipient is due; INT64_MAX if there is none. */
bool queue_next_due(struct desk *desk, int64_t *due_ms_out, struct error *err) MUST_CHECK;
/* The stored body, opened as a finished body that the caller frees. */
bool queue_body(struct desk *desk, uint64_t message, struct body **body_out,
                struct error *err) MUST_CHECK;

/* The operator's changes, from another process; the daemon is told by a notice. */
bool queue_retry_now(struct desk *desk, uint64_t message /* 0: all */, uint64_t *count_out,
                     struct error *err) MUST_CHECK;
bool queue_remove(struct desk *desk, uint64_t message, struct error *err) MUST_CHECK;
