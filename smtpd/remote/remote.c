/* remote.c - see remote.h.
 *
 * Every end of a lookup, a session or a job only wakes the loop thread, which looks at all
 * carriers: who is `ready` makes its next step.
 */
#include "smtpd/remote/remote.h"

#include "common/daemon.h"
#include "smtpd/remote/client.h"
#include "smtpd/remote/security.h"
#include "smtpd/remote/settle_remote.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#define PAGE_MESSAGES 64  /* read from the queue at once */
#define REST_MIN_MS   200 /* between two looks at the queue by the clock */
#define REST_MAX_MS   (24 * 60 * 60 * 1000)
#define SOON_MS       5000 /* after the queue could not be read or written */

/* The key of the jobs that read the queue: no account has it. */
#define SCAN_KEY 0

enum stage { STAGE_ROUTING, STAGE_SECURING, STAGE_TALKING, STAGE_SETTLING };

/* Carries one shipment at a time. Its memory stays until remote_free(): sessions point at its
 * protocol a little longer than the shipment lasts. */
struct carrier {
    struct carrier *next;
    struct remote *remote;
    struct shipment *shipment;
    enum stage stage;
    atomic_bool ready;      /* the stage is over; set by any thread */
    uint64_t seed;          /* of the route */
    struct dns_table table; /* for the shipment's domain */
    struct route route;
    size_t target;            /* which of the route is asked */
    struct tls_policy policy; /* of the target */
    bool may_help;            /* a server that was asked may still take it another day */
    struct protocol protocol;
    struct client_task task;
    struct job job;
    bool refused; /* the queue did not take it all */
};

struct remote {
    struct remote_options options;
    struct route_machine machine;
    uv_async_t woken;
    uv_timer_t timer;
    bool stopping;

    struct carrier *busy, *spare;
    size_t n_busy;
    struct shipment *waiting;
    struct shipment *settled; /* while a page is being read that may still have them */

    atomic_bool due; /* look at the queue from its beginning */
    bool scanning;
    struct page {
        struct job job;
        uint64_t cursor; /* the message that was read last; 0: begin */
        struct shipment *found;
        bool is_last, failed;
        int64_t next_due_ms;
        atomic_bool is_done;
    } page;
    int64_t hold_until_ms; /* the queue was of no use */

    pthread_mutex_t lock;
    pthread_cond_t idle; /* n_jobs has become 0 */
    size_t n_jobs;       /* that use the queue, until it has answered */
};

static void step_all(struct remote *remote);

void remote_wake(void *context)
{
    struct remote *remote = context;

    atomic_store(&remote->due, true);
    uv_async_send(&remote->woken);
}

/* --- jobs --- */

static void submit(struct remote *remote, uint64_t key, struct job *job,
                   void (*work)(struct job *, void *))
{
    pthread_mutex_lock(&remote->lock);
    remote->n_jobs++;
    pthread_mutex_unlock(&remote->lock);
    *job = (struct job){ .work = work };
    pool_submit(remote->options.pool, key, job);
}

/* The last thing a job does, on whatever thread it ends. */
static void end_job(struct remote *remote)
{
    uv_async_send(&remote->woken);
    pthread_mutex_lock(&remote->lock);
    if (--remote->n_jobs == 0)
        pthread_cond_broadcast(&remote->idle);
    pthread_mutex_unlock(&remote->lock);
}

static void add_all(struct shipment **list, struct shipment *more)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = more;
}

static void free_all(struct shipment **list)
{
    while (*list != NULL) {
        struct shipment *first = *list;
        *list = first->next;
        shipment_free(&first);
    }
}

/* On a worker. */
static bool read_page(struct page *page, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;

    if (!queue_find(desk, &arena, QUEUE_REMOTE_DUE, time_ms(), page->cursor, PAGE_MESSAGES, &list,
                    err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        add_all(&page->found, shipments_of(&list.items[i]));
        page->cursor = list.items[i].id;
    }
    page->is_last = list.count < PAGE_MESSAGES;
    return queue_next_due(desk, &page->next_due_ms, err);
}

static void run_scan(struct job *job, void *desk)
{
    struct page *page = CONTAINER_OF(job, struct page, job);
    struct remote *remote = CONTAINER_OF(page, struct remote, page);
    struct error err;

    page->failed = !read_page(page, desk, &err);
    if (page->failed)
        log_warn(&remote->options.log, "queue unreadable", F_ERR(&err));
    atomic_store(&page->is_done, true);
    end_job(remote);
}

static void on_settled(void *context, bool ok)
{
    struct carrier *carrier = context;
    struct remote *remote = carrier->remote;

    carrier->refused = !ok;
    atomic_store(&carrier->ready, true);
    end_job(remote);
}

static void run_settle(struct job *job, void *desk)
{
    struct carrier *carrier = CONTAINER_OF(job, struct carrier, job);
    struct remote *remote = carrier->remote;

    settle_remote(remote->options.smtpd, &remote->options.log, carrier->shipment, on_settled,
                  carrier);
}

/* --- carriers --- */

static void on_fetched(void *context)
{
    struct carrier *carrier = context;

    atomic_store(&carrier->ready, true);
    uv_async_send(&carrier->remote->woken);
}

/* On a worker: the client is gone. */
static void on_talked(struct client_task *task)
{
    struct carrier *carrier = CONTAINER_OF(task, struct carrier, task);

    atomic_store(&carrier->ready, true);
    uv_async_send(&carrier->remote->woken);
}

static void begin_stage(struct carrier *carrier, enum stage stage)
{
    carrier->stage = stage;
    atomic_store(&carrier->ready, false);
}

static void begin_settling(struct carrier *carrier)
{
    struct remote *remote = carrier->remote;

    begin_stage(carrier, STAGE_SETTLING);
    submit(remote, carrier->shipment->letter->message.id, &carrier->job, run_settle);
}

static void begin_talking(struct carrier *carrier, bool no_tls)
{
    const struct settings *settings = carrier->remote->options.smtpd->settings;
    const struct route_target *target = &carrier->route.targets[carrier->target];
    struct shipment *shipment = carrier->shipment;

    begin_stage(carrier, STAGE_TALKING);
    carrier->task = (struct client_task){
        .shipment = shipment,
        .hostname = settings->hostname,
        .policy = carrier->policy,
        .no_tls = no_tls,
        .patience = { .command_ms = settings->reply_timeout,
                      .data_ms = settings->data_reply_timeout,
                      .sent_ms = settings->end_reply_timeout },
        .ended = on_talked,
    };
    server_connect(carrier->remote->options.server, target->address,
                   (uint16_t)settings->remote_port, &carrier->protocol, 0);
}

static struct security_question security_question(struct carrier *carrier)
{
    return (struct security_question){
        .smtpd = carrier->remote->options.smtpd,
        .table = &carrier->table,
        .shipment = carrier->shipment,
        .host = carrier->route.targets[carrier->target].host,
        .mx_secure = carrier->route.mx_secure,
    };
}

/* No server was of use: the last one's words are the reason. */
static void end_targets(struct carrier *carrier, const char *status, const char *text)
{
    shipment_end(carrier->shipment, carrier->may_help ? OUTCOME_LATER : OUTCOME_FAILED, status,
                 text);
    begin_settling(carrier);
}

/* The policy is found for the target, or for the first one after it that may be used. */
static void go_on_securing(struct carrier *carrier)
{
    struct tls_policy *policy = &carrier->policy;

    for (; carrier->target < carrier->route.n_targets; carrier->target++) {
        struct security_question question = security_question(carrier);

        memcpy(carrier->shipment->host, question.host->name, sizeof(question.host->name));
        begin_stage(carrier, STAGE_SECURING);
        switch (security_find(&question, policy, on_fetched, carrier)) {
        case SECURITY_WAITS:
            return;
        case SECURITY_FOUND:
            begin_talking(carrier, false);
            return;
        case SECURITY_REFUSED:
            log_info(&carrier->remote->options.log, "host not used",
                     F_STR("host", question.host->name), F_STR("status", policy->status),
                     F_STR("reason", policy->text));
            security_count(&question, policy, NULL, "");
            carrier->may_help = carrier->may_help || !policy->permanent;
            break;
        }
    }
    end_targets(carrier, policy->status, policy->text);
}

/* When the route is found, or there is none. */
static void end_routing(struct carrier *carrier)
{
    const struct route *route = &carrier->route;

    carrier->target = 0;
    switch (route->state) {
    case ROUTE_FOUND:
        if (carrier->remote->stopping)
            break;
        carrier->may_help = false;
        go_on_securing(carrier);
        return;
    case ROUTE_FAILED:
        shipment_end(carrier->shipment, OUTCOME_FAILED, route->status, route->reason);
        break;
    case ROUTE_LATER:
        shipment_end(carrier->shipment, OUTCOME_LATER, route->status, route->reason);
        break;
    }
    begin_settling(carrier);
}

/* As far as the answers in the table go; then more are fetched. */
static void go_on_routing(struct carrier *carrier)
{
    struct smtpd *smtpd = carrier->remote->options.smtpd;
    const struct route_question question = {
        .domain = carrier->shipment->domain,
        .port = (uint16_t)smtpd->settings->remote_port,
        .seed = carrier->seed,
        .machine = &carrier->remote->machine,
    };

    begin_stage(carrier, STAGE_ROUTING);
    if (route_find(&question, &carrier->table, &carrier->route))
        end_routing(carrier);
    else
        smtpd->fetch(smtpd->resolver, &carrier->table, on_fetched, carrier);
}

static void begin_routing(struct carrier *carrier)
{
    route_machine_look(&carrier->remote->machine);
    carrier->seed = random_u64();
    go_on_routing(carrier);
}

/* RFC 5321 section 5.1: the next server, while there are recipients nobody has spoken of. */
static void end_talking(struct carrier *carrier)
{
    struct client_task *task = &carrier->task;
    struct security_question question = security_question(carrier);
    const char *address = carrier->route.targets[carrier->target].address;

    security_count(&question, &carrier->policy, task, address);
    carrier->may_help = carrier->may_help || !task->permanent;
    if (!shipment_is_open(carrier->shipment) || carrier->remote->stopping) {
        begin_settling(carrier);
    } else if (task->tls_failed && !task->no_tls && !carrier->policy.required) {
        begin_talking(carrier, true);
    } else if (carrier->target + 1 < carrier->route.n_targets) {
        carrier->target++;
        go_on_securing(carrier);
    } else {
        end_targets(carrier, task->status, task->text);
    }
}

static void end_settling(struct carrier *carrier)
{
    struct remote *remote = carrier->remote;
    struct shipment *shipment = TAKE(carrier->shipment);
    struct carrier **place = &remote->busy;

    dns_table_free(&carrier->table);
    shipment->next = remote->settled;
    remote->settled = shipment;
    while (*place != carrier)
        place = &(*place)->next;
    *place = carrier->next;
    carrier->next = remote->spare;
    remote->spare = carrier;
    remote->n_busy--;
    if (carrier->refused) /* it is due still, but not at once */
        remote->hold_until_ms = time_ms() + SOON_MS;
    else
        atomic_store(&remote->due, true);
}

static void step(struct carrier *carrier)
{
    switch (carrier->stage) {
    case STAGE_ROUTING:
        go_on_routing(carrier);
        return;
    case STAGE_SECURING:
        go_on_securing(carrier);
        return;
    case STAGE_TALKING:
        end_talking(carrier);
        return;
    case STAGE_SETTLING:
        end_settling(carrier);
        return;
    }
    abort();
}

static struct carrier *carrier_take(struct remote *remote)
{
    struct carrier *carrier = remote->spare;

    if (carrier != NULL) {
        remote->spare = carrier->next;
    } else {
        carrier = NEW(struct carrier);
        carrier->remote = remote;
        carrier->protocol =
            (struct protocol){ "smtp", client_open, client_run, client_close, &carrier->task };
    }
    carrier->next = remote->busy;
    remote->busy = carrier;
    remote->n_busy++;
    return carrier;
}

static void start_waiting(struct remote *remote)
{
    while (remote->waiting != NULL &&
           remote->n_busy < remote->options.smtpd->settings->deliveries) {
        struct carrier *carrier = carrier_take(remote);

        carrier->shipment = remote->waiting;
        remote->waiting = carrier->shipment->next;
        carrier->shipment->next = NULL;
        begin_routing(carrier);
    }
}

/* --- the queue --- */

static bool has_message(const struct shipment *list, uint64_t message)
{
    while (list != NULL && list->letter->message.id != message)
        list = list->next;
    return list != NULL;
}

static bool is_in_hand(const struct remote *remote, uint64_t message)
{
    for (const struct carrier *carrier = remote->busy; carrier != NULL; carrier = carrier->next)
        if (carrier->shipment->letter->message.id == message)
            return true;
    return has_message(remote->waiting, message) || has_message(remote->settled, message);
}

/* What is not in hand becomes waiting. */
static void take_found(struct remote *remote)
{
    struct shipment *fresh = NULL, *known = NULL;

    while (remote->page.found != NULL) {
        struct shipment *shipment = remote->page.found;

        remote->page.found = shipment->next;
        shipment->next = NULL;
        add_all(is_in_hand(remote, shipment->letter->message.id) ? &known : &fresh, shipment);
    }
    add_all(&remote->waiting, fresh);
    free_all(&known);
}

static void on_timer(uv_timer_t *timer)
{
    struct remote *remote = CONTAINER_OF(timer, struct remote, timer);

    atomic_store(&remote->due, true);
    step_all(remote);
}

/* What is in hand is due in the queue, too: then the time is in the past. */
static void set_timer(struct remote *remote)
{
    int64_t due_ms = MAX(remote->page.next_due_ms, remote->hold_until_ms);
    int64_t wait_ms = due_ms - time_ms();

    uv_timer_stop(&remote->timer);
    if (remote->page.next_due_ms != INT64_MAX)
        uv_timer_start(&remote->timer, on_timer,
                       (uint64_t)MIN(MAX(wait_ms, REST_MIN_MS), REST_MAX_MS), 0);
}

static void end_scan(struct remote *remote)
{
    struct page *page = &remote->page;

    remote->scanning = false;
    take_found(remote);
    free_all(&remote->settled);
    if (page->failed) {
        remote->hold_until_ms = time_ms() + SOON_MS;
        page->next_due_ms = remote->hold_until_ms;
    }
    if (page->failed || page->is_last) {
        page->cursor = 0;
        set_timer(remote);
    }
}

/* Reads on in the queue when there is a carrier for what may be found. */
static void scan(struct remote *remote)
{
    bool reads_on = remote->page.cursor != 0;
    bool is_held = time_ms() < remote->hold_until_ms;

    if (remote->scanning || remote->waiting != NULL ||
        remote->n_busy >= remote->options.smtpd->settings->deliveries)
        return;
    if (!reads_on && (is_held || !atomic_exchange(&remote->due, false)))
        return;
    remote->scanning = true;
    atomic_store(&remote->page.is_done, false);
    submit(remote, SCAN_KEY, &remote->page.job, run_scan);
}

static void step_all(struct remote *remote)
{
    struct carrier *carrier = remote->busy;

    while (carrier != NULL) {
        struct carrier *next = carrier->next;
        if (atomic_load(&carrier->ready))
            step(carrier);
        carrier = next;
    }
    if (remote->scanning && atomic_load(&remote->page.is_done))
        end_scan(remote);
    if (!remote->scanning)
        free_all(&remote->settled);
    if (remote->stopping)
        return;
    start_waiting(remote);
    scan(remote);
}

static void on_woken(uv_async_t *async)
{
    step_all(CONTAINER_OF(async, struct remote, woken));
}

struct remote *remote_new(const struct remote_options *options)
{
    const struct settings *settings = options->smtpd->settings;
    struct remote *remote = NEW(struct remote);

    remote->options = *options;
    remote->machine = (struct route_machine){
        .hostname = settings->hostname,
        .listens = settings->smtp,
        .families = (enum route_families)settings->ip_families,
    };
    pthread_mutex_init(&remote->lock, NULL);
    pthread_cond_init(&remote->idle, NULL);
    if (uv_async_init(options->loop, &remote->woken, on_woken) != 0)
        abort(); /* no descriptors at start */
    uv_timer_init(options->loop, &remote->timer);
    remote->page.next_due_ms = INT64_MAX;
    remote_wake(remote);
    return remote;
}

void remote_pause(struct remote *remote)
{
    remote->stopping = true;
    uv_timer_stop(&remote->timer);
}

void remote_stop(struct remote *remote)
{
    remote_pause(remote);
    step_all(
        remote); /* sessions that have ended since the loop did: their outcomes are to be kept */
    pthread_mutex_lock(&remote->lock);
    while (remote->n_jobs > 0)
        pthread_cond_wait(&remote->idle, &remote->lock);
    pthread_mutex_unlock(&remote->lock);
}

void remote_close(struct remote *remote)
{
    uv_close((uv_handle_t *)&remote->woken, NULL);
    uv_close((uv_handle_t *)&remote->timer, NULL);
}

static void free_carriers(struct carrier *list)
{
    while (list != NULL) {
        struct carrier *first = list;
        list = first->next;
        shipment_free(&first->shipment);
        dns_table_free(&first->table);
        free(first);
    }
}

void remote_free(struct remote **remote)
{
    struct remote *old = TAKE(*remote);

    if (old == NULL)
        return;
    free_carriers(old->busy);
    free_carriers(old->spare);
    free_all(&old->waiting);
    free_all(&old->settled);
    free_all(&old->page.found);
    route_machine_free(&old->machine);
    pthread_cond_destroy(&old->idle);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

size_t remote_in_hand(const struct remote *remote)
{
    return remote->n_busy;
}
