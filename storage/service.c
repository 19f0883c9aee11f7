/* service.c - see service.h. */
#include "storage/service.h"

#include "common/ceiling.h"
#include "storage/confinement.h"
#include "storage/gate.h"
#include "storage/login_use.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FULL    8 /* notices at once: some may not have found room; Linux's queue holds 10 or more */
#define LOST_MS 5000 /* and so often we look without a reason, as long as there is work */

static void print_help(const char *name, const char *help)
{
    printf("%s - %s\n\n"
           "usage: %s [--config FILE]\n\n"
           "  -c, --config FILE  settings (default: $POSTANE_CONFIG, /etc/postane/postane.conf)\n"
           "      --version      print the version\n"
           "      --help         this text\n\n"
           "Listening sockets are inherited: start it with `postane serve` or from systemd.\n",
           name, help, name);
}

/* False: leave with the exit code; *path_out is the config file or NULL. */
static bool read_options(const char *name, const char *help, int argc, char **argv,
                         const char **path_out, int *exit_code_out)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    *path_out = NULL;
    while ((letter = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        *exit_code_out = letter == '?' ? EXIT_FAILURE : EXIT_SUCCESS;
        if (letter == 'c') {
            *path_out = optarg;
            continue;
        }
        if (letter == 'V')
            printf("%s %s\n", name, POSTANE_VERSION);
        else if (letter == 'h')
            print_help(name, help);
        return false;
    }
    return true;
}

static bool open_desk(void *context, void **desk_out, struct error *err)
{
    struct desk *desk = NULL;

    if (!desk_open(context, &desk, err))
        return false;
    *desk_out = desk;
    return true;
}

/* After a burst glibc would keep what it took in the worker's arena for ever. */
static uint64_t idle_desk(void *desk)
{
    uint64_t again_ms = desk_idle(desk);

    malloc_trim(0);
    return again_ms;
}

static void relieve_desk(void *desk)
{
    desk_relieve(desk);
    malloc_trim(0);
}

static void close_desk(void *desk)
{
    struct desk *mine = desk;

    desk_close(&mine);
}

static void fill_daemon(struct service *service, const char *name)
{
    service->daemon = (struct daemon){ .name = name, .context = service };
    settings_daemon(&service->settings, 0, &service->daemon);
    service->daemon.log = (struct log){ .daemon = name };
    service->daemon.desk = (struct pool_desk){
        .open = open_desk,
        .idle = idle_desk,
        .relieve = relieve_desk,
        .close = close_desk,
        .context = service->store,
    };
}

static void free_parts(struct service *service)
{
    gate_close(&service->gate);
    login_cache_free(&service->cache);
    login_uses_free(&service->uses);
    store_close(&service->store);
    settings_free(&service->settings);
}

/* What an app password must be for, to be taken by this daemon. */
static unsigned scope_of(const char *daemon)
{
    if (strcmp(daemon, "imapd") == 0)
        return LOGIN_IMAP;
    return strcmp(daemon, "pop3d") == 0 ? LOGIN_POP3 : LOGIN_SMTP;
}

static struct gate *open_gate(struct service *service, const struct log *log)
{
    const struct gate_options options = {
        .store = service->store,
        .log = *log,
        .guard = settings_guard(&service->settings),
        .keep_ms = service->settings.login_history,
    };

    return gate_new(&options);
}

bool service_init(struct service *service, const char *name, const char *help, int argc,
                  char **argv, int *exit_code_out)
{
    const struct log log = { .daemon = name };
    const char *config;
    struct error err;
    struct store_options options;

    *service = (struct service){ .notices = -1, .started_ms = clock_ms() };
    if (!read_options(name, help, argc, argv, &config, exit_code_out))
        return false;
    *exit_code_out = EXIT_FAILURE;
    if (!settings_load(config, &service->settings, &err)) {
        log_error(&log, "start failed", F_ERR(&err));
        return false;
    }
    log_setup((enum log_level)service->settings.log_level, service->settings.log_format == 1);
    crypto_init();
    options = settings_store(&service->settings, name);
    if (!store_open(&options, &service->store, &err)) {
        log_error(&log, "start failed", F_ERR(&err));
        free_parts(service);
        return false;
    }
    service->cache = login_cache_new(service->settings.cache);
    service->uses = login_uses_new();
    service->login = settings_login(&service->settings, service->cache);
    service->login.scope = scope_of(name);
    service->login.uses = service->uses;
    service->gate = open_gate(service, &log);
    service->login.gate = service->gate;
    fill_daemon(service, name);
    return true;
}

/* Mail from other servers comes for users, whoever else is at the address: only an operator bans
 * it. LMTP is for programs of the operator's. */
static bool is_banned(struct daemon *daemon, const struct protocol *protocol, const char *address)
{
    struct service *service = daemon->context;
    enum banned banned = gate_find(service->gate, address);

    if (strcmp(protocol->name, "lmtp") == 0)
        return false;
    return banned == BANNED_BY_OPERATOR ||
           (banned == BANNED_AUTOMATICALLY && strcmp(protocol->name, "smtp") != 0);
}

static void run_reload(struct job *job, void *desk)
{
    gate_reload(CONTAINER_OF(job, struct service, reload)->gate);
}

static void reload_bans(struct service *service);

static void reload_done(struct job *job)
{
    struct service *service = CONTAINER_OF(job, struct service, reload);

    service->reloading = false;
    server_cut_banned(service->daemon.server);
    if (service->reload_again)
        reload_bans(service);
}

static void reload_bans(struct service *service)
{
    service->reload_again = service->reloading;
    if (service->reloading || service->daemon.pool == NULL) /* NULL: at the end */
        return;
    service->reloading = true;
    service->reload = (struct job){ .work = run_reload, .done = reload_done };
    pool_submit(service->daemon.pool, 0, &service->reload);
}

static void look_for_lost(struct daemon *daemon)
{
    struct service *service = daemon->context;

    if (!notice_lost(service->notices))
        return;
    reload_bans(service);
    if (service->on_lost != NULL)
        service->on_lost(service);
}

static uint64_t on_tick(struct daemon *daemon)
{
    look_for_lost(daemon);
    return UINT64_MAX;
}

static void read_notices(struct daemon *daemon, int fd)
{
    struct service *service = daemon->context;
    struct notice notice;
    size_t count = 0;

    for (; notice_read(fd, &notice); count++) {
        if (notice.kind == NOTICE_REVOKED)
            server_revoke(daemon->server, notice.id);
        else if (notice.kind == NOTICE_BANS)
            reload_bans(service);
        else if (service->on_notice != NULL)
            service->on_notice(service, &notice);
    }
    if (count >= FULL)
        look_for_lost(daemon);
}

static void report(struct daemon *daemon, struct buf *out)
{
    struct service *service = daemon->context;

    buf_fmt(out, "{\"daemon\":\"%s\",\"pid\":%ld,\"uptime_ms\":%llu,\"sessions\":%zu", daemon->name,
            (long)getpid(), (unsigned long long)(clock_ms() - service->started_ms),
            server_sessions(daemon->server));
    if (service->on_report != NULL)
        service->on_report(service, out);
    buf_add_text(out, "}\n");
}

static bool start(struct daemon *daemon, struct error *err)
{
    struct service *service = daemon->context;
    AUTO(buf_free) struct buf path = { 0 };

    if (!notice_listen(service->store, daemon->name, service->on_notice == NULL, &service->notices,
                       err))
        return false;
    daemon_watch(daemon, service->notices, read_notices);
    if (service->on_lost != NULL)
        daemon_tick(daemon, LOST_MS, on_tick);
    login_uses_start(service->uses, daemon->pool);
    gate_start(service->gate);
    buf_fmt(&path, "%s/run/%s.status", store_path(service->store), daemon->name);
    if (!daemon_report(daemon, buf_text(&path), report, err))
        return false;
    return service->on_start == NULL || service->on_start(service, err);
}

int service_run(struct service *service)
{
    const struct log *log = &service->daemon.log;
    int code = EXIT_FAILURE;
    struct error err;

    service->daemon.on_start = start;
    service->daemon.is_banned = is_banned;
    if (ceiling_set((size_t)service->settings.memory, &err) &&
        confinement_begin(&service->settings, service->connects, log, &err))
        code = daemon_run(&service->daemon);
    else
        log_error(log, "start failed", F_ERR(&err),
                  F_STR("advice", "[postane] confine = no serves without"));
    if (service->notices >= 0)
        notice_unlisten(service->store, service->notices);
    free_parts(service);
    return code;
}
