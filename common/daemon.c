/* daemon.c - from inherited sockets to a graceful end.
 *
 *     STARTING --> SERVING --SIGTERM--> STOPPING --stop_ms--> CUTTING --> ENDED
 *                                           '---- no sessions left -------^
 *
 * What is opened first is closed last: pools outlive sessions, the net outlives connections.
 * libuv gives handles back in callbacks, so the loop runs once more before it is closed.
 */
#include "common/daemon_private.h"

#include "common/mem.h"
#include "common/systemd.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* What is larger goes back to the system when it is freed. Without a word glibc raises the limit to
 * the largest that ever was, and keeps the rest in pieces. */
#define MAPPED_BYTES (1024 * 1024)

#define CUT_MS 1000 /* for jobs that still run when their connections were cut */

static void on_accepted(int fd, void *owner)
{
    struct daemon_socket *socket = owner;

    server_accept(socket->daemon->server, fd, socket->row->protocol, socket->daemon->state->tls,
                  socket->row->tls_at_once);
}

static bool find_row(const struct daemon *daemon, const char *name,
                     const struct daemon_listener **row_out, struct error *err)
{
    char known[128] = "";
    size_t len = 0;

    for (size_t i = 0; i < daemon->n_listeners; i++) {
        *row_out = &daemon->listeners[i];
        if (strcmp((*row_out)->name, name) == 0)
            return true;
        if (len < sizeof(known))
            len += (size_t)snprintf(known + len, sizeof(known) - len, " %s", (*row_out)->name);
    }
    return error_set(err, ERROR_INVALID, "LISTEN_FDNAMES has a socket \"%s\"; %s knows:%s", name,
                     daemon->name, known);
}

/* Looks all sockets up before the first one is accepted from. */
static bool assign_sockets(struct daemon *daemon, struct error *err)
{
    struct daemon_state *state = daemon->state;
    struct inherited sockets[SOCKETS_MAX];
    size_t count;

    if (!listener_inherit(sockets, SOCKETS_MAX, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct daemon_listener *row;

        if (!find_row(daemon, sockets[i].name, &row, err))
            return false;
        if (row->tls_at_once && state->tls == NULL)
            return error_set(err, ERROR_INVALID,
                             "socket \"%s\" speaks TLS, but no certificate is set: set one or "
                             "leave the socket out",
                             row->name);
        state->sockets[i] = (struct daemon_socket){ .daemon = daemon, .row = row };
        if (!listener_open(&state->loop, sockets[i].fd, &daemon->log, on_accepted,
                           &state->sockets[i], &state->sockets[i].listener, err))
            return false;
        state->n_sockets++;
    }
    return true;
}

static void close_sockets(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->state->n_sockets; i++)
        listener_close(&daemon->state->sockets[i].listener);
}

static void reload(struct daemon *daemon)
{
    struct error err;

    if (daemon->state->tls != NULL && !tls_reload(daemon->state->tls, &err))
        log_error(&daemon->log, "reload failed", F_ERR(&err),
                  F_STR("advice", "the old certificates stay in use"));
    if (daemon->on_reload != NULL)
        daemon->on_reload(daemon);
    log_info(&daemon->log, "reload", F_NUM("sessions", (int64_t)server_sessions(daemon->server)));
}

static void end(struct daemon *daemon)
{
    daemon->state->phase = DAEMON_ENDED;
    uv_stop(&daemon->state->loop);
}

static void on_empty(void *context)
{
    end(context);
}

/* A worker that hangs cannot be ended; the store survives a process that just stops. */
static void on_cut_too_late(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    log_error(&daemon->log, "stop", F_STR("reason", "sessions do not end; leaving without them"),
              F_NUM("sessions", (int64_t)server_sessions(daemon->server)));
    _Exit(EXIT_FAILURE);
}

static void on_stop_too_late(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;

    daemon->state->phase = DAEMON_CUTTING;
    server_abort(daemon->server, "the server stops");
    uv_timer_start(timer, on_cut_too_late, CUT_MS, 0);
}

static void stop(struct daemon *daemon)
{
    if (daemon->state->phase != DAEMON_SERVING)
        return;
    daemon->state->phase = DAEMON_STOPPING;
    systemd_tell("STOPPING=1");
    log_info(&daemon->log, "stop", F_NUM("sessions", (int64_t)server_sessions(daemon->server)));
    close_sockets(daemon);
    if (daemon->on_stop != NULL)
        daemon->on_stop(daemon);
    uv_timer_start(&daemon->state->deadline, on_stop_too_late, daemon->stop_ms, 0);
    server_stop(daemon->server);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct daemon *daemon = handle->data;

    if (signal_number == SIGHUP)
        reload(daemon);
    else
        stop(daemon);
}

static void watch_signals(struct daemon *daemon)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    struct daemon_state *state = daemon->state;

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uv_signal_init(&state->loop, &state->signals[i]);
        state->signals[i].data = daemon;
        uv_signal_start(&state->signals[i], on_signal, numbers[i]);
        state->n_signals++;
    }
}

static bool is_banned(void *context, const struct protocol *protocol, const char *address)
{
    struct daemon *daemon = context;

    return daemon->is_banned != NULL && daemon->is_banned(daemon, protocol, address);
}

static struct server_options server_options(struct daemon *daemon)
{
    return (struct server_options){
        .loop = daemon->loop,
        .net = daemon->state->net,
        .pool = daemon->pool,
        .slow = daemon->slow,
        .log = daemon->log,
        .idle_ms = daemon->idle_ms,
        .login_ms = daemon->login_ms,
        .stall_ms = daemon->stall_ms,
        .connect_ms = daemon->connect_ms,
        .input_max = daemon->input_max,
        .max_sessions = daemon->max_sessions,
        .max_per_address = daemon->max_per_address,
        .busy_reply = daemon->busy_reply,
        .is_banned = is_banned,
        .banned_reply = daemon->banned_reply,
        .proxy_hosts = daemon->proxy_hosts,
        .on_empty = on_empty,
        .context = daemon,
    };
}

/* A session is one descriptor; what the work needs besides is kept free, so that nobody who is in
 * fails for those who come. */
static void fit_sessions(struct daemon *daemon)
{
    struct rlimit limit;
    size_t wanted = daemon->max_sessions, most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY)
        return;
    most = limit.rlim_max - MIN(limit.rlim_max / 2, (rlim_t)daemon->descriptors);
    if (wanted != 0 && wanted <= most)
        return;
    daemon->max_sessions = most;
    log_warn(&daemon->log, "fewer sessions", F_NUM("sessions", (int64_t)most),
             F_NUM("descriptors", (int64_t)limit.rlim_max),
             F_STR("advice", "raise LimitNOFILE or lower [limits] sessions"));
}

/* A system without authorities is none to refuse work on: nobody is trusted then. */
static bool load_authorities(struct daemon *daemon, struct error *err)
{
    const char *path = daemon->authorities;

    if (path == NULL || net_trust(daemon->state->net, path, err))
        return true;
    if (path[0] != '\0')
        return false;
    log_warn(&daemon->log, "no authorities", F_ERR(err));
    return true;
}

static bool start(struct daemon *daemon, struct error *err)
{
    struct daemon_state *state = daemon->state;

    fit_sessions(daemon);
    if (!tls_load(&daemon->tls, &state->tls, err) ||
        !pool_new(&state->loop, daemon->workers, &daemon->desk, &daemon->pool, err) ||
        !pool_new(&state->loop, daemon->slow_workers, NULL, &daemon->slow, err))
        return false;
    state->net = net_new(&state->loop);
    if (!load_authorities(daemon, err))
        return false;
    struct server_options options = server_options(daemon);
    daemon->server = server_new(&options);
    watch_signals(daemon);
    return assign_sockets(daemon, err) &&
           (daemon->on_start == NULL || daemon->on_start(daemon, err));
}

/* Works for a daemon that started half way, too. */
static void tear_down(struct daemon *daemon)
{
    struct daemon_state *state = daemon->state;

    close_sockets(daemon);
    daemon_extras_end(daemon);
    pool_free(&daemon->pool);
    pool_free(&daemon->slow);
    server_free(&daemon->server);
    for (size_t i = 0; i < state->n_signals; i++)
        uv_close((uv_handle_t *)&state->signals[i], NULL);
    uv_close((uv_handle_t *)&state->deadline, NULL);
    uv_run(&state->loop, UV_RUN_DEFAULT);
    uv_loop_close(&state->loop);
    net_free(&state->net);
    tls_free(&state->tls);
}

static int serve(struct daemon *daemon)
{
    struct daemon_state *state = daemon->state;

    state->phase = DAEMON_SERVING;
    log_info(&daemon->log, "start", F_STR("version", POSTANE_VERSION),
             F_NUM("sockets", (int64_t)state->n_sockets));
    daemon_feed_watchdog(daemon);
    systemd_tell("READY=1");
    while (state->phase != DAEMON_ENDED)
        uv_run(&state->loop, UV_RUN_DEFAULT);
    if (daemon->on_end != NULL)
        daemon->on_end(daemon);
    return EXIT_SUCCESS;
}

int daemon_run(struct daemon *daemon)
{
    struct daemon_state *state = NEW(struct daemon_state);
    struct error err = { 0 };
    int code = EXIT_FAILURE;

    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    daemon->state = state;
    daemon->log = (struct log){ .daemon = daemon->name };
    if (uv_loop_init(&state->loop) != 0)
        abort(); /* no descriptors at start */
    daemon->loop = &state->loop;
    uv_timer_init(&state->loop, &state->deadline);
    state->deadline.data = daemon;

    if (start(daemon, &err))
        code = serve(daemon);
    else
        log_error(&daemon->log, "start failed", F_ERR(&err));
    tear_down(daemon);
    free(TAKE(daemon->state));
    return code;
}
