/* schedule.c - see schedule.h. */
#include "smtpd/remote/schedule.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>

/* A further connection to a site is worth it when so many wait for each that is open, or when
 * nothing has moved for a while. */
#define WAITING_PER_CONNECTION 5
#define SLOW_MS                1000

#define SITES_MAX 4096 /* remembered, of which nothing waits and nothing is connected */

struct sender {
    TAILQ_ENTRY(sender) link;
    uint64_t account; /* 0: all mail from outside */
    struct flow_list flows;
};

struct flow {
    TAILQ_ENTRY(flow) of_sender, of_site;
    struct sender *sender;
    struct site *site;
    struct shipment *first, **end;
};

void schedule_init(struct schedule *schedule)
{
    *schedule = (struct schedule){ .connections_max = 1, .per_site_max = 1 };
    TAILQ_INIT(&schedule->senders);
}

static int compare_sites(const void *a, const void *b)
{
    const struct site *one = a, *two = b;

    return strcmp(one->key, two->key);
}

static bool is_idle(const struct site *site)
{
    return site->n_connections == 0 && TAILQ_EMPTY(&site->flows);
}

static void remove_site(struct schedule *schedule, struct site *site)
{
    tdelete(site, &schedule->sites, compare_sites);
    schedule->n_sites--;
    free(site);
}

/* The tree's walk has no context of its own: what it found is put here by a walker below. */
struct found {
    struct site **items;
    size_t count, room;
};

static void collect(const void *node, VISIT visit, void *context)
{
    struct found *found = context;

    if (visit != postorder && visit != leaf)
        return;
    found->items = mem_grow(found->items, &found->room, found->count + 1, sizeof(found->items[0]));
    found->items[found->count++] = *(struct site *const *)node;
}

static struct found all_sites(const struct schedule *schedule)
{
    struct found found = { 0 };

    twalk_r(schedule->sites, collect, &found);
    return found;
}

/* Forgets what is known of sites that nobody needs now. */
static void forget_idle(struct schedule *schedule)
{
    struct found found = all_sites(schedule);

    for (size_t i = 0; i < found.count; i++)
        if (is_idle(found.items[i]))
            remove_site(schedule, found.items[i]);
    free(found.items);
}

struct site *schedule_site(struct schedule *schedule, const char *key)
{
    struct site *fresh = NEW(struct site);
    struct site **place;

    if (schedule->n_sites > SITES_MAX + schedule->n_waiting + schedule->n_connections)
        forget_idle(schedule);
    snprintf(fresh->key, sizeof(fresh->key), "%s", key);
    TAILQ_INIT(&fresh->flows);
    place = tsearch(fresh, &schedule->sites, compare_sites);
    if (place == NULL)
        abort(); /* no memory */
    if (*place != fresh)
        free(fresh);
    else
        schedule->n_sites++;
    return *place;
}

static struct sender *sender_of(struct schedule *schedule, uint64_t account)
{
    struct sender *sender;

    TAILQ_FOREACH(sender, &schedule->senders, link)
    if (sender->account == account)
        return sender;
    sender = NEW(struct sender);
    sender->account = account;
    TAILQ_INIT(&sender->flows);
    TAILQ_INSERT_TAIL(&schedule->senders, sender, link);
    return sender;
}

static struct flow *flow_of(struct sender *sender, struct site *site)
{
    struct flow *flow;

    TAILQ_FOREACH(flow, &site->flows, of_site)
    if (flow->sender == sender)
        return flow;
    flow = NEW(struct flow);
    flow->sender = sender;
    flow->site = site;
    flow->end = &flow->first;
    TAILQ_INSERT_TAIL(&sender->flows, flow, of_sender);
    TAILQ_INSERT_TAIL(&site->flows, flow, of_site);
    return flow;
}

void schedule_add(struct schedule *schedule, struct site *site, struct shipment *shipment,
                  bool at_front, uint64_t now_ms)
{
    struct flow *flow = flow_of(sender_of(schedule, shipment->letter->message.account), site);

    shipment->next = NULL;
    if (at_front) {
        shipment->next = flow->first;
        flow->first = shipment;
        if (shipment->next == NULL)
            flow->end = &shipment->next;
    } else {
        *flow->end = shipment;
        flow->end = &shipment->next;
    }
    if (site->n_waiting++ == 0)
        site->waits_since_ms = now_ms;
    schedule->n_waiting++;
}

static void remove_flow(struct schedule *schedule, struct flow *flow)
{
    struct sender *sender = flow->sender;

    TAILQ_REMOVE(&sender->flows, flow, of_sender);
    TAILQ_REMOVE(&flow->site->flows, flow, of_site);
    free(flow);
    if (!TAILQ_EMPTY(&sender->flows))
        return;
    TAILQ_REMOVE(&schedule->senders, sender, link);
    free(sender);
}

/* The first of the flow, whose turn it then is last. */
static struct shipment *take(struct schedule *schedule, struct flow *flow, uint64_t now_ms)
{
    struct shipment *shipment = flow->first;
    struct sender *sender = flow->sender;
    struct site *site = flow->site;

    TAILQ_REMOVE(&schedule->senders, sender, link);
    TAILQ_INSERT_TAIL(&schedule->senders, sender, link);
    TAILQ_REMOVE(&sender->flows, flow, of_sender);
    TAILQ_INSERT_TAIL(&sender->flows, flow, of_sender);
    TAILQ_REMOVE(&site->flows, flow, of_site);
    TAILQ_INSERT_TAIL(&site->flows, flow, of_site);
    flow->first = shipment->next;
    shipment->next = NULL;
    site->n_waiting--;
    site->waits_since_ms = now_ms;
    schedule->n_waiting--;
    if (flow->first == NULL)
        remove_flow(schedule, flow);
    return shipment;
}

bool site_backs_off(const struct site *site, uint64_t now_ms)
{
    return site->failures > 0 && now_ms < site->backs_off_till_ms;
}

static bool may_connect(const struct schedule *schedule, const struct site *site, uint64_t now_ms)
{
    size_t open = site->n_connections;

    if (site_backs_off(site, now_ms) || open >= schedule->per_site_max ||
        (site->full_at > 0 && open >= site->full_at))
        return false;
    if (site->failures > 0)
        return open == 0; /* one tries whether it is back */
    /* Half of all connections is kept for sites that are known to answer. */
    if (!site->proven && schedule->n_unproven >= MAX(schedule->connections_max / 2, 1))
        return false;
    return open == 0 || site->n_waiting >= WAITING_PER_CONNECTION * open ||
           now_ms - site->waits_since_ms >= SLOW_MS;
}

struct shipment *schedule_next(struct schedule *schedule, uint64_t now_ms, struct site **site_out)
{
    struct sender *sender;
    struct flow *flow;

    if (schedule->n_connections >= schedule->connections_max)
        return NULL;
    TAILQ_FOREACH(sender, &schedule->senders, link)
    {
        TAILQ_FOREACH(flow, &sender->flows, of_sender)
        {
            if (!may_connect(schedule, flow->site, now_ms))
                continue;
            *site_out = flow->site;
            flow->site->n_connections++;
            schedule->n_connections++;
            schedule->n_unproven += !flow->site->proven;
            return take(schedule, flow, now_ms);
        }
    }
    return NULL;
}

struct shipment *schedule_next_at(struct schedule *schedule, struct site *site, uint64_t now_ms)
{
    return TAILQ_EMPTY(&site->flows) ? NULL : take(schedule, TAILQ_FIRST(&site->flows), now_ms);
}

struct shipment *schedule_take_all(struct schedule *schedule, struct site *site)
{
    struct shipment *list = NULL, **end = &list;

    while (!TAILQ_EMPTY(&site->flows)) {
        /* It has left the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        *end = take(schedule, TAILQ_FIRST(&site->flows), 0);
        end = &(*end)->next;
    }
    return list;
}

void schedule_close(struct schedule *schedule, struct site *site)
{
    site->n_connections--;
    schedule->n_connections--;
    schedule->n_unproven -= !site->proven;
    if (site->n_connections == 0)
        site->full_at = 0;
}

bool schedule_full(struct site *site)
{
    if (!site->proven || site->n_connections < 2)
        return false;
    site->full_at = site->n_connections - 1;
    return true;
}

void schedule_reached(struct schedule *schedule, struct site *site)
{
    site->failures = 0;
    if (!site->proven)
        schedule->n_unproven -= site->n_connections;
    site->proven = true;
}

void schedule_failed(struct schedule *schedule, struct site *site, const char *host,
                     const char *status, const char *text, uint64_t now_ms)
{
    uint64_t wait_ms = schedule->backoff_first_ms;

    for (unsigned i = 0; i < site->failures && wait_ms < schedule->backoff_last_ms; i++)
        wait_ms *= 2;
    site->failures++;
    site->backs_off_till_ms = now_ms + MIN(wait_ms, schedule->backoff_last_ms);
    if (site->proven)
        schedule->n_unproven += site->n_connections;
    site->proven = false;
    snprintf(site->host, sizeof(site->host), "%s", host);
    snprintf(site->status, sizeof(site->status), "%s", status);
    snprintf(site->text, sizeof(site->text), "%s", text);
}

void schedule_forgive(struct schedule *schedule)
{
    struct found found = all_sites(schedule);

    for (size_t i = 0; i < found.count; i++)
        found.items[i]->backs_off_till_ms = 0;
    free(found.items);
}

void schedule_free(struct schedule *schedule)
{
    struct found found = all_sites(schedule);

    for (size_t i = 0; i < found.count; i++) {
        (void)schedule_take_all(schedule, found.items[i]);
        remove_site(schedule, found.items[i]);
    }
    free(found.items);
}
