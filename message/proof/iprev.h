/* iprev.h - does a client's address have a name that leads back to it? (RFC 8601 section 3, also
 * "forward-confirmed reverse DNS"; RFC 7208 section 5.5 validates names in the same way)
 *
 * Pure; the DNS is a table: false means that answers are missing, see dns.h. At most
 * IPREV_NAMES_MAX names of the PTR record are looked up, as whoever owns the address can list as
 * many as he likes.
 */
#pragma once

#include "common/dns.h"

#define IPREV_NAMES_MAX 10

enum iprev_result { /* RFC 8601 section 2.7.3 */
                    IPREV_PASS,
                    IPREV_FAIL,
                    IPREV_TEMPERROR,
                    IPREV_PERMERROR, /* there is no PTR record, or it is no address */
};

struct iprev_outcome {
    enum iprev_result result;
    struct slice names[IPREV_NAMES_MAX]; /* that lead back, in the order of the DNS */
    size_t count;
    bool is_void; /* the DNS has no PTR record */
};

/* `address`: "192.0.2.1" or "2001:db8::1"; mapped IPv4 is IPv4. Names live in the arena. */
bool iprev_check(struct arena *arena, struct dns_table *table, const char *address,
                 struct iprev_outcome *outcome_out);

const char *iprev_result_name(enum iprev_result result);
