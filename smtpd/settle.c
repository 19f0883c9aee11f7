/* settle.c - see settle.h. */
#include "smtpd/settle.h"

#include "common/daemon.h"
#include "smtpd/bounce.h"

#include <stdlib.h>

/* After a change that the queue refused. */
#define SOON_MS 5000

/* One change of the queue under way; freed when it is done. */
struct settling {
    struct queue_change change;
    struct arena arena;
    uint64_t gone[DELIVER_BATCH];
    struct queue_retry retries[DELIVER_BATCH];
    struct settled settled;
    struct log log;
    settle_done done;
    void *context;
};

struct batch {
    struct smtpd *smtpd;
    struct desk *desk;
    const struct log *log;
    settle_done done;
    void *context;
    struct settling *together; /* all parcels without a report */
};

static struct settling *settling_new(const struct batch *batch)
{
    struct settling *settling = NEW(struct settling);

    settling->log = *batch->log;
    settling->done = batch->done;
    settling->context = batch->context;
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
        letter_free(&settled->report);
    }
    settling->done(settling->context, settled);
    letter_free(&settled->report);
    arena_free(&settling->arena);
    free(settling);
}

static void write_change(struct smtpd *smtpd, struct settling *settling, bool lazy)
{
    settling->change.gone = settling->gone;
    settling->change.retries = settling->retries;
    settling->change.lazy = lazy;
    settling->change.done = on_done;
    queue_write(smtpd->queue, &settling->change);
}

static void add_parcel(struct settling *settling, const struct parcel *parcel)
{
    settling->settled.n_parcels++;
    settling->settled.bytes += parcel->letter->message.size;
}

static void add_gone(struct settling *settling, const struct parcel *parcel)
{
    add_parcel(settling, parcel);
    settling->gone[settling->change.n_gone++] = parcel_recipient(parcel)->id;
}

static int64_t next_try_ms(const struct settings *settings, unsigned tries)
{
    uint64_t wait = settings->retry_first;

    while (tries-- > 0 && wait < settings->retry_last)
        wait *= 2;
    return time_ms() + (int64_t)MIN(wait, settings->retry_last);
}

static void add_retry(struct settling *settling, const struct settings *settings,
                      const struct parcel *parcel)
{
    const struct queue_recipient *recipient = parcel_recipient(parcel);
    int64_t when = next_try_ms(settings, recipient->tries);

    add_parcel(settling, parcel);
    settling->settled.retry_ms = MIN(settling->settled.retry_ms, when);
    settling->retries[settling->change.n_retries++] = (struct queue_retry){
        .recipient = recipient->id,
        .next_try_ms = when,
        .made = { .at_ms = time_ms(),
                  .reply = slice_copy(&settling->arena, slice_of(parcel->err.text)) },
    };
}

/* The parcel leaves the queue as its report enters it. */
static bool settle_with_report(const struct batch *batch, struct parcel *parcel,
                               const struct bounce *bounce)
{
    struct letter *report;
    struct settling *settling;
    struct error err;

    if (!bounce_make(batch->smtpd, batch->desk, &parcel->letter->message, parcel_body(parcel),
                     bounce, &report, &err)) {
        parcel->err = err;
        add_retry(batch->together, batch->smtpd->settings, parcel);
        return true;
    }
    if (report == NULL)
        return false;
    settling = settling_new(batch);
    settling->settled.report = report;
    settling->change.message = &report->message;
    settling->change.body = report->body;
    add_gone(settling, parcel);
    write_change(batch->smtpd, settling, false);
    return true;
}

static void settle_final(const struct batch *batch, struct parcel *parcel,
                         const struct bounce *bounce)
{
    if (!bounce_is_wanted(&parcel->letter->message, bounce) ||
        !settle_with_report(batch, parcel, bounce))
        add_gone(batch->together, parcel);
}

static void settle_delivered(const struct batch *batch, struct parcel *parcel)
{
    const struct queue_recipient *recipient = parcel_recipient(parcel);
    const struct queue_message *message = &parcel->letter->message;
    const struct bounce bounce = {
        .kind = BOUNCE_DELIVERED,
        .recipient = recipient,
        .status = "2.0.0",
        .reason = "The message is in the recipient's mailbox",
    };

    atomic_fetch_add(&batch->smtpd->counters.delivered, 1);
    log_info(batch->log, "delivered", F_NUM("queue", (int64_t)message->id),
             F_TEXT("to", recipient->address), F_NUM("uid", parcel->uid),
             F_NUM("ms", time_ms() - message->arrived_ms));
    settle_final(batch, parcel, &bounce);
}

static void settle_failed(const struct batch *batch, struct parcel *parcel)
{
    const struct queue_recipient *recipient = parcel_recipient(parcel);
    const struct bounce bounce = {
        .kind = BOUNCE_FAILED,
        .recipient = recipient,
        .status = parcel->status,
        .reason = parcel->reason,
    };

    atomic_fetch_add(&batch->smtpd->counters.bounced, 1);
    log_info(batch->log, "bounced", F_NUM("queue", (int64_t)parcel->letter->message.id),
             F_TEXT("to", recipient->address), F_STR("status", parcel->status),
             F_STR("reason", parcel->reason));
    settle_final(batch, parcel, &bounce);
}

static void settle_later(const struct batch *batch, struct parcel *parcel)
{
    const struct settings *settings = batch->smtpd->settings;
    int64_t age_ms = time_ms() - parcel->letter->message.arrived_ms;

    if (age_ms > (int64_t)settings->give_up) {
        parcel->status = "4.4.7";
        parcel->reason = "The mailbox could not be written for too long";
        settle_failed(batch, parcel);
        return;
    }
    atomic_fetch_add(&batch->smtpd->counters.retried, 1);
    log_warn(batch->log, "delivery delayed", F_NUM("queue", (int64_t)parcel->letter->message.id),
             F_TEXT("to", parcel_recipient(parcel)->address), F_ERR(&parcel->err));
    add_retry(batch->together, settings, parcel);
}

static void settle_one(const struct batch *batch, struct parcel *parcel)
{
    switch (parcel->outcome) {
    case OUTCOME_DELIVERED:
        settle_delivered(batch, parcel);
        return;
    case OUTCOME_FAILED:
        settle_failed(batch, parcel);
        return;
    case OUTCOME_OPEN:
    case OUTCOME_LATER:
        settle_later(batch, parcel);
        return;
    case OUTCOME_DROPPED:
        add_gone(batch->together, parcel);
        return;
    }
    abort();
}

void settle_batch(struct smtpd *smtpd, struct desk *desk, const struct log *log, bool lazy,
                  struct parcel **parcels, size_t count, settle_done done, void *context)
{
    struct batch batch = {
        .smtpd = smtpd,
        .desk = desk,
        .log = log,
        .done = done,
        .context = context,
    };

    batch.together = settling_new(&batch);
    for (size_t i = 0; i < count; i++) {
        settle_one(&batch, parcels[i]);
        parcel_free(&parcels[i]);
    }
    if (batch.together->settled.n_parcels > 0)
        write_change(smtpd, batch.together, lazy);
    else
        free(batch.together);
}
