/* carrier.c - one connection to another server, and what is carried over it:
 *
 *     ROUTING --> SECURING --> TALKING --shipment done--> IDLE --(more waits there)--> TALKING
 *                    ^            |                         '--(nothing came)--> OVER
 *                    |     next server of the route
 *                    '------------'-- none: the site backs off --> OVER
 */
#include "smtpd/remote/remote_private.h"

#include "common/crypto.h"
#include "common/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#define IDLE_MS          3000         /* a connection waits for more to carry */
#define TRANSACTIONS_MAX 100          /* then others may have the server's attention */
#define KEYS_FROM        (1ull << 62) /* no account has such an id */

static void wake(struct carrier *carrier)
{
    atomic_store(&carrier->ready, true);
    uv_async_send(&carrier->remote->woken);
}

static void on_fetched(void *context)
{
    wake(context);
}

/* On a worker, as the next one: a shipment is done with. */
static void on_finished(struct client_task *task)
{
    wake(CONTAINER_OF(task, struct carrier, task));
}

/* The client is gone. */
static void on_ended(struct client_task *task)
{
    struct carrier *carrier = CONTAINER_OF(task, struct carrier, task);

    atomic_store(&carrier->is_over, true);
    wake(carrier);
}

static void begin_stage(struct carrier *carrier, enum stage stage)
{
    carrier->stage = stage;
    atomic_store(&carrier->ready, false);
}

static struct carrier *carrier_take(struct remote *remote)
{
    struct carrier *carrier = remote->spare;

    if (carrier != NULL) {
        remote->spare = carrier->next;
    } else {
        carrier = NEW(struct carrier);
        carrier->remote = remote;
        carrier->number = KEYS_FROM + ++remote->n_carriers;
        carrier->protocol = (struct protocol){
            .name = "smtp",
            .open = client_open,
            .run = client_run,
            .close = client_close,
            .context = &carrier->task,
        };
    }
    carrier->next = remote->busy;
    remote->busy = carrier;
    remote->n_busy++;
    return carrier;
}

static void carrier_end(struct carrier *carrier)
{
    struct remote *remote = carrier->remote;
    struct carrier **place = &remote->busy;

    begin_stage(carrier, STAGE_OVER);
    dns_table_free(&carrier->table);
    schedule_close(&remote->schedule, carrier->site);
    carrier->site = NULL;
    while (*place != carrier)
        place = &(*place)->next;
    *place = carrier->next;
    carrier->next = remote->spare;
    remote->spare = carrier;
    remote->n_busy--;
}

/* The shipment is over, and so is the connection. */
static void end_with_shipment(struct carrier *carrier)
{
    remote_settle(carrier->remote, TAKE(carrier->shipment));
    carrier_end(carrier);
}

/* --- the servers of the route, one after the other --- */

static uint16_t port_of(const struct carrier *carrier)
{
    return carrier->way.kind == WAY_RELAY
               ? carrier->way.port
               : (uint16_t)carrier->remote->options.smtpd->settings->remote_port;
}

static void begin_talking(struct carrier *carrier, bool no_tls)
{
    const struct settings *settings = carrier->remote->options.smtpd->settings;
    const struct route_target *target = &carrier->route.targets[carrier->target];

    begin_stage(carrier, STAGE_TALKING);
    atomic_store(&carrier->is_over, false);
    carrier->is_quitting = carrier->is_counted = false;
    carrier->task = (struct client_task){
        .shipment = carrier->shipment,
        .key = carrier->number,
        .idle_ms = IDLE_MS,
        .hostname = settings->hostname,
        .lmtp = carrier->way.lmtp,
        .login = carrier->way.auth ? settings->relay_login : NULL,
        .password = settings->relay_password,
        .policy = carrier->policy,
        .no_tls = no_tls,
        .patience = { .command_ms = settings->reply_timeout,
                      .data_ms = settings->data_reply_timeout,
                      .sent_ms = settings->end_reply_timeout,
                      .rate = settings->send_rate },
        .finished = on_finished,
        .ended = on_ended,
    };
    server_connect(carrier->remote->options.server, target->address, port_of(carrier),
                   &carrier->protocol, 0);
}

/* Nobody at the site can be talked to; so it is for all that waits for it. */
static void fail_site(struct carrier *carrier, const char *status, const char *text)
{
    struct remote *remote = carrier->remote;
    struct shipment *shipment = carrier->shipment;
    struct site *site = carrier->site;

    schedule_failed(&remote->schedule, site, shipment->host, status, text, clock_ms());
    log_info(&remote->options.log, "site backs off", F_STR("site", site->key),
             F_STR("host", shipment->host), F_NUM("failures", site->failures),
             F_NUM("seconds", (int64_t)(site->backs_off_till_ms - clock_ms()) / 1000),
             F_STR("status", status), F_STR("reply", text));
    shipment_end(shipment, OUTCOME_LATER, status, text);
    end_with_shipment(carrier);
    remote_defer(remote, site);
}

/* Another connection to the site will carry it. */
static void put_back(struct carrier *carrier)
{
    struct shipment *shipment = TAKE(carrier->shipment);

    shipment->is_again = true;
    schedule_add(&carrier->remote->schedule, carrier->site, shipment, true, clock_ms());
    carrier_end(carrier);
}

/* No server was of use: the last one's words are the reason. */
static void end_targets(struct carrier *carrier, const char *status, const char *text)
{
    bool is_site = carrier->may_help && !carrier->task.got_through;

    if (is_site && schedule_full(carrier->site)) {
        put_back(carrier);
        return;
    }
    if (is_site) {
        fail_site(carrier, status, text);
        return;
    }
    shipment_end(carrier->shipment, carrier->may_help ? OUTCOME_LATER : OUTCOME_FAILED, status,
                 text);
    end_with_shipment(carrier);
}

static struct security_question security_question(struct carrier *carrier)
{
    return (struct security_question){
        .smtpd = carrier->remote->options.smtpd,
        .table = &carrier->table,
        .shipment = carrier->shipment,
        .host = carrier->route.targets[carrier->target].host,
        .way = &carrier->way,
        .is_address = strcmp(carrier->route.targets[carrier->target].host->name,
                             carrier->route.targets[carrier->target].address) == 0,
        .mx_secure = carrier->route.mx_secure,
    };
}

/* Once for each connection. */
static void count_security(struct carrier *carrier)
{
    struct security_question question = security_question(carrier);

    if (!carrier->is_counted)
        security_count(&question, &carrier->policy, &carrier->task,
                       carrier->route.targets[carrier->target].address);
    carrier->is_counted = true;
}

/* The policy is found for the target, or for the first one after it that may be used. */
static void go_on_securing(struct carrier *carrier)
{
    struct tls_policy *policy = &carrier->policy;

    if (carrier->remote->stopping) { /* no session may begin any more */
        end_with_shipment(carrier);
        return;
    }
    for (; carrier->target < carrier->route.n_targets; carrier->target++) {
        struct security_question question = security_question(carrier);

        memcpy(carrier->shipment->host, question.host->name, sizeof(question.host->name));
        begin_stage(carrier, STAGE_SECURING);
        switch (security_find(&question, policy, on_fetched, carrier)) {
        case SECURITY_WAITS:
            return;
        case SECURITY_FOUND:
            begin_talking(carrier, false);
            return;
        case SECURITY_REFUSED:
            log_info(&carrier->remote->options.log, "host not used",
                     F_STR("host", question.host->name), F_STR("status", policy->status),
                     F_STR("reason", policy->text));
            security_count(&question, policy, NULL, "");
            carrier->may_help = carrier->may_help || !policy->permanent;
            break;
        }
    }
    end_targets(carrier, policy->status, policy->text);
}

static void end_routing(struct carrier *carrier)
{
    const struct route *route = &carrier->route;

    carrier->target = 0;
    carrier->task.got_through = false;
    switch (route->state) {
    case ROUTE_FOUND:
        carrier->may_help = false;
        go_on_securing(carrier);
        return;
    case ROUTE_FAILED:
        shipment_end(carrier->shipment, OUTCOME_FAILED, route->status, route->reason);
        end_with_shipment(carrier);
        return;
    case ROUTE_LATER:
        fail_site(carrier, route->status, route->reason);
        return;
    }
    abort();
}

/* As far as the answers in the table go; then more are fetched. */
static void go_on_routing(struct carrier *carrier)
{
    struct smtpd *smtpd = carrier->remote->options.smtpd;
    bool is_relay = carrier->way.kind == WAY_RELAY;
    const struct route_question question = {
        .domain = is_relay ? carrier->way.host : carrier->shipment->domain,
        .is_host = is_relay,
        .port = port_of(carrier),
        .seed = carrier->seed,
        .machine = &carrier->remote->machine,
    };

    begin_stage(carrier, STAGE_ROUTING);
    if (route_find(&question, &carrier->table, &carrier->route))
        end_routing(carrier);
    else
        smtpd->fetch(smtpd->resolver, &carrier->table, on_fetched, carrier);
}

void carrier_start(struct remote *remote, struct shipment *shipment, struct site *site)
{
    struct carrier *carrier = carrier_take(remote);

    carrier->shipment = shipment;
    carrier->site = site;
    carrier->way = way_find(remote->options.smtpd->settings->routes, shipment->domain);
    carrier->seed = random_u64();
    route_machine_look(&remote->machine);
    go_on_routing(carrier);
}

/* RFC 5321 section 5.1: the next server, while there are recipients nobody has spoken of. */
static void end_talking(struct carrier *carrier)
{
    struct client_task *task = &carrier->task;

    count_security(carrier);
    carrier->may_help = carrier->may_help || !task->permanent;
    if (task->got_through)
        schedule_reached(&carrier->remote->schedule, carrier->site);
    if (!shipment_is_open(carrier->shipment) || carrier->remote->stopping) {
        end_with_shipment(carrier);
    } else if (task->tls_failed && !task->no_tls && !carrier->policy.required) {
        begin_talking(carrier, true);
    } else if (carrier->target + 1 < carrier->route.n_targets) {
        carrier->target++;
        go_on_securing(carrier);
    } else {
        end_targets(carrier, task->status, task->text);
    }
}

/* --- several shipments over one connection --- */

/* The session ended before anything was said of the shipment that it was given: that is no fault of
 * the server, whose patience was over. */
static bool is_untouched(const struct carrier *carrier)
{
    const struct client_task *task = &carrier->task;

    if (task->n_done == 0 || carrier->shipment->is_again)
        return false;
    return !task->begun || (!task->got_through && shipment_is_open(carrier->shipment));
}

static void begin_idling(struct carrier *carrier)
{
    begin_stage(carrier, STAGE_IDLE);
    /* The session may have ended since: then nobody would wake us again. */
    if (atomic_load(&carrier->is_over))
        wake(carrier);
}

void carrier_quit(struct carrier *carrier)
{
    carrier->is_quitting = true;
    carrier->task.shipment = NULL;
    server_notify(carrier->remote->options.server, carrier->number, 0);
}

void carrier_offer(struct carrier *carrier)
{
    struct remote *remote = carrier->remote;
    bool is_tired = carrier->task.n_done >= TRANSACTIONS_MAX;

    if (!is_tired && !remote->stopping)
        carrier->shipment = schedule_next_at(&remote->schedule, carrier->site, clock_ms());
    if (carrier->shipment == NULL) {
        if (is_tired || remote->stopping)
            carrier_quit(carrier);
        return;
    }
    begin_stage(carrier, STAGE_TALKING);
    memcpy(carrier->shipment->host, carrier->route.targets[carrier->target].host->name,
           sizeof(carrier->shipment->host));
    carrier->shipment->tls[0] = '\0';
    carrier->task.shipment = carrier->shipment;
    if (atomic_load(&carrier->is_over))
        wake(carrier);
    else
        server_notify(remote->options.server, carrier->number, 0);
}

static void end_shipment(struct carrier *carrier)
{
    count_security(carrier);
    schedule_reached(&carrier->remote->schedule, carrier->site);
    remote_settle(carrier->remote, TAKE(carrier->shipment));
    begin_idling(carrier);
    if (!atomic_load(&carrier->is_over))
        carrier_offer(carrier);
}

void carrier_step(struct carrier *carrier)
{
    atomic_store(&carrier->ready, false); /* before the other is read: none is missed */
    bool is_over = atomic_load(&carrier->is_over);

    switch (carrier->stage) {
    case STAGE_ROUTING:
        go_on_routing(carrier);
        return;
    case STAGE_SECURING:
        go_on_securing(carrier);
        return;
    case STAGE_TALKING:
        if (!is_over)
            end_shipment(carrier);
        else if (is_untouched(carrier))
            put_back(carrier);
        else
            end_talking(carrier);
        return;
    case STAGE_IDLE:
        if (is_over)
            carrier_end(carrier);
        return;
    case STAGE_OVER:
        return;
    }
    abort();
}
