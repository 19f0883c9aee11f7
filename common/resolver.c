/* resolver.c - see resolver.h.
 *
 *     resolver_fetch() --any thread--> asked --loop thread--> under way --all answered--> done
 *                                                                 '------timer-----------'
 *
 * libunbound may try for minutes to reach servers that are down; so whoever waits has a deadline of
 * his own. All fetches may wait equally long, hence the list of those under way is in the order of
 * their deadlines.
 */
#include "common/resolver.h"

#include "common/buf.h"
#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>
#include <uv.h>

#define CLASS_IN   1
#define RCODE_OK   0
#define RCODE_NAME 3 /* NXDOMAIN */
#define TIMEOUT_MS 10000

/* Debian's package dns-root-data has them, and follows when the root changes its keys. */
#define SYSTEM_ANCHOR "/usr/share/dns/root.key"

/* The same, as IANA has published them, for a machine without. */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

struct lookup {
    struct fetch *fetch;
    struct dns_answer *answer;
    int id; /* libunbound's */
    bool is_open;
};

struct fetch {
    struct fetch *next, **previous;
    struct resolver *resolver;
    struct dns_table *table;
    void (*done)(void *context);
    void *context;
    uint64_t deadline_ms;
    size_t n_open, count;
    struct lookup lookups[];
};

struct fetches {
    struct fetch *first, **end;
};

struct resolver {
    struct ub_ctx *context;
    uint64_t timeout_ms;
    uv_poll_t poll;
    uv_async_t asks;
    uv_timer_t timer;
    unsigned n_handles; /* not yet closed */
    pthread_mutex_t lock;
    struct fetches asked; /* with the lock */
    struct fetches under_way;
};

static void add_fetch(struct fetches *list, struct fetch *fetch)
{
    fetch->next = NULL;
    fetch->previous = list->end;
    *list->end = fetch;
    list->end = &fetch->next;
}

static void remove_fetch(struct fetches *list, struct fetch *fetch)
{
    *fetch->previous = fetch->next;
    if (fetch->next != NULL)
        fetch->next->previous = fetch->previous;
    else
        list->end = fetch->previous;
}

/* --- answers --- */

static enum dns_state state_of(const struct ub_result *result)
{
    if (result->bogus)
        return DNS_FAILED;
    if (result->havedata)
        return DNS_FOUND;
    if (result->rcode == RCODE_NAME)
        return DNS_NO_NAME;
    return result->rcode == RCODE_OK ? DNS_NOTHING : DNS_FAILED;
}

static void fail(struct dns_table *table, struct dns_answer *answer, const char *reason)
{
    answer->state = DNS_FAILED;
    answer->reason = slice_copy(&table->arena, slice_of(reason));
}

static void copy_records(struct dns_table *table, struct dns_answer *answer,
                         const struct ub_result *result)
{
    while (answer->count < DNS_RECORDS_MAX && result->data[answer->count] != NULL)
        answer->count++;
    answer->records = ARENA_ARRAY(&table->arena, struct slice, answer->count);
    for (size_t i = 0; i < answer->count; i++)
        answer->records[i] =
            slice_copy(&table->arena, slice_make(result->data[i], (size_t)result->len[i]));
}

static struct slice canonical_of(struct dns_table *table, const struct dns_answer *answer,
                                 const struct ub_result *result)
{
    struct slice name = slice_of(result->canonname != NULL ? result->canonname : "");

    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    return name.len > 0 ? slice_copy(&table->arena, name) : answer->name;
}

static void take_result(struct dns_table *table, struct dns_answer *answer,
                        const struct ub_result *result)
{
    answer->state = state_of(result);
    answer->secure = result->secure;
    answer->bogus = result->bogus;
    answer->ttl_s = (uint32_t)MAX(result->ttl, 0);
    answer->canonical = canonical_of(table, answer, result);
    if (answer->state == DNS_FOUND)
        copy_records(table, answer, result);
    else if (answer->bogus)
        fail(table, answer, result->why_bogus != NULL ? result->why_bogus : "bogus by DNSSEC");
    else if (answer->state == DNS_FAILED)
        fail(table, answer, "no name server has an answer");
}

/* --- lookups --- */

static void close_lookup(struct lookup *lookup)
{
    lookup->is_open = false;
    lookup->fetch->table->n_missing--;
    lookup->fetch->n_open--;
}

static void end_fetch(struct fetch *fetch)
{
    remove_fetch(&fetch->resolver->under_way, fetch);
    fetch->done(fetch->context);
    free(fetch);
}

/* libunbound's callback, from ub_process() on the loop thread. */
static void on_answer(void *context, int error, struct ub_result *result)
{
    struct lookup *lookup = context;
    struct fetch *fetch = lookup->fetch;

    if (error == 0 && result != NULL)
        take_result(fetch->table, lookup->answer, result);
    else
        fail(fetch->table, lookup->answer, ub_strerror(error));
    ub_resolve_free(result);
    close_lookup(lookup);
    if (fetch->n_open == 0)
        end_fetch(fetch);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    ub_process(CONTAINER_OF(poll, struct resolver, poll)->context);
}

static void start_lookup(struct lookup *lookup)
{
    struct fetch *fetch = lookup->fetch;
    AUTO(buf_free) struct buf name = { 0 };

    buf_add_slice(&name, lookup->answer->name);
    int error = ub_resolve_async(fetch->resolver->context, buf_text(&name), lookup->answer->type,
                                 CLASS_IN, lookup, on_answer, &lookup->id);
    if (error == 0)
        return;
    fail(fetch->table, lookup->answer, ub_strerror(error));
    close_lookup(lookup);
}

/* What has had no answer will have none. */
static void expire(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->count; i++) {
        struct lookup *lookup = &fetch->lookups[i];

        if (!lookup->is_open)
            continue;
        ub_cancel(fetch->resolver->context, lookup->id);
        fail(fetch->table, lookup->answer, "no answer in time");
        close_lookup(lookup);
    }
    end_fetch(fetch);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct resolver *resolver)
{
    const struct fetch *first = resolver->under_way.first;
    uint64_t now_ms = clock_ms();

    if (first == NULL || uv_is_closing((uv_handle_t *)&resolver->timer))
        uv_timer_stop(&resolver->timer);
    else
        uv_timer_start(&resolver->timer, on_timer,
                       first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, timer);
    uint64_t now_ms = clock_ms();

    /* It has left the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    while (resolver->under_way.first != NULL && resolver->under_way.first->deadline_ms <= now_ms)
        expire(resolver->under_way.first);
    set_timer(resolver);
}

static struct fetch *take_asked(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    struct fetch *fetch = resolver->asked.first;
    if (fetch != NULL)
        remove_fetch(&resolver->asked, fetch);
    pthread_mutex_unlock(&resolver->lock);
    return fetch;
}

static void on_asked(uv_async_t *asks)
{
    struct resolver *resolver = CONTAINER_OF(asks, struct resolver, asks);
    struct fetch *fetch;

    while ((fetch = take_asked(resolver)) != NULL) {
        fetch->deadline_ms = clock_ms() + resolver->timeout_ms;
        add_fetch(&resolver->under_way, fetch);
        for (size_t i = 0; i < fetch->count; i++)
            start_lookup(&fetch->lookups[i]);
        if (fetch->n_open == 0)
            end_fetch(fetch);
    }
    if (!uv_is_active((uv_handle_t *)&resolver->timer))
        set_timer(resolver);
}

void resolver_fetch(struct resolver *resolver, struct dns_table *table, void (*done)(void *context),
                    void *context)
{
    struct fetch *fetch = mem_zero(sizeof(*fetch) + table->n_missing * sizeof(fetch->lookups[0]));

    fetch->resolver = resolver;
    fetch->table = table;
    fetch->done = done;
    fetch->context = context;
    for (struct dns_answer *answer = table->first; answer != NULL; answer = answer->next)
        if (answer->state == DNS_MISSING && fetch->count < table->n_missing)
            fetch->lookups[fetch->count++] =
                (struct lookup){ .fetch = fetch, .answer = answer, .is_open = true };
    fetch->n_open = fetch->count;
    pthread_mutex_lock(&resolver->lock);
    add_fetch(&resolver->asked, fetch);
    pthread_mutex_unlock(&resolver->lock);
    uv_async_send(&resolver->asks);
}

/* --- from options to a resolver --- */

static bool add_servers(struct ub_ctx *context, const char *servers, struct error *err)
{
    struct slice rest = slice_of(servers), server;
    int result = 0;

    if (slice_is(slice_trim(rest), "root"))
        return true;
    if (slice_trim(rest).len == 0) {
        result = ub_ctx_resolvconf(context, NULL);
        return result == 0 ||
               error_set(err, ERROR_INVALID, "/etc/resolv.conf: %s", ub_strerror(result));
    }
    while (result == 0 && slice_split(&rest, ' ', &server)) {
        char text[128];
        if (server.len == 0)
            continue;
        snprintf(text, sizeof(text), SLICE_FMT, SLICE_ARG(server));
        result = ub_ctx_set_fwd(context, text);
    }
    return result == 0 ||
           error_set(err, ERROR_INVALID,
                     "[dns] resolver = %s: %s; it is root, or addresses like 192.0.2.53 or "
                     "127.0.0.1@5353",
                     servers, ub_strerror(result));
}

static bool add_anchors(struct ub_ctx *context, const char *file, struct error *err)
{
    int result = 0;

    if (slice_is(slice_of(file), "none"))
        return true;
    if (file[0] == '\0' && access(SYSTEM_ANCHOR, R_OK) == 0)
        file = SYSTEM_ANCHOR;
    if (file[0] != '\0') {
        if (access(file, R_OK) != 0)
            return error_set(err, ERROR_INVALID, "[dns] trust_anchor = %s: %s", file,
                             strerror(errno));
        result = ub_ctx_add_ta_file(context, file);
    }
    for (size_t i = 0; file[0] == '\0' && result == 0 && i < COUNT_OF(root_anchors); i++)
        result = ub_ctx_add_ta(context, root_anchors[i]);
    return result == 0 ||
           error_set(err, ERROR_INVALID, "[dns] trust_anchor = %s: %s", file, ub_strerror(result));
}

static const struct {
    const char *name, *value;
} ub_options[] = {
    /* A forwarder on this machine is nothing unusual, and may know names and addresses of a private
     * network that libunbound would not ask for (RFC 6761 section 6.2, RFC 6303). */
    { "do-not-query-localhost:", "no" },
    { "local-zone:", "test. transparent" },
    { "unblock-lan-zones:", "yes" },
    /* As a library it asks 16 questions at once, unless told otherwise: as many names whose servers
     * are silent would keep everybody else waiting. */
    { "outgoing-range:", "1024" },
    { "num-queries-per-thread:", "2048" },
    /* A server that was down is asked again soon. */
    { "infra-host-ttl:", "60" },
    { "infra-keep-probing:", "yes" },
};

static bool set_up(struct ub_ctx *context, const struct resolver_options *options,
                   struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(ub_options); i++)
        if (ub_ctx_set_option(context, ub_options[i].name, ub_options[i].value) != 0)
            return error_set(err, ERROR_INTERNAL, "the resolver knows no %s", ub_options[i].name);
    if (ub_ctx_async(context, 1) != 0)
        return error_set(err, ERROR_TEMPORARY, "setting up the resolver");
    if (!add_servers(context, options->servers, err) ||
        !add_anchors(context, options->trust_anchor, err))
        return false;
    /* This makes it read all that was set: damage shows here, not at the first question. */
    return ub_ctx_zone_add(context, "test.", "transparent") == 0 ||
           error_set(err, ERROR_INVALID,
                     "[dns]: the resolver does not start with resolver = %s, "
                     "trust_anchor = %s",
                     options->servers, options->trust_anchor);
}

static void add_handles(struct resolver *resolver, struct uv_loop_s *loop)
{
    if (uv_poll_init(loop, &resolver->poll, ub_fd(resolver->context)) != 0 ||
        uv_async_init(loop, &resolver->asks, on_asked) != 0)
        abort(); /* no descriptors at start, or not one that can be watched: our own bug */
    uv_timer_init(loop, &resolver->timer);
    uv_poll_start(&resolver->poll, UV_READABLE, on_readable);
    resolver->n_handles = 3;
}

bool resolver_new(struct uv_loop_s *loop, const struct resolver_options *options,
                  struct resolver **resolver_out, struct error *err)
{
    struct ub_ctx *context = ub_ctx_create();

    if (context == NULL)
        abort(); /* no memory, at the start */
    if (!set_up(context, options, err)) {
        ub_ctx_delete(context);
        return false;
    }
    struct resolver *resolver = NEW(struct resolver);
    resolver->context = context;
    resolver->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
    resolver->asked.end = &resolver->asked.first;
    resolver->under_way.end = &resolver->under_way.first;
    pthread_mutex_init(&resolver->lock, NULL);
    add_handles(resolver, loop);
    *resolver_out = resolver;
    return true;
}

static void free_fetches(struct fetches *list)
{
    while (list->first != NULL) {
        struct fetch *fetch = list->first;

        /* Each one leaves the list first. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        remove_fetch(list, fetch);
        free(fetch);
    }
}

/* The descriptor of libunbound must be unwatched before it is closed. */
static void on_closed(uv_handle_t *handle)
{
    struct resolver *resolver = handle->data;

    if (--resolver->n_handles > 0)
        return;
    ub_ctx_delete(resolver->context);
    free_fetches(&resolver->asked);
    free_fetches(&resolver->under_way);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *old = TAKE(*resolver);
    uv_handle_t *handles[3];

    if (old == NULL)
        return;
    handles[0] = (uv_handle_t *)&old->poll;
    handles[1] = (uv_handle_t *)&old->asks;
    handles[2] = (uv_handle_t *)&old->timer;
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        handles[i]->data = old;
        uv_close(handles[i], on_closed);
    }
}
