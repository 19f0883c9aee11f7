/* clock.c - see clock.h. */
#include "common/clock.h"

#include <time.h>

static uint64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
    return now_ms(CLOCK_MONOTONIC);
}

uint64_t clock_coarse_ms(void)
{
    return now_ms(CLOCK_MONOTONIC_COARSE);
}

int64_t time_ms(void)
{
    return (int64_t)now_ms(CLOCK_REALTIME);
}
