/* allowance.c - see allowance.h. */
#include "smtpd/allowance.h"

#include "common/daemon.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 64

/* An account in mid-transaction; gone when its count is 0. */
struct taker {
    struct taker *next;
    uint64_t account;
    uint64_t count;
};

struct allowance {
    pthread_mutex_t lock;
    struct taker *buckets[BUCKETS]; /* under lock */
};

struct allowance *allowance_new(void)
{
    struct allowance *allowance = NEW(struct allowance);

    pthread_mutex_init(&allowance->lock, NULL);
    return allowance;
}

void allowance_free(struct allowance **allowance)
{
    struct allowance *old = TAKE(*allowance);

    if (old == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (old->buckets[i] != NULL) {
            struct taker *first = old->buckets[i];
            old->buckets[i] = first->next;
            free(first);
        }
    }
    pthread_mutex_destroy(&old->lock);
    free(old);
}

static struct taker **place_of(struct allowance *allowance, uint64_t account)
{
    struct taker **place = &allowance->buckets[account % BUCKETS];

    while (*place != NULL && (*place)->account != account)
        place = &(*place)->next;
    return place;
}

/* Adds to the account's count, if it does not go past `most` by that. With the lock held. */
static bool add(struct allowance *allowance, uint64_t account, uint64_t count, uint64_t most)
{
    struct taker **place = place_of(allowance, account);
    uint64_t before = *place != NULL ? (*place)->count : 0;

    if (before + count > most)
        return false;
    if (*place == NULL) {
        *place = NEW(struct taker);
        (*place)->account = account;
    }
    (*place)->count += count;
    return true;
}

static uint64_t left_of(uint64_t limit, uint64_t used)
{
    if (limit == 0)
        return UINT64_MAX;
    return limit > used ? limit - used : 0;
}

/* For the operator, once in a session; the client may go on asking. */
static void note(struct smtp *smtp, const char *name, uint64_t limit)
{
    if (smtp->is_over_limit)
        return;
    smtp->is_over_limit = true;
    log_warn(&smtp->call->log, "limit", F_STR("limit", name), F_NUM("max", (int64_t)limit),
             F_TEXT("user", buf_slice(&smtp->login)), F_STR("peer", smtp->call->peer->address));
}

static const char *refusal(struct smtp *smtp, const char *period, uint64_t limit)
{
    AUTO(buf_free) struct buf text = { 0 };

    buf_fmt(&text,
            "451 4.7.1 This account may send to %llu recipients per %s, and has done so; try again "
            "later",
            (unsigned long long)limit, period);
    buf_add_byte(&text, '\0');
    return slice_copy(&smtp->call->arena, buf_slice(&text)).data;
}

bool allowance_take(struct smtp *smtp, size_t count, const char **verdict_out, struct error *err)
{
    const struct settings *settings = smtp->smtpd->settings;
    struct allowance *allowance = smtp->smtpd->allowance;
    uint64_t per_hour = settings->recipients_per_hour, per_day = settings->recipients_per_day;
    struct queue_sent sent;
    bool taken;

    *verdict_out = NULL;
    if (smtp->account == 0 || (per_hour == 0 && per_day == 0))
        return true;
    if (!queue_sent(smtp->call->desk, smtp->account, time_ms(), &sent, err))
        return false;
    uint64_t hour = left_of(per_hour, sent.hour), day = left_of(per_day, sent.day);

    pthread_mutex_lock(&allowance->lock);
    taken = add(allowance, smtp->account, count, MIN(hour, day));
    pthread_mutex_unlock(&allowance->lock);
    if (taken) {
        smtp->mail.n_taken += count;
        return true;
    }
    if (day < hour) {
        note(smtp, "recipients_per_day", per_day);
        *verdict_out = refusal(smtp, "day", per_day);
    } else {
        note(smtp, "recipients_per_hour", per_hour);
        *verdict_out = refusal(smtp, "hour", per_hour);
    }
    return true;
}

void allowance_return(struct smtp *smtp)
{
    struct allowance *allowance = smtp->smtpd->allowance;
    struct taker **place, *taker;

    if (smtp->mail.n_taken == 0)
        return;
    pthread_mutex_lock(&allowance->lock);
    place = place_of(allowance, smtp->account);
    taker = *place;
    /* n_taken was added to it. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    taker->count -= smtp->mail.n_taken;
    if (taker->count == 0) {
        *place = taker->next;
        free(taker);
    }
    pthread_mutex_unlock(&allowance->lock);
    smtp->mail.n_taken = 0;
}
