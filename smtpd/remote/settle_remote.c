/* settle_remote.c - see settle_remote.h. */
#include "smtpd/remote/settle_remote.h"

#include "common/crypto.h"
#include "common/daemon.h"
#include "smtpd/bounce.h"
#include "smtpd/reporter.h"
#include "smtpd/retry.h"

#include <stdlib.h>

/* One shipment's change; freed when it is done. */
struct settlement {
    struct queue_change change;
    struct smtpd *smtpd;
    struct log log;
    struct shipment *shipment;
    uint64_t *gone;
    struct queue_retry *retries;
    struct queue_end *ends;
    bool has_news; /* for the reporter */
    settle_remote_done done;
    void *context;
};

static void end(struct settlement *settlement, bool ok)
{
    settlement->done(settlement->context, ok);
    free(settlement->gone);
    free(settlement->retries);
    free(settlement->ends);
    free(settlement);
}

/* On the writer thread. */
static void on_settled(struct queue_change *change)
{
    struct settlement *settlement = CONTAINER_OF(change, struct settlement, change);

    if (!change->ok)
        log_warn(&settlement->log, "queue refused", F_ERR(&change->error));
    else if (settlement->has_news)
        reporter_wake(settlement->smtpd->reporter);
    end(settlement, change->ok);
}

/* What is remembered of the try. */
static struct queue_try try_of(const struct settlement *settlement, const struct errand *errand)
{
    return (struct queue_try){ .at_ms = time_ms(),
                               .host = slice_of(settlement->shipment->host),
                               .tls = slice_of(settlement->shipment->tls),
                               .status = slice_of(errand->status),
                               .reply = slice_of(errand->text),
                               .answered = errand->answered };
}

/* Out of the queue: at once, or when its report enters. */
static bool leave(struct settlement *settlement, const struct errand *errand,
                  enum queue_report report)
{
    const struct queue_message *message = &settlement->shipment->letter->message;

    if (!bounce_is_wanted(message, errand->to, report)) {
        settlement->gone[settlement->change.n_gone++] = errand->to->id;
        return false;
    }
    settlement->has_news = true;
    settlement->ends[settlement->change.n_ends++] = (struct queue_end){
        .recipient = errand->to->id, .report = report, .made = try_of(settlement, errand)
    };
    return true;
}

static void log_errand(const struct settlement *settlement, const struct errand *errand,
                       const char *event)
{
    log_info(&settlement->log, event,
             F_NUM("queue", (int64_t)settlement->shipment->letter->message.id),
             F_TEXT("to", errand->to->address), F_STR("host", settlement->shipment->host),
             F_STR("tls", settlement->shipment->tls), F_STR("status", errand->status),
             F_STR("reply", errand->text));
}

static void settle_delivered(struct settlement *settlement, struct errand *errand)
{
    atomic_fetch_add(&settlement->smtpd->counters.delivered, 1);
    log_errand(settlement, errand, "sent");
    leave(settlement, errand, settlement->shipment->host_knows_dsn ? REPORT_NONE : REPORT_RELAYED);
}

static void settle_failed(struct settlement *settlement, struct errand *errand)
{
    bool reported = leave(settlement, errand, REPORT_FAILED);

    atomic_fetch_add(&settlement->smtpd->counters.bounced, 1);
    log_errand(settlement, errand, reported ? "bounced" : "dropped");
}

static void settle_later(struct settlement *settlement, struct errand *errand)
{
    const struct queue_message *message = &settlement->shipment->letter->message;
    struct queue_retry retry;

    log_errand(settlement, errand, "delivery delayed");
    if (!retry_plan(settlement->smtpd->settings, message, errand->to, time_ms(), random_u64(),
                    &retry)) {
        settle_failed(settlement, errand);
        return;
    }
    atomic_fetch_add(&settlement->smtpd->counters.retried, 1);
    retry.made = try_of(settlement, errand);
    settlement->has_news = settlement->has_news || retry.warn;
    settlement->retries[settlement->change.n_retries++] = retry;
}

static void settle_one(struct settlement *settlement, struct errand *errand)
{
    switch (errand->outcome) {
    case OUTCOME_OPEN:
        return;
    case OUTCOME_DELIVERED:
        settle_delivered(settlement, errand);
        return;
    case OUTCOME_FAILED:
        settle_failed(settlement, errand);
        return;
    case OUTCOME_LATER:
        settle_later(settlement, errand);
        return;
    case OUTCOME_DROPPED:
        leave(settlement, errand, REPORT_NONE);
        return;
    }
    abort();
}

void settle_remote(struct smtpd *smtpd, const struct log *log, struct shipment *shipment,
                   settle_remote_done done, void *context)
{
    struct settlement *settlement = NEW(struct settlement);
    struct queue_change *change = &settlement->change;

    settlement->smtpd = smtpd;
    settlement->log = *log;
    settlement->shipment = shipment;
    settlement->gone = mem_zero(shipment->n_errands * sizeof(settlement->gone[0]));
    settlement->retries = mem_zero(shipment->n_errands * sizeof(settlement->retries[0]));
    settlement->ends = mem_zero(shipment->n_errands * sizeof(settlement->ends[0]));
    settlement->done = done;
    settlement->context = context;
    for (size_t i = 0; i < shipment->n_errands; i++)
        settle_one(settlement, &shipment->errands[i]);
    change->gone = settlement->gone;
    change->retries = settlement->retries;
    change->ends = settlement->ends;
    change->done = on_settled;
    if (change->n_gone + change->n_retries + change->n_ends > 0)
        queue_write(smtpd->queue, change);
    else
        end(settlement, true);
}
