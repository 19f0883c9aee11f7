/* retry.h - when a message is tried again, and when it is given up (RFC 5321 section 4.5.4.1).
 *
 * The wait doubles from retry_first to retry_last, with up to a quarter more by chance, so that
 * what failed together does not come back together.
 *
 * The clock may be wrong: so the time a recipient has been tried is summed up from one try to the
 * next, and each such time counts for little more than was planned. A clock that jumps ahead, or a
 * machine that was off, makes all of it due at once but ends nothing; give_up and delay_warning
 * are compared with that sum.
 *
 * Pure.
 */
#pragma once

#include "storage/queue.h"
#include "storage/settings.h"

/* The try at now_ms has failed for now: fills in what the queue is to be told, but for `made`.
 * False: it was the last, only waited_ms is filled. `chance`: any random number. */
bool retry_plan(const struct settings *settings, const struct queue_message *message,
                const struct queue_recipient *recipient, int64_t now_ms, uint64_t chance,
                struct queue_retry *retry_out);

/* No wait is longer, while the clock is right. */
int64_t retry_wait_max(const struct settings *settings);
