/* retry.h - when a message is tried again (RFC 5321 section 4.5.4.1).
 *
 * Pure. The wait doubles from retry_first to retry_last, with up to a quarter more by chance, so
 * that what failed together does not come back together. The last try is when the message is
 * give_up old: then it is returned.
 */
#pragma once

#include "storage/settings.h"

/* `tries`: how many have failed before this one. `chance`: any random number. */
int64_t retry_time(const struct settings *settings, unsigned tries, int64_t arrived_ms,
                   int64_t now_ms, uint64_t chance);

/* Whether the try that has just failed was the last. */
bool retry_is_over(const struct settings *settings, int64_t arrived_ms, int64_t now_ms);
