/* main.c - imapd: IMAP on ports 143 (STARTTLS) and 993 (TLS).
 *
 * Its sockets come from `postane serve` or systemd (common/daemon.h). Reading order of this folder:
 * client.h, session.c, input.c, args.h, command.c, reply.h, view.h, news.c, then the cmd_*.c.
 *
 * A change of mail lets the filler see to the account's search index (filler.h), and wakes the
 * sessions that wait for news of its account: the notice comes by datagram. When one was lost (they
 * are rare: a full socket) everybody is woken.
 */
#include "imapd/client.h"
#include "imapd/filler.h"
#include "storage/service.h"

#include <stdlib.h>

static void on_notice(struct service *service, const struct notice *notice)
{
    struct filler *filler = service->context;

    if (notice->kind == NOTICE_ACCOUNT)
        server_notify(service->daemon.server, notice->id, notice->mailbox);
    if (notice->kind == NOTICE_ACCOUNT && filler != NULL)
        filler_note(filler, notice->id);
}

struct keys {
    uint64_t *items;
    size_t count, room;
};

static void note_key(const struct session_info *info, void *context)
{
    struct keys *keys = context;

    keys->items = mem_grow(keys->items, &keys->room, keys->count + 1, sizeof(*keys->items));
    keys->items[keys->count++] = info->key;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void on_report(struct service *service, struct buf *out)
{
    struct filler *filler = service->context;

    if (filler != NULL)
        filler_report(filler, out);
}

/* The thread starts here, after the daemon has become what it is. */
static bool on_start(struct service *service, struct error *err)
{
    struct filler *filler = NULL;

    if (service->settings.search_index &&
        !filler_new(service->store, &service->daemon.log, &filler, err))
        return false;
    service->context = filler;
    return true;
}

/* First the list, then the notices: a notice may end a session. */
static void wake_all(struct service *service)
{
    struct server *server = service->daemon.server;
    struct keys keys = { 0 };

    server_each(server, note_key, &keys);
    if (keys.count > 0)
        qsort(keys.items, keys.count, sizeof(*keys.items), compare_keys);
    for (size_t i = 0; i < keys.count; i++)
        if (i == 0 || keys.items[i] != keys.items[i - 1])
            server_notify(server, keys.items[i], 0);
    free(keys.items);
}

static void on_end(struct daemon *daemon)
{
    struct service *service = daemon->context;
    struct filler *filler = service->context;

    service->context = NULL;
    filler_free(&filler);
}

int main(int argc, char **argv)
{
    struct imap imap;
    struct protocol protocol = imap_protocol;
    const struct daemon_listener listeners[] = {
        { "imap", &protocol, false },
        { "imaps", &protocol, true },
    };
    struct service service;
    int code;

    if (!service_init(&service, "imapd", "the IMAP server of Postane", argc, argv, &code))
        return code;
    imap = (struct imap){ .settings = &service.settings,
                          .store = service.store,
                          .login = service.login };
    protocol.context = &imap;
    service.daemon.idle_ms = service.settings.idle_imap;
    service.daemon.login_ms = service.settings.login_time;
    service.daemon.busy_reply = "* BYE [UNAVAILABLE] Too many connections, try again later\r\n";
    service.daemon.banned_reply = "* BYE [UNAVAILABLE] This address is banned\r\n";
    service.daemon.listeners = listeners;
    service.daemon.n_listeners = COUNT_OF(listeners);
    service.on_notice = on_notice;
    service.on_start = on_start;
    service.on_report = on_report;
    service.daemon.on_end = on_end;
    service.on_lost = wake_all;
    return service_run(&service);
}
