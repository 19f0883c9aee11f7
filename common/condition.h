/* condition.h - condition variables that wait by the clock of clock_ms(), which never jumps.
 *
 * Threads: as pthread_cond_*.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void condition_init(pthread_cond_t *condition);

/* Until it is signalled, or clock_ms() is `until_ms`; false: the time came. As ever, a true may be
 * for nothing. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ms);
