/* test_pool.c - order by key, desks, idling, and the end of a pool. */
#include "common/pool.h"

#include "common/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

enum { KEYS = 8, JOBS = 4000 };

struct desk {
    pthread_t thread;
    atomic_int *open, *idle, *relieved;
};

struct numbered {
    struct job job;
    unsigned key, number;
    unsigned *last; /* of this key: only one thread may ever touch it */
    pthread_t *thread;
    int *done;
};

struct counts {
    atomic_int open, idle, relieved;
    int fail_at; /* the desk that cannot be opened, counting from 1 */
};

static bool open_desk(void *context, void **desk_out, struct error *err)
{
    struct counts *counts = context;

    if (atomic_load(&counts->open) + 1 == counts->fail_at)
        return error_set(err, ERROR_TEMPORARY, "no desk");
    struct desk *desk = NEW(struct desk);
    *desk = (struct desk){ pthread_self(), &counts->open, &counts->idle, &counts->relieved };
    atomic_fetch_add(&counts->open, 1);
    *desk_out = desk;
    return true;
}

/* Wants to be called three times. */
static uint64_t idle_desk(void *desk_pointer)
{
    struct desk *desk = desk_pointer;

    assert_true(pthread_equal(desk->thread, pthread_self()));
    return atomic_fetch_add(desk->idle, 1) + 1 < 3 ? 600 : 0;
}

static void relieve_desk(void *desk_pointer)
{
    struct desk *desk = desk_pointer;

    assert_true(pthread_equal(desk->thread, pthread_self()));
    atomic_fetch_add(desk->relieved, 1);
}

static void close_desk(void *desk_pointer)
{
    struct desk *desk = desk_pointer;

    assert_true(pthread_equal(desk->thread, pthread_self()));
    atomic_fetch_sub(desk->open, 1);
    free(desk);
}

static void count_work(struct job *job, void *desk_pointer)
{
    struct numbered *numbered = CONTAINER_OF(job, struct numbered, job);
    struct desk *desk = desk_pointer;

    if (numbered->number == 0)
        *numbered->thread = desk->thread;
    assert_true(pthread_equal(*numbered->thread, pthread_self()));
    assert_int_equal(numbered->number, *numbered->last);
    (*numbered->last)++;
}

static void count_done(struct job *job)
{
    struct numbered *numbered = CONTAINER_OF(job, struct numbered, job);

    (*numbered->done)++;
    free(numbered);
}

static struct pool_desk desk_row(struct counts *counts)
{
    return (struct pool_desk){ open_desk, idle_desk, relieve_desk, close_desk, counts };
}

static void test_order_by_key(void **unused)
{
    struct counts counts = { 0 };
    struct pool_desk desk = desk_row(&counts);
    struct pool *pool;
    struct error err;
    uv_loop_t loop;
    unsigned last[KEYS] = { 0 };
    pthread_t threads[KEYS];
    int done = 0;

    uv_loop_init(&loop);
    assert_true(pool_new(&loop, 3, &desk, &pool, &err));
    assert_int_equal(counts.open, 3);
    for (unsigned i = 0; i < JOBS; i++) {
        struct numbered *numbered = NEW(struct numbered);
        unsigned key = i % KEYS;

        *numbered = (struct numbered){ .job = { .work = count_work, .done = count_done },
                                       .key = key,
                                       .number = i / KEYS,
                                       .last = &last[key],
                                       .thread = &threads[key],
                                       .done = &done };
        pool_submit(pool, key, &numbered->job);
    }
    assert_int_equal(done, 0); /* never from pool_submit() */
    while (done < JOBS)
        uv_run(&loop, UV_RUN_ONCE);
    pool_free(&pool);
    assert_null(pool);
    assert_int_equal(counts.open, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void forget_work(struct job *job, void *desk)
{
    struct numbered *numbered = CONTAINER_OF(job, struct numbered, job);

    (*numbered->last)++;
    free(numbered);
}

/* What is queued still runs, and a job without done may free itself. */
static void test_end_runs_the_queue(void **unused)
{
    struct pool *pool;
    struct error err;
    uv_loop_t loop;
    unsigned ran = 0;

    uv_loop_init(&loop);
    assert_true(pool_new(&loop, 1, NULL, &pool, &err));
    for (unsigned i = 0; i < 200; i++) {
        struct numbered *numbered = NEW(struct numbered);

        numbered->job = (struct job){ .work = forget_work };
        numbered->last = &ran;
        pool_submit(pool, i, &numbered->job);
    }
    pool_free(&pool);
    assert_int_equal(ran, 200);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

struct turn {
    struct job job;
    unsigned key;
    unsigned *order;
    atomic_uint *count;
    atomic_bool *go; /* waits for it; NULL: does not */
};

static void take_turn(struct job *job, void *desk)
{
    struct turn *turn = CONTAINER_OF(job, struct turn, job);

    while (turn->go != NULL && !atomic_load(turn->go))
        usleep(1000);
    turn->order[atomic_fetch_add(turn->count, 1)] = turn->key;
}

/* Who has many jobs waits for his own; those of the same key stay in order (the first test). */
static void test_turns(void **unused)
{
    static const unsigned keys[] = { 9, 1, 1, 1, 1, 2, 3, 3 };
    static const unsigned wanted[] = { 9, 1, 2, 3, 1, 3, 1, 1 };
    struct turn turns[COUNT_OF(keys)];
    unsigned order[COUNT_OF(keys)];
    atomic_uint count = 0;
    atomic_bool go = false;
    struct pool *pool;
    struct error err;
    uv_loop_t loop;

    uv_loop_init(&loop);
    assert_true(pool_new(&loop, 1, NULL, &pool, &err));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        turns[i] = (struct turn){
            .job = { .work = take_turn }, .key = keys[i], .order = order, .count = &count
        };
        if (i == 0)
            turns[i].go = &go;
        pool_submit(pool, keys[i], &turns[i].job);
    }
    atomic_store(&go, true);
    pool_free(&pool);
    assert_int_equal(count, COUNT_OF(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_int_equal(order[i], wanted[i]);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_relief(void **unused)
{
    struct counts counts = { 0 };
    struct pool_desk desk = desk_row(&counts);
    struct pool *pool;
    struct error err;
    uv_loop_t loop;

    uv_loop_init(&loop);
    assert_true(pool_new(&loop, 3, &desk, &pool, &err));
    pool_relieve(pool);
    while (atomic_load(&counts.relieved) < 3)
        usleep(1000);
    pool_free(&pool);
    assert_int_equal(counts.relieved, 3);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_idle(void **unused)
{
    struct counts counts = { 0 };
    struct pool_desk desk = desk_row(&counts);
    struct pool *pool;
    struct error err;
    uv_loop_t loop;
    unsigned ran = 0;

    uv_loop_init(&loop);
    assert_true(pool_new(&loop, 1, &desk, &pool, &err));
    struct numbered *numbered = NEW(struct numbered);
    numbered->job = (struct job){ .work = forget_work };
    numbered->last = &ran;
    pool_submit(pool, 1, &numbered->job);
    usleep(500000);
    assert_int_equal(counts.idle, 0);
    usleep(800000);
    assert_int_equal(counts.idle, 1);
    usleep(2700000);
    assert_int_equal(counts.idle, 3);
    pool_free(&pool);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_desk_that_cannot_be_opened(void **unused)
{
    struct counts counts = { .fail_at = 2 };
    struct pool_desk desk = desk_row(&counts);
    struct pool *pool = NULL;
    struct error err;
    uv_loop_t loop;

    uv_loop_init(&loop);
    assert_false(pool_new(&loop, 3, &desk, &pool, &err));
    assert_string_equal(err.text, "starting a worker: no desk");
    assert_null(pool);
    assert_int_equal(counts.open, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_by_key), cmocka_unit_test(test_end_runs_the_queue),
        cmocka_unit_test(test_turns),        cmocka_unit_test(test_relief),
        cmocka_unit_test(test_idle),         cmocka_unit_test(test_desk_that_cannot_be_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
