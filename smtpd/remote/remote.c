/* remote.c - see remote.h: between the queue, the schedule and the carriers. */
#include "smtpd/remote/remote_private.h"

#include "common/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_RECIPIENTS 200 /* read of a lane at once */
#define READING_MAX     16  /* pages */
#define LANE_MAX        50  /* shipments of one lane in hand */
#define IN_HAND_MAX     10000
#define HELD_MAX        (32ull * 1024 * 1024) /* bytes of letters */
#define TICK_MS         500                   /* while something waits for a connection */
#define SOON_MS         5000                  /* after the queue could not be read */
#define LOOK_MS         (10 * 60 * 1000)      /* at all lanes, as a safeguard */
#define REST_MAX_MS     (24 * 60 * 60 * 1000)
#define BACKOFF_MAX_MS  (30 * 60 * 1000)

/* The key of the jobs that read the queue: no account has it. */
#define SCAN_KEY 0

/* What is due in a lane, read on a worker. */
struct page {
    struct page *next;
    struct remote *remote;
    struct lane *lane;
    struct job job;
    char domain[SHIPMENT_NAME_SIZE];
    size_t max;
    struct shipment *found;
    int64_t due_ms;
    bool failed;
};

/* All lanes. */
struct look {
    struct arena arena;
    struct queue_lane *lanes;
    size_t count;
    bool failed;
};

static void step_all(struct remote *remote);

/* --- from other threads --- */

void remote_wake(void *context)
{
    struct remote *remote = context;

    pthread_mutex_lock(&remote->lock);
    remote->looks_around = remote->forgives = true;
    pthread_mutex_unlock(&remote->lock);
    uv_async_send(&remote->woken);
}

void remote_take(void *context, struct letter *letter)
{
    struct remote *remote = context;
    struct letters *letters = &remote->letters;

    pthread_mutex_lock(&remote->lock);
    letters->items =
        mem_grow(letters->items, &letters->room, letters->count + 1, sizeof(letters->items[0]));
    letters->items[letters->count++] = letter_share(letter);
    pthread_mutex_unlock(&remote->lock);
    uv_async_send(&remote->woken);
}

/* --- jobs --- */

void remote_submit(struct remote *remote, uint64_t key, struct job *job,
                   void (*work)(struct job *, void *))
{
    pthread_mutex_lock(&remote->lock);
    remote->n_jobs++;
    pthread_mutex_unlock(&remote->lock);
    *job = (struct job){ .work = work };
    pool_submit(remote->options.pool, key, job);
}

void remote_end_job(struct remote *remote)
{
    uv_async_send(&remote->woken);
    if (--remote->n_jobs == 0)
        pthread_cond_broadcast(&remote->idle);
}

static void run_look(struct job *job, void *desk)
{
    struct remote *remote = CONTAINER_OF(job, struct remote, look);
    struct look *look = NEW(struct look);
    struct error err;

    look->failed = !queue_lanes(desk, &look->arena, &look->lanes, &look->count, &err);
    if (look->failed)
        log_warn(&remote->options.log, "queue unreadable", F_ERR(&err));
    pthread_mutex_lock(&remote->lock);
    remote->looked = look;
    remote_end_job(remote);
    pthread_mutex_unlock(&remote->lock);
}

static bool read_page(struct page *page, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct shipment **end = &page->found;
    struct queue_list list;
    int64_t now_ms = time_ms();

    if (!queue_lane_due(desk, &arena, slice_of(page->domain), now_ms, page->max, &list,
                        &page->due_ms, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        *end = shipments_of(&list.items[i], now_ms);
        while (*end != NULL)
            end = &(*end)->next;
    }
    return true;
}

static void run_page(struct job *job, void *desk)
{
    struct page *page = CONTAINER_OF(job, struct page, job);
    struct remote *remote = page->remote;
    struct error err;

    page->failed = !read_page(page, desk, &err);
    if (page->failed)
        log_warn(&remote->options.log, "queue unreadable", F_ERR(&err));
    pthread_mutex_lock(&remote->lock);
    page->next = remote->pages;
    remote->pages = page;
    remote_end_job(remote);
    pthread_mutex_unlock(&remote->lock);
}

static void defer(struct remote *remote, const struct site *site, struct shipment *shipment)
{
    snprintf(shipment->host, sizeof(shipment->host), "%s", site->host);
    shipment_end(shipment, OUTCOME_LATER, site->status, site->text);
    remote_settle(remote, shipment);
}

void remote_defer(struct remote *remote, struct site *site)
{
    struct shipment *list = schedule_take_all(&remote->schedule, site);

    while (list != NULL) {
        struct shipment *first = list;

        list = first->next;
        defer(remote, site, first);
    }
}

/* --- into the schedule --- */

/* What is demanded of TLS depends on the message, too; a connection serves one kind of demand. */
static const char *demand_of(const struct shipment *shipment)
{
    const struct queue_message *message = &shipment->letter->message;

    if (message->require_tls)
        return shipment_sender(shipment).len == 0 ? " report" : " requiretls";
    return message->tls_optional ? " optional" : "";
}

/* All that goes to one relay in the same manner shares its connections. */
static struct site *site_of(struct remote *remote, const struct shipment *shipment,
                            const struct way *way)
{
    static const char *const tls[] = {
        [WAY_TLS_DEFAULT] = "", [WAY_TLS_ENCRYPT] = ",encrypt", [WAY_TLS_VERIFY] = ",verify"
    };
    char key[SCHEDULE_KEY_SIZE];

    if (way->kind == WAY_RELAY)
        snprintf(key, sizeof(key), "%s%s:%u%s%s%s", way->lmtp ? "lmtp:" : "", way->host, way->port,
                 tls[way->tls], way->auth ? ",auth" : "", demand_of(shipment));
    else
        snprintf(key, sizeof(key), "%s%s", shipment->domain, demand_of(shipment));
    return schedule_site(&remote->schedule, key);
}

static void carry(struct remote *remote, struct shipment *shipment, const struct way *way)
{
    struct site *site = site_of(remote, shipment, way);

    if (site_backs_off(site, clock_ms()))
        defer(remote, site, shipment);
    else
        schedule_add(&remote->schedule, site, shipment, false, clock_ms());
}

static void take_shipment(struct remote *remote, struct lane *lane, struct shipment *shipment)
{
    struct way way = way_find(remote->options.smtpd->settings->routes, shipment->domain);

    lane_add(lane, shipment);
    remote->n_in_hand++;
    switch (way.kind) {
    case WAY_DIRECT:
    case WAY_RELAY:
        carry(remote, shipment, &way);
        return;
    case WAY_DISCARD:
        log_info(&remote->options.log, "discarded",
                 F_NUM("queue", (int64_t)shipment->letter->message.id),
                 F_STR("domain", shipment->domain));
        shipment_end(shipment, OUTCOME_DROPPED, "", "");
        break;
    case WAY_REJECT:
        shipment_end(shipment, OUTCOME_FAILED, "5.7.1", "This server takes no mail for the domain");
        break;
    }
    remote_settle(remote, shipment);
}

/* A letter comes a little after its message has entered the queue: a page may have had it already,
 * and it may even be at the other server. Then only the queue knows. */
static bool may_be_known(const struct remote *remote, const struct letter *letter)
{
    return letter->message.id <= remote->newest;
}

static bool has_room(const struct remote *remote, const struct lane *lane,
                     const struct letter *letter)
{
    return !lane->is_reading && lane->due_ms > time_ms() && lane->n_in_hand < LANE_MAX &&
           remote->n_in_hand < IN_HAND_MAX && remote->n_in_hand * letter->message.size < HELD_MAX;
}

/* At once, or by way of the queue, where it is anyway. */
static void take_letter(struct remote *remote, struct letter *letter)
{
    struct shipment *list = shipments_of_letter(letter, time_ms());

    while (list != NULL) {
        struct shipment *first = list;
        struct lane *lane = lanes_get(&remote->lanes, first->domain);

        list = first->next;
        first->next = NULL;
        if (!may_be_known(remote, letter) && has_room(remote, lane, letter)) {
            take_shipment(remote, lane, first);
        } else {
            lane_due(&remote->lanes, lane, time_ms());
            shipment_free(&first);
        }
    }
}

static void take_letters(struct remote *remote)
{
    struct letters letters;

    pthread_mutex_lock(&remote->lock);
    letters = remote->letters;
    remote->letters = (struct letters){ 0 };
    pthread_mutex_unlock(&remote->lock);
    for (size_t i = 0; i < letters.count; i++) {
        if (!remote->stopping)
            take_letter(remote, letters.items[i]);
        letter_free(&letters.items[i]);
    }
    free(letters.items);
}

/* What is in hand is due in the queue, too: of such messages nothing more is taken now. */
static struct shipment *leave_out_known(struct remote *remote, struct lane *lane,
                                        struct shipment *found)
{
    struct shipment *fresh = NULL, **end = &fresh;

    while (found != NULL) {
        struct shipment *first = found;

        found = first->next;
        first->next = NULL;
        remote->newest = MAX(remote->newest, first->letter->message.id);
        if (lane_has(lane, first->letter->message.id)) {
            lane->has_skipped = true;
            shipment_free(&first);
        } else {
            *end = first;
            end = &first->next;
        }
    }
    return fresh;
}

static void end_page(struct remote *remote, struct page *page)
{
    struct lane *lane = page->lane;
    int64_t due_ms = page->failed ? time_ms() + SOON_MS : page->due_ms;
    struct shipment *fresh = leave_out_known(remote, lane, page->found);

    while (fresh != NULL) {
        struct shipment *first = fresh;

        fresh = first->next;
        first->next = NULL;
        take_shipment(remote, lane, first);
    }
    remote->n_reading--;
    lane_read(&remote->lanes, lane, due_ms);
    free(page);
}

static void take_pages(struct remote *remote)
{
    struct page *list;

    pthread_mutex_lock(&remote->lock);
    list = TAKE(remote->pages);
    pthread_mutex_unlock(&remote->lock);
    while (list != NULL) {
        struct page *first = list;

        list = first->next;
        end_page(remote, first);
    }
}

static void take_look(struct remote *remote)
{
    struct look *look;

    pthread_mutex_lock(&remote->lock);
    look = TAKE(remote->looked);
    pthread_mutex_unlock(&remote->lock);
    if (look == NULL)
        return;
    for (size_t i = 0; i < look->count; i++) {
        char domain[SHIPMENT_NAME_SIZE];

        snprintf(domain, sizeof(domain), SLICE_FMT, SLICE_ARG(look->lanes[i].domain));
        lane_due(&remote->lanes, lanes_get(&remote->lanes, domain), look->lanes[i].due_ms);
    }
    remote->is_looking = false;
    remote->looks_again_ms = clock_ms() + (look->failed ? SOON_MS : LOOK_MS);
    arena_free(&look->arena);
    free(look);
}

/* --- out of it --- */

static void look_around(struct remote *remote)
{
    bool wanted, forgives;

    if (remote->is_looking)
        return;
    pthread_mutex_lock(&remote->lock);
    wanted = remote->looks_around || clock_ms() >= remote->looks_again_ms;
    forgives = remote->forgives;
    if (wanted)
        remote->looks_around = remote->forgives = false;
    pthread_mutex_unlock(&remote->lock);
    if (!wanted)
        return;
    if (forgives)
        schedule_forgive(&remote->schedule);
    remote->is_looking = true;
    remote_submit(remote, SCAN_KEY, &remote->look, run_look);
}

static void read_lanes(struct remote *remote)
{
    struct lane *lane;

    while (remote->n_in_hand < IN_HAND_MAX && remote->n_reading < READING_MAX &&
           (lane = lanes_next(&remote->lanes, time_ms(), LANE_MAX)) != NULL) {
        struct page *page = NEW(struct page);

        page->remote = remote;
        page->lane = lane;
        page->max = PAGE_RECIPIENTS + lane->n_recipients;
        memcpy(page->domain, lane->domain, sizeof(page->domain));
        remote->n_reading++;
        remote_submit(remote, SCAN_KEY, &page->job, run_page);
    }
}

/* First the connections that are open; those with nothing to do make room for others. */
static void send_waiting(struct remote *remote)
{
    struct schedule *schedule = &remote->schedule;
    bool is_full = schedule->n_connections >= schedule->connections_max;
    struct shipment *shipment;
    struct site *site;

    for (struct carrier *carrier = remote->busy; carrier != NULL; carrier = carrier->next) {
        if (carrier->stage != STAGE_IDLE || carrier->is_quitting)
            continue;
        if (carrier->site->n_waiting > 0)
            carrier_offer(carrier);
        else if (is_full && schedule->n_waiting > 0)
            carrier_quit(carrier);
    }
    while ((shipment = schedule_next(schedule, clock_ms(), &site)) != NULL)
        carrier_start(remote, shipment, site);
}

static void on_timer(uv_timer_t *timer)
{
    step_all(CONTAINER_OF(timer, struct remote, timer));
}

static void set_timer(struct remote *remote)
{
    uint64_t now_ms = clock_ms();
    int64_t wait_ms = lanes_due(&remote->lanes) - time_ms();
    int64_t look_ms = (int64_t)(MAX(remote->looks_again_ms, now_ms) - now_ms);

    if (!remote->is_looking)
        wait_ms = MIN(wait_ms, look_ms);
    if (remote->refused != NULL)
        wait_ms = MIN(wait_ms, (int64_t)(MAX(remote->settles_again_ms, now_ms) - now_ms));
    if (remote->schedule.n_waiting > 0 || remote->n_in_hand >= IN_HAND_MAX)
        wait_ms = MIN(MAX(wait_ms, TICK_MS), TICK_MS);
    uv_timer_start(&remote->timer, on_timer, (uint64_t)MIN(MAX(wait_ms, 1), REST_MAX_MS), 0);
}

static void step_all(struct remote *remote)
{
    struct carrier *carrier = remote->busy;

    while (carrier != NULL) {
        struct carrier *next = carrier->next;
        if (atomic_load(&carrier->ready))
            carrier_step(carrier);
        carrier = next;
    }
    settling_take(remote);
    take_pages(remote);
    take_look(remote);
    take_letters(remote);
    if (remote->stopping)
        return;
    settling_try_again(remote);
    send_waiting(remote);
    look_around(remote);
    read_lanes(remote);
    set_timer(remote);
}

static void on_woken(uv_async_t *async)
{
    step_all(CONTAINER_OF(async, struct remote, woken));
}

static void set_limits(struct remote *remote)
{
    const struct settings *settings = remote->options.smtpd->settings;

    schedule_init(&remote->schedule);
    remote->schedule.connections_max = settings->deliveries;
    remote->schedule.per_site_max = settings->deliveries_per_site;
    remote->schedule.backoff_first_ms = settings->retry_first;
    remote->schedule.backoff_last_ms = MIN(settings->retry_last, BACKOFF_MAX_MS);
    remote->machine = (struct route_machine){
        .hostname = settings->hostname,
        .listens = settings->smtp,
        .families = (enum route_families)settings->ip_families,
    };
}

struct remote *remote_new(const struct remote_options *options)
{
    struct remote *remote = NEW(struct remote);

    remote->options = *options;
    set_limits(remote);
    pthread_mutex_init(&remote->lock, NULL);
    pthread_cond_init(&remote->idle, NULL);
    if (uv_async_init(options->loop, &remote->woken, on_woken) != 0)
        abort(); /* no descriptors at start */
    uv_timer_init(options->loop, &remote->timer);
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
        dns_table_free(&first->table);
        free(first);
    }
}

static void free_messages(struct remote *remote)
{
    while (remote->pages != NULL) {
        struct page *first = remote->pages;

        remote->pages = first->next;
        shipments_free(&first->found);
        free(first);
    }
    for (size_t i = 0; i < remote->letters.count; i++)
        letter_free(&remote->letters.items[i]);
    free(remote->letters.items);
    if (remote->looked != NULL)
        arena_free(&remote->looked->arena);
    free(remote->looked);
}

void remote_free(struct remote **remote)
{
    struct remote *old = TAKE(*remote);

    if (old == NULL)
        return;
    free_messages(old);
    schedule_free(&old->schedule);
    lanes_free(&old->lanes);
    free_carriers(old->busy);
    free_carriers(old->spare);
    route_machine_free(&old->machine);
    pthread_cond_destroy(&old->idle);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

size_t remote_in_hand(const struct remote *remote)
{
    return remote->n_busy;
}
