/* daemon_extra.c - what a daemon may hang into its loop: descriptors to watch, ticks, and the
 * status socket.
 *
 * All live until daemon_extras_end(), which closes their handles; libuv's callback frees them.
 */
#include "common/daemon_private.h"

#include "common/mem.h"
#include "common/systemd.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REPORT_STALL_MS 5000
#define REST_MS         (60 * 1000) /* between ticks when nothing happens */
#define QUIET_TICKS     2           /* in a row before that: one may come in the turn of an event */

struct watch {
    uv_poll_t poll;
    struct daemon *daemon;
    int fd;
    void (*on_readable)(struct daemon *, int fd);
    struct watch *next;
};

struct ticker {
    uv_timer_t timer;
    struct daemon *daemon;
    void (*on_tick)(struct daemon *);
    uint64_t (*on_busy_tick)(struct daemon *); /* of daemon_tick(); NULL */
    uint64_t ms;
    unsigned n_quiet; /* ticks since something happened */
    bool rests;
    struct ticker *next;
};

struct report {
    struct daemon *daemon;
    struct listener *listener;
    void (*report)(struct daemon *, struct buf *out);
    char *path;
    struct report *next;
};

static void on_watch(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = CONTAINER_OF(poll, struct watch, poll);

    watch->on_readable(watch->daemon, watch->fd);
}

void daemon_watch(struct daemon *daemon, int fd, void (*on_readable)(struct daemon *, int fd))
{
    struct watch *watch = NEW(struct watch);

    watch->daemon = daemon;
    watch->fd = fd;
    watch->on_readable = on_readable;
    watch->next = daemon->state->watches;
    daemon->state->watches = watch;
    if (uv_poll_init(daemon->loop, &watch->poll, fd) != 0)
        abort(); /* not a descriptor that can be watched: our own bug */
    uv_poll_start(&watch->poll, UV_READABLE, on_watch);
}

static void on_ticker(uv_timer_t *timer)
{
    struct ticker *ticker = CONTAINER_OF(timer, struct ticker, timer);

    ticker->daemon->state->ticked = true;
    ticker->on_tick(ticker->daemon);
}

static struct ticker *add_ticker(struct daemon *daemon, uint64_t ms)
{
    struct ticker *ticker = NEW(struct ticker);

    ticker->daemon = daemon;
    ticker->ms = ms;
    ticker->next = daemon->state->tickers;
    daemon->state->tickers = ticker;
    uv_timer_init(daemon->loop, &ticker->timer);
    return ticker;
}

void daemon_every(struct daemon *daemon, uint64_t ms, void (*on_tick)(struct daemon *))
{
    struct ticker *ticker = add_ticker(daemon, ms);

    ticker->on_tick = on_tick;
    uv_timer_start(&ticker->timer, on_ticker, ms, ms);
}

static void on_busy_ticker(uv_timer_t *timer)
{
    struct ticker *ticker = CONTAINER_OF(timer, struct ticker, timer);
    uint64_t due_ms = ticker->on_busy_tick(ticker->daemon);

    ticker->daemon->state->ticked = true;
    ticker->n_quiet = ticker->rests ? 1 : ticker->n_quiet + 1;
    ticker->rests = ticker->n_quiet >= QUIET_TICKS && due_ms > ticker->ms;
    uv_timer_start(timer, on_busy_ticker, ticker->rests ? MIN(due_ms, REST_MS) : ticker->ms, 0);
}

/* Something has happened, unless it was a tick: who rests goes on. */
static void on_turn(uv_prepare_t *turn)
{
    struct daemon_state *state = CONTAINER_OF(turn, struct daemon_state, turn);
    struct ticker *ticker = state->ticked ? NULL : state->tickers;

    state->ticked = false;
    for (; ticker != NULL; ticker = ticker->next) {
        ticker->n_quiet = 0;
        if (!ticker->rests)
            continue;
        ticker->rests = false;
        uv_timer_start(&ticker->timer, on_busy_ticker, ticker->ms, 0);
    }
}

void daemon_tick(struct daemon *daemon, uint64_t ms, uint64_t (*on_tick)(struct daemon *))
{
    struct daemon_state *state = daemon->state;
    struct ticker *ticker = add_ticker(daemon, ms);

    ticker->on_busy_tick = on_tick;
    uv_timer_start(&ticker->timer, on_busy_ticker, ms, 0);
    if (state->watches_turns)
        return;
    state->watches_turns = true;
    uv_prepare_init(daemon->loop, &state->turn);
    uv_prepare_start(&state->turn, on_turn);
}

static void on_report_conn(struct conn *conn, enum conn_event event, void *owner)
{
    (void)conn, (void)event, (void)owner; /* the report is sent, the rest is conn's */
}

static void on_report_accepted(int fd, void *owner)
{
    struct report *report = owner;
    struct conn_options options = { .stall_ms = REPORT_STALL_MS, .input_max = 1 };
    struct buf out = { 0 };

    report->report(report->daemon, &out);
    struct conn *conn = conn_accept(report->daemon->state->net, fd, &options, on_report_conn, NULL);
    conn_send(conn, &out);
    conn_close(conn, "reported");
}

/* Only the daemon's own user may ask. */
static int listen_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path);
    mode_t before = umask(0077);
    int result = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(before);
    if (result == 0 && listen(fd, 16) == 0)
        return fd;
    close(fd);
    return -1;
}

bool daemon_report(struct daemon *daemon, const char *path,
                   void (*report_function)(struct daemon *, struct buf *out), struct error *err)
{
    if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return error_set(err, ERROR_INVALID, "%s: too long for a socket's path", path);
    int fd = listen_unix(path);
    if (fd < 0)
        return error_errno(err, "opening the status socket %s", path);

    struct report *report = NEW(struct report);
    report->daemon = daemon;
    report->report = report_function;
    if (!listener_open(daemon->loop, fd, &daemon->log, on_report_accepted, report,
                       &report->listener, err)) {
        close(fd);
        free(report);
        return false;
    }
    report->path = slice_strdup(slice_of(path));
    report->next = daemon->state->reports;
    daemon->state->reports = report;
    return true;
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct watch, poll));
}

static void on_ticker_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_timer_t *)handle, struct ticker, timer));
}

static void end_report(struct report *report)
{
    listener_close(&report->listener);
    unlink(report->path);
    free(report->path);
    free(report);
}

void daemon_extras_end(struct daemon *daemon)
{
    struct daemon_state *state = daemon->state;

    while (state->watches != NULL) {
        struct watch *watch = state->watches;

        state->watches = watch->next;
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    }
    while (state->tickers != NULL) {
        struct ticker *ticker = state->tickers;

        state->tickers = ticker->next;
        uv_close((uv_handle_t *)&ticker->timer, on_ticker_closed);
    }
    if (state->watches_turns)
        uv_close((uv_handle_t *)&state->turn, NULL);
    state->watches_turns = false;
    while (state->reports != NULL) {
        struct report *report = state->reports;

        state->reports = report->next;
        end_report(report);
    }
}

static void on_watchdog(struct daemon *daemon)
{
    systemd_tell("WATCHDOG=1");
}

/* sd_watchdog_enabled(3). Twice as often as it must be; a loop that hangs feeds nothing. */
void daemon_feed_watchdog(struct daemon *daemon)
{
    struct slice limit = slice_of(getenv("WATCHDOG_USEC")), pid = slice_of(getenv("WATCHDOG_PID"));
    uint64_t usec, number;

    if (pid.len > 0 && (!slice_number(pid, INT32_MAX, &number) || (pid_t)number != getpid()))
        return;
    if (slice_number(limit, UINT64_MAX, &usec) && usec >= 2000)
        daemon_every(daemon, usec / 2000, on_watchdog);
}
