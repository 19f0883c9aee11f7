/* shipment.h - what goes to one domain in one transaction: a message of the queue and those of its
 * recipients that are there.
 *
 * Lifetime: made by the scheduler from the queue, freed when the queue knows what became of it.
 * Threads: one at a time; the scheduler hands it on.
 */
#pragma once

#include "common/pool.h"
#include "smtpd/deliver.h"
#include "smtpd/remote/answer.h"

/* RFC 5321 section 4.5.3.1.8: every server takes 100; more go in shipments of their own. */
#define SHIPMENT_RECIPIENTS_MAX 100
#define SHIPMENT_TEXT_SIZE      500
#define SHIPMENT_TLS_SIZE       64
#define SHIPMENT_NAME_SIZE      256 /* a domain name with its NUL */

/* One recipient, and what became of it. */
struct errand {
    const struct queue_recipient *to;
    enum outcome outcome;
    bool accepted;              /* RCPT got its 250; the message is still to come */
    bool answered;              /* `text` is the other server's reply, not our own words */
    char status[ANSWER_STATUS]; /* "5.1.1" */
    char text[SHIPMENT_TEXT_SIZE];
};

struct shipment {
    struct shipment *next;
    struct lane *lane; /* the scheduler's, as the next six */
    struct shipment *next_in_lane;
    bool is_settled; /* the queue knows; it is to be freed */
    bool is_refused; /* ... the queue did not take it all */
    bool is_again;   /* a connection was lost before it was begun, once */
    struct remote *remote;
    struct job job;
    struct letter *letter;           /* one reference */
    struct body *body;               /* NULL until it is read */
    char domain[SHIPMENT_NAME_SIZE]; /* A-labels, lower case; or a literal; "" is no domain */
    char host[SHIPMENT_NAME_SIZE];   /* the server that was asked last */
    char tls[SHIPMENT_TLS_SIZE];     /* how the connection to it was secured; "": not at all */
    bool host_knows_dsn;             /* it reports a delivery itself (RFC 3461 section 4) */
    size_t n_errands;
    struct errand errands[];
};

/* MAIL FROM: the same for all of its recipients. */
struct slice shipment_sender(const struct shipment *shipment);

/* All remote recipients of a message that are due, by their domains, as a list. */
struct shipment *shipments_of(const struct queue_message *message, int64_t now_ms);
/* The same of a letter that is in memory; its body is used while it is there. */
struct shipment *shipments_of_letter(struct letter *letter, int64_t now_ms);
void shipment_free(struct shipment **shipment);
void shipments_free(struct shipment **list);

/* The message's own body, or the one read for it; NULL: it has to be read. */
struct body *shipment_body(const struct shipment *shipment);

void errand_end(struct errand *errand, enum outcome outcome, const char *status, const char *text);
void errand_end_by_answer(struct errand *errand, enum outcome outcome, const struct answer *answer);

/* For all that have no outcome yet. */
void shipment_end(struct shipment *shipment, enum outcome outcome, const char *status,
                  const char *text);
bool shipment_is_open(const struct shipment *shipment); /* there are such */
