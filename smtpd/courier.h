/* courier.h - the local courier: brings what is in the queue to our own mailboxes.
 *
 * A message that was just accepted is handed over in memory: a box per account collects parcels, a
 * job on the account's worker takes what is in the box and commits it at once. What cannot be held
 * in memory, what is left from before a restart, and what failed for now is read from the queue:
 *
 *     DIRECT --too much in hand, a retry is due, start--> CATCH UP --queue read to its end-->
 * DIRECT
 *
 * While it catches up nothing is handed over; a page of the queue is read whenever the courier's
 * hands are empty. So no parcel is ever in hand twice; and if one is after all, for instance after
 * a crash, its delivery id makes the second delivery a harmless repetition.
 *
 * Threads: all functions from any; one lock inside.
 */
#pragma once

#include "common/pool.h"
#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

struct courier_options {
    struct smtpd *smtpd;
    struct pool *pool;
    struct log log;
    /* A letter with a remote recipient has entered the queue; any thread. */
    void (*remote_due)(void *context, struct letter *letter);
    void *remote_context;
};

struct courier *courier_new(const struct courier_options *options);
void courier_free(struct courier **courier);

/* A letter that was committed to the queue; keeps a reference of its own. */
void courier_take(struct courier *courier, struct letter *letter);

/* Reads the queue: at the start, and when somebody else has changed it. */
void courier_catch_up(struct courier *courier);

/* About every second: are retries due? Returns in how many ms they are; UINT64_MAX: there are none.
 */
uint64_t courier_tick(struct courier *courier);

/* Ends: returns when no job works any more. What is not delivered stays in the queue. */
void courier_stop(struct courier *courier);

size_t courier_in_hand(struct courier *courier);
