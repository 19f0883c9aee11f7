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
    atomic_int *open, *idle;
};

struct numbered {
    struct job job;
    unsigned key, number;
    unsigned *last; /* of this key: only one thread may ever touch it */
    pthread_t *thread;
    int *done;
};

struct counts {
    atomic_int open, idle;
    int fail_at; /* the desk that cannot be opened, counting from 1 */
};

static bool open_desk(void *context, void **desk_out, struct error *err)
{
    struct counts *counts = context;

    if (atomic_load(&counts->open) + 1 == counts->fail_at)
        return error_set(err, ERROR_TEMPORARY, "no desk");
    struct desk *desk = NEW(struct desk);
    *desk = (struct desk){ pthread_self(), &counts->open, &counts->idle };
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
    return (struct pool_desk){ open_desk, idle_desk, close_desk, counts };
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

        *numbered = (struct numbered){ .job = { count_work, count_done, NULL },
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

        numbered->job = (struct job){ forget_work, NULL, NULL };
        numbered->last = &ran;
        pool_submit(pool, i, &numbered->job);
    }
    pool_free(&pool);
    assert_int_equal(ran, 200);
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
    numbered->job = (struct job){ forget_work, NULL, NULL };
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
        cmocka_unit_test(test_order_by_key),
        cmocka_unit_test(test_end_runs_the_queue),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_desk_that_cannot_be_opened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
