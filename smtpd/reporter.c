/* reporter.c - see reporter.h.
 *
 *     IDLE --wake, or the time of what was postponed--> RUNNING --all changes committed--> IDLE
 *                                                          ^------woken meanwhile------'
 *
 * A pass begins only when all changes of the one before are in the queue: so nothing is told twice.
 */
#include "smtpd/reporter.h"

#include "common/daemon.h"
#include "smtpd/bounce.h"
#include "smtpd/courier.h"

#include <pthread.h>
#include <stdlib.h>

#define PAGE_MESSAGES 64
#define SOON_MS       5000 /* after a failure */
#define REPORT_KEY    1    /* of the job: no account has it */

struct reporter {
    struct smtpd *smtpd;
    struct pool *pool;
    struct log log;
    struct job job;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t idle;
    bool running, again, stopping;
    size_t n_open;   /* changes under way, and one for the pass itself */
    uint64_t due_ms; /* on clock_ms(): when to look again; UINT64_MAX: when woken */
};

/* One report on its way into the queue. */
struct telling {
    struct queue_change change;
    struct reporter *reporter;
    struct letter *report; /* NULL: nobody to send it to */
    uint64_t *ids;
};

static void run_pass(struct job *job, void *desk);

/* With the lock held. */
static void start(struct reporter *reporter)
{
    reporter->again = reporter->running;
    if (reporter->running || reporter->stopping)
        return;
    reporter->running = true;
    reporter->due_ms = UINT64_MAX;
    reporter->n_open = 1;
    reporter->job = (struct job){ .work = run_pass };
    pool_submit(reporter->pool, REPORT_KEY, &reporter->job);
}

static void end_one(struct reporter *reporter)
{
    pthread_mutex_lock(&reporter->lock);
    if (--reporter->n_open == 0) {
        reporter->running = false;
        if (reporter->again)
            start(reporter);
        if (!reporter->running)
            pthread_cond_broadcast(&reporter->idle);
    }
    pthread_mutex_unlock(&reporter->lock);
}

static void look_again_in(struct reporter *reporter, uint64_t wait_ms)
{
    pthread_mutex_lock(&reporter->lock);
    reporter->due_ms = MIN(reporter->due_ms, clock_ms() + wait_ms);
    pthread_mutex_unlock(&reporter->lock);
}

/* On the queue's writer thread. */
static void on_told(struct queue_change *change)
{
    struct telling *telling = CONTAINER_OF(change, struct telling, change);
    struct reporter *reporter = telling->reporter;

    if (!change->ok) {
        log_warn(&reporter->log, "queue refused", F_ERR(&change->error));
        look_again_in(reporter, SOON_MS);
    } else if (telling->report != NULL) {
        courier_take(reporter->smtpd->courier, telling->report);
    }
    letter_free(&telling->report);
    free(telling->ids);
    free(telling);
    end_one(reporter);
}

/* Enters the report; those that wait still are marked as warned, the others leave. */
static void tell(struct reporter *reporter, const struct bounce *bounce, struct letter *report)
{
    struct telling *telling = NEW(struct telling);

    telling->reporter = reporter;
    telling->report = report;
    telling->ids = mem_zero(bounce->n_recipients * sizeof(telling->ids[0]));
    for (size_t i = 0; i < bounce->n_recipients; i++)
        telling->ids[i] = bounce->recipients[i]->id;
    telling->change.done = on_told;
    if (report != NULL) {
        telling->change.message = &report->message;
        telling->change.body = report->body;
    }
    if (bounce->class == BOUNCE_DELAY) {
        telling->change.warned = telling->ids;
        telling->change.n_warned = bounce->n_recipients;
    } else {
        telling->change.gone = telling->ids;
        telling->change.n_gone = bounce->n_recipients;
    }
    pthread_mutex_lock(&reporter->lock);
    reporter->n_open++;
    pthread_mutex_unlock(&reporter->lock);
    queue_write(reporter->smtpd->queue, &telling->change);
}

/* The body is needed for the report; one that cannot be read is reported without. */
static void make_report(struct reporter *reporter, struct desk *desk,
                        const struct queue_message *message, const struct bounce *bounce)
{
    AUTO(body_free) struct body *body = NULL;
    struct letter *report;
    struct error err;

    if (!queue_body(desk, message->id, &body, &err))
        log_warn(&reporter->log, "body unreadable", F_ERR(&err));
    if (!bounce_make(reporter->smtpd, desk, message, body, bounce, &report, &err)) {
        log_warn(&reporter->log, "report failed", F_ERR(&err));
        look_again_in(reporter, SOON_MS);
        return;
    }
    log_info(&reporter->log, "report", F_NUM("queue", (int64_t)message->id),
             F_TEXT("to", message->sender), F_NUM("recipients", (int64_t)bounce->n_recipients));
    tell(reporter, bounce, report);
}

/* Somebody has not been tried yet, and may soon be a line of the same report. */
static bool expects_more(const struct queue_message *message)
{
    for (size_t i = 0; i < message->n_recipients; i++)
        if (message->recipients[i].state == QUEUE_WAITING && message->recipients[i].tries == 0)
            return true;
    return false;
}

/* How long the report may wait for more; news from the future are none to wait with. */
static int64_t wait_left(const struct reporter *reporter, const struct bounce *bounce)
{
    int64_t most = (int64_t)reporter->smtpd->settings->report_wait, oldest = 0;
    int64_t now_ms = time_ms();

    for (size_t i = 0; i < bounce->n_recipients; i++) {
        int64_t age = now_ms - bounce->recipients[i]->last_try_ms;

        if (age < 0)
            return 0;
        oldest = MAX(oldest, age);
    }
    return MAX(most - oldest, 0);
}

static void tell_class(struct reporter *reporter, struct desk *desk, struct arena *arena,
                       const struct queue_message *message, enum bounce_class class)
{
    struct bounce bounce = { .class = class };
    int64_t wait_ms;

    bounce.recipients = ARENA_ARRAY(arena, const struct queue_recipient *, message->n_recipients);
    for (size_t i = 0; i < message->n_recipients; i++) {
        const struct queue_recipient *recipient = &message->recipients[i];

        if (recipient->report != REPORT_NONE && bounce_class_of(recipient->report) == class)
            bounce.recipients[bounce.n_recipients++] = recipient;
    }
    if (bounce.n_recipients == 0)
        return;
    wait_ms = expects_more(message) ? wait_left(reporter, &bounce) : 0;
    if (wait_ms > 0)
        look_again_in(reporter, (uint64_t)wait_ms);
    else
        make_report(reporter, desk, message, &bounce);
}

static void tell_message(struct reporter *reporter, struct desk *desk, uint64_t id)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_message message;
    struct error err;

    if (!queue_by_id(desk, &arena, id, &message, &err)) {
        if (err.kind == ERROR_NOT_FOUND) /* the operator was faster */
            return;
        log_warn(&reporter->log, "queue unreadable", F_ERR(&err));
        look_again_in(reporter, SOON_MS);
        return;
    }
    tell_class(reporter, desk, &arena, &message, BOUNCE_FAILURE);
    tell_class(reporter, desk, &arena, &message, BOUNCE_DELAY);
    tell_class(reporter, desk, &arena, &message, BOUNCE_SUCCESS);
}

static void run_pass(struct job *job, void *desk)
{
    struct reporter *reporter = CONTAINER_OF(job, struct reporter, job);
    uint64_t ids[PAGE_MESSAGES], after = 0;
    size_t count;
    struct error err;

    do {
        if (!queue_reports(desk, after, PAGE_MESSAGES, ids, &count, &err)) {
            log_warn(&reporter->log, "queue unreadable", F_ERR(&err));
            look_again_in(reporter, SOON_MS);
            break;
        }
        for (size_t i = 0; i < count; i++)
            tell_message(reporter, desk, ids[i]);
        after = count > 0 ? ids[count - 1] : after;
    } while (count == PAGE_MESSAGES);
    end_one(reporter);
}

struct reporter *reporter_new(struct smtpd *smtpd, struct pool *pool, const struct log *log)
{
    struct reporter *reporter = NEW(struct reporter);

    reporter->smtpd = smtpd;
    reporter->pool = pool;
    reporter->log = *log;
    reporter->due_ms = UINT64_MAX;
    pthread_mutex_init(&reporter->lock, NULL);
    pthread_cond_init(&reporter->idle, NULL);
    return reporter;
}

void reporter_wake(struct reporter *reporter)
{
    pthread_mutex_lock(&reporter->lock);
    start(reporter);
    pthread_mutex_unlock(&reporter->lock);
}

uint64_t reporter_tick(struct reporter *reporter)
{
    uint64_t now_ms = clock_ms(), due_ms = 0;

    pthread_mutex_lock(&reporter->lock);
    if (!reporter->running && reporter->due_ms <= now_ms)
        start(reporter);
    else if (!reporter->running)
        due_ms = reporter->due_ms == UINT64_MAX ? UINT64_MAX : reporter->due_ms - now_ms;
    pthread_mutex_unlock(&reporter->lock);
    return due_ms;
}

void reporter_stop(struct reporter *reporter)
{
    pthread_mutex_lock(&reporter->lock);
    reporter->stopping = true;
    while (reporter->running)
        pthread_cond_wait(&reporter->idle, &reporter->lock);
    pthread_mutex_unlock(&reporter->lock);
}

void reporter_free(struct reporter **reporter)
{
    struct reporter *old = TAKE(*reporter);

    if (old == NULL)
        return;
    pthread_cond_destroy(&old->idle);
    pthread_mutex_destroy(&old->lock);
    free(old);
}
