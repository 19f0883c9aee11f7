/* test_daemon.c - the daemon skeleton in a child process: sockets, signals, status, the end. */
#include "common/daemon_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_SECONDS 10

/* What the child counts and reports. */
struct child {
    struct daemon daemon;
    int ticks, reloads, watched;
    int pipe[2];
};

static enum next say(struct call *call, const char *text, enum next next)
{
    buf_add_text(&call->out, text);
    return next;
}

static enum next run(struct call *call)
{
    if (call->why == WHY_START)
        return say(call, "hello\r\n", NEXT_COMMAND);
    if (call->why == WHY_STOP)
        return say(call, "stop\r\n", NEXT_CLOSE);
    if (call->why == WHY_ENDED)
        return NEXT_CLOSE;
    buf_clear(&call->in);
    return say(call, "yes\r\n", NEXT_COMMAND);
}

static const struct protocol protocol = { .name = "test", .run = run };

static const struct daemon_listener listeners[] = {
    { "plain", &protocol, false },
    { "tls", &protocol, true },
};

static struct child *child_of(struct daemon *daemon)
{
    return CONTAINER_OF(daemon, struct child, daemon);
}

static void on_tick(struct daemon *daemon)
{
    child_of(daemon)->ticks++;
}

static void on_readable(struct daemon *daemon, int fd)
{
    char byte;

    if (read(fd, &byte, 1) == 1)
        child_of(daemon)->watched++;
}

static void report(struct daemon *daemon, struct buf *out)
{
    const struct child *child = child_of(daemon);

    buf_fmt(out, "sessions %zu ticks %d watched %d reloads %d\n", server_sessions(daemon->server),
            child->ticks > 0, child->watched, child->reloads);
}

static bool on_start(struct daemon *daemon, struct error *err)
{
    struct child *child = child_of(daemon);

    if (pipe(child->pipe) != 0 || write(child->pipe[1], "x", 1) != 1)
        return error_errno(err, "pipe");
    daemon_every(daemon, 5, on_tick);
    daemon_watch(daemon, child->pipe[0], on_readable);
    return daemon_report(daemon, daemon->context, report, err);
}

static void on_reload(struct daemon *daemon)
{
    child_of(daemon)->reloads++;
}

static _Noreturn void be_the_daemon(int fd, const char *names, char *report_path)
{
    static struct child child; /* reachable until the end */

    log_setup(LOG_ERROR, false);
    if (names != NULL) {
        dup2(fd, 3);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", names, 1);
    }
    child.daemon = (struct daemon){
        .name = "testd",
        .listeners = listeners,
        .n_listeners = COUNT_OF(listeners),
        .workers = 2,
        .slow_workers = 1,
        .idle_ms = 60000,
        .stall_ms = 60000,
        .stop_ms = 5000,
        .input_max = 4096,
        .context = report_path,
        .on_start = on_start,
        .on_reload = on_reload,
    };
    exit(daemon_run(&child.daemon));
}

static int listen_loopback(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *address =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)address, &len);
    return fd;
}

static int connect_to(const void *address, socklen_t len, int family)
{
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    int fd = socket(family, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, address, len), 0);
    return fd;
}

static void expect(int fd, const char *text)
{
    char bytes[256];
    size_t have = 0;

    while (have < strlen(text)) {
        ssize_t count = recv(fd, bytes + have, strlen(text) - have, 0);

        assert_true(count > 0);
        have += (size_t)count;
    }
    bytes[have] = '\0';
    assert_string_equal(bytes, text);
}

static void expect_report(const char *path, const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char byte;

    strcpy(address.sun_path, path);
    int fd = connect_to(&address, sizeof(address), AF_UNIX);
    expect(fd, text);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

static int exit_code(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_life(void **unused)
{
    struct sockaddr_in address;
    char folder[] = "/tmp/postane-daemon-XXXXXX", path[64];
    int fd = listen_loopback(&address);

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/status", folder);
    pid_t pid = fork();
    if (pid == 0)
        be_the_daemon(fd, "plain", path);
    close(fd);

    int client = connect_to(&address, sizeof(address), AF_INET);
    expect(client, "hello\r\n");
    usleep(50000);
    expect_report(path, "sessions 1 ticks 1 watched 1 reloads 0\n");
    kill(pid, SIGHUP);
    usleep(50000);
    expect_report(path, "sessions 1 ticks 1 watched 1 reloads 1\n");
    kill(pid, SIGTERM);
    expect(client, "stop\r\n");
    close(client);
    assert_int_equal(exit_code(pid), EXIT_SUCCESS);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(rmdir(folder), 0);
}

static uint64_t on_busy_tick(struct daemon *daemon)
{
    const uint64_t *due_ms = daemon->context;

    return *due_ms;
}

static void on_event(uv_async_t *event)
{
}

/* Something happens, and the loop hears of it. */
static void happen(uv_loop_t *loop, uv_async_t *event)
{
    uv_async_send(event);
    uv_run(loop, UV_RUN_ONCE);
    uv_run(loop, UV_RUN_ONCE);
}

/* How long the loop would wait after some turns in which nothing has happened. */
static int wait_ms(uv_loop_t *loop)
{
    for (int i = 0; i < 5 && uv_backend_timeout(loop) < 100; i++)
        uv_run(loop, UV_RUN_ONCE);
    return uv_backend_timeout(loop);
}

/* What has nothing to do sleeps, until something happens or is due. */
static void test_rests(void **unused)
{
    struct daemon_state state = { 0 };
    uint64_t due_ms = UINT64_MAX;
    struct daemon daemon = { .state = &state, .context = &due_ms };
    uv_async_t event;

    uv_loop_init(&state.loop);
    daemon.loop = &state.loop;
    uv_async_init(&state.loop, &event, on_event);
    daemon_tick(&daemon, 1, on_busy_tick);
    assert_in_range(wait_ms(&state.loop), 30000, 60000);
    due_ms = 20000;
    happen(&state.loop, &event);
    assert_in_range(wait_ms(&state.loop), 10000, 20000);
    due_ms = 0;
    happen(&state.loop, &event);
    assert_in_range(wait_ms(&state.loop), 0, 1);
    daemon_extras_end(&daemon);
    uv_close((uv_handle_t *)&event, NULL);
    uv_run(&state.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&state.loop), 0);
}

static void test_refuses_to_start(void **unused)
{
    static const char *const names[] = {
        NULL,   /* no sockets */
        "imap", /* not in the table */
        "tls",  /* without a certificate */
        "",     /* no name */
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct sockaddr_in address;
        int fd = listen_loopback(&address);
        pid_t pid = fork();

        if (pid == 0) {
            if (freopen("/dev/null", "w", stderr) == NULL)
                abort();
            be_the_daemon(fd, names[i], "/nonexistent/status");
        }
        close(fd);
        assert_int_equal(exit_code(pid), EXIT_FAILURE);
    }
}

/* What systemd would hear, up to the message that is looked for. */
static void expect_notice(int fd, const char *wanted)
{
    char text[64] = "";

    while (strcmp(text, wanted) != 0) {
        ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

        assert_true(len > 0);
        text[len] = '\0';
    }
}

static void test_tells_systemd(void **unused)
{
    struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct sockaddr_in port;
    char folder[] = "/tmp/postane-daemon-XXXXXX", path[64];
    int systemd = socket(AF_UNIX, SOCK_DGRAM, 0), fd = listen_loopback(&port);

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/status", folder);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
    assert_int_equal(bind(systemd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(systemd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    pid_t pid = fork();
    if (pid == 0) {
        setenv("NOTIFY_SOCKET", address.sun_path, 1);
        setenv("WATCHDOG_USEC", "20000", 1);
        be_the_daemon(fd, "plain", path);
    }
    close(fd);
    expect_notice(systemd, "READY=1");
    expect_notice(systemd, "WATCHDOG=1");
    expect_notice(systemd, "WATCHDOG=1");
    kill(pid, SIGTERM);
    expect_notice(systemd, "STOPPING=1");
    assert_int_equal(exit_code(pid), EXIT_SUCCESS);
    close(systemd);
    unlink(address.sun_path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_tells_systemd),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_refuses_to_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
