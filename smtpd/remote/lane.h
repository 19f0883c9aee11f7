/* lane.h - what is in the queue for one domain, and when to look at it next.
 *
 * A lane stands for all recipients at a domain. Some of them are in hand: read from the queue, on
 * their way, until the queue knows what became of them. The others are in the queue only; the lane
 * knows when the first of these is due, and is read a page at a time then.
 *
 *     lanes by domain;  a heap by due_ms of those that may be read: not full, not being read
 *
 * So no look at the queue is longer than a page, however much waits, and a start reads one row for
 * each domain.
 *
 * Pure. Threads: one at a time. Lifetime: a lane goes when nothing of it is in hand or to come.
 */
#pragma once

#include "smtpd/remote/shipment.h"

#define LANE_NEVER INT64_MAX

struct lane {
    char domain[SHIPMENT_NAME_SIZE];
    int64_t due_ms;      /* Unix time; of what is not in hand */
    size_t place;        /* in the heap, from 1; 0: not in it */
    bool is_reading;     /* a page */
    bool has_skipped;    /* something due, of a message in hand */
    size_t n_in_hand;    /* shipments */
    size_t n_recipients; /* in them */
    struct shipment
        *in_hand; /* by next_in_lane; those that are settled stay while a page is read */
};

struct lanes {
    void *tree; /* by domain */
    size_t count;
    struct lane **heap;
    size_t n_heap, room;
};

struct lane *lanes_get(struct lanes *lanes, const char *domain);
void lanes_free(struct lanes *lanes);

/* Due at this time, or before. */
void lane_due(struct lanes *lanes, struct lane *lane, int64_t due_ms);

/* The lane to read a page of, by now; NULL: none. It is_reading then, and due is LANE_NEVER. */
struct lane *lanes_next(struct lanes *lanes, int64_t now_ms, size_t in_hand_max);
int64_t lanes_due(const struct lanes *lanes); /* of the first */

bool lane_has(const struct lane *lane, uint64_t message);
void lane_add(struct lane *lane, struct shipment *shipment);

/* A shipment is settled: it is freed now, or when the page is read. May free the lane. */
void lane_settled(struct lanes *lanes, struct lane *lane, struct shipment *shipment,
                  int64_t look_again_ms);
void lane_read(struct lanes *lanes, struct lane *lane, int64_t due_ms); /* a page was. The same */
