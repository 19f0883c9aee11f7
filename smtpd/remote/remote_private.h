/* remote_private.h - the inside of the remote courier, shared by remote.c and carrier.c.
 *
 * Every end of a lookup, a session or a job only wakes the loop thread, which looks at all
 * carriers: who is `ready` makes its next step.
 */
#pragma once

#include "smtpd/remote/client.h"
#include "smtpd/remote/lane.h"
#include "smtpd/remote/remote.h"
#include "smtpd/remote/route.h"
#include "smtpd/remote/schedule.h"
#include "smtpd/remote/security.h"

#include <pthread.h>
#include <uv.h>

enum stage { STAGE_ROUTING, STAGE_SECURING, STAGE_TALKING, STAGE_IDLE, STAGE_OVER };

/* One connection to a site, from the search for its servers to its end, with one shipment at a
 * time. Its memory stays until remote_free(): sessions point at its protocol a little longer than
 * it is in use. */
struct carrier {
    struct carrier *next;
    struct remote *remote;
    struct site *site;
    struct shipment *shipment; /* NULL: none, IDLE */
    enum stage stage;
    atomic_bool ready;   /* the stage is over; set by any thread */
    atomic_bool is_over; /* ... because the session has ended */
    bool is_quitting;    /* IDLE, and to end */
    uint64_t number;     /* the key of its sessions */
    uint64_t seed;       /* of the route */
    struct way way;
    struct dns_table table; /* for the shipment's domain */
    struct route route;
    size_t target;            /* which of the route is asked */
    struct tls_policy policy; /* of the target */
    bool may_help;            /* a server that was asked may still take it another day */
    bool is_counted;          /* how TLS went, for the reports to the domain */
    struct protocol protocol;
    struct client_task task;
};

struct remote {
    struct remote_options options;
    struct route_machine machine;
    uv_async_t woken;
    uv_timer_t timer;
    bool stopping;

    struct carrier *busy, *spare;
    size_t n_busy;
    uint64_t n_carriers; /* ever made */
    struct schedule schedule;
    struct lanes lanes;
    size_t n_in_hand; /* shipments */
    size_t n_reading; /* pages */
    uint64_t newest;  /* message that a page had: ids only grow */

    pthread_mutex_t lock; /* of what comes from other threads: */
    pthread_cond_t idle;  /* n_jobs has become 0 */
    size_t n_jobs;        /* that use the queue, until it has answered */
    struct letters {
        struct letter **items;
        size_t count, room;
    } letters;                /* that have just entered the queue */
    struct shipment *settled; /* ... or refused by the queue */
    struct page *pages;       /* read */
    bool looks_around;        /* ask the queue for all its lanes */
    bool forgives;            /* ... and let nobody back off */

    bool is_looking; /* a job does */
    struct job look;
    struct look *looked;
    uint64_t looks_again_ms; /* on clock_ms(): as a safeguard */

    struct shipment *refused;  /* by the queue, which is told again ... */
    uint64_t settles_again_ms; /* ... at this time of clock_ms() */
};

/* carrier.c */
void carrier_start(struct remote *remote, struct shipment *shipment, struct site *site);
void carrier_step(struct carrier *carrier); /* a ready one; it may be gone */

/* What waits: gives the carrier more, ends it, or leaves it idle for a moment. */
void carrier_offer(struct carrier *carrier);
void carrier_quit(struct carrier *carrier); /* an idle one */

/* settling.c: the shipment has no use for a carrier any more. */
void remote_settle(struct remote *remote, struct shipment *shipment);
void settling_take(struct remote *remote);      /* what the queue has answered */
void settling_try_again(struct remote *remote); /* when it is time: what it has refused */

/* remote.c */
void remote_defer(struct remote *remote, struct site *site); /* all that waits there */

/* A job that needs the queue; it ends with remote_end_job(), on whatever thread, under the lock. */
void remote_submit(struct remote *remote, uint64_t key, struct job *job,
                   void (*work)(struct job *, void *));
void remote_end_job(struct remote *remote);
