/* gate.c - see gate.h.
 *
 * Logins that wait to be written are folded where they wait, in a table of fixed size: a flood of
 * them is some rows, and what finds no room is counted and dropped.
 */
#include "storage/gate.h"

#include "common/clock.h"
#include "common/condition.h"
#include "common/mem.h"
#include "storage/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define WAITING_MAX    512 /* different logins in a second */
#define PROBES         8
#define BANS_MAX       64 /* in a second */
#define GATHER_MS      1000
#define FAULT_EVERY_MS 60000

struct waiting {
    uint64_t account;                       /* 0: empty */
    const char *protocol, *method, *reason; /* constants */
    char address[64];
    int64_t first_ms, last_ms;
    uint64_t count;
};

struct gate {
    struct gate_options options;
    struct guard *guard; /* NULL: could not be opened; so is the next */
    struct logbook *logbook;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stop;
    struct waiting logins[WAITING_MAX];
    size_t n_logins, n_dropped;
    struct guard_ban bans[BANS_MAX];
    size_t n_bans;
    struct ban_set *banned;
    uint64_t faulted_ms; /* clock_ms() of the last fault that was logged; 0: none */
};

struct gate *gate_new(const struct gate_options *options)
{
    struct gate *gate = NEW(struct gate);
    AUTO(buf_free) struct buf path = { 0 };
    struct error err;

    gate->options = *options;
    pthread_mutex_init(&gate->lock, NULL);
    condition_init(&gate->changed);
    buf_fmt(&path, "%s/guard", store_path(options->store));
    gate->options.guard.path = buf_text(&path);
    if (!guard_open(&gate->options.guard, &gate->guard, &err))
        log_error(&gate->options.log, "no guard", F_ERR(&err));
    gate->options.guard.path = NULL;
    if (!logbook_open(options->store, false, &gate->logbook, &err))
        log_error(&gate->options.log, "no logbook", F_ERR(&err));
    gate_reload(gate);
    return gate;
}

void gate_close(struct gate **gate_pointer)
{
    struct gate *gate = TAKE(*gate_pointer);

    if (gate == NULL)
        return;
    if (gate->started) {
        pthread_mutex_lock(&gate->lock);
        gate->stop = true;
        pthread_cond_signal(&gate->changed);
        pthread_mutex_unlock(&gate->lock);
        pthread_join(gate->thread, NULL);
    }
    gate_flush(gate);
    ban_set_free(&gate->banned);
    logbook_close(&gate->logbook);
    guard_close(&gate->guard);
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

/* --- bans --- */

void gate_reload(struct gate *gate)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct ban_set *set;
    struct ban_list list;
    struct error err;

    if (gate->logbook == NULL)
        return;
    if (!logbook_bans(gate->logbook, &arena, &list, &err)) {
        log_failure(&gate->options.log, &err);
        return;
    }
    set = ban_set_new(&list);
    pthread_mutex_lock(&gate->lock);
    struct ban_set *old = gate->banned;
    gate->banned = set;
    pthread_mutex_unlock(&gate->lock);
    ban_set_free(&old);
}

enum banned gate_find(struct gate *gate, const char *address)
{
    if (gate == NULL)
        return BANNED_NOT;
    pthread_mutex_lock(&gate->lock);
    enum banned found = ban_set_find(gate->banned, address, time_ms());
    pthread_mutex_unlock(&gate->lock);
    return found;
}

static void write_ban(struct gate *gate, const struct guard_ban *ban)
{
    AUTO(buf_free) struct buf reason = { 0 };
    struct ban row = { .network = ban->network, .automatic = true, .since_ms = time_ms() };
    struct error err;

    row.until_ms = row.since_ms + (int64_t)ban->for_ms;
    buf_fmt(&reason, "%llu wrong passwords", (unsigned long long)ban->wrong);
    row.reason = buf_slice(&reason);
    if (!logbook_ban(gate->logbook, &row, &err))
        log_failure(&gate->options.log, &err);
}

/* --- the wait --- */

/* At most one a minute: each login would tell of it. */
static void tell_fault(struct gate *gate)
{
    uint64_t now = clock_ms();
    struct error fault;
    bool tell;

    if (!guard_fault(gate->guard, &fault))
        return;
    pthread_mutex_lock(&gate->lock);
    tell = gate->faulted_ms == 0 || now - gate->faulted_ms > FAULT_EVERY_MS;
    if (tell)
        gate->faulted_ms = now;
    pthread_mutex_unlock(&gate->lock);
    if (tell)
        log_warn(&gate->options.log, "guard", F_ERR(&fault));
}

uint64_t gate_wait(struct gate *gate, const struct guard_visit *visit)
{
    return gate != NULL && gate->guard != NULL ? guard_delay(gate->guard, visit) : 0;
}

uint32_t gate_mark(struct gate *gate, const struct guard_visit *visit, struct slice password)
{
    return gate != NULL && gate->guard != NULL ? guard_mark(gate->guard, visit, password)
                                               : GUARD_PROOF;
}

/* --- logins --- */

static bool is_like(const struct waiting *waiting, const struct gate_login *login)
{
    const char *reason = login->reason != NULL ? login->reason : "";

    return waiting->account == login->visit.account &&
           strcmp(waiting->protocol, login->protocol) == 0 &&
           strcmp(waiting->method, login->method) == 0 && strcmp(waiting->reason, reason) == 0 &&
           strcmp(waiting->address, login->visit.address) == 0;
}

static size_t first_place(const struct gate_login *login)
{
    uint64_t hash = login->visit.account;

    for (const char *byte = login->visit.address; *byte != '\0'; byte++)
        hash = (hash ^ (unsigned char)*byte) * 0x9E3779B97F4A7C15u;
    return (hash >> 32) % WAITING_MAX;
}

/* Under the lock: the row of logins like this one, or an empty one; NULL: there is no room. */
static struct waiting *find_waiting(struct gate *gate, const struct gate_login *login)
{
    size_t first = first_place(login);

    for (size_t i = 0; i < PROBES; i++) {
        struct waiting *waiting = &gate->logins[(first + i) % WAITING_MAX];

        if (waiting->account == 0 || is_like(waiting, login))
            return waiting;
    }
    return NULL;
}

static void note_login(struct gate *gate, const struct gate_login *login)
{
    struct waiting *waiting = find_waiting(gate, login);
    int64_t now = time_ms();

    if (waiting == NULL) {
        gate->n_dropped++;
        return;
    }
    if (waiting->account == 0) {
        *waiting = (struct waiting){ .account = login->visit.account,
                                     .protocol = login->protocol,
                                     .method = login->method,
                                     .reason = login->reason != NULL ? login->reason : "",
                                     .first_ms = now };
        snprintf(waiting->address, sizeof(waiting->address), "%s", login->visit.address);
        gate->n_logins++;
    }
    waiting->last_ms = now;
    waiting->count++;
}

static void note_bans(struct gate *gate, const struct guard_ban *bans, size_t count)
{
    for (size_t i = 0; i < count && gate->n_bans < BANS_MAX; i++)
        gate->bans[gate->n_bans++] = bans[i];
}

static void log_bans(const struct gate *gate, const struct guard_ban *bans, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char network[NETWORK_TEXT];

        network_print(&bans[i].network, network);
        log_warn(&gate->options.log, "ban", F_STR("network", network),
                 F_NUM("wrong", (int64_t)bans[i].wrong),
                 F_NUM("seconds", (int64_t)bans[i].for_ms / 1000));
    }
}

/* For the thread. */
static void hand_over(struct gate *gate, const struct gate_login *login,
                      const struct guard_ban *bans, size_t n_bans)
{
    pthread_mutex_lock(&gate->lock);
    bool wake = n_bans > 0 || gate->n_logins == 0;
    note_bans(gate, bans, n_bans);
    if (login->visit.account != 0)
        note_login(gate, login);
    if (wake)
        pthread_cond_signal(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gate_ended(struct gate *gate, const struct gate_login *login)
{
    struct guard_ban bans[GUARD_BANS];
    size_t n_bans = 0;

    if (gate == NULL)
        return;
    if (gate->guard != NULL && login->reason == NULL)
        guard_right(gate->guard, &login->visit);
    else if (gate->guard != NULL && login->guessed)
        n_bans = guard_wrong(gate->guard, &login->visit, login->mark, bans);
    if (gate->guard != NULL)
        tell_fault(gate);
    log_bans(gate, bans, n_bans);
    if (gate->logbook != NULL && (n_bans > 0 || login->visit.account != 0))
        hand_over(gate, login, bans, n_bans);
}

/* --- writing --- */

/* What waits, taken out of the gate. */
struct batch {
    struct waiting logins[WAITING_MAX];
    struct guard_ban bans[BANS_MAX];
    size_t n_logins, n_bans, n_dropped;
};

static void take_batch(struct gate *gate, struct batch *batch)
{
    *batch = (struct batch){ .n_bans = gate->n_bans, .n_dropped = gate->n_dropped };
    memcpy(batch->bans, gate->bans, gate->n_bans * sizeof(gate->bans[0]));
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (gate->logins[i].account != 0) {
            batch->logins[batch->n_logins++] = gate->logins[i];
            gate->logins[i].account = 0;
        }
    gate->n_logins = gate->n_bans = gate->n_dropped = 0;
}

static void write_logins(struct gate *gate, const struct batch *batch)
{
    struct login_record *records = mem_zero((batch->n_logins + 1) * sizeof(*records));
    struct error err;

    for (size_t i = 0; i < batch->n_logins; i++) {
        const struct waiting *login = &batch->logins[i];

        records[i] = (struct login_record){
            .account = login->account,
            .protocol = slice_of(login->protocol),
            .address = slice_of(login->address),
            .method = slice_of(login->method),
            .reason = slice_of(login->reason),
            .first_ms = login->first_ms,
            .last_ms = login->last_ms,
            .count = login->count,
        };
    }
    if (batch->n_logins > 0 &&
        !logbook_add(gate->logbook, records, batch->n_logins, gate->options.keep_ms, &err))
        log_failure(&gate->options.log, &err);
    free(records);
}

void gate_flush(struct gate *gate)
{
    struct batch *batch = NEW(struct batch);

    pthread_mutex_lock(&gate->lock);
    take_batch(gate, batch);
    pthread_mutex_unlock(&gate->lock);
    for (size_t i = 0; i < batch->n_bans; i++)
        write_ban(gate, &batch->bans[i]);
    if (gate->logbook != NULL)
        write_logins(gate, batch);
    if (batch->n_dropped > 0)
        log_warn(&gate->options.log, "logins not written",
                 F_NUM("logins", (int64_t)batch->n_dropped));
    free(batch);
}

/* Under the lock. Bans are written at once, logins when more of them may have come. */
static void wait_for_work(struct gate *gate)
{
    uint64_t until_ms;

    while (!gate->stop && gate->n_bans == 0 && gate->n_logins == 0)
        pthread_cond_wait(&gate->changed, &gate->lock);
    until_ms = clock_ms() + GATHER_MS;
    while (!gate->stop && gate->n_bans == 0)
        if (!condition_wait_until(&gate->changed, &gate->lock, until_ms))
            return;
}

static void *run(void *context)
{
    struct gate *gate = context;
    bool stop = false;

    while (!stop) {
        pthread_mutex_lock(&gate->lock);
        wait_for_work(gate);
        stop = gate->stop;
        pthread_mutex_unlock(&gate->lock);
        gate_flush(gate);
    }
    return NULL;
}

void gate_start(struct gate *gate)
{
    gate->started = pthread_create(&gate->thread, NULL, run, gate) == 0;
    if (!gate->started)
        log_error(&gate->options.log, "no logbook", F_STR("error", "there is no thread for it"));
}
