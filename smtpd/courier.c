/* courier.c - see courier.h. */
#include "smtpd/courier.h"

#include "common/condition.h"
#include "common/daemon.h"
#include "smtpd/reporter.h"
#include "smtpd/settle.h"

#include <pthread.h>
#include <stdlib.h>

/* What may be held in memory; the rest waits in the queue. */
#define PARCELS_MAX 10000
#define BYTES_MAX   (32ull * 1024 * 1024)

#define PAGE_MESSAGES 64 /* read from the queue at once */
#define BUCKETS       256
#define SOON_MS       5000

/* While there is much to do, an account is written at most this often, so that one commit takes
 * several messages: with 20 accounts that halves the work. With no more than BUSY_PARCELS in hand
 * nobody waits. */
#define REST_MS      50
#define BUSY_PARCELS 4

/* When nothing new has come for so long there is no more company to wait for. */
#define QUIET_MS 5

/* The key of the job that reads the queue: no account has it. */
#define SCAN_KEY 0

/* What is to be brought to one account: its job is submitted or running, or it rests after that. */
struct box {
    struct box *next; /* in its bucket */
    struct box *next_resting;
    uint64_t rested_ms; /* when it may go on; on clock_ms() */
    struct courier *courier;
    uint64_t account;
    struct parcel *first, *last;
    struct job job;
};

struct courier {
    struct courier_options options;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* the last box or scan has ended */
    struct box *buckets[BUCKETS];
    size_t n_boxes;
    struct box *first_resting, *last_resting; /* in the order of their time */
    pthread_t waker;                          /* submits boxes that have rested */
    pthread_cond_t rests;                     /* there are some now */
    uint64_t put_ms;                          /* when the last parcel came; on clock_ms() */
    size_t in_hand; /* parcels, until the queue knows what became of them */
    uint64_t bytes_in_hand;
    bool catching_up, scanning, stopping;
    bool missed;     /* something entered the queue since the scan last looked */
    uint64_t cursor; /* the message that the scan has come to */
    int64_t retry_ms;
    struct job scan;
};

static void run_scan(struct job *job, void *desk);
static void run_box(struct job *job, void *desk);
static void *wake_boxes(void *argument);

static void init_locks(struct courier *courier)
{
    pthread_mutex_init(&courier->lock, NULL);
    pthread_cond_init(&courier->idle, NULL);
    condition_init(&courier->rests);
}

struct courier *courier_new(const struct courier_options *options)
{
    struct courier *courier = NEW(struct courier);

    courier->options = *options;
    courier->retry_ms = INT64_MAX;
    init_locks(courier);
    if (pthread_create(&courier->waker, NULL, wake_boxes, courier) != 0)
        abort(); /* at the start, where the pool has just got its threads */
    return courier;
}

void courier_free(struct courier **courier)
{
    struct courier *old = TAKE(*courier);

    if (old == NULL)
        return;
    pthread_cond_destroy(&old->rests);
    pthread_cond_destroy(&old->idle);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

/* All below with the lock held, unless said otherwise. */

static bool is_idle(const struct courier *courier)
{
    return courier->in_hand == 0 && courier->n_boxes == 0 && !courier->scanning;
}

static void wake_if_idle(struct courier *courier)
{
    if (is_idle(courier))
        pthread_cond_broadcast(&courier->idle);
}

static struct box **box_place(struct courier *courier, uint64_t account)
{
    struct box **place = &courier->buckets[account % BUCKETS];

    while (*place != NULL && (*place)->account != account)
        place = &(*place)->next;
    return place;
}

static struct box *box_new(struct courier *courier, uint64_t account)
{
    struct box *box = NEW(struct box);

    box->courier = courier;
    box->account = account;
    box->job = (struct job){ .work = run_box };
    courier->n_boxes++;
    return box;
}

static void put(struct courier *courier, struct letter *letter, size_t index)
{
    uint64_t account = letter->message.recipients[index].account;
    struct box **place = box_place(courier, account);
    bool is_new = *place == NULL;
    struct parcel *parcel = parcel_new(letter, index);

    if (is_new)
        *place = box_new(courier, account);
    if ((*place)->first == NULL)
        (*place)->first = parcel;
    else
        (*place)->last->next = parcel;
    (*place)->last = parcel;
    courier->in_hand++;
    courier->bytes_in_hand += letter->message.size;
    courier->put_ms = clock_ms();
    if (is_new)
        pool_submit(courier->options.pool, account, &(*place)->job);
}

/* Reads on in the queue, once nothing is in hand any more. */
static void scan_if_free(struct courier *courier)
{
    if (!courier->catching_up || courier->scanning || courier->in_hand > 0 || courier->stopping)
        return;
    courier->scanning = true;
    courier->scan = (struct job){ .work = run_scan };
    pool_submit(courier->options.pool, SCAN_KEY, &courier->scan);
}

static void begin_catch_up(struct courier *courier)
{
    courier->catching_up = true;
    courier->missed = true;
    courier->cursor = 0;
    courier->retry_ms = INT64_MAX;
    scan_if_free(courier);
}

/* To be delivered by us; others are remote, or there is only something to report of them. */
static bool is_ours(const struct queue_recipient *recipient)
{
    return recipient->account != 0 && recipient->state == QUEUE_WAITING;
}

static void take_local(struct courier *courier, struct letter *letter)
{
    const struct queue_message *message = &letter->message;

    if (courier->stopping)
        return;
    if (courier->catching_up) {
        courier->missed = true;
        return;
    }
    if (courier->in_hand > PARCELS_MAX || courier->bytes_in_hand > BYTES_MAX) {
        begin_catch_up(courier);
        return;
    }
    for (size_t i = 0; i < message->n_recipients; i++)
        if (is_ours(&message->recipients[i]))
            put(courier, letter, i);
}

/* Without the lock. */
void courier_take(struct courier *courier, struct letter *letter)
{
    const struct queue_message *message = &letter->message;
    size_t n_remote = 0, n_local = 0, n_ended = 0;

    for (size_t i = 0; i < message->n_recipients; i++) {
        const struct queue_recipient *recipient = &message->recipients[i];

        n_local += is_ours(recipient);
        n_remote += recipient->account == 0 && recipient->state == QUEUE_WAITING;
        n_ended += recipient->state == QUEUE_ENDED;
    }
    pthread_mutex_lock(&courier->lock);
    if (n_local > 0)
        take_local(courier, letter);
    pthread_mutex_unlock(&courier->lock);
    if (n_remote > 0 && courier->options.remote_due != NULL)
        courier->options.remote_due(courier->options.remote_context, letter);
    if (n_ended > 0)
        reporter_wake(courier->options.smtpd->reporter);
}

/* On the queue's writer thread, without the lock. */
static void on_settled(void *context, const struct settled *settled)
{
    struct courier *courier = context;

    pthread_mutex_lock(&courier->lock);
    courier->in_hand -= settled->n_parcels;
    courier->bytes_in_hand -= settled->bytes;
    courier->retry_ms = MIN(courier->retry_ms, settled->retry_ms);
    scan_if_free(courier);
    wake_if_idle(courier);
    pthread_mutex_unlock(&courier->lock);
}

static size_t take_out(struct box *box, struct parcel **parcels)
{
    size_t count = 0;

    while (box->first != NULL && count < DELIVER_BATCH) {
        parcels[count++] = box->first;
        box->first = box->first->next;
    }
    return count;
}

/* When we stop: the queue has them still. */
static void let_go(struct courier *courier, struct parcel **parcels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        courier->in_hand--;
        courier->bytes_in_hand -= parcels[i]->letter->message.size;
        parcel_free(&parcels[i]);
    }
}

static void remove_box(struct courier *courier, struct box *box)
{
    *box_place(courier, box->account) = box->next;
    free(box);
    courier->n_boxes--;
    wake_if_idle(courier);
}

static void rest(struct courier *courier, struct box *box)
{
    box->rested_ms = clock_ms() + REST_MS;
    box->next_resting = NULL;
    if (courier->first_resting == NULL)
        courier->first_resting = box;
    else
        courier->last_resting->next_resting = box;
    courier->last_resting = box;
    if (courier->first_resting == box)
        pthread_cond_signal(&courier->rests);
}

/* A full box goes on at once; other jobs of the worker come in between. */
static void end_box_job(struct courier *courier, struct box *box, bool was_full)
{
    bool is_busy = courier->in_hand > BUSY_PARCELS && !courier->catching_up && !courier->stopping;

    if (is_busy && !was_full)
        rest(courier, box);
    else if (box->first != NULL)
        pool_submit(courier->options.pool, box->account, &box->job);
    else
        remove_box(courier, box);
}

static void end_rest(struct courier *courier)
{
    struct box *box = courier->first_resting;

    courier->first_resting = box->next_resting;
    if (box->first != NULL)
        pool_submit(courier->options.pool, box->account, &box->job);
    else
        remove_box(courier, box);
}

static uint64_t end_of_rest(const struct courier *courier, const struct box *box)
{
    return courier->stopping ? 0 : MIN(box->rested_ms, courier->put_ms + QUIET_MS);
}

/* Waits until there is a box whose rest is over. */
static void wait_for_rest(struct courier *courier)
{
    struct box *box = courier->first_resting;

    if (box == NULL)
        pthread_cond_wait(&courier->rests, &courier->lock);
    else
        condition_wait_until(&courier->rests, &courier->lock, end_of_rest(courier, box));
}

/* The waker's thread, from courier_new() until we stop; then nobody rests. */
static void *wake_boxes(void *argument)
{
    struct courier *courier = argument;

    pthread_mutex_lock(&courier->lock);
    while (!courier->stopping || courier->first_resting != NULL) {
        struct box *box = courier->first_resting;
        if (box != NULL && end_of_rest(courier, box) <= clock_ms())
            end_rest(courier);
        else
            wait_for_rest(courier);
    }
    pthread_mutex_unlock(&courier->lock);
    return NULL;
}

/* On the account's worker, without the lock. */
static void run_box(struct job *job, void *desk)
{
    struct box *box = CONTAINER_OF(job, struct box, job);
    struct courier *courier = box->courier;
    struct parcel *parcels[DELIVER_BATCH];
    size_t count;
    bool lazy;

    pthread_mutex_lock(&courier->lock);
    count = take_out(box, parcels);
    lazy = !courier->catching_up; /* the scan waits for the queue to settle */
    if (courier->stopping) {
        let_go(courier, parcels, count);
        count = 0;
    }
    pthread_mutex_unlock(&courier->lock);

    if (count > 0) {
        deliver_batch(desk, box->account, parcels, count);
        settle_batch(courier->options.smtpd, &courier->options.log, lazy, parcels, count,
                     on_settled, courier);
    }

    pthread_mutex_lock(&courier->lock);
    end_box_job(courier, box, count == DELIVER_BATCH);
    pthread_mutex_unlock(&courier->lock);
}

/* Hands out what is due of one message. */
static void put_due(struct courier *courier, const struct queue_message *message, int64_t now_ms)
{
    AUTO(letter_free) struct letter *letter = letter_from_queue(message);

    for (size_t i = 0; i < message->n_recipients; i++) {
        if (message->recipients[i].account == 0)
            continue;
        if (message->recipients[i].next_try_ms > now_ms)
            courier->retry_ms = MIN(courier->retry_ms, message->recipients[i].next_try_ms);
        else
            put(courier, letter, i);
    }
    courier->cursor = message->id;
}

/* Whether there is more to read at once. */
static bool hand_out(struct courier *courier, const struct queue_list *page, int64_t now_ms)
{
    for (size_t i = 0; i < page->count; i++)
        put_due(courier, &page->items[i], now_ms);
    if (page->count == 0 && !courier->missed)
        courier->catching_up = false;
    return courier->catching_up && courier->in_hand == 0 && !courier->stopping;
}

/* Without the lock. */
static bool scan_page(struct courier *courier, struct desk *desk)
{
    AUTO(arena_free) struct arena arena = { 0 };
    int64_t now_ms = time_ms();
    struct queue_list page;
    struct error err;
    uint64_t cursor;
    bool more;

    pthread_mutex_lock(&courier->lock);
    courier->missed = false;
    cursor = courier->cursor;
    pthread_mutex_unlock(&courier->lock);

    bool read = queue_find(desk, &arena, QUEUE_LOCAL, cursor, PAGE_MESSAGES, &page, &err);
    if (!read) {
        log_warn(&courier->options.log, "queue unreadable", F_ERR(&err));
        page.count = 0;
    }

    pthread_mutex_lock(&courier->lock);
    if (!read) {
        courier->catching_up = false;
        courier->retry_ms = now_ms + SOON_MS;
    }
    more = hand_out(courier, &page, now_ms);
    pthread_mutex_unlock(&courier->lock);
    return more;
}

static void run_scan(struct job *job, void *desk)
{
    struct courier *courier = CONTAINER_OF(job, struct courier, scan);

    while (scan_page(courier, desk))
        continue;
    pthread_mutex_lock(&courier->lock);
    courier->scanning = false;
    scan_if_free(courier);
    wake_if_idle(courier);
    pthread_mutex_unlock(&courier->lock);
}

void courier_catch_up(struct courier *courier)
{
    pthread_mutex_lock(&courier->lock);
    if (!courier->catching_up)
        begin_catch_up(courier);
    else
        courier->missed = true;
    pthread_mutex_unlock(&courier->lock);
}

uint64_t courier_tick(struct courier *courier)
{
    int64_t now_ms = time_ms();
    uint64_t due_ms = 0;

    pthread_mutex_lock(&courier->lock);
    if (!courier->catching_up && courier->retry_ms <= now_ms)
        begin_catch_up(courier);
    else if (!courier->catching_up && is_idle(courier))
        due_ms =
            courier->retry_ms == INT64_MAX ? UINT64_MAX : (uint64_t)(courier->retry_ms - now_ms);
    pthread_mutex_unlock(&courier->lock);
    return due_ms;
}

void courier_stop(struct courier *courier)
{
    pthread_mutex_lock(&courier->lock);
    courier->stopping = true;
    pthread_cond_signal(&courier->rests);
    while (!is_idle(courier))
        pthread_cond_wait(&courier->idle, &courier->lock);
    pthread_mutex_unlock(&courier->lock);
    pthread_join(courier->waker, NULL);
}

size_t courier_in_hand(struct courier *courier)
{
    size_t in_hand;

    pthread_mutex_lock(&courier->lock);
    in_hand = courier->in_hand;
    pthread_mutex_unlock(&courier->lock);
    return in_hand;
}
