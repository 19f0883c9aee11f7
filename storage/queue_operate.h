/* queue_operate.h - what an operator sees of the queue and changes in it.
 *
 * Works beside a running smtpd, which is told by a notice after the commit. What a courier has in
 * hand meanwhile is safe: its outcome for a recipient that is gone changes nothing.
 *
 * Threads: one desk, one thread, in any process.
 */
#pragma once

#include "storage/queue.h"

/* Which recipients are meant: all that is set must match. */
struct queue_filter {
    uint64_t message;         /* 0: any */
    uint64_t account;         /* of the sender; 0: any */
    struct slice sender;      /* address; empty: any */
    struct slice destination; /* domain of the recipient, in any form; empty: any */
    struct slice recipient;   /* address, as it goes out or as it was given; empty: any */
    bool held;                /* only those that are held */
};

/* Messages in the order of their ids, with their matching recipients. */
bool queue_select(struct desk *desk, struct arena *arena, const struct queue_filter *filter,
                  uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                  struct error *err) MUST_CHECK;

struct queue_totals {
    uint64_t messages, recipients, held;
};
bool queue_count(struct desk *desk, struct queue_totals *totals_out, struct error *err) MUST_CHECK;

enum queue_order {
    ORDER_HOLD,    /* what waits */
    ORDER_RELEASE, /* what is held: due at once */
    ORDER_RETRY,   /* what waits: due at once; what is held stays so */
    ORDER_REMOVE,  /* any; nobody is told */
};

/* One transaction; *count_out recipients have changed. */
bool queue_operate(struct desk *desk, enum queue_order order, const struct queue_filter *filter,
                   uint64_t *count_out, struct error *err) MUST_CHECK;

/* After the clock has gone back: what has been tried and would wait longer than max_wait_ms from
 * now on becomes due at once. */
bool queue_mend_times(struct desk *desk, int64_t now_ms, int64_t max_wait_ms, uint64_t *count_out,
                      struct error *err) MUST_CHECK;
