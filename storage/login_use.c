/* login_use.c - see login_use.h. */
#include "storage/login_use.h"

#include "common/clock.h"
#include "common/mem.h"
#include "common/pool.h"

#include <pthread.h>
#include <stdlib.h>

#define RECENT 256 /* that many are known; others are looked up by their rows alone */

struct login_uses {
    pthread_mutex_t lock; /* for all below */
    struct pool *pool;    /* NULL: nothing is noted */
    struct app_password_use *items;
    size_t count, room;
    struct {
        uint64_t id;
        int64_t at_ms;
    } recent[RECENT]; /* by id */
};

struct write {
    struct job job;
    struct login_uses *uses;
};

struct login_uses *login_uses_new(void)
{
    struct login_uses *uses = NEW(struct login_uses);

    pthread_mutex_init(&uses->lock, NULL);
    return uses;
}

void login_uses_start(struct login_uses *uses, struct pool *pool)
{
    pthread_mutex_lock(&uses->lock);
    uses->pool = pool;
    pthread_mutex_unlock(&uses->lock);
}

void login_uses_free(struct login_uses **uses)
{
    if (*uses == NULL)
        return;
    pthread_mutex_destroy(&(*uses)->lock);
    free((*uses)->items);
    free(TAKE(*uses));
}

/* What cannot be written is dropped: it tells the operator something, it decides nothing. */
static void write_uses(struct job *job, void *desk)
{
    struct write *write = CONTAINER_OF(job, struct write, job);
    struct login_uses *uses = write->uses;
    struct app_password_use *items;
    struct error ignored;
    size_t count;

    pthread_mutex_lock(&uses->lock);
    items = TAKE(uses->items);
    count = uses->count;
    uses->count = uses->room = 0;
    pthread_mutex_unlock(&uses->lock);
    (void)!app_password_used(desk, items, count, &ignored);
    free(items);
    free(write);
}

static bool is_recent(struct login_uses *uses, const struct app_password_use *use)
{
    size_t at = use->id % RECENT;
    int64_t age_ms = use->at_ms - uses->recent[at].at_ms;

    if (uses->recent[at].id == use->id && age_ms >= 0 && age_ms < APP_PASSWORD_USE_EVERY_MS)
        return true;
    uses->recent[at].id = use->id;
    uses->recent[at].at_ms = use->at_ms;
    return false;
}

void login_uses_note(struct login_uses *uses, const struct app_password_use *use)
{
    struct write *write = NULL;

    pthread_mutex_lock(&uses->lock);
    if (uses->pool != NULL && !is_recent(uses, use)) {
        uses->items = mem_grow(uses->items, &uses->room, uses->count + 1, sizeof(uses->items[0]));
        uses->items[uses->count++] = *use;
        if (uses->count == 1) { /* else a job is on its way already */
            write = NEW(struct write);
            *write = (struct write){ .job = { .work = write_uses }, .uses = uses };
            pool_submit(uses->pool, 0, &write->job);
        }
    }
    pthread_mutex_unlock(&uses->lock);
}
