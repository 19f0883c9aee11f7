/* pool.c - one queue and one thread per worker; a key always goes to the same worker.
 *
 * The jobs of one key are a line; the first of each line stands in a round, by whose turn it is,
 * and in a small hash table, where the next job of that key finds its line. Who comes anew stands
 * among the newcomers, which go first: a command now and then does not wait for all who keep a
 * worker busy. Of five turns the others have one at least.
 *
 *     round --> job of key 7 --> job of key 2 --> job of key 9
 *                   | next           |
 *               job of key 7     job of key 2
 *
 * A worker sleeps on its queue. After work it sleeps at most a second before it tells its desk that
 * it is idle; the desk says when it wants to be told again, if ever, so that an idle pool comes to
 * rest. Finished jobs go into one list for the loop thread, which is woken by a uv_async.
 *
 * Lifetime: the pool's memory outlives pool_free() until the loop has run once more, because libuv
 * gives the uv_async back in a callback.
 */
#include "common/pool.h"

#include "common/clock.h"
#include "common/condition.h"
#include "common/mem.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define STACK_BYTES   (512u * 1024)
#define IDLE_AFTER_MS 1000

#define BUCKETS            64
#define NEWCOMERS_IN_A_ROW 4

struct queue {
    struct job *first;
    struct job **end; /* where the next one is hung in */
};

struct round {
    struct job *first;
    struct job **end;
};

/* What waits for a worker. */
struct lines {
    struct round newcomers, others;
    unsigned in_a_row; /* turns of newcomers */
    struct job *buckets[BUCKETS];
};

enum worker_state { WORKER_STARTING, WORKER_READY, WORKER_FAILED };

struct worker {
    struct pool *pool;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below but the desk */
    pthread_cond_t changed;
    struct lines lines;
    enum worker_state state;
    bool ending;
    bool relieve; /* the desk is to give back memory */
    atomic_bool others_wait;
    struct error failure;
    void *desk;
};

struct pool {
    struct pool_desk desk;
    uv_async_t finished;
    pthread_mutex_t done_lock;
    struct queue done;
    unsigned n_workers;
    struct worker workers[];
};

static void queue_add(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static uint64_t mix(uint64_t key) /* ids that count up spread evenly */
{
    return (key * 0x9E3779B97F4A7C15u) >> 32;
}

static struct job **bucket_of(struct lines *lines, uint64_t key)
{
    return &lines->buckets[(mix(key) >> 8) % BUCKETS];
}

/* The first of its key goes to the end of a round. */
static void lines_begin(struct lines *lines, struct round *round, struct job *first)
{
    struct job **bucket = bucket_of(lines, first->key);

    first->next_turn = NULL;
    *round->end = first;
    round->end = &first->next_turn;
    first->next_in_bucket = *bucket;
    *bucket = first;
}

static void lines_add(struct lines *lines, struct job *job)
{
    struct job *first = *bucket_of(lines, job->key);

    job->next = NULL;
    while (first != NULL && first->key != job->key)
        first = first->next_in_bucket;
    if (first != NULL) {
        first->last->next = job;
        first->last = job;
        return;
    }
    job->last = job;
    lines_begin(lines, &lines->newcomers, job);
}

static struct job *round_take(struct round *round)
{
    struct job *job = round->first;

    if (job == NULL)
        return NULL;
    round->first = job->next_turn;
    if (round->first == NULL)
        round->end = &round->first;
    return job;
}

static struct job *next_turn(struct lines *lines)
{
    struct job *job = lines->in_a_row < NEWCOMERS_IN_A_ROW ? round_take(&lines->newcomers) : NULL;

    lines->in_a_row = job != NULL ? lines->in_a_row + 1 : 0;
    if (job == NULL)
        job = round_take(&lines->others);
    return job != NULL ? job : round_take(&lines->newcomers);
}

static struct job *lines_take(struct lines *lines)
{
    struct job *job = next_turn(lines);

    if (job == NULL)
        return NULL;
    struct job **place = bucket_of(lines, job->key);
    while (*place != job)
        place = &(*place)->next_in_bucket;
    *place = job->next_in_bucket;
    if (job->next != NULL) {
        job->next->last = job->last;
        lines_begin(lines, &lines->others, job->next);
    }
    return job;
}

static bool lines_wait(const struct lines *lines)
{
    return lines->newcomers.first != NULL || lines->others.first != NULL;
}

/* In how many milliseconds to come back; 0: not before the next job. */
static uint64_t desk_idle(struct worker *worker)
{
    const struct pool_desk *desk = &worker->pool->desk;
    uint64_t again_ms;

    if (desk->idle == NULL)
        return 0;
    pthread_mutex_unlock(&worker->lock);
    again_ms = desk->idle(worker->desk);
    pthread_mutex_lock(&worker->lock);
    return again_ms;
}

static void desk_relieve(struct worker *worker)
{
    worker->relieve = false;
    pthread_mutex_unlock(&worker->lock);
    worker->pool->desk.relieve(worker->desk);
    pthread_mutex_lock(&worker->lock);
}

/* The next job; NULL when the pool ends and the queue is empty. `worked`: a job ran before. */
static struct job *next_job(struct worker *worker, bool worked)
{
    uint64_t wait_ms = worked ? IDLE_AFTER_MS : 0;
    struct job *job;

    pthread_mutex_lock(&worker->lock);
    if (worker->relieve)
        desk_relieve(worker);
    while ((job = lines_take(&worker->lines)) == NULL && !worker->ending) {
        if (worker->relieve)
            desk_relieve(worker);
        else if (wait_ms == 0)
            pthread_cond_wait(&worker->changed, &worker->lock);
        else if (!condition_wait_until(&worker->changed, &worker->lock, clock_ms() + wait_ms) &&
                 !lines_wait(&worker->lines))
            wait_ms = desk_idle(worker);
    }
    atomic_store_explicit(&worker->others_wait, lines_wait(&worker->lines), memory_order_relaxed);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static _Thread_local const struct worker *this_worker;

bool pool_others_wait(void)
{
    return this_worker != NULL &&
           atomic_load_explicit(&this_worker->others_wait, memory_order_relaxed);
}

static void run_job(struct worker *worker, struct job *job)
{
    struct pool *pool = worker->pool;
    bool wants_done = job->done != NULL; /* without it, work() may free the job */

    job->work(job, worker->desk);
    if (!wants_done)
        return;
    pthread_mutex_lock(&pool->done_lock);
    queue_add(&pool->done, job);
    pthread_mutex_unlock(&pool->done_lock);
    uv_async_send(&pool->finished);
}

static bool open_desk(struct worker *worker)
{
    const struct pool_desk *desk = &worker->pool->desk;
    bool opened = desk->open == NULL || desk->open(desk->context, &worker->desk, &worker->failure);

    pthread_mutex_lock(&worker->lock);
    worker->state = opened ? WORKER_READY : WORKER_FAILED;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return opened;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct job *job;

    this_worker = worker;
    if (!open_desk(worker))
        return NULL;
    for (bool worked = false; (job = next_job(worker, worked)) != NULL; worked = true)
        run_job(worker, job);
    if (worker->pool->desk.close != NULL)
        worker->pool->desk.close(worker->desk);
    return NULL;
}

/* On the loop thread. A done callback may submit its job again, so `next` is read before it. */
static void run_done(struct pool *pool)
{
    pthread_mutex_lock(&pool->done_lock);
    struct job *job = pool->done.first;
    queue_init(&pool->done);
    pthread_mutex_unlock(&pool->done_lock);

    while (job != NULL) {
        struct job *next = job->next;

        job->done(job);
        job = next;
    }
}

static void on_finished(uv_async_t *async)
{
    run_done(CONTAINER_OF(async, struct pool, finished));
}

/* Signals are for the loop thread: a worker's system calls are not interrupted. */
static int create_thread(struct worker *worker)
{
    sigset_t all, before;
    pthread_attr_t attributes;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int result = pthread_create(&worker->thread, &attributes, worker_main, worker);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static void worker_init(struct worker *worker, struct pool *pool)
{
    worker->pool = pool;
    worker->lines.newcomers.end = &worker->lines.newcomers.first;
    worker->lines.others.end = &worker->lines.others.first;
    pthread_mutex_init(&worker->lock, NULL);
    condition_init(&worker->changed);
}

static void worker_deinit(struct worker *worker)
{
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->changed);
}

/* Starts the thread and waits until its desk is open. */
static bool worker_start(struct worker *worker, struct pool *pool, struct error *err)
{
    worker_init(worker, pool);
    errno = create_thread(worker);
    if (errno != 0) {
        worker_deinit(worker);
        return error_errno(err, "starting a worker thread");
    }
    pthread_mutex_lock(&worker->lock);
    while (worker->state == WORKER_STARTING)
        pthread_cond_wait(&worker->changed, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
    if (worker->state == WORKER_READY)
        return true;

    pthread_join(worker->thread, NULL);
    worker_deinit(worker);
    *err = worker->failure;
    return error_wrap(err, "starting a worker");
}

static void worker_end(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->ending = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
}

bool pool_new(struct uv_loop_s *loop, unsigned threads, const struct pool_desk *desk,
              struct pool **pool_out, struct error *err)
{
    AUTO(pool_free) struct pool *pool = NULL;

    threads = MAX(threads, 1u);
    pool = mem_zero(sizeof(*pool) + threads * sizeof(pool->workers[0]));
    if (desk != NULL)
        pool->desk = *desk;
    queue_init(&pool->done);
    pthread_mutex_init(&pool->done_lock, NULL);
    int result = uv_async_init(loop, &pool->finished, on_finished);
    if (result != 0) {
        pthread_mutex_destroy(&pool->done_lock);
        free(TAKE(pool));
        return error_set(err, ERROR_TEMPORARY, "starting the worker pool: %s", uv_strerror(result));
    }
    for (; pool->n_workers < threads; pool->n_workers++)
        if (!worker_start(&pool->workers[pool->n_workers], pool, err))
            return false;
    *pool_out = TAKE(pool);
    return true;
}

void pool_submit(struct pool *pool, uint64_t key, struct job *job)
{
    struct worker *worker = &pool->workers[mix(key) % pool->n_workers];

    job->key = key;
    pthread_mutex_lock(&worker->lock);
    lines_add(&worker->lines, job);
    atomic_store_explicit(&worker->others_wait, true, memory_order_relaxed);
    pthread_mutex_unlock(&worker->lock);
    pthread_cond_signal(&worker->changed); /* behind the lock, which the worker wants first */
}

void pool_relieve(struct pool *pool)
{
    if (pool->desk.relieve == NULL)
        return;
    for (unsigned i = 0; i < pool->n_workers; i++) {
        struct worker *worker = &pool->workers[i];

        pthread_mutex_lock(&worker->lock);
        worker->relieve = true;
        pthread_cond_signal(&worker->changed);
        pthread_mutex_unlock(&worker->lock);
    }
}

static void on_pool_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct pool, finished));
}

void pool_free(struct pool **pool_pointer)
{
    struct pool *pool = TAKE(*pool_pointer);

    if (pool == NULL)
        return;
    for (unsigned i = 0; i < pool->n_workers; i++)
        worker_end(&pool->workers[i]);
    run_done(pool);
    for (unsigned i = 0; i < pool->n_workers; i++)
        worker_deinit(&pool->workers[i]);
    pthread_mutex_destroy(&pool->done_lock);
    uv_close((uv_handle_t *)&pool->finished, on_pool_closed);
}
