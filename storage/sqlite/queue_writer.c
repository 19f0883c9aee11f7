/* queue_writer.c - the one thread that changes the queue: group commit.
 *
 *     queue_write() --> waiting --(all of it, up to a bound)--> batch
 *                                     BEGIN; for each: SAVEPOINT, apply, RELEASE or ROLLBACK TO
 *                                     COMMIT: one sync for all of them
 *                                     done() for each; unlink files nobody needs any more
 *
 * There is no artificial delay: while one batch is being synced the next one gathers. Lazy changes
 * alone wait up to LAZY_MS for company.
 *
 * A change that fails spoils no other; when the transaction as a whole fails (disk full) all of the
 * batch fail, nothing of it is stored, and the next batch starts afresh.
 *
 * Threads: `lock` guards what is marked; the rest belongs to the writer thread.
 * Lifetime: queue_close() lets the thread finish what waits, and joins it.
 */
#include "storage/sqlite/queue_private.h"

#include "common/clock.h"
#include "common/condition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LAZY_MS         50
#define BATCH_CHANGES   1000
#define BATCH_BYTES     (16 * 1024 * 1024) /* of inline bodies: keeps the WAL small */
#define DEFAULT_BACKLOG UINT64_MAX

/* Most of what is in the log has left the queue before it need be written to the file: the same
 * pages are used again and again. */
#define CHECKPOINT "PRAGMA wal_autocheckpoint = 4000"

struct queue {
    struct store *store;
    uint64_t recipients_max;
    struct sql_db db;
    int lock_fd; /* queue.lock */
    pthread_t thread;
    _Atomic uint64_t backlog;
    uint64_t data_version; /* changes when another process has written */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue_change *first, **end; /* waiting; under lock */
    size_t urgent;                     /* how many of them are not lazy; under lock */
    uint64_t lazy_until_ms; /* on clock_ms(): when the lazy ones have waited enough; under lock */
    bool stop;              /* under lock */
};

/* A batch while it is being committed. */
struct batch {
    struct queue_change *changes;
    int64_t delta; /* recipients more than before */
    struct file_names obsolete;
};

static bool has_failed(const struct queue_change *change)
{
    return change->error.kind != ERROR_NONE;
}

static void read_number(struct queue *queue, enum queue_statement which, uint64_t *number_out)
{
    struct error ignored;
    struct sql_row row;

    if (!sql_query(&queue->db, which, &row, &ignored, "") || !sql_next(&row, &ignored))
        return;
    *number_out = sql_u64(&row, 0);
    sql_end(&row);
}

/* The operator may have removed messages behind our back: then count again. */
static void recount_if_changed(struct queue *queue)
{
    uint64_t version = queue->data_version, backlog = queue->backlog;

    read_number(queue, QUEUE_DATA_VERSION, &version);
    if (version == queue->data_version)
        return;
    queue->data_version = version;
    read_number(queue, QUEUE_COUNT, &backlog);
    queue->backlog = backlog;
}

/* Mail from outside has to wait at its sender's when too much waits here already. Bounces do not:
 * they take the place of what they report. */
static bool check_change(struct queue *queue, const struct batch *batch,
                         struct queue_change *change)
{
    uint64_t waiting = queue->backlog + (uint64_t)batch->delta;

    if (change->message == NULL)
        return true;
    if (change->message->n_recipients == 0)
        return error_set(&change->error, ERROR_INVALID, "a message without recipients");
    if (change->n_gone == 0 && waiting + change->message->n_recipients > queue->recipients_max)
        return error_set(&change->error, ERROR_TEMPORARY,
                         "the queue is full: %" PRIu64 " recipients are waiting", waiting);
    return true;
}

/* False when the whole transaction is lost. */
static bool apply_change(struct queue *queue, struct batch *batch, struct queue_change *change)
{
    int64_t delta = batch->delta;
    size_t n_obsolete = batch->obsolete.count;
    struct error *err = &change->error;

    if (has_failed(change) || !check_change(queue, batch, change))
        return true;
    if (!sql_run(&queue->db, QUEUE_SAVEPOINT, NULL, err, ""))
        return false;
    if (queue_apply(&queue->db, change, &delta, &batch->obsolete, err)) {
        batch->delta = delta;
        return sql_run(&queue->db, QUEUE_RELEASE, NULL, err, "");
    }
    batch->obsolete.count = n_obsolete;
    if (!sql_in_transaction(&queue->db)) /* a full disk makes SQLite roll back everything */
        return false;
    return sql_run(&queue->db, QUEUE_ROLLBACK_TO, NULL, &(struct error){ 0 }, "") &&
           sql_run(&queue->db, QUEUE_RELEASE, NULL, &(struct error){ 0 }, "");
}

static bool commit_batch(struct queue *queue, struct batch *batch, struct error *err)
{
    if (!sql_begin(&queue->db, err))
        return false;
    recount_if_changed(queue);
    for (struct queue_change *change = batch->changes; change != NULL; change = change->next) {
        if (!apply_change(queue, batch, change)) {
            *err = change->error;
            sql_rollback(&queue->db);
            return false;
        }
    }
    return sql_commit(&queue->db, err);
}

/* Nothing of the batch is stored: whoever waits for it may try again. */
static void fail_batch(struct batch *batch, const struct error *err)
{
    for (struct queue_change *change = batch->changes; change != NULL; change = change->next) {
        if (has_failed(change))
            continue;
        change->error = *err;
        change->error.kind = ERROR_TEMPORARY;
    }
    batch->delta = 0;
    batch->obsolete.count = 0;
}

static void drop_file(struct queue *queue, struct queue_change *change)
{
    AUTO(buf_free) struct buf path = { 0 };

    if (change->file[0] == '\0')
        return;
    queue_file_path(queue->store, change->file, &path);
    unlink(buf_text(&path));
}

static void tell_owners(struct queue *queue, struct batch *batch)
{
    struct queue_change *next;

    for (struct queue_change *change = batch->changes; change != NULL; change = next) {
        next = change->next; /* the owner may free the change in done() */
        change->ok = !has_failed(change);
        if (!change->ok)
            drop_file(queue, change);
        if (change->done != NULL)
            change->done(change);
    }
}

static void run_batch(struct queue *queue, struct queue_change *changes)
{
    struct batch batch = { .changes = changes };
    struct error err = { 0 };

    if (!commit_batch(queue, &batch, &err))
        fail_batch(&batch, &err);
    queue->backlog += (uint64_t)batch.delta;
    tell_owners(queue, &batch);
    file_names_unlink(&batch.obsolete, queue->store);
    free(batch.obsolete.items);
}

static size_t inline_bytes(const struct queue_change *change)
{
    return change->body != NULL && !body_is_large(change->body) ? body_size(change->body) : 0;
}

/* Takes what waits off the list, up to the bounds of a batch. Under lock. */
static struct queue_change *take_batch(struct queue *queue)
{
    struct queue_change *first = queue->first, *last = NULL, *change = first;
    size_t count = 0, bytes = 0;

    while (change != NULL && count < BATCH_CHANGES && bytes < BATCH_BYTES) {
        bytes += inline_bytes(change);
        count++;
        if (!change->lazy)
            queue->urgent--;
        last = change;
        change = change->next;
    }
    queue->first = change;
    if (change == NULL)
        queue->end = &queue->first;
    if (last != NULL)
        last->next = NULL;
    return first;
}

/* Waits for something to do; NULL at the end. */
static struct queue_change *next_batch(struct queue *queue)
{
    struct queue_change *changes;
    bool waits = true;

    pthread_mutex_lock(&queue->lock);
    while (queue->urgent == 0 && !queue->stop && waits) {
        if (queue->first == NULL)
            pthread_cond_wait(&queue->changed, &queue->lock);
        else
            waits = condition_wait_until(&queue->changed, &queue->lock, queue->lazy_until_ms);
    }
    changes = take_batch(queue);
    pthread_mutex_unlock(&queue->lock);
    return changes;
}

static void *run_writer(void *argument)
{
    struct queue *queue = argument;
    struct queue_change *changes;

    while ((changes = next_batch(queue)) != NULL)
        run_batch(queue, changes);
    return NULL;
}

void queue_write(struct queue *queue, struct queue_change *change)
{
    change->ok = false;
    change->error = (struct error){ .kind = ERROR_NONE };
    change->next = NULL;
    change->file[0] = '\0';
    /* The slow part of a large body, outside the lock and beside other callers. When it fails, the
     * writer only passes that on: `done` never runs inside the call that asked for it. */
    if (change->message != NULL && body_is_large(change->body) &&
        !queue_file_link(queue->store, change->body, change->file, &change->error))
        change->file[0] = '\0';

    pthread_mutex_lock(&queue->lock);
    if (queue->first == NULL)
        queue->lazy_until_ms = clock_ms() + LAZY_MS;
    if (!change->lazy)
        queue->urgent++;
    *queue->end = change;
    queue->end = &change->next;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->changed); /* behind the lock, which the writer wants first */
}

uint64_t queue_backlog(struct queue *queue)
{
    return queue->backlog;
}

static bool lock_queue(struct queue *queue, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    buf_fmt(&path, "%s/queue.lock", store_path(queue->store));
    queue->lock_fd = open(buf_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (queue->lock_fd < 0)
        return error_errno(err, "opening %s", buf_text(&path));
    if (flock(queue->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERROR_EXISTS, "%s: another process has the queue", buf_text(&path));
    return error_errno(err, "locking %s", buf_text(&path));
}

static void init_waiting(struct queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    condition_init(&queue->changed);
    queue->end = &queue->first;
}

/* Everything but the thread. */
static void free_queue(struct queue **queue)
{
    struct queue *old = TAKE(*queue);

    if (old == NULL)
        return;
    if (old->db.handle != NULL)
        sql_close(&old->db);
    if (old->lock_fd >= 0)
        close(old->lock_fd);
    pthread_cond_destroy(&old->changed);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

bool queue_open(const struct queue_options *options, struct queue **queue_out, struct error *err)
{
    AUTO(free_queue) struct queue *queue = NEW(struct queue);
    uint64_t backlog = 0;

    queue->store = options->store;
    queue->recipients_max = options->recipients_max > 0 ? options->recipients_max : DEFAULT_BACKLOG;
    queue->lock_fd = -1;
    init_waiting(queue);
    if (!lock_queue(queue, err) || !queue_database_open(queue->store, false, &queue->db, err) ||
        !sql_script(&queue->db, CHECKPOINT, err))
        return false;

    read_number(queue, QUEUE_DATA_VERSION, &queue->data_version);
    read_number(queue, QUEUE_COUNT, &backlog);
    queue->backlog = backlog;
    errno = pthread_create(&queue->thread, NULL, run_writer, queue);
    if (errno != 0)
        return error_errno(err, "starting the queue's writer");
    *queue_out = TAKE(queue);
    return true;
}

void queue_close(struct queue **queue)
{
    if (*queue == NULL)
        return;
    pthread_mutex_lock(&(*queue)->lock);
    (*queue)->stop = true;
    pthread_cond_signal(&(*queue)->changed);
    pthread_mutex_unlock(&(*queue)->lock);
    pthread_join((*queue)->thread, NULL);
    free_queue(queue);
}
