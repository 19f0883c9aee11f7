/* daily.h - sends yesterday's reports to the domains that ask for them (RFC 7489 section 7.2,
 * RFC 8460 section 5).
 *
 *     tick --> job: write counts, what is due? --missing--> DNS --> job again --> queue --> job ...
 *
 * One report at a time. A domain's counts are dropped when its report is in the queue, or when its
 * DNS says that nobody wants it; while the DNS fails they stay, for a week. All of a day becomes
 * due at a moment of this process's own in the first hours of the next ([reports] delay), because
 * everybody else's day ends at midnight too.
 *
 * Threads: all functions on the loop thread. Lifetime: stopped before the queue and the resolver
 * end, while the pool still works; freed after all three.
 */
#pragma once

#include "common/pool.h"
#include "smtpd/report/counts.h"
#include "smtpd/smtpd.h"

struct daily;

struct daily_options {
    struct smtpd *smtpd; /* its counts are written */
    struct pool *pool;
    struct log log;
};

struct daily *daily_new(const struct daily_options *options);
void daily_free(struct daily **daily);

/* Every second or so. Every minute what was counted is written, every hour, and at the start, it is
 * looked for reports to send. Returns in how many ms something is due. */
uint64_t daily_tick(struct daily *daily);

/* Begins nothing new; the last counts are written by the pool. */
void daily_stop(struct daily *daily);
