/* resolver.c - see resolver.h. */
#include "common/resolver.h"

#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <uv.h>

#define CLASS_IN    1
#define RECORDS_MAX 64 /* of one answer; the rest is not looked at */
#define RCODE_OK    0
#define RCODE_NAME  3 /* NXDOMAIN */

struct lookup {
    struct lookup *next, **previous;
    lookup_done done;
    void *context;
};

struct resolver {
    struct ub_ctx *context;
    uv_poll_t poll;
    struct lookup *lookups; /* under way */
};

static void lookup_free(struct lookup *lookup)
{
    *lookup->previous = lookup->next;
    if (lookup->next != NULL)
        lookup->next->previous = lookup->previous;
    free(lookup);
}

static enum lookup_state state_of(int error, const struct ub_result *answer)
{
    if (error != 0 || answer == NULL || answer->bogus)
        return LOOKUP_FAILED;
    if (answer->havedata)
        return LOOKUP_FOUND;
    if (answer->rcode == RCODE_NAME)
        return LOOKUP_NO_NAME;
    return answer->rcode == RCODE_OK ? LOOKUP_NOTHING : LOOKUP_FAILED;
}

static const char *reason_of(int error, const struct ub_result *answer)
{
    if (error != 0 || answer == NULL)
        return ub_strerror(error);
    return answer->bogus ? "the answer's DNSSEC signature is wrong"
                         : "no name server has an answer";
}

/* libunbound's callback, from ub_process() on the loop thread. */
static void on_answer(void *context, int error, struct ub_result *answer)
{
    struct lookup *lookup = context;
    struct slice records[RECORDS_MAX];
    struct lookup_result result = {
        .state = state_of(error, answer),
        .records = records,
        .reason = reason_of(error, answer),
    };

    if (result.state == LOOKUP_FOUND)
        for (; result.count < RECORDS_MAX && answer->data[result.count] != NULL; result.count++)
            records[result.count] =
                slice_make(answer->data[result.count], (size_t)answer->len[result.count]);
    lookup->done(lookup->context, &result);
    lookup_free(lookup);
    ub_resolve_free(answer);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct resolver *resolver = CONTAINER_OF(poll, struct resolver, poll);

    ub_process(resolver->context);
}

static bool add_servers(struct ub_ctx *context, const char *servers, struct error *err)
{
    struct slice rest = slice_of(servers), server;
    int result = 0;

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
           error_set(err, ERROR_INVALID, "[smtp] resolver = %s: %s", servers, ub_strerror(result));
}

static bool set_up(struct resolver *resolver, const char *servers, struct error *err)
{
    struct ub_ctx *context = resolver->context;

    /* A forwarder on this machine is nothing unusual, and may know the names of a test network that
     * libunbound would not ask for (RFC 6761 section 6.2). */
    if (ub_ctx_set_option(context, "do-not-query-localhost:", "no") != 0 ||
        ub_ctx_set_option(context, "local-zone:", "test. transparent") != 0 ||
        ub_ctx_async(context, 1) != 0)
        return error_set(err, ERROR_TEMPORARY, "setting up the resolver");
    return add_servers(context, servers, err);
}

bool resolver_new(struct uv_loop_s *loop, const char *servers, struct resolver **resolver_out,
                  struct error *err)
{
    struct resolver *resolver = NEW(struct resolver);

    resolver->context = ub_ctx_create();
    if (resolver->context == NULL)
        abort(); /* no memory, at the start */
    if (!set_up(resolver, servers, err)) {
        ub_ctx_delete(resolver->context);
        free(resolver);
        return false;
    }
    if (uv_poll_init(loop, &resolver->poll, ub_fd(resolver->context)) != 0)
        abort(); /* not a descriptor that can be watched: our own bug */
    uv_poll_start(&resolver->poll, UV_READABLE, on_readable);
    *resolver_out = resolver;
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct resolver *resolver = CONTAINER_OF((uv_poll_t *)handle, struct resolver, poll);

    ub_ctx_delete(resolver->context); /* closes the descriptor, which must be unwatched by now */
    while (resolver->lookups != NULL)
        lookup_free(resolver->lookups);
    free(resolver);
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *old = TAKE(*resolver);

    if (old != NULL)
        uv_close((uv_handle_t *)&old->poll, on_closed);
}

bool resolver_ask(struct resolver *resolver, const char *name, enum lookup_type type,
                  lookup_done done, void *context)
{
    struct lookup *lookup = NEW(struct lookup);

    lookup->done = done;
    lookup->context = context;
    lookup->next = resolver->lookups;
    lookup->previous = &resolver->lookups;
    if (lookup->next != NULL)
        lookup->next->previous = &lookup->next;
    resolver->lookups = lookup;
    if (ub_resolve_async(resolver->context, name, type, CLASS_IN, lookup, on_answer, NULL) == 0)
        return true;
    lookup_free(lookup);
    return false;
}
