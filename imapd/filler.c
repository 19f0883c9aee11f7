/* filler.c - see filler.h. */
#include "imapd/filler.h"

#include "common/clock.h"
#include "common/condition.h"
#include "storage/directory.h"
#include "storage/search.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#define QUIET_MS      1000        /* mail of an account mostly comes in bursts */
#define PATIENCE_MS   (15 * 1000) /* a burst that does not end */
#define RETRY_MS      (60 * 1000) /* after an error, or while another process fills it */
#define REST_AFTER_MS 100         /* what is kept for the next piece is given back */
#define TELL_PIECES   16          /* counting messages takes time */
#define NEVER         UINT64_MAX

/* What is known of one account. */
struct entry {
    uint64_t account;
    uint64_t due_ms;   /* when to look at it; 0: there is nothing to do */
    uint64_t first_ms; /* when it became due for the first time since */
    struct index_progress progress;
};

struct filler {
    struct store *store;
    struct desk *desk; /* the thread's */
    struct log log;
    pthread_t thread;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stop;
    uint64_t wakes_ms; /* until when the thread sleeps, or NEVER; 0 while it is awake */
    struct entry *entries;
    size_t n_entries, room;
};

/* Under the lock. */
static struct entry *entry_of(struct filler *filler, uint64_t account)
{
    for (size_t i = 0; i < filler->n_entries; i++)
        if (filler->entries[i].account == account)
            return &filler->entries[i];
    filler->entries =
        mem_grow(filler->entries, &filler->room, filler->n_entries + 1, sizeof(*filler->entries));
    filler->entries[filler->n_entries] = (struct entry){ .account = account };
    return &filler->entries[filler->n_entries++];
}

static void make_due(struct entry *entry, uint64_t wait_ms)
{
    uint64_t now = clock_ms();

    if (entry->due_ms == 0)
        entry->first_ms = now;
    entry->due_ms = MIN(now + wait_ms, entry->first_ms + MAX(PATIENCE_MS, wait_ms));
}

/* A burst of mail leaves the thread asleep: it looks for itself when the first time has come. */
void filler_note(struct filler *filler, uint64_t account)
{
    pthread_mutex_lock(&filler->lock);
    struct entry *entry = entry_of(filler, account);
    make_due(entry, QUIET_MS);
    if (entry->due_ms < filler->wakes_ms)
        pthread_cond_signal(&filler->changed);
    pthread_mutex_unlock(&filler->lock);
}

static bool is_stopping(struct filler *filler)
{
    bool stop;

    pthread_mutex_lock(&filler->lock);
    stop = filler->stop;
    pthread_mutex_unlock(&filler->lock);
    return stop;
}

/* Under the lock; NULL: no account has anything to do. */
static struct entry *first_due(struct filler *filler)
{
    struct entry *first = NULL;

    for (size_t i = 0; i < filler->n_entries; i++) {
        struct entry *entry = &filler->entries[i];

        if (entry->due_ms != 0 && (first == NULL || entry->due_ms < first->due_ms))
            first = entry;
    }
    return first;
}

/* Under the lock. */
static void wait_until(struct filler *filler, uint64_t until_ms)
{
    filler->wakes_ms = until_ms;
    if (until_ms == NEVER)
        pthread_cond_wait(&filler->changed, &filler->lock);
    else
        condition_wait_until(&filler->changed, &filler->lock, until_ms);
    filler->wakes_ms = 0;
}

/* The next account whose time has come; 0: none has until `end_ms`, or the end is near. */
static uint64_t take_account(struct filler *filler, uint64_t end_ms)
{
    uint64_t account = 0, now;

    pthread_mutex_lock(&filler->lock);
    while (account == 0 && !filler->stop && (now = clock_ms()) < end_ms) {
        struct entry *entry = first_due(filler);

        if (entry != NULL && entry->due_ms <= now) {
            entry->due_ms = 0;
            account = entry->account;
        } else {
            wait_until(filler, entry != NULL ? MIN(entry->due_ms, end_ms) : end_ms);
        }
    }
    pthread_mutex_unlock(&filler->lock);
    return account;
}

static void note_progress(struct filler *filler, uint64_t id, const struct index_progress *progress,
                          uint64_t again_ms)
{
    pthread_mutex_lock(&filler->lock);
    struct entry *entry = entry_of(filler, id);
    entry->progress = *progress;
    if (again_ms != 0 && entry->due_ms == 0)
        make_due(entry, again_ms);
    pthread_mutex_unlock(&filler->lock);
}

static void forget_account(struct filler *filler, uint64_t id)
{
    pthread_mutex_lock(&filler->lock);
    *entry_of(filler, id) = filler->entries[filler->n_entries - 1];
    filler->n_entries--;
    pthread_mutex_unlock(&filler->lock);
}

/* All pieces of one account. */
static bool fill_account(struct filler *filler, uint64_t id, struct indexer *indexer,
                         struct error *err)
{
    struct index_progress progress;
    struct account *account;
    bool more = true;

    for (size_t pieces = 0; more && !is_stopping(filler); pieces++) {
        if (!desk_account(filler->desk, id, &account, err) ||
            !account_index(account, indexer, &more, err))
            return false;
        if (more && pieces % TELL_PIECES != 0)
            continue;
        if (!account_index_progress(account, &progress, err))
            return false;
        note_progress(filler, id, &progress,
                      !more && progress.indexed < progress.messages ? RETRY_MS : 0);
    }
    return true;
}

static void fill_or_tell(struct filler *filler, uint64_t id, struct indexer *indexer)
{
    struct index_progress progress = { 0 };
    struct error err = { 0 };

    if (fill_account(filler, id, indexer, &err))
        return;
    if (err.kind == ERROR_NOT_FOUND) {
        forget_account(filler, id);
        return;
    }
    log_warn(&filler->log, "search index", F_NUM("account", (int64_t)id), F_ERR(&err));
    note_progress(filler, id, &progress, RETRY_MS);
}

static void note_all(struct filler *filler)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_list list;
    struct error err;

    if (!account_all(filler->desk, &arena, &list, &err)) {
        log_warn(&filler->log, "search index", F_ERR(&err));
        return;
    }
    pthread_mutex_lock(&filler->lock);
    for (size_t i = 0; i < list.count; i++)
        make_due(entry_of(filler, list.items[i].id), 0);
    pthread_mutex_unlock(&filler->lock);
}

/* Gives back what was taken. Returns until when nothing has to be done about it. */
static uint64_t rest(struct filler *filler)
{
    uint64_t again_ms = desk_idle(filler->desk);

    malloc_trim(0);
    return again_ms != 0 ? clock_ms() + again_ms : NEVER;
}

static void *run(void *context)
{
    struct filler *filler = context;
    struct indexer *indexer = NULL;
    uint64_t rest_ms = NEVER;

    setpriority(PRIO_PROCESS, 0, 19); /* Linux: of this thread alone */
    note_all(filler);
    while (!is_stopping(filler)) {
        uint64_t id = take_account(filler, rest_ms);

        if (id != 0) {
            if (indexer == NULL)
                indexer = indexer_new();
            fill_or_tell(filler, id, indexer);
            rest_ms = clock_ms() + REST_AFTER_MS;
        } else {
            indexer_free(&indexer);
            rest_ms = rest(filler);
        }
    }
    indexer_free(&indexer);
    return NULL;
}

bool filler_new(struct store *store, const struct log *log, struct filler **filler_out,
                struct error *err)
{
    struct filler *filler = NEW(struct filler);

    if (!desk_open(store, &filler->desk, err)) {
        free(filler);
        return false;
    }
    filler->store = store;
    filler->log = *log;
    pthread_mutex_init(&filler->lock, NULL);
    condition_init(&filler->changed);
    if (pthread_create(&filler->thread, NULL, run, filler) != 0)
        abort();
    *filler_out = filler;
    return true;
}

void filler_free(struct filler **filler_pointer)
{
    struct filler *filler = TAKE(*filler_pointer);

    if (filler == NULL)
        return;
    pthread_mutex_lock(&filler->lock);
    filler->stop = true;
    pthread_cond_signal(&filler->changed);
    pthread_mutex_unlock(&filler->lock);
    pthread_join(filler->thread, NULL);
    desk_close(&filler->desk);
    pthread_cond_destroy(&filler->changed);
    pthread_mutex_destroy(&filler->lock);
    free(filler->entries);
    free(filler);
}

void filler_report(struct filler *filler, struct buf *out)
{
    struct index_progress sum = { 0 };

    pthread_mutex_lock(&filler->lock);
    for (size_t i = 0; i < filler->n_entries; i++) {
        sum.messages += filler->entries[i].progress.messages;
        sum.indexed += filler->entries[i].progress.indexed;
    }
    pthread_mutex_unlock(&filler->lock);
    buf_fmt(out, ",\"messages\":%llu,\"indexed\":%llu", (unsigned long long)sum.messages,
            (unsigned long long)sum.indexed);
}
