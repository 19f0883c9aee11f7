/* deliver.h - puts messages into one account's INBOX, suspicious ones into Junk: one batch, one
 * transaction for each of the two.
 *
 * Threads: the account's worker with its desk.
 */
#pragma once

#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

enum outcome {
    OUTCOME_OPEN,      /* not tried yet */
    OUTCOME_DELIVERED, /* it is on disk (or was, from a try before a crash) */
    OUTCOME_FAILED,    /* never will be: status and reason say why */
    OUTCOME_LATER,     /* err says why not now */
    OUTCOME_DROPPED,   /* the operator has removed it from the queue */
};

/* One recipient of one letter on its way into an account. */
struct parcel {
    struct parcel *next;
    struct letter *letter; /* one reference */
    size_t index;          /* which of its recipients */
    struct body *own_body; /* read from the queue, where the letter's cannot be used */
    enum outcome outcome;
    const char *status, *reason;
    struct error err;
    uint32_t uid;
};

struct parcel *parcel_new(struct letter *letter, size_t index);
void parcel_free(struct parcel **parcel);
const struct queue_recipient *parcel_recipient(const struct parcel *parcel);
struct body *parcel_body(const struct parcel *parcel); /* NULL when it was never read */

#define DELIVER_BATCH 64

/* Tries all, at most DELIVER_BATCH; afterwards none is OPEN. */
void deliver_batch(struct desk *desk, uint64_t account, struct parcel **parcels, size_t count);
