/* listener.c - accept() when the loop says that somebody is there.
 *
 * A few connections are accepted per wake-up, so that those we have get their turn too. When
 * descriptors run out, the socket stays readable; polling it would spin, so we look away for
 * REST_MS.
 */
#include "common/listener.h"

#include "common/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define FIRST_FD         3 /* sd_listen_fds(3) */
#define ACCEPTS_PER_WAKE 16
#define REST_MS          1000

struct listener {
    uv_poll_t poll;
    uv_timer_t rest;
    int fd;
    struct log log;
    listener_accepted accepted;
    void *owner;
    bool warned;
    unsigned char open_handles;
};

static void on_pending(uv_poll_t *poll, int status, int events);

static void on_rested(uv_timer_t *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, rest);

    uv_poll_start(&listener->poll, UV_READABLE, on_pending);
}

static void take_a_rest(struct listener *listener, int code)
{
    if (!listener->warned)
        log_warn(&listener->log, "accept failed", F_STR("error", strerror(code)),
                 F_STR("advice", "raise LimitNOFILE or lower the session limit"));
    listener->warned = true;
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->rest, on_rested, REST_MS, 0);
}

/* Errors of the one connection, which is gone: accept(2) lists them. */
static bool is_passing(int code)
{
    return code == ECONNABORTED || code == EINTR || code == EPROTO || code == EPERM ||
           code == ENETDOWN || code == ENOPROTOOPT || code == EHOSTDOWN || code == ENONET ||
           code == EHOSTUNREACH || code == EOPNOTSUPP || code == ENETUNREACH;
}

static void on_pending(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = CONTAINER_OF(poll, struct listener, poll);

    for (int i = 0; i < ACCEPTS_PER_WAKE; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listener->warned = false;
            listener->accepted(fd, listener->owner);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (!is_passing(errno)) {
            take_a_rest(listener, errno);
            return;
        }
    }
}

static bool is_listening(int fd, struct error *err)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0)
        return error_errno(err, "inherited descriptor %d", fd);
    if (!listening)
        return error_set(err, ERROR_INVALID, "inherited descriptor %d does not listen", fd);
    return true;
}

bool listener_open(struct uv_loop_s *loop, int fd, const struct log *log,
                   listener_accepted accepted, void *owner, struct listener **listener_out,
                   struct error *err)
{
    int one = 1;

    if (!is_listening(fd, err))
        return false;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
        return error_errno(err, "inherited descriptor %d", fd);
    /* Accepted sockets inherit it. Unix sockets have no such option: then it changes nothing. */
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    struct listener *listener = NEW(struct listener);
    *listener = (struct listener){
        .fd = fd, .log = *log, .accepted = accepted, .owner = owner, .open_handles = 2
    };
    int result = uv_poll_init(loop, &listener->poll, fd);
    if (result < 0) {
        free(listener);
        return error_set(err, ERROR_TEMPORARY, "polling descriptor %d: %s", fd,
                         uv_strerror(result));
    }
    uv_timer_init(loop, &listener->rest);
    uv_poll_start(&listener->poll, UV_READABLE, on_pending);
    *listener_out = listener;
    return true;
}

static void on_handle_closed(struct listener *listener)
{
    if (--listener->open_handles > 0)
        return;
    close(listener->fd);
    free(listener);
}

static void on_poll_closed(uv_handle_t *handle)
{
    on_handle_closed(CONTAINER_OF((uv_poll_t *)handle, struct listener, poll));
}

static void on_rest_closed(uv_handle_t *handle)
{
    on_handle_closed(CONTAINER_OF((uv_timer_t *)handle, struct listener, rest));
}

void listener_close(struct listener **listener_pointer)
{
    struct listener *listener = TAKE(*listener_pointer);

    if (listener == NULL)
        return;
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    uv_close((uv_handle_t *)&listener->rest, on_rest_closed);
}

static bool is_for_us(struct error *err)
{
    const char *pid = getenv("LISTEN_PID");

    if (pid == NULL || strtol(pid, NULL, 10) == (long)getpid())
        return true;
    return error_set(err, ERROR_INVALID,
                     "LISTEN_PID is %s, but this process is %ld: the sockets are for another one",
                     pid, (long)getpid());
}

static bool count_sockets(size_t room, size_t *count_out, struct error *err)
{
    const char *text = getenv("LISTEN_FDS");
    uint64_t count;

    if (text == NULL || !slice_number(slice_of(text), 1000, &count) || count == 0)
        return error_set(err, ERROR_INVALID,
                         "no listening sockets (LISTEN_FDS): start the daemon with `postane "
                         "serve` or from a systemd socket unit");
    if (count > room)
        return error_set(err, ERROR_LIMIT, "LISTEN_FDS is %s, but at most %zu sockets are taken",
                         text, room);
    *count_out = (size_t)count;
    return true;
}

static bool name_sockets(struct inherited *sockets, size_t count, struct error *err)
{
    struct slice rest = slice_of(getenv("LISTEN_FDNAMES")), name;

    for (size_t i = 0; i < count; i++) {
        if (!slice_split(&rest, ':', &name) || name.len >= sizeof(sockets[i].name))
            return error_set(err, ERROR_INVALID,
                             "LISTEN_FDNAMES must name each of the %zu sockets, with ':' between "
                             "(FileDescriptorName= in a systemd socket unit)",
                             count);
        sockets[i].fd = FIRST_FD + (int)i;
        memcpy(sockets[i].name, name.data, name.len);
        sockets[i].name[name.len] = '\0';
        if (fcntl(sockets[i].fd, F_SETFD, FD_CLOEXEC) != 0)
            return error_errno(err, "inherited descriptor %d", sockets[i].fd);
    }
    return true;
}

bool listener_inherit(struct inherited *sockets, size_t room, size_t *count_out, struct error *err)
{
    bool good = is_for_us(err) && count_sockets(room, count_out, err) &&
                name_sockets(sockets, *count_out, err);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return good;
}
