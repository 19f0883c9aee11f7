/* tls_policy.h - what is demanded of the TLS session with one host that mail for a domain goes to.
 *
 *     TLSA records, signed   -> DANE (RFC 7672), whatever else there is
 *     else a policy          -> MTA-STS (RFC 8461): trusted certificate, for a host it names
 *     else the operator's    -> `encrypt` or `verify`
 *     and the sender's       -> REQUIRETLS (RFC 8689): verified, by a name that can be trusted;
 *                               "TLS-Required: No": what the domain publishes does not bind
 *     else opportunistic     -> any certificate, and clear text where there is no TLS
 *
 * Evaluated again while answers of the DNS or the policy of MTA-STS are missing; see dns.h.
 *
 * Lifetime: the result points into the table. Threads: pure.
 */
#pragma once

#include "common/dns.h"
#include "common/tls_check.h"
#include "smtpd/remote/answer.h"
#include "smtpd/remote/sts_policy.h"

enum tls_wish { TLS_WISH_ANY, TLS_WISH_ENCRYPT, TLS_WISH_VERIFY }; /* the operator's */

struct tls_query {
    struct slice domain; /* of the recipients, or the next hop; empty for an address literal */
    struct slice host;   /* the server's name; empty for an address literal */
    bool by_mx;          /* MX records named the host ... */
    bool mx_secure;      /* ... and DNSSEC proves them */
    uint16_t port;
    enum tls_wish wish;
    bool no_dane, no_sts; /* the operator has switched them off, or names the host himself */
    bool require_tls;     /* the message came with REQUIRETLS */
    bool tls_optional;    /* ... with "TLS-Required: No" */
    bool null_sender;     /* a report: REQUIRETLS is asked for, not insisted on (section 5) */
    bool sts_known;       /* the next two are what is known; else the caller may be sent to ask */
    const struct sts_policy *sts; /* NULL: there is none */
    struct slice sts_text;
};

enum tls_step {
    TLS_STEP_DNS,  /* answers are missing in the table: fetch them, come again */
    TLS_STEP_STS,  /* set sts_known: the policy of MTA-STS for the record with this id */
    TLS_STEP_USE,  /* connect, and demand what the result says */
    TLS_STEP_SKIP, /* do not use this host now: `status` and `text` say why */
};

enum tls_source { TLS_BY_NOBODY, TLS_BY_TLSA, TLS_BY_STS };

struct tls_policy {
    struct tls_check check;
    bool required;          /* nothing in clear text */
    bool require_tls;       /* MAIL with REQUIRETLS, and only where it is offered */
    bool offer_require;     /* MAIL with REQUIRETLS where it is offered */
    enum tls_source source; /* whose results are reported (RFC 8460) */
    struct slice text_of_policy;
    struct slice sts_id;   /* for TLS_STEP_STS; empty: the domain has no record */
    const char *violation; /* a result of RFC 8460 section 4.3 that is known without a session;
                              NULL: none */
    bool permanent;        /* SKIP: the message cannot go here as its sender demands */
    char status[ANSWER_STATUS];
    char text[200];
};

enum tls_step tls_policy_find(struct dns_table *table, const struct tls_query *query,
                              struct tls_policy *policy_out);

/* "tlsa", "sts", "no-policy-found" (RFC 8460 section 4.2). */
const char *tls_source_name(enum tls_source source);

/* "certificate-expired" and the like (RFC 8460 section 4.3); "" is success. */
const char *tls_result_name(enum tls_fault fault);
