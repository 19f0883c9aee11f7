/* clock.h - milliseconds: a clock that never jumps, and the time of day (UTC).
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

uint64_t clock_ms(void);        /* since boot; for durations and deadlines of this process */
uint64_t clock_coarse_ms(void); /* the same, a tick late at most, for a fraction of the cost */
int64_t time_ms(void);          /* Unix time; for what is stored or shown */
