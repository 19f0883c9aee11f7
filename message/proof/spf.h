/* spf.h - may this address send for this domain? (RFC 7208)
 *
 * Pure; the DNS is a table. spf_check() returns false while answers are missing: have them fetched
 * (common/resolver.h) and call it again with the same table. All limits of section 4.6.4 hold: ten
 * terms that ask, two void lookups, ten names of an MX or PTR.
 */
#pragma once

#include "common/buf.h"
#include "common/dns.h"

enum spf_result { /* section 2.6 */
                  SPF_NONE,
                  SPF_NEUTRAL,
                  SPF_PASS,
                  SPF_FAIL,
                  SPF_SOFTFAIL,
                  SPF_TEMPERROR,
                  SPF_PERMERROR,
};

struct spf_query {
    const char *address;   /* the client's, "192.0.2.1" or "2001:db8::1"; mapped IPv4 is IPv4 */
    struct slice helo;     /* as it said */
    struct slice sender;   /* MAIL FROM; empty (null sender): postmaster@helo, section 2.4 */
    struct slice receiver; /* our host name, for the macro %{r} */
    int64_t now_s;         /* for the macro %{t} */
};

struct spf_outcome {
    enum spf_result result;
    struct slice domain;      /* that was checked: of the sender, or the HELO name */
    struct slice explanation; /* FAIL: the domain's own words (section 6.2), printable; or empty */
    struct slice reason;      /* in our words, for the log: "mechanism -all", "two records" */
};

/* Results live in the arena. */
bool spf_check(struct arena *arena, struct dns_table *table, const struct spf_query *query,
               struct spf_outcome *outcome_out);

const char *spf_result_name(enum spf_result result); /* "pass", as RFC 8601 section 2.7.2 has it */
