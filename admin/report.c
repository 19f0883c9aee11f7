/* report.c - the client's side of the status sockets. */
#include "admin/report.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPORT_SIZE_MAX = 64 * 1024, PATIENCE_SECONDS = 5 };

/* Connected, or -1. */
static int connect_to(const char *data, const char *daemon)
{
    const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int len =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/%s.status", data, daemon);
    int fd;

    if (len < 0 || (size_t)len >= sizeof(address.sun_path))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The socket is there before the daemon serves; one that fails then closes it unanswered. */
bool report_answers(const char *data, const char *daemon)
{
    int fd = connect_to(data, daemon);
    bool answers;
    char byte;

    if (fd < 0)
        return false;
    answers = read(fd, &byte, 1) == 1;
    close(fd);
    return answers;
}

bool report_read(const char *data, const char *daemon, struct buf *out, struct error *err)
{
    int fd = connect_to(data, daemon);
    ssize_t got = 0;

    if (fd < 0)
        return error_set(err, ERROR_NOT_FOUND, "%s does not run", daemon);
    while (out->len < REPORT_SIZE_MAX && (got = read(fd, buf_reserve(out, 4096), 4096)) > 0)
        buf_wrote(out, (size_t)got);
    close(fd);
    if (got < 0 || out->len == 0)
        return error_set(err, ERROR_TEMPORARY, "%s does not answer", daemon);
    return true;
}
