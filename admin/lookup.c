/* lookup.c - see lookup.h. */
#include "admin/lookup.h"

#include "common/resolver.h"

#include <uv.h>

#define ROUNDS_MAX 50 /* each asks for something new, or there is a bug */

struct lookup {
    uv_loop_t loop;
    bool fetched;
};

static void on_fetched(void *context)
{
    struct lookup *lookup = context;

    lookup->fetched = true;
    uv_stop(&lookup->loop);
}

static bool run(struct lookup *lookup, struct resolver *resolver, struct dns_table *table,
                bool (*evaluate)(void *context), void *context, struct error *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (evaluate(context))
            return true;
        lookup->fetched = false;
        resolver_fetch(resolver, table, on_fetched, lookup);
        while (!lookup->fetched)
            uv_run(&lookup->loop, UV_RUN_DEFAULT);
    }
    return error_set(err, ERROR_LIMIT, "the DNS leads from name to name without an end");
}

bool lookup_run(const struct settings *settings, struct dns_table *table,
                bool (*evaluate)(void *context), void *context, struct error *err)
{
    const struct resolver_options options = {
        .servers = settings->resolver,
        .trust_anchor = settings->trust_anchor,
        .timeout_ms = settings->dns_timeout,
    };
    struct lookup lookup = { 0 };
    struct resolver *resolver = NULL;
    bool ok;

    uv_loop_init(&lookup.loop);
    ok = resolver_new(&lookup.loop, &options, &resolver, err) &&
         run(&lookup, resolver, table, evaluate, context, err);
    resolver_free(&resolver);
    uv_run(&lookup.loop, UV_RUN_DEFAULT);
    uv_loop_close(&lookup.loop);
    return ok;
}
