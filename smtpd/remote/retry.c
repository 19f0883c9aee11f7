/* retry.c - see retry.h. */
#include "smtpd/remote/retry.h"

int64_t retry_time(const struct settings *settings, unsigned tries, int64_t arrived_ms,
                   int64_t now_ms, uint64_t chance)
{
    int64_t last_ms = arrived_ms + (int64_t)settings->give_up;
    uint64_t wait = settings->retry_first;

    while (tries-- > 0 && wait < settings->retry_last)
        wait *= 2;
    wait = MIN(wait, settings->retry_last);
    wait += chance % (wait / 4 + 1);
    int64_t next_ms = now_ms + (int64_t)wait;
    return now_ms < last_ms ? MIN(next_ms, last_ms) : next_ms;
}

bool retry_is_over(const struct settings *settings, int64_t arrived_ms, int64_t now_ms)
{
    return now_ms - arrived_ms >= (int64_t)settings->give_up;
}
