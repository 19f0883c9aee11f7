/* daily.c - see daily.h.
 *
 *     IDLE --tick--> WORKING --DNS, queue--> WAITING --their callback--> WORKING --> ... --> IDLE
 *
 * The job is the only one that touches what is below `job` in the struct; between WORKING and
 * WORKING the queue or the resolver has it.
 */
#include "smtpd/report/daily.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "common/daemon.h"
#include "smtpd/courier.h"
#include "smtpd/report/dmarc_mail.h"
#include "smtpd/report/tls_mail.h"

#include <pthread.h>
#include <stdlib.h>

#define WRITE_MS  (60 * 1000)
#define LOOK_MS   (60 * 60 * 1000) /* between two looks for reports that are due */
#define PAGE_MAX  500              /* reports of one look; then there is another at once */
#define KEEP_DAYS 7                /* counts whose domain's DNS fails */

/* The key of our jobs: no account has it. */
#define REPORT_KEY 0

enum daily_state { DAILY_IDLE, DAILY_WORKING, DAILY_WAITING };

struct daily {
    struct daily_options options;
    int64_t delay_ms;

    pthread_mutex_t lock; /* of these: */
    pthread_cond_t rests; /* not WORKING any more */
    enum daily_state state;
    bool stopping;
    uint64_t wrote_ms, look_ms; /* when counts were written; when to look for reports */

    struct job last; /* writes counts at the end */
    struct job job;

    struct arena arena; /* of `due` and `after` */
    struct tally_list due;
    size_t at;
    struct tally after; /* where the next page begins; kind 0: at the start */
    struct dns_table table;
    struct letter *letter; /* on its way into the queue */
    struct queue_change change;
};

static void run(struct job *job, void *desk);

struct daily *daily_new(const struct daily_options *options)
{
    struct daily *daily = NEW(struct daily);
    uint64_t delay_ms = options->smtpd->settings->report_delay;

    daily->options = *options;
    daily->delay_ms = delay_ms > 0 ? (int64_t)(random_u64() % delay_ms) : 0;
    pthread_mutex_init(&daily->lock, NULL);
    pthread_cond_init(&daily->rests, NULL);
    return daily;
}

void daily_free(struct daily **daily)
{
    struct daily *old = TAKE(*daily);

    if (old == NULL)
        return;
    letter_free(&old->letter);
    dns_table_free(&old->table);
    arena_free(&old->arena);
    pthread_mutex_destroy(&old->lock);
    pthread_cond_destroy(&old->rests);
    free(old);
}

/* --- states --- */

static void submit(struct daily *daily)
{
    daily->job = (struct job){ .work = run };
    pool_submit(daily->options.pool, REPORT_KEY, &daily->job);
}

/* The loop thread. */
static void on_fetched(void *context)
{
    submit(context);
}

/* The queue's writer thread. */
static void on_written(struct queue_change *change)
{
    submit(CONTAINER_OF(change, struct daily, change));
}

static bool is_stopping(struct daily *daily)
{
    bool stopping;

    pthread_mutex_lock(&daily->lock);
    stopping = daily->stopping;
    pthread_mutex_unlock(&daily->lock);
    return stopping;
}

static void set_state(struct daily *daily, enum daily_state state)
{
    pthread_mutex_lock(&daily->lock);
    daily->state = state;
    pthread_cond_signal(&daily->rests);
    pthread_mutex_unlock(&daily->lock);
}

/* --- one report --- */

static enum report_mail_state make(struct daily *daily, struct desk *desk, const struct tally *due,
                                   struct error *err)
{
    struct smtpd *smtpd = daily->options.smtpd;

    switch (due->kind) {
    case TALLY_DMARC:
        if (!smtpd->settings->report_dmarc)
            return REPORT_MAIL_UNWANTED;
        return dmarc_mail_make(smtpd, desk, due, &daily->table, &daily->letter, err);
    case TALLY_TLS:
        if (!smtpd->settings->report_tls)
            return REPORT_MAIL_UNWANTED;
        return tls_mail_make(smtpd, desk, due, &daily->table, &daily->letter, err);
    }
    return REPORT_MAIL_UNWANTED; /* of a newer version */
}

static void go_on(struct daily *daily)
{
    dns_table_free(&daily->table);
    daily->at++;
}

/* The report of one domain and day is over: sent, unwanted or too old. */
static void drop(struct daily *daily, struct desk *desk)
{
    struct error err;

    if (!tally_drop(desk, &daily->due.items[daily->at], &err))
        log_failure(&daily->options.log, &err);
    go_on(daily);
}

static void keep(struct daily *daily, struct desk *desk, const struct error *err)
{
    const struct tally *due = &daily->due.items[daily->at];

    log_info(&daily->options.log, "report kept", F_TEXT("domain", due->domain), F_ERR(err));
    if (due->day < counts_day(time_ms()) - KEEP_DAYS)
        drop(daily, desk);
    else
        go_on(daily);
}

static void enqueue(struct daily *daily)
{
    struct letter *letter = daily->letter;

    letter->message.prefix = buf_slice(&letter->prefix);
    daily->change = (struct queue_change){ .message = &letter->message,
                                           .body = letter->body,
                                           .done = on_written };
    queue_write(daily->options.smtpd->queue, &daily->change);
}

/* After the queue has answered. When we stop the courier has gone; it finds the letter in the queue
 * at the next start. */
static void end_letter(struct daily *daily, struct desk *desk)
{
    const struct tally *due = &daily->due.items[daily->at];

    if (!daily->change.ok) {
        keep(daily, desk, &daily->change.error);
        letter_free(&daily->letter);
        return;
    }
    log_info(&daily->options.log, "report sent", F_TEXT("domain", due->domain),
             F_NUM("queue", (int64_t)daily->letter->message.id));
    if (!is_stopping(daily))
        courier_take(daily->options.smtpd->courier, daily->letter);
    drop(daily, desk);
    letter_free(&daily->letter);
}

/* --- all of them --- */

/* True when somebody else will go on. Their answer is a job on this same thread, so it cannot come
 * before this one has ended. */
static bool run_one(struct daily *daily, struct desk *desk)
{
    struct smtpd *smtpd = daily->options.smtpd;
    struct error err;

    switch (make(daily, desk, &daily->due.items[daily->at], &err)) {
    case REPORT_MAIL_AGAIN:
        smtpd->fetch(smtpd->resolver, &daily->table, on_fetched, daily);
        return true;
    case REPORT_MAIL_READY:
        enqueue(daily);
        return true;
    case REPORT_MAIL_UNWANTED:
        drop(daily, desk);
        return false;
    case REPORT_MAIL_LATER:
        keep(daily, desk, &err);
        return false;
    }
    abort();
}

/* The next page of what is due. After a full one there is more at once. */
static void look(struct daily *daily, struct desk *desk)
{
    struct tally after = daily->after;
    int64_t today = counts_day(time_ms() - daily->delay_ms);
    struct arena arena = { 0 };
    struct error err;
    bool full;

    daily->at = 0;
    daily->due = (struct tally_list){ 0 };
    if (!tally_due(desk, &arena, today, after.kind != 0 ? &after : NULL, PAGE_MAX, &daily->due,
                   &err))
        log_failure(&daily->options.log, &err);
    arena_free(&daily->arena);
    daily->arena = arena;
    full = daily->due.count == PAGE_MAX;
    daily->after = full ? daily->due.items[PAGE_MAX - 1] : (struct tally){ 0 };
    pthread_mutex_lock(&daily->lock);
    daily->look_ms = full ? 0 : clock_ms() + LOOK_MS;
    pthread_mutex_unlock(&daily->lock);
}

static void write_counts(struct daily *daily, struct desk *desk)
{
    struct error err;

    if (!counts_write(daily->options.smtpd->counts, desk, &err))
        log_failure(&daily->options.log, &err);
    pthread_mutex_lock(&daily->lock);
    daily->wrote_ms = clock_ms();
    pthread_mutex_unlock(&daily->lock);
}

static bool wants_look(struct daily *daily)
{
    bool wants;

    pthread_mutex_lock(&daily->lock);
    wants = clock_ms() >= daily->look_ms;
    pthread_mutex_unlock(&daily->lock);
    return wants;
}

/* Takes the work on, unless we stop. */
static bool begin(struct daily *daily)
{
    bool may;

    pthread_mutex_lock(&daily->lock);
    may = !daily->stopping;
    if (may)
        daily->state = DAILY_WORKING;
    pthread_mutex_unlock(&daily->lock);
    return may;
}

static void run(struct job *job, void *desk)
{
    struct daily *daily = CONTAINER_OF(job, struct daily, job);
    bool may = begin(daily);

    if (daily->letter != NULL)
        end_letter(daily, desk);
    if (!may)
        return;
    if (daily->at == daily->due.count) {
        write_counts(daily, desk);
        if (wants_look(daily))
            look(daily, desk);
    }
    while (daily->at < daily->due.count && !is_stopping(daily))
        if (run_one(daily, desk)) {
            set_state(daily, DAILY_WAITING);
            return;
        }
    set_state(daily, DAILY_IDLE);
}

static void run_last(struct job *job, void *desk)
{
    write_counts(CONTAINER_OF(job, struct daily, last), desk);
}

/* --- the loop thread --- */

static uint64_t due_in(const struct daily *daily, uint64_t now)
{
    uint64_t due = daily->look_ms;

    if (daily->stopping)
        return UINT64_MAX;
    if (daily->state != DAILY_IDLE)
        return 1; /* what comes then is not known yet */
    if (!counts_is_empty(daily->options.smtpd->counts))
        due = MIN(due, daily->wrote_ms + WRITE_MS);
    return due > now ? due - now : 0;
}

uint64_t daily_tick(struct daily *daily)
{
    uint64_t due_ms;

    pthread_mutex_lock(&daily->lock);
    due_ms = due_in(daily, clock_ms());
    if (due_ms == 0)
        daily->state = DAILY_WAITING;
    pthread_mutex_unlock(&daily->lock);
    if (due_ms == 0)
        submit(daily);
    return due_ms;
}

void daily_stop(struct daily *daily)
{
    pthread_mutex_lock(&daily->lock);
    daily->stopping = true;
    while (daily->state == DAILY_WORKING)
        pthread_cond_wait(&daily->rests, &daily->lock);
    pthread_mutex_unlock(&daily->lock);
    daily->last = (struct job){ .work = run_last };
    pool_submit(daily->options.pool, REPORT_KEY, &daily->last);
}
