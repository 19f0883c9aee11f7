/* settle_remote.c - see settle_remote.h. */
#include "smtpd/remote/settle_remote.h"

#include "common/crypto.h"
#include "common/daemon.h"
#include "smtpd/bounce.h"
#include "smtpd/courier.h"
#include "smtpd/remote/retry.h"

#include <stdlib.h>

/* One shipment's changes; freed when the last of them is done. */
struct settlement {
    struct smtpd *smtpd;
    struct desk *desk;
    struct log log;
    struct shipment *shipment;
    struct queue_change together; /* all recipients without a report */
    uint64_t *gone;
    struct queue_retry *retries;
    atomic_uint n_open; /* changes under way, and one for settle_remote() itself */
    atomic_bool refused;
    settle_remote_done done;
    void *context;
};

/* A recipient that leaves as its report enters. */
struct exchange {
    struct queue_change change;
    struct settlement *settlement;
    struct letter *report;
    uint64_t gone;
};

static void end_one(struct settlement *settlement)
{
    if (atomic_fetch_sub(&settlement->n_open, 1) > 1)
        return;
    settlement->done(settlement->context, !atomic_load(&settlement->refused));
    free(settlement->gone);
    free(settlement->retries);
    free(settlement);
}

/* On the writer thread, as the next one. */
static void note_outcome(struct settlement *settlement, const struct queue_change *change)
{
    if (change->ok)
        return;
    log_warn(&settlement->log, "queue refused", F_ERR(&change->error));
    atomic_store(&settlement->refused, true);
}

static void on_together(struct queue_change *change)
{
    struct settlement *settlement = CONTAINER_OF(change, struct settlement, together);

    note_outcome(settlement, change);
    end_one(settlement);
}

static void on_exchange(struct queue_change *change)
{
    struct exchange *exchange = CONTAINER_OF(change, struct exchange, change);
    struct settlement *settlement = exchange->settlement;

    note_outcome(settlement, change);
    if (change->ok)
        courier_take(settlement->smtpd->courier, exchange->report);
    letter_free(&exchange->report);
    free(exchange);
    end_one(settlement);
}

static void write_change(struct settlement *settlement, struct queue_change *change)
{
    atomic_fetch_add(&settlement->n_open, 1);
    queue_write(settlement->smtpd->queue, change);
}

static void leave(struct settlement *settlement, const struct errand *errand)
{
    settlement->gone[settlement->together.n_gone++] = errand->to->id;
}

static void try_again(struct settlement *settlement, const struct errand *errand)
{
    const struct queue_message *message = &settlement->shipment->letter->message;

    atomic_fetch_add(&settlement->smtpd->counters.retried, 1);
    settlement->retries[settlement->together.n_retries++] = (struct queue_retry){
        .recipient = errand->to->id,
        .next_try_ms = retry_time(settlement->smtpd->settings, errand->to->tries,
                                  message->arrived_ms, time_ms(), random_u64()),
        .made = { .at_ms = time_ms(),
                  .host = slice_of(settlement->shipment->host),
                  .status = slice_of(errand->status),
                  .reply = slice_of(errand->text),
                  .answered = errand->answered },
    };
}

static void leave_with_report(struct settlement *settlement, const struct errand *errand,
                              struct letter *report)
{
    struct exchange *exchange = NEW(struct exchange);

    exchange->settlement = settlement;
    exchange->report = report;
    exchange->gone = errand->to->id;
    exchange->change = (struct queue_change){
        .message = &report->message,
        .body = report->body,
        .gone = &exchange->gone,
        .n_gone = 1,
        .done = on_exchange,
    };
    write_change(settlement, &exchange->change);
}

static void log_errand(const struct settlement *settlement, const struct errand *errand,
                       const char *event)
{
    log_info(&settlement->log, event,
             F_NUM("queue", (int64_t)settlement->shipment->letter->message.id),
             F_TEXT("to", errand->to->address), F_STR("host", settlement->shipment->host),
             F_STR("status", errand->status), F_STR("reply", errand->text));
}

/* The body is needed for the report; one that cannot be read is reported without. */
static struct body *body_of(struct settlement *settlement)
{
    struct shipment *shipment = settlement->shipment;
    struct error err;

    if (shipment->body == NULL &&
        !queue_body(settlement->desk, shipment->letter->message.id, &shipment->body, &err))
        log_warn(&settlement->log, "body unreadable", F_ERR(&err));
    return shipment->body;
}

/* Out of the queue, with a report where the sender wants one. */
static void finish(struct settlement *settlement, struct errand *errand,
                   const struct bounce *bounce)
{
    const struct queue_message *message = &settlement->shipment->letter->message;
    struct letter *report = NULL;
    struct error err;

    if (bounce_is_wanted(message, bounce) &&
        !bounce_make(settlement->smtpd, settlement->desk, message, body_of(settlement), bounce,
                     &report, &err)) {
        log_warn(&settlement->log, "report failed", F_ERR(&err));
        try_again(settlement, errand);
    } else if (report != NULL) {
        leave_with_report(settlement, errand, report);
    } else {
        leave(settlement, errand);
    }
}

static struct bounce bounce_of(const struct settlement *settlement, const struct errand *errand,
                               enum bounce_kind kind, const char *reason)
{
    return (struct bounce){
        .kind = kind,
        .recipient = errand->to,
        .status = errand->status,
        .reason = errand->answered ? reason : errand->text,
        .diagnostic = slice_of(errand->answered ? errand->text : ""),
        .remote_name = errand->answered ? settlement->shipment->host : NULL,
    };
}

static void settle_delivered(struct settlement *settlement, struct errand *errand)
{
    const struct bounce bounce =
        bounce_of(settlement, errand, BOUNCE_RELAYED,
                  "The message was given to a server that sends no reports");

    atomic_fetch_add(&settlement->smtpd->counters.delivered, 1);
    log_errand(settlement, errand, "sent");
    if (settlement->shipment->host_knows_dsn)
        leave(settlement, errand);
    else
        finish(settlement, errand, &bounce);
}

static void settle_failed(struct settlement *settlement, struct errand *errand)
{
    const struct queue_message *message = &settlement->shipment->letter->message;
    const struct bounce bounce =
        bounce_of(settlement, errand, BOUNCE_FAILED, "The other server has refused the message");

    atomic_fetch_add(&settlement->smtpd->counters.bounced, 1);
    log_errand(settlement, errand, bounce_is_wanted(message, &bounce) ? "bounced" : "dropped");
    finish(settlement, errand, &bounce);
}

static void settle_later(struct settlement *settlement, struct errand *errand)
{
    const struct queue_message *message = &settlement->shipment->letter->message;

    log_errand(settlement, errand, "delivery delayed");
    if (retry_is_over(settlement->smtpd->settings, message->arrived_ms, time_ms()))
        settle_failed(settlement, errand);
    else
        try_again(settlement, errand);
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
        leave(settlement, errand);
        return;
    }
    abort();
}

void settle_remote(struct smtpd *smtpd, struct desk *desk, const struct log *log,
                   struct shipment *shipment, settle_remote_done done, void *context)
{
    struct settlement *settlement = NEW(struct settlement);

    settlement->smtpd = smtpd;
    settlement->desk = desk;
    settlement->log = *log;
    settlement->shipment = shipment;
    settlement->gone = mem_zero(shipment->n_errands * sizeof(settlement->gone[0]));
    settlement->retries = mem_zero(shipment->n_errands * sizeof(settlement->retries[0]));
    settlement->done = done;
    settlement->context = context;
    atomic_init(&settlement->n_open, 1);
    for (size_t i = 0; i < shipment->n_errands; i++)
        settle_one(settlement, &shipment->errands[i]);
    settlement->together.gone = settlement->gone;
    settlement->together.retries = settlement->retries;
    settlement->together.done = on_together;
    if (settlement->together.n_gone + settlement->together.n_retries > 0)
        write_change(settlement, &settlement->together);
    end_one(settlement);
}
