/* resolver.h - asks the DNS (libunbound), without waiting.
 *
 * Lookups run in libunbound's own thread; their ends are called back on the loop thread, never from
 * within resolver_ask(). An answer is cached as long as its TTL allows.
 *
 * Threads: loop thread. Lifetime: resolver_free() forgets lookups under way; the loop has to run
 * once more afterwards, to take the handle back.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

struct uv_loop_s;
struct resolver;

enum lookup_type { LOOKUP_A = 1, LOOKUP_MX = 15, LOOKUP_AAAA = 28 }; /* RFC 1035, 3596 */

enum lookup_state {
    LOOKUP_FOUND,
    LOOKUP_NOTHING, /* the name exists, without such records */
    LOOKUP_NO_NAME, /* NXDOMAIN */
    LOOKUP_FAILED,  /* no answer, or one that cannot be trusted: nobody knows */
};

struct lookup_result {
    enum lookup_state state;
    const struct slice *records; /* rdata, as on the wire; valid during the callback */
    size_t count;
    const char *reason; /* of LOOKUP_FAILED, in words */
};

typedef void (*lookup_done)(void *context, const struct lookup_result *result);

/* `servers`: "address[@port] ..." to forward to; empty: those of /etc/resolv.conf. */
bool resolver_new(struct uv_loop_s *loop, const char *servers, struct resolver **resolver_out,
                  struct error *err) MUST_CHECK;
void resolver_free(struct resolver **resolver);

/* `done` is called exactly once, unless the resolver is freed before. False: it cannot be asked
 * (no memory, no threads), and `done` is not called. */
bool resolver_ask(struct resolver *resolver, const char *name, enum lookup_type type,
                  lookup_done done, void *context) MUST_CHECK;
