/* notice.c - see notice.h.
 *
 * Each listener binds a datagram socket in <data>/run/notice. A sender keeps one socket without a
 * name and a list of the listeners, read anew when the directory has changed, or after a second,
 * since two changes within one tick of the file system's clock look like one. Sending never
 * blocks: a listener that is behind loses notices, not changes, and finds a file NAME.lost beside
 * its socket.
 */
#include "storage/notice.h"

#include "common/crypto.h"
#include "storage/sqlite/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LIST_MS 1000
#define LOST    ".lost"
#define CALM    "~" /* before the names of listeners that do not hear of mail */

/* What goes over the wire; both ends are programs of one version on one machine. */
struct packet {
    uint64_t kind, id, mailbox;
};

struct notice_sender {
    char *folder;
    pthread_mutex_t lock; /* for all below: desks of several threads share the sender */
    int fd;
    struct listener {
        struct sockaddr_un address;
        bool calm;
    } * listeners;
    size_t n_listeners, room;
    struct timespec changed; /* the folder's mtime when it was listed */
    uint64_t listed_ms;      /* 0: never, or no longer right */
};

struct notice_sender *notice_sender_new(const char *store_path)
{
    AUTO(buf_free) struct buf folder = { 0 };
    struct notice_sender *sender = NEW(struct notice_sender);

    buf_fmt(&folder, "%s/run/notice", store_path);
    sender->folder = slice_strdup(buf_slice(&folder));
    sender->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    pthread_mutex_init(&sender->lock, NULL);
    return sender;
}

void notice_sender_free(struct notice_sender **sender)
{
    if (*sender == NULL)
        return;
    if ((*sender)->fd >= 0)
        close((*sender)->fd);
    pthread_mutex_destroy(&(*sender)->lock);
    free((*sender)->listeners);
    free((*sender)->folder);
    free(TAKE(*sender));
}

/* False when the path is longer than a socket's may be. */
static bool socket_address(const char *folder, const char *name, struct sockaddr_un *address_out)
{
    int len;

    *address_out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    len = snprintf(address_out->sun_path, sizeof(address_out->sun_path), "%s/%s", folder, name);
    return len > 0 && (size_t)len < sizeof(address_out->sun_path);
}

/* The mark's path; room for a socket's path and the ending. */
struct mark {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(LOST)];
};

static struct mark mark_of(const struct sockaddr_un *address)
{
    struct mark mark;

    snprintf(mark.path, sizeof(mark.path), "%.*s" LOST, (int)sizeof(address->sun_path),
             address->sun_path);
    return mark;
}

static bool is_mark(const char *name)
{
    size_t len = strlen(name);

    return len > strlen(LOST) && strcmp(name + len - strlen(LOST), LOST) == 0;
}

static void set_mark(const struct sockaddr_un *address)
{
    int fd = open(mark_of(address).path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
}

static void remove_listener(const struct sockaddr_un *address)
{
    unlink(address->sun_path);
    unlink(mark_of(address).path);
}

static void list_listeners(struct notice_sender *sender)
{
    DIR *folder = opendir(sender->folder);
    struct sockaddr_un address;
    struct dirent *entry;

    sender->n_listeners = 0;
    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || is_mark(entry->d_name) ||
            !socket_address(sender->folder, entry->d_name, &address))
            continue;
        sender->listeners = mem_grow(sender->listeners, &sender->room, sender->n_listeners + 1,
                                     sizeof(sender->listeners[0]));
        sender->listeners[sender->n_listeners++] =
            (struct listener){ address, strncmp(entry->d_name, CALM, strlen(CALM)) == 0 };
    }
    closedir(folder);
}

static void refresh(struct notice_sender *sender)
{
    uint64_t now = clock_ms();
    struct stat info;

    if (stat(sender->folder, &info) != 0)
        return;
    if (sender->listed_ms != 0 && now - sender->listed_ms < LIST_MS &&
        info.st_mtim.tv_sec == sender->changed.tv_sec &&
        info.st_mtim.tv_nsec == sender->changed.tv_nsec)
        return;
    sender->changed = info.st_mtim;
    sender->listed_ms = now;
    list_listeners(sender);
}

static void send_to_all(struct notice_sender *sender, const struct packet *packet)
{
    bool of_mail = packet->kind == NOTICE_ACCOUNT || packet->kind == NOTICE_QUEUE;

    refresh(sender);
    for (size_t i = 0; i < sender->n_listeners; i++) {
        const struct sockaddr_un *to = &sender->listeners[i].address;

        if (of_mail && sender->listeners[i].calm)
            continue;
        if (sendto(sender->fd, packet, sizeof(*packet), MSG_NOSIGNAL, (const struct sockaddr *)to,
                   sizeof(*to)) >= 0)
            continue;
        int code = errno;
        if (code == ECONNREFUSED) /* its process is dead */
            remove_listener(to);
        else if (code == EAGAIN || code == ENOBUFS)
            set_mark(to);
        if (code == ECONNREFUSED || code == ENOENT)
            sender->listed_ms = 0;
    }
}

void notice_send(struct store *store, const struct notice *notice)
{
    struct packet packet = { notice->kind, notice->id, notice->mailbox };

    pthread_mutex_lock(&store->notices->lock);
    if (store->notices->fd >= 0)
        send_to_all(store->notices, &packet);
    pthread_mutex_unlock(&store->notices->lock);
}

/* Sockets outlive processes that were killed; nobody answers at them. */
static void remove_dead(struct notice_sender *sender)
{
    list_listeners(sender);
    sender->listed_ms = 0;
    for (size_t i = 0; i < sender->n_listeners; i++) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const struct sockaddr_un *to = &sender->listeners[i].address;

        if (fd >= 0 && connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
            errno == ECONNREFUSED)
            remove_listener(to);
        if (fd >= 0)
            close(fd);
    }
}

static bool bind_new(const struct sockaddr_un *address, int *fd_out, struct error *err)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        error_errno(err, "listening on %s", address->sun_path);
        if (fd >= 0)
            close(fd);
        return false;
    }
    *fd_out = fd;
    return true;
}

bool notice_listen(struct store *store, const char *name, bool calm, int *fd_out, struct error *err)
{
    struct notice_sender *sender = store->notices;
    struct sockaddr_un address;
    char file[64];

    pthread_mutex_lock(&sender->lock);
    remove_dead(sender);
    pthread_mutex_unlock(&sender->lock);

    snprintf(file, sizeof(file), "%s%.30s.%016" PRIx64, calm ? CALM : "", name, random_u64());
    if (!socket_address(sender->folder, file, &address))
        return error_set(err, ERROR_INVALID,
                         "the data directory's path is too long for a socket: %s/%s",
                         sender->folder, file);
    return bind_new(&address, fd_out, err);
}

bool notice_read(int fd, struct notice *notice_out)
{
    struct packet packet;
    ssize_t len;

    do {
        len = recv(fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
        if (len < 0 && errno != EINTR)
            return false;
    } while (len != sizeof(packet) || packet.kind < NOTICE_ACCOUNT || packet.kind > NOTICE_BANS);

    *notice_out = (struct notice){ (enum notice_kind)packet.kind, packet.id, packet.mailbox };
    return true;
}

static bool address_of(int fd, struct sockaddr_un *address_out)
{
    socklen_t len = sizeof(*address_out) - 1;

    *address_out = (struct sockaddr_un){ 0 };
    return getsockname(fd, (struct sockaddr *)address_out, &len) == 0 &&
           address_out->sun_path[0] != '\0';
}

bool notice_lost(int fd)
{
    struct sockaddr_un address;

    return address_of(fd, &address) && unlink(mark_of(&address).path) == 0;
}

void notice_unlisten(struct store *store, int fd)
{
    struct sockaddr_un address;

    if (address_of(fd, &address))
        remove_listener(&address);
    close(fd);
}
