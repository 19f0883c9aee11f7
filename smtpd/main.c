/* main.c - smtpd: mail from other servers (25), from users (587, 465), and LMTP.
 *
 * Its sockets come from `postane serve` or systemd (common/daemon.h). Reading order of this folder:
 * session.h, command.c, transaction.c, policy.c, data.h, content.c, accept.c, courier.h, deliver.c,
 * settle.c, reporter.h, bounce.c; and outwards: remote.h, route.h, client.h, settle_remote.c.
 */
#include "common/resolver.h"
#include "smtpd/allowance.h"
#include "smtpd/courier.h"
#include "smtpd/proof/keyring.h"
#include "smtpd/proof/keywatch.h"
#include "smtpd/remote/remote.h"
#include "smtpd/remote/sts.h"
#include "smtpd/remote/way.h"
#include "smtpd/report/daily.h"
#include "smtpd/reporter.h"
#include "smtpd/retry.h"
#include "smtpd/room.h"
#include "smtpd/session.h"
#include "storage/check.h"
#include "storage/queue_operate.h"
#include "storage/service.h"

#define TICK_MS  1000
#define WATCH_MS (60 * 1000)
#define SWEEP_MS (60 * 60 * 1000)

#define CLOCK_SLACK_MS 30000 /* smaller steps back need no mending */

struct main {
    struct smtpd smtpd;
    struct remote *remote;
    struct daily *daily;
    struct keywatch *keywatch;
    struct job sweep;
    atomic_bool is_sweeping;
    struct job mending;
    atomic_bool is_mending;
    int64_t clock_ahead_ms; /* the time of day, of clock_ms() */
    const struct log *log;
};

static struct main *main_of(struct daemon *daemon)
{
    return ((struct service *)daemon->context)->context;
}

/* What was to be tried again at a time of a clock that was ahead must not wait for that time. */
static void mend_times(struct main *me, struct desk *desk)
{
    uint64_t count;
    struct error err;

    if (!queue_mend_times(desk, time_ms(), retry_wait_max(me->smtpd.settings), &count, &err))
        log_warn(me->log, "queue unreadable", F_ERR(&err));
    else if (count > 0)
        log_warn(me->log, "clock went back", F_NUM("recipients", (int64_t)count));
}

static void run_mending(struct job *job, void *desk)
{
    mend_times(CONTAINER_OF(job, struct main, mending), desk);
}

static void mending_done(struct job *job)
{
    atomic_store(&CONTAINER_OF(job, struct main, mending)->is_mending, false);
}

static void begin_mending(struct daemon *daemon)
{
    struct main *me = main_of(daemon);

    if (atomic_exchange(&me->is_mending, true))
        return;
    me->mending = (struct job){ .work = run_mending, .done = mending_done };
    pool_submit(daemon->pool, 0, &me->mending);
}

/* Compares the time of day with the clock that only goes on. */
static void watch_clock(struct daemon *daemon)
{
    struct main *me = main_of(daemon);
    int64_t ahead_ms = time_ms() - (int64_t)clock_ms();

    if (ahead_ms < me->clock_ahead_ms - CLOCK_SLACK_MS)
        begin_mending(daemon);
    me->clock_ahead_ms = ahead_ms;
}

static uint64_t on_tick(struct daemon *daemon)
{
    struct main *me = main_of(daemon);
    uint64_t retry_ms = courier_tick(me->smtpd.courier);
    uint64_t report_ms = reporter_tick(me->smtpd.reporter);
    uint64_t daily_ms = daily_tick(me->daily);

    watch_clock(daemon);
    return MIN(retry_ms, MIN(report_ms, daily_ms));
}

static void on_watch(struct daemon *daemon)
{
    keywatch_tick(main_of(daemon)->keywatch);
}

static void run_sweep(struct job *job, void *desk)
{
    store_sweep(desk);
}

static void sweep_done(struct job *job)
{
    atomic_store(&CONTAINER_OF(job, struct main, sweep)->is_sweeping, false);
}

static void on_sweep(struct daemon *daemon)
{
    struct main *me = main_of(daemon);

    if (atomic_exchange(&me->is_sweeping, true))
        return;
    me->sweep = (struct job){ .work = run_sweep, .done = sweep_done };
    pool_submit(daemon->pool, 0, &me->sweep);
}

static void on_notice(struct service *service, const struct notice *notice)
{
    struct main *me = service->context;

    switch (notice->kind) {
    case NOTICE_QUEUE:
        courier_catch_up(me->smtpd.courier);
        remote_wake(me->remote);
        return;
    case NOTICE_DIRECTORY:
        room_forget(me->smtpd.room);
        keyring_forget(me->smtpd.keyring);
        keywatch_change(me->keywatch);
        keywatch_tick(me->keywatch);
        return;
    case NOTICE_ACCOUNT:
    case NOTICE_REVOKED:
    case NOTICE_BANS:
        return;
    }
}

static void on_report(struct service *service, struct buf *out)
{
    struct main *me = service->context;
    struct smtpd *smtpd = &me->smtpd;
    struct smtpd_counters *counters = &smtpd->counters;

    buf_fmt(out,
            ",\"queue\":%llu,\"in_hand\":%zu,\"outgoing\":%zu,\"accepted\":%llu,\"refused\":%llu,"
            "\"delivered\":%llu,\"bounced\":%llu,\"retried\":%llu",
            (unsigned long long)queue_backlog(smtpd->queue), courier_in_hand(smtpd->courier),
            remote_in_hand(me->remote), atomic_load(&counters->accepted),
            atomic_load(&counters->refused), atomic_load(&counters->delivered),
            atomic_load(&counters->bounced), atomic_load(&counters->retried));
}

static bool start_resolver(struct service *service, struct error *err)
{
    struct main *me = service->context;
    const struct resolver_options options = {
        .servers = service->settings.resolver,
        .trust_anchor = service->settings.trust_anchor,
        .timeout_ms = service->settings.dns_timeout,
    };

    return resolver_new(service->daemon.loop, &options, &me->smtpd.resolver, err);
}

static bool start_sts(struct service *service, struct error *err)
{
    struct main *me = service->context;
    const struct sts_options options = {
        .smtpd = &me->smtpd,
        .loop = service->daemon.loop,
        .pool = service->daemon.pool,
        .log = service->daemon.log,
    };

    return !service->settings.mta_sts || sts_new(&options, &me->smtpd.sts, err);
}

/* Both couriers; the remote one first, because the local one wakes it. */
static void start_couriers(struct service *service)
{
    struct main *me = service->context;
    const struct remote_options remote = {
        .smtpd = &me->smtpd,
        .loop = service->daemon.loop,
        .server = service->daemon.server,
        .pool = service->daemon.pool,
        .log = service->daemon.log,
    };

    me->remote = remote_new(&remote);
    const struct courier_options courier = {
        .smtpd = &me->smtpd,
        .pool = service->daemon.pool,
        .log = service->daemon.log,
        .remote_due = remote_take,
        .remote_context = me->remote,
    };
    me->smtpd.courier = courier_new(&courier);
    courier_catch_up(me->smtpd.courier);
    reporter_wake(me->smtpd.reporter);
}

static bool read_milters(struct smtpd *smtpd, struct error *err)
{
    const struct settings *settings = smtpd->settings;

    return milter_servers_parse(slice_of(settings->milter_servers), &smtpd->milters, err) &&
           milter_services_parse(slice_of(settings->milter_services), &smtpd->milter_services, err);
}

static void start_reports(struct service *service)
{
    struct main *me = service->context;
    const struct daily_options options = {
        .smtpd = &me->smtpd,
        .pool = service->daemon.pool,
        .log = service->daemon.log,
    };

    me->smtpd.counts = counts_new(service->settings.report_dmarc, service->settings.report_tls);
    me->daily = daily_new(&options);
}

static void start_keywatch(struct service *service)
{
    struct main *me = service->context;
    const struct keywatch_options options = {
        .smtpd = &me->smtpd,
        .pool = service->daemon.pool,
        .log = service->daemon.log,
    };

    me->keywatch = keywatch_new(&options);
    keywatch_tick(me->keywatch);
    daemon_every(&service->daemon, WATCH_MS, on_watch);
}

static bool on_start(struct service *service, struct error *err)
{
    struct main *me = service->context;
    const struct queue_options queue = {
        .store = service->store,
        .recipients_max = service->settings.backlog,
    };

    me->smtpd.server = service->daemon.server;
    if (!ways_check(service->settings.routes, err) || !read_milters(&me->smtpd, err) ||
        !door_open(&service->settings, service->store, &me->smtpd.door, err) ||
        !start_resolver(service, err))
        return false;
    if (!start_sts(service, err) || !queue_open(&queue, &me->smtpd.queue, err)) {
        sts_close(me->smtpd.sts);
        resolver_free(&me->smtpd.resolver);
        return false;
    }
    me->log = &service->daemon.log;
    me->clock_ahead_ms = time_ms() - (int64_t)clock_ms();
    me->smtpd.reporter = reporter_new(&me->smtpd, service->daemon.pool, me->log);
    start_reports(service);
    start_couriers(service);
    begin_mending(&service->daemon);
    start_keywatch(service);
    daemon_tick(&service->daemon, TICK_MS, on_tick);
    daemon_every(&service->daemon, SWEEP_MS, on_sweep);
    return true;
}

static void on_stop(struct daemon *daemon)
{
    remote_pause(main_of(daemon)->remote);
    keywatch_stop(main_of(daemon)->keywatch);
}

/* Sessions are gone; the workers still run, and must not need the queue after it is closed. Until
 * it is, its writer may wake the remote courier. */
static void on_end(struct daemon *daemon)
{
    struct main *me = main_of(daemon);

    daily_stop(me->daily);
    remote_stop(me->remote);
    courier_stop(me->smtpd.courier);
    reporter_stop(me->smtpd.reporter);
    queue_close(&me->smtpd.queue);
    remote_close(me->remote);
    sts_close(me->smtpd.sts);
    resolver_free(&me->smtpd.resolver);
}

int main(int argc, char **argv)
{
    struct main me = { 0 };
    struct service service;
    struct smtp_door mx = { &me.smtpd, SERVICE_MX };
    struct smtp_door submission = { &me.smtpd, SERVICE_SUBMISSION };
    struct smtp_door lmtp = { &me.smtpd, SERVICE_LMTP };
    const struct protocol protocols[] = {
        { "smtp", smtp_open, smtp_run, smtp_close, smtp_is_light, &mx },
        { "submission", smtp_open, smtp_run, smtp_close, smtp_is_light, &submission },
        { "lmtp", smtp_open, smtp_run, smtp_close, smtp_is_light, &lmtp },
    };
    const struct daemon_listener listeners[] = {
        { "smtp", &protocols[0], false },       { "submission", &protocols[1], false },
        { "submissions", &protocols[1], true }, { "lmtp", &protocols[2], false },
        { "lmtp_unix", &protocols[2], false },
    };
    int code;

    if (!service_init(&service, "smtpd", "the SMTP server of Postane", argc, argv, &code))
        return code;
    me.smtpd.settings = &service.settings;
    me.smtpd.store = service.store;
    me.smtpd.login = service.login;
    me.smtpd.room = room_new();
    me.smtpd.allowance = allowance_new();
    me.smtpd.keyring = keyring_new();
    me.smtpd.resume = call_resume;
    me.smtpd.fetch = resolver_fetch;
    me.smtpd.connect = server_connect_soon;
    service.context = &me;
    service.on_start = on_start;
    service.on_notice = on_notice;
    service.on_report = on_report;
    service.daemon.on_stop = on_stop;
    service.daemon.on_end = on_end;
    service.daemon.listeners = listeners;
    service.daemon.n_listeners = COUNT_OF(listeners);
    service.connects = true;
    service.daemon.idle_ms = service.settings.command_timeout;
    service.daemon.authorities = service.settings.authorities;
    service.daemon.busy_reply = "421 4.7.0 Too many connections, try again later\r\n";
    service.daemon.banned_reply = "421 4.7.0 This address is banned\r\n";
    code = service_run(&service);
    remote_free(&me.remote);
    sts_free(&me.smtpd.sts);
    daily_free(&me.daily);
    counts_free(&me.smtpd.counts);
    courier_free(&me.smtpd.courier);
    reporter_free(&me.smtpd.reporter);
    room_free(&me.smtpd.room);
    allowance_free(&me.smtpd.allowance);
    milter_servers_free(&me.smtpd.milters);
    door_free(&me.smtpd.door);
    keywatch_free(&me.keywatch);
    keyring_free(&me.smtpd.keyring);
    return code;
}
