/* resolver.h - asks the DNS (libunbound, validating), without waiting.
 *
 * Lookups run in libunbound's own thread. Answers are cached by it as long as their TTL allows; a
 * lookup that has no answer after `timeout_ms` has FAILED. See dns.h for how tables are used.
 *
 * Lifetime: resolver_free() forgets lookups under way (their `done` is not called); the loop has to
 * run once more afterwards, to take the handles back.
 */
#pragma once

#include "common/dns.h"
#include "common/error.h"

struct uv_loop_s;
struct resolver;

struct resolver_options {
    const char *servers; /* "address[@port] ..." to forward to; empty: /etc/resolv.conf's; "root":
                            none, ask from the root down */
    const char *trust_anchor; /* file with DS or DNSKEY records; empty: the system's for the root;
                                 "none": nothing is validated, nothing is secure */
    uint64_t timeout_ms;      /* for all answers of one resolver_fetch(); 0: 10 s */
};

/* Loop thread. Errors: ERROR_INVALID for options that cannot be used. */
bool resolver_new(struct uv_loop_s *loop, const struct resolver_options *options,
                  struct resolver **resolver_out, struct error *err) MUST_CHECK;
void resolver_free(struct resolver **resolver);

/* Asks for everything that is missing in the table; `done` is called once on the loop thread, when
 * all of it is there or has FAILED, never from within this call. The table must not be touched
 * until then. Any thread. */
void resolver_fetch(struct resolver *resolver, struct dns_table *table, void (*done)(void *context),
                    void *context);
