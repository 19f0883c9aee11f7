/* reporter.h - sends what there is to tell senders: failures, delays, deliveries they asked for.
 *
 * The couriers leave with each recipient what is to be told of it (enum queue_report). A job here
 * looks for that, and makes one report of all that is to be told of a message: at once when all of
 * its recipients have been tried, else when the first news of it are `report_wait` old. The report
 * enters the queue as the recipients that it speaks of leave it, in one change.
 *
 * All state is in the queue, so after a restart it goes on where it was.
 *
 * Threads: all functions from any; one lock inside. The job runs on the pool, one at a time.
 */
#pragma once

#include "common/pool.h"
#include "smtpd/smtpd.h"

struct reporter;

struct reporter *reporter_new(struct smtpd *smtpd, struct pool *pool, const struct log *log);
void reporter_wake(struct reporter *reporter); /* there is something to tell, committed */
/* About every second. Returns in how many ms there is work; UINT64_MAX: not before it is woken. */
uint64_t reporter_tick(struct reporter *reporter);

/* Returns when no job works any more. After the couriers, before the queue is closed. */
void reporter_stop(struct reporter *reporter);
void reporter_free(struct reporter **reporter);
