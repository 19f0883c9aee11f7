/* pool.h - keyed worker threads for everything that blocks.
 *
 * Jobs of one key run in the order submitted, on one thread; so whatever belongs to a key (an
 * account's open store) needs no lock. Keys that share a worker take turns, job by
 * job: whoever has many jobs waits for his own, not the others for him, and who has one now and
 * then goes first. Each thread has a desk: a pointer made and freed on that thread, given to every
 * job it runs. `done` runs on the loop thread, never from pool_submit().
 *
 *     loop: pool_submit() ---> worker: job->work(job, desk) ---> loop: job->done(job)
 *
 * Threads: pool_submit() from any thread; the rest on the loop thread.
 * Lifetime: the job is embedded in its owner and stays untouched from pool_submit() to done.
 */
#pragma once

#include "common/error.h"

struct uv_loop_s;
struct pool;

struct job {
    void (*work)(struct job *job, void *desk); /* on the worker */
    void (*done)(struct job *job);             /* on the loop thread; may be NULL: then the job
                                                  is not touched after work() */
    /* The pool's own. */
    struct job *next; /* of the same key */
    uint64_t key;
    struct job *last, *next_turn, *next_in_bucket; /* of the first one of its key */
};

struct pool_desk {
    bool (*open)(void *context, void **desk_out, struct error *err); /* may be NULL: no desk */
    /* The worker has had nothing to do for a second. Returns in how many milliseconds it wants to
     * be called again if that goes on; 0: not before the next job. May be NULL. */
    uint64_t (*idle)(void *desk);
    void (*relieve)(void *desk); /* between two jobs, after pool_relieve(); may be NULL */
    void (*close)(void *desk);   /* may be NULL */
    void *context;
};

/* Starts `threads` workers; false when a desk cannot be opened. */
bool pool_new(struct uv_loop_s *loop, unsigned threads, const struct pool_desk *desk,
              struct pool **pool_out, struct error *err) MUST_CHECK;
void pool_submit(struct pool *pool, uint64_t key, struct job *job);

/* In a job: does the worker have another one to do? Then this one should be short. */
bool pool_others_wait(void);

/* Memory is short: each worker gives back what it can, soon. */
void pool_relieve(struct pool *pool);

/* Runs what is queued, then ends the threads; done callbacks that are due are run. They must not
 * submit more. The loop has to run once more afterwards, to take the pool's handle back. */
void pool_free(struct pool **pool);
