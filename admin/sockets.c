/* sockets.c - opens listening sockets and hands them down (sd_listen_fds(3)). */
#include "admin/sockets.h"

#include "admin/user.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_PASSED_FD = 3,  /* SD_LISTEN_FDS_START */
    LOWEST_KEPT_FD = 200, /* ours stay clear of those that a child is given */
    QUEUE_LENGTH = 1024,  /* connections that wait for accept() */
};

static const struct {
    const char *daemon, *name;
    size_t setting;
} ports[] = {
    { "smtpd", "smtp", offsetof(struct settings, smtp) },
    { "smtpd", "submission", offsetof(struct settings, submission) },
    { "smtpd", "submissions", offsetof(struct settings, submissions) },
    { "smtpd", "lmtp", offsetof(struct settings, lmtp) },
    { "imapd", "imap", offsetof(struct settings, imap) },
    { "imapd", "imaps", offsetof(struct settings, imaps) },
    { "pop3d", "pop3", offsetof(struct settings, pop3) },
    { "pop3d", "pop3s", offsetof(struct settings, pop3s) },
};

static bool keep(struct sockets *sockets, const char *daemon, const char *name,
                 struct slice address, int fd, struct error *err)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_KEPT_FD);

    close(fd);
    if (high < 0)
        return error_errno(err, "keeping the socket of %s", name);
    sockets->items =
        mem_grow(sockets->items, &sockets->room, sockets->count + 1, sizeof(*sockets->items));
    sockets->items[sockets->count++] = (struct listening){
        .daemon = daemon, .name = name, .address = slice_strdup(address), .fd = high
    };
    return true;
}

/* "127.0.0.1:25" or "[::1]:25" into its halves, as C strings. */
static bool split_address(struct slice address, char **host_out, char **port_out)
{
    ptrdiff_t colon = slice_find_last(address, ':');
    struct slice host, port = slice_from(address, (size_t)(colon + 1));
    uint64_t number;

    if (colon < 1 || !slice_number(port, 65535, &number))
        return false;
    host = slice_part(address, 0, (size_t)colon);
    if (host.data[0] == '[') {
        if (host.len < 3 || host.data[host.len - 1] != ']')
            return false;
        host = slice_part(host, 1, host.len - 2);
    } else if (slice_find(host, ':') >= 0) {
        return false; /* an IPv6 address without brackets: which colon is the last? */
    }
    *host_out = slice_strdup(host);
    *port_out = slice_strdup(port);
    return true;
}

static bool look_up(struct slice address, struct addrinfo **list_out, struct error *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    char *host, *port;
    int code;

    if (!split_address(address, &host, &port))
        return error_set(err, ERROR_INVALID, "an address looks like 0.0.0.0:25 or [::]:25");
    code = getaddrinfo(host, port, &hints, list_out);
    free(host);
    free(port);
    if (code != 0)
        return error_set(err, ERROR_INVALID, "%s", gai_strerror(code));
    return true;
}

static const char *bind_advice(int code)
{
    if (code == EACCES)
        return "; ports below 1024 need root: start it as root, it gives up root at once";
    if (code == EADDRINUSE)
        return "; another program listens there (`ss -ltnp` names it)";
    return "";
}

/* A listening socket, or -1 with errno. */
static int listen_at(const struct addrinfo *address)
{
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (address->ai_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, QUEUE_LENGTH) == 0)
        return fd;

    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

/* A machine without IPv6 is fine as it is with the default settings. */
static bool is_missing_ipv6(const struct addrinfo *address, int code)
{
    const struct sockaddr_in6 *v6 = (const void *)address->ai_addr;

    return address->ai_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) &&
           (code == EAFNOSUPPORT || code == EADDRNOTAVAIL);
}

static bool open_address(struct sockets *sockets, size_t port, struct slice address,
                         struct error *err)
{
    struct addrinfo *list;
    bool ok = true;

    if (!look_up(address, &list, err))
        return error_wrap(err, "[listen] %s = " SLICE_FMT, ports[port].name, SLICE_ARG(address));
    for (const struct addrinfo *each = list; ok && each != NULL; each = each->ai_next) {
        int fd = listen_at(each);

        if (fd >= 0)
            ok = keep(sockets, ports[port].daemon, ports[port].name, address, fd, err);
        else if (!is_missing_ipv6(each, errno))
            ok = error_set(err, ERROR_TEMPORARY, "cannot listen on " SLICE_FMT " (%s): %s%s",
                           SLICE_ARG(address), ports[port].name, strerror(errno),
                           bind_advice(errno));
    }
    freeaddrinfo(list);
    return ok;
}

static bool open_unix(struct sockets *sockets, const struct settings *settings, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(settings->lmtp_unix);
    int fd;

    if (len >= sizeof(address.sun_path))
        return error_set(err, ERROR_INVALID, "[listen] lmtp_unix: the path is too long");
    memcpy(address.sun_path, settings->lmtp_unix, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(err, "opening a unix socket");
    unlink(settings->lmtp_unix); /* of a process that is gone */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(settings->lmtp_unix, 0660) != 0 || listen(fd, QUEUE_LENGTH) != 0) {
        error_errno(err, "listening on %s", settings->lmtp_unix);
        close(fd);
        return false;
    }
    return keep(sockets, "smtpd", "lmtp", slice_of(settings->lmtp_unix), fd, err) &&
           user_own(settings->user, settings->lmtp_unix, err);
}

bool sockets_open(const struct settings *settings, struct sockets *sockets, struct error *err)
{
    if (settings->lmtp_unix[0] != '\0' && !open_unix(sockets, settings, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        struct slice rest = slice_of(*(char *const *)((const char *)settings + ports[i].setting));
        struct slice address;

        while (slice_split(&rest, ' ', &address))
            if (address.len > 0 && !open_address(sockets, i, address, err))
                return false;
    }
    if (sockets->count == 0)
        return error_set(err, ERROR_INVALID, "[listen] names no address at all");
    return true;
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        close(sockets->items[i].fd);
        free(sockets->items[i].address);
    }
    free(sockets->items);
    *sockets = (struct sockets){ 0 };
}

bool sockets_pass(const struct sockets *sockets, const char *daemon, struct error *err)
{
    AUTO(buf_free) struct buf names = { 0 };
    char text[24];
    int count = 0;

    for (size_t i = 0; i < sockets->count; i++) {
        const struct listening *socket = &sockets->items[i];

        if (strcmp(socket->daemon, daemon) != 0)
            continue;
        if (dup2(socket->fd, FIRST_PASSED_FD + count) < 0)
            return error_errno(err, "passing the socket of %s", socket->address);
        buf_fmt(&names, "%s%s", count > 0 ? ":" : "", socket->name);
        count++;
    }
    snprintf(text, sizeof(text), "%d", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%ld", (long)getpid());
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDNAMES", buf_text(&names), 1);
    return true;
}
