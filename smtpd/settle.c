/* settle.c - see settle.h. */
#include "smtpd/settle.h"

#include "common/crypto.h"
#include "common/daemon.h"
#include "smtpd/bounce.h"
#include "smtpd/reporter.h"
#include "smtpd/retry.h"

#include <stdlib.h>

/* After a change that the queue refused. */
#define SOON_MS 5000

/* The change of the queue under way; freed when it is done. */
struct settling {
    struct queue_change change;
    struct smtpd *smtpd;
    struct arena arena;
    uint64_t gone[DELIVER_BATCH];
    struct queue_retry retries[DELIVER_BATCH];
    struct queue_end ends[DELIVER_BATCH];
    bool has_news; /* for the reporter */
    struct settled settled;
    struct log log;
    settle_done done;
    void *context;
};

static struct settling *settling_new(struct smtpd *smtpd, const struct log *log, settle_done done,
                                     void *context)
{
    struct settling *settling = NEW(struct settling);

    settling->smtpd = smtpd;
    settling->log = *log;
    settling->done = done;
    settling->context = context;
    settling->settled.retry_ms = INT64_MAX;
    return settling;
}

static void on_done(struct queue_change *change)
{
    struct settling *settling = CONTAINER_OF(change, struct settling, change);
    struct settled *settled = &settling->settled;

    if (!change->ok) {
        log_warn(&settling->log, "queue refused", F_ERR(&change->error));
        settled->retry_ms = time_ms() + SOON_MS;
    } else if (settling->has_news) {
        reporter_wake(settling->smtpd->reporter);
    }
    settling->done(settling->context, settled);
    arena_free(&settling->arena);
    free(settling);
}

/* What is remembered of the try. */
static struct queue_try try_of(struct settling *settling, const struct parcel *parcel,
                               const char *status, const char *text)
{
    return (struct queue_try){ .at_ms = time_ms(),
                               .status = slice_of(status),
                               .reply = slice_copy(&settling->arena, slice_of(text)) };
}

/* Out of the queue: at once, or when its report enters. */
static void leave(struct settling *settling, const struct parcel *parcel, enum queue_report report,
                  struct queue_try made)
{
    const struct queue_recipient *recipient = parcel_recipient(parcel);

    if (!bounce_is_wanted(&parcel->letter->message, recipient, report)) {
        settling->gone[settling->change.n_gone++] = recipient->id;
        return;
    }
    settling->has_news = true;
    settling->ends[settling->change.n_ends++] =
        (struct queue_end){ .recipient = recipient->id, .report = report, .made = made };
}

static void settle_delivered(struct settling *settling, struct parcel *parcel)
{
    const struct queue_message *message = &parcel->letter->message;

    atomic_fetch_add(&settling->smtpd->counters.delivered, 1);
    log_info(&settling->log, "delivered", F_NUM("queue", (int64_t)message->id),
             F_TEXT("to", parcel_recipient(parcel)->address), F_NUM("uid", parcel->uid),
             F_NUM("ms", time_ms() - message->arrived_ms));
    leave(settling, parcel, REPORT_DELIVERED, try_of(settling, parcel, "2.0.0", ""));
}

static void settle_failed(struct settling *settling, struct parcel *parcel)
{
    atomic_fetch_add(&settling->smtpd->counters.bounced, 1);
    log_info(&settling->log, "bounced", F_NUM("queue", (int64_t)parcel->letter->message.id),
             F_TEXT("to", parcel_recipient(parcel)->address), F_STR("status", parcel->status),
             F_STR("reason", parcel->reason));
    leave(settling, parcel, REPORT_FAILED,
          try_of(settling, parcel, parcel->status, parcel->reason));
}

static void settle_later(struct settling *settling, struct parcel *parcel)
{
    const struct queue_message *message = &parcel->letter->message;
    struct queue_retry retry;

    if (!retry_plan(settling->smtpd->settings, message, parcel_recipient(parcel), time_ms(),
                    random_u64(), &retry)) {
        parcel->status = "4.4.7";
        parcel->reason = "The mailbox could not be written for too long";
        settle_failed(settling, parcel);
        return;
    }
    atomic_fetch_add(&settling->smtpd->counters.retried, 1);
    log_warn(&settling->log, "delivery delayed", F_NUM("queue", (int64_t)message->id),
             F_TEXT("to", parcel_recipient(parcel)->address), F_ERR(&parcel->err));
    retry.made = try_of(settling, parcel, "4.3.0", "The mailbox cannot be written now");
    settling->has_news = settling->has_news || retry.warn;
    settling->settled.retry_ms = MIN(settling->settled.retry_ms, retry.next_try_ms);
    settling->retries[settling->change.n_retries++] = retry;
}

static void settle_one(struct settling *settling, struct parcel *parcel)
{
    settling->settled.n_parcels++;
    settling->settled.bytes += parcel->letter->message.size;
    switch (parcel->outcome) {
    case OUTCOME_DELIVERED:
        settle_delivered(settling, parcel);
        return;
    case OUTCOME_FAILED:
        settle_failed(settling, parcel);
        return;
    case OUTCOME_OPEN:
    case OUTCOME_LATER:
        settle_later(settling, parcel);
        return;
    case OUTCOME_DROPPED:
        leave(settling, parcel, REPORT_NONE, (struct queue_try){ 0 });
        return;
    }
    abort();
}

void settle_batch(struct smtpd *smtpd, const struct log *log, bool lazy, struct parcel **parcels,
                  size_t count, settle_done done, void *context)
{
    struct settling *settling = settling_new(smtpd, log, done, context);

    for (size_t i = 0; i < count; i++) {
        settle_one(settling, parcels[i]);
        parcel_free(&parcels[i]);
    }
    settling->change.gone = settling->gone;
    settling->change.retries = settling->retries;
    settling->change.ends = settling->ends;
    settling->change.lazy = lazy;
    settling->change.done = on_done;
    queue_write(smtpd->queue, &settling->change);
}
