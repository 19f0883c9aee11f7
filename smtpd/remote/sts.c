/* sts.c - see sts.h. */
#include "smtpd/remote/sts.h"

#include "common/clock.h"
#include "common/dns.h"
#include "smtpd/remote/sts_fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define BUCKETS    1024
#define PAUSE_MS   (5 * 60 * 1000)                /* section 5.1: between two tries */
#define REFRESH_MS ((int64_t)24 * 60 * 60 * 1000) /* section 5.1: "such as once a day" */
#define ADDRESSES  8

/* What is known of one domain. */
struct known {
    struct known *next; /* in its bucket */
    char *domain;
    char *text; /* NULL: there is no policy */
    char id[STS_ID_MAX + 1];
    int64_t fetched_ms, expires_ms;
    struct sts_policy policy; /* points into the text */

    char failed_id[STS_ID_MAX + 1];
    int64_t failed_ms; /* 0: the last fetch did not fail */
    const char *fault;
    char reason[200];
    struct request *request; /* under way */
};

struct waiter {
    struct waiter *next;
    void (*done)(void *context);
    void *context;
};

/* One fetch. */
struct request {
    struct request *next; /* all of them */
    struct request *next_arrived;
    struct sts *sts;
    struct known *known;
    char id[STS_ID_MAX + 1];
    struct dns_table table;
    struct buf addresses;
    struct sts_fetch fetch;
    struct waiter *waiters;
};

struct sts {
    struct sts_options options;
    struct known *buckets[BUCKETS];
    size_t n_known;
    struct request *requests;
    struct sts_fetcher *fetcher;
    uv_async_t woken;
    pthread_mutex_t lock;
    struct request *arrived; /* under the lock */
};

/* --- what is known --- */

static void known_free(struct known *known)
{
    free(known->domain);
    free(known->text);
    free(known);
}

static struct known **bucket_of(struct sts *sts, struct slice domain)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; keys are from the DNS, chains short enough */

    for (size_t i = 0; i < domain.len; i++)
        hash = (hash ^ (unsigned char)domain.data[i]) * 1099511628211u;
    return &sts->buckets[hash % BUCKETS];
}

static struct known *find(struct sts *sts, struct slice domain)
{
    struct known *known = *bucket_of(sts, domain);

    while (known != NULL && !slice_equal(slice_of(known->domain), domain))
        known = known->next;
    return known;
}

/* What was fetched a moment ago counts in any case, or "max_age: 0" would be fetched forever. */
static bool is_valid(const struct known *known, int64_t now)
{
    return known->text != NULL && (now < known->expires_ms || now < known->fetched_ms + PAUSE_MS);
}

static void forget_useless(struct sts *sts)
{
    int64_t now = time_ms();

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct known **place = &sts->buckets[i]; *place != NULL;) {
            struct known *known = *place;

            if (known->request != NULL || is_valid(known, now)) {
                place = &known->next;
                continue;
            }
            *place = known->next;
            known_free(known);
            sts->n_known--;
        }
}

/* NULL: there are too many. */
static struct known *add(struct sts *sts, struct slice domain)
{
    struct known **bucket = bucket_of(sts, domain), *known;

    if (sts->n_known >= STS_ENTRIES_MAX)
        forget_useless(sts);
    if (sts->n_known >= STS_ENTRIES_MAX)
        return NULL;
    known = NEW(struct known);
    known->domain = slice_strdup(domain);
    known->next = *bucket;
    *bucket = known;
    sts->n_known++;
    return known;
}

/* False: it is no policy. */
static bool learn(struct known *known, struct slice text, struct slice id, int64_t fetched_ms)
{
    char *copy = slice_strdup(text);
    struct sts_policy policy;

    if (!sts_policy_parse(slice_make(copy, text.len), &policy)) {
        free(copy);
        return false;
    }
    free(known->text);
    known->text = copy;
    known->policy = policy;
    snprintf(known->id, sizeof(known->id), SLICE_FMT, SLICE_ARG(id));
    known->fetched_ms = fetched_ms;
    known->expires_ms = fetched_ms + (int64_t)policy.max_age_s * 1000;
    known->failed_ms = 0;
    known->fault = NULL;
    return true;
}

/* --- keeping --- */

struct keeping {
    struct job job;
    struct log log;
    struct sts_entry entry;
    char *domain, *id, *text;
};

static void run_keeping(struct job *job, void *desk)
{
    struct keeping *keeping = CONTAINER_OF(job, struct keeping, job);
    struct error err;

    if (!sts_put(desk, &keeping->entry, &err))
        log_warn(&keeping->log, "policy not kept", F_ERR(&err));
    free(keeping->domain);
    free(keeping->id);
    free(keeping->text);
    free(keeping);
}

static void keep(struct sts *sts, const struct known *known)
{
    struct keeping *keeping = NEW(struct keeping);

    keeping->log = sts->options.log;
    keeping->domain = slice_strdup(slice_of(known->domain));
    keeping->id = slice_strdup(slice_of(known->id));
    keeping->text = slice_strdup(slice_of(known->text));
    keeping->entry = (struct sts_entry){
        .domain = slice_of(keeping->domain),
        .id = slice_of(keeping->id),
        .text = slice_of(keeping->text),
        .fetched_ms = known->fetched_ms,
        .expires_ms = known->expires_ms,
    };
    keeping->job = (struct job){ .work = run_keeping };
    pool_submit(sts->options.pool, 0, &keeping->job);
}

/* --- fetching --- */

static void request_free(struct request *request)
{
    while (request->waiters != NULL) {
        struct waiter *waiter = request->waiters;
        request->waiters = waiter->next;
        free(waiter);
    }
    dns_table_free(&request->table);
    buf_free(&request->addresses);
    buf_free(&request->fetch.body);
    free(request);
}

static void note_failure(struct request *request, const char *fault, const char *reason)
{
    struct known *known = request->known;

    snprintf(known->failed_id, sizeof(known->failed_id), "%s", request->id);
    known->failed_ms = time_ms();
    known->fault = fault;
    snprintf(known->reason, sizeof(known->reason), "%s", reason);
    log_warn(&request->sts->options.log, "no MTA-STS policy", F_STR("domain", known->domain),
             F_STR("result", fault), F_STR("reason", reason));
}

/* Everybody who waits is told; what became of it is known by now. */
static void end_request(struct request *request)
{
    struct request **place = &request->sts->requests;

    while (*place != request)
        place = &(*place)->next;
    *place = request->next;
    request->known->request = NULL;
    for (struct waiter *waiter = request->waiters; waiter != NULL; waiter = waiter->next)
        waiter->done(waiter->context);
    request_free(request);
}

static void take_policy(struct request *request)
{
    struct known *known = request->known;
    struct sts *sts = request->sts;

    if (!learn(known, buf_slice(&request->fetch.body), slice_of(request->id), time_ms())) {
        note_failure(request, "sts-policy-invalid", "The file is no policy");
        return;
    }
    log_info(&sts->options.log, "MTA-STS policy", F_STR("domain", known->domain),
             F_STR("id", known->id), F_STR("mode", sts_mode_name(known->policy.mode)),
             F_NUM("max_age", (int64_t)known->policy.max_age_s));
    keep(sts, known);
}

static void end_fetch(struct request *request)
{
    switch (request->fetch.result) {
    case STS_FETCHED:
        take_policy(request);
        break;
    case STS_UNREACHABLE:
        note_failure(request, "sts-policy-fetch-error", request->fetch.reason);
        break;
    case STS_UNTRUSTED:
        note_failure(request, "sts-webpki-invalid", request->fetch.reason);
        break;
    }
    end_request(request);
}

static void on_woken(uv_async_t *async)
{
    struct sts *sts = CONTAINER_OF(async, struct sts, woken);

    pthread_mutex_lock(&sts->lock);
    struct request *request = TAKE(sts->arrived);
    pthread_mutex_unlock(&sts->lock);
    while (request != NULL) {
        struct request *next = request->next_arrived;
        end_fetch(request);
        request = next;
    }
}

/* On the fetcher's thread. */
static void on_fetched(struct sts_fetch *fetch)
{
    struct request *request = CONTAINER_OF(fetch, struct request, fetch);
    struct sts *sts = request->sts;

    pthread_mutex_lock(&sts->lock);
    request->next_arrived = sts->arrived;
    sts->arrived = request;
    pthread_mutex_unlock(&sts->lock);
    uv_async_send(&sts->woken);
}

static void add_addresses(struct request *request, const struct dns_answer *answer)
{
    char text[46];

    for (size_t i = 0; answer->state == DNS_FOUND && i < MIN(answer->count, (size_t)ADDRESSES);
         i++) {
        if (!dns_address(answer->records[i], text))
            continue;
        if (request->addresses.len > 0)
            buf_add_byte(&request->addresses, ',');
        buf_fmt(&request->addresses, answer->type == DNS_AAAA ? "[%s]" : "%s", text);
    }
}

/* The addresses are there; IPv4 and IPv6 race in libcurl. */
static void on_addresses(void *context)
{
    struct request *request = context;
    const struct dns_answer *v6, *v4;
    AUTO(buf_free) struct buf name = { 0 };

    buf_fmt(&name, "mta-sts.%s", request->known->domain);
    v6 = dns_get(&request->table, buf_slice(&name), DNS_AAAA);
    v4 = dns_get(&request->table, buf_slice(&name), DNS_A);
    if (v6 == NULL || v4 == NULL) {
        struct smtpd *smtpd = request->sts->options.smtpd;
        smtpd->fetch(smtpd->resolver, &request->table, on_addresses, request);
        return;
    }
    add_addresses(request, v6);
    add_addresses(request, v4);
    if (request->addresses.len == 0) {
        note_failure(request, "sts-policy-fetch-error", "The policy's server has no address");
        end_request(request);
        return;
    }
    request->fetch.addresses = buf_text(&request->addresses);
    sts_fetcher_get(request->sts->fetcher, &request->fetch);
}

static void begin_request(struct sts *sts, struct known *known, struct slice id)
{
    struct request *request = NEW(struct request);

    request->sts = sts;
    request->known = known;
    snprintf(request->id, sizeof(request->id), SLICE_FMT, SLICE_ARG(id));
    request->fetch.domain = known->domain;
    request->fetch.done = on_fetched;
    request->next = sts->requests;
    sts->requests = request;
    known->request = request;
    on_addresses(request); /* nothing is in the table yet: it fetches */
}

static void wait_for(struct request *request, void (*done)(void *context), void *context)
{
    struct waiter *waiter = NEW(struct waiter);

    *waiter = (struct waiter){ request->waiters, done, context };
    request->waiters = waiter;
}

/* --- asking --- */

static bool has_failed(const struct known *known, struct slice id, int64_t now)
{
    return known->failed_ms != 0 && now < known->failed_ms + PAUSE_MS && now >= known->failed_ms &&
           slice_equal(slice_of(known->failed_id), id);
}

static bool answer_with(const struct known *known, int64_t now, struct sts_answer *answer)
{
    if (known == NULL)
        return true;
    if (is_valid(known, now)) {
        answer->policy = &known->policy;
        answer->text = slice_of(known->text);
    } else if (known->failed_ms != 0) {
        answer->fault = known->fault;
        answer->reason = known->reason;
    }
    return true;
}

/* The domain becomes a part of a URL. */
static bool is_plain(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && memchr("-._", c, 3) == NULL)
            return false;
    }
    return domain.len > 0 && domain.len <= 253;
}

bool sts_find(struct sts *sts, struct slice domain, struct slice id, struct sts_answer *answer_out,
              void (*done)(void *context), void *context)
{
    struct known *known = find(sts, domain);
    int64_t now = time_ms();

    *answer_out = (struct sts_answer){ 0 };
    if (known == NULL && id.len > 0 && is_plain(domain))
        known = add(sts, domain);
    if (known == NULL || id.len == 0 || has_failed(known, id, now))
        return answer_with(known, now, answer_out);
    bool is_current = is_valid(known, now) && slice_equal(slice_of(known->id), id);
    bool is_old = now > known->fetched_ms + REFRESH_MS;
    if (known->request == NULL && (!is_current || is_old))
        begin_request(sts, known, id);
    if (is_current)
        return answer_with(known, now, answer_out);
    if (known->request == NULL) /* it has failed already */
        return answer_with(known, now, answer_out);
    wait_for(known->request, done, context);
    return false;
}

/* --- from start to end --- */

static bool load(struct sts *sts, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct sts_list list;

    if (!sts_all(desk, &arena, time_ms(), &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const struct sts_entry *entry = &list.items[i];
        struct known *known = add(sts, entry->domain);

        if (known != NULL && learn(known, entry->text, entry->id, entry->fetched_ms))
            known->expires_ms = entry->expires_ms;
    }
    return true;
}

bool sts_new(const struct sts_options *options, struct sts **sts_out, struct error *err)
{
    const struct settings *settings = options->smtpd->settings;
    const struct sts_fetcher_options fetcher = {
        .port = (uint16_t)settings->sts_port,
        .authorities = settings->authorities,
    };
    struct sts *sts = NEW(struct sts);
    struct desk *desk;

    sts->options = *options;
    pthread_mutex_init(&sts->lock, NULL);
    if (uv_async_init(options->loop, &sts->woken, on_woken) != 0)
        abort(); /* no descriptors at start */
    sts->fetcher = sts_fetcher_new(&fetcher);
    *sts_out = sts;
    if (!desk_open(options->smtpd->store, &desk, err))
        return false;
    bool loaded = load(sts, desk, err);
    desk_close(&desk);
    return loaded;
}

void sts_close(struct sts *sts)
{
    if (sts == NULL)
        return;
    sts_fetcher_free(&sts->fetcher);
    uv_close((uv_handle_t *)&sts->woken, NULL);
}

void sts_free(struct sts **sts_pointer)
{
    struct sts *sts = TAKE(*sts_pointer);

    if (sts == NULL)
        return;
    while (sts->requests != NULL) {
        struct request *request = sts->requests;
        sts->requests = request->next;
        request_free(request);
    }
    for (size_t i = 0; i < BUCKETS; i++)
        while (sts->buckets[i] != NULL) {
            struct known *known = sts->buckets[i];
            sts->buckets[i] = known->next;
            known_free(known);
        }
    pthread_mutex_destroy(&sts->lock);
    free(sts);
}
