/* retry.c - see retry.h. */
#include "smtpd/retry.h"

#include "smtpd/bounce.h"

/* Without its part by chance. `tries`: how many have failed before this one. */
static uint64_t base_wait(const struct settings *settings, unsigned tries)
{
    uint64_t wait = settings->retry_first;

    while (tries-- > 0 && wait < settings->retry_last)
        wait *= 2;
    return MIN(wait, settings->retry_last);
}

int64_t retry_wait_max(const struct settings *settings)
{
    uint64_t wait = MAX(settings->retry_first, settings->retry_last);

    return (int64_t)(wait + wait / 4);
}

/* What counts of the time since the last try, or since it came: at most twice what was planned, and
 * a little for a courier that had no hand free. */
static int64_t time_since_try(const struct settings *settings, const struct queue_message *message,
                              const struct queue_recipient *recipient, int64_t now_ms)
{
    unsigned before = recipient->tries > 0 ? recipient->tries - 1 : 0;
    int64_t since_ms = recipient->tries > 0 ? recipient->last_try_ms : message->arrived_ms;
    uint64_t most = 2 * base_wait(settings, before) + settings->give_up / 100;

    return MIN(MAX(now_ms - since_ms, 0), (int64_t)most);
}

static bool is_time_to_warn(const struct settings *settings, const struct queue_message *message,
                            const struct queue_recipient *recipient, int64_t waited_ms)
{
    return settings->delay_warning > 0 && waited_ms >= (int64_t)settings->delay_warning &&
           !recipient->warned && recipient->report == REPORT_NONE &&
           bounce_is_wanted(message, recipient, REPORT_DELAYED);
}

bool retry_plan(const struct settings *settings, const struct queue_message *message,
                const struct queue_recipient *recipient, int64_t now_ms, uint64_t chance,
                struct queue_retry *retry_out)
{
    int64_t waited_ms = recipient->waited_ms + time_since_try(settings, message, recipient, now_ms);
    int64_t left_ms = (int64_t)settings->give_up - waited_ms;
    uint64_t wait = base_wait(settings, recipient->tries);

    *retry_out = (struct queue_retry){ .recipient = recipient->id, .waited_ms = waited_ms };
    if (left_ms <= 0)
        return false;
    wait += chance % (wait / 4 + 1);
    retry_out->next_try_ms = now_ms + MIN((int64_t)wait, left_ms);
    retry_out->warn = is_time_to_warn(settings, message, recipient, waited_ms);
    return true;
}
