/* schedule.h - whose turn it is: what waits in memory for a connection, by sender and by site.
 *
 * A site is where mail is carried to: the servers of a domain, or a relay. A flow is what one
 * sender has for one site, first in, first out:
 *
 *     senders ---> flow, flow, ...        turns go round the senders, and round the flows of each,
 *     sites   ---> flow, flow, ...        so nobody waits for the many messages of somebody else
 *
 * A site that could not be reached is let alone for a while, longer each time; what comes for it
 * meanwhile is not tried. Then one connection tries whether it is back.
 *
 * Pure: no I/O, no clock. Threads: one at a time.
 */
#pragma once

#include "smtpd/remote/shipment.h"

#include <sys/queue.h>

struct flow;
struct sender;
TAILQ_HEAD(flow_list, flow);

#define SCHEDULE_KEY_SIZE (SHIPMENT_NAME_SIZE + 32)

struct site {
    char key[SCHEDULE_KEY_SIZE]; /* the domain, or what stands for a relay */
    size_t n_connections;
    size_t full_at;          /* more connections than so many it does not take; 0: not known */
    size_t n_waiting;        /* shipments */
    uint64_t waits_since_ms; /* when the first of them came, or the last turn was */
    unsigned failures;       /* since it was reached last */
    uint64_t backs_off_till_ms;
    char host[SHIPMENT_NAME_SIZE]; /* ... and why */
    char status[ANSWER_STATUS], text[SHIPMENT_TEXT_SIZE];
    bool proven; /* it has been reached */
    struct flow_list flows;
};

struct schedule {
    TAILQ_HEAD(sender_list, sender) senders;
    void *sites; /* a tree by key */
    size_t n_sites, n_waiting;
    size_t n_connections, n_unproven; /* of those: to sites that are not proven */
    /* Limits. */
    size_t connections_max, per_site_max;
    uint64_t backoff_first_ms, backoff_last_ms;
};

void schedule_init(struct schedule *schedule);
void schedule_free(struct schedule *schedule); /* what waits is not freed */

struct site *schedule_site(struct schedule *schedule, const char *key);

/* At the end of its flow, or back at the front. The shipment stays the caller's. */
void schedule_add(struct schedule *schedule, struct site *site, struct shipment *shipment,
                  bool at_front, uint64_t now_ms);

/* What to open a connection for; its site counts one more. NULL: nothing, for now. */
struct shipment *schedule_next(struct schedule *schedule, uint64_t now_ms, struct site **site_out);

/* What an open connection goes on with. NULL: nothing waits there. */
struct shipment *schedule_next_at(struct schedule *schedule, struct site *site, uint64_t now_ms);

/* What waits for a site that backs off, all of it, as a list. */
struct shipment *schedule_take_all(struct schedule *schedule, struct site *site);

/* A connection is gone; the site may be, too, unless something waits. */
void schedule_close(struct schedule *schedule, struct site *site);

void schedule_reached(struct schedule *schedule, struct site *site);
void schedule_failed(struct schedule *schedule, struct site *site, const char *host,
                     const char *status, const char *text, uint64_t now_ms);

/* It took no further connection, while others are open and well: there will be no more than those
 * until all are gone. False: this is the only one, or nothing is known of the others. */
bool schedule_full(struct site *site);

bool site_backs_off(const struct site *site, uint64_t now_ms);

/* Whoever backs off may be tried at once: the operator wants it. */
void schedule_forgive(struct schedule *schedule);
