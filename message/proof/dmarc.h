/* dmarc.h - what a domain wants done with mail that is not its own (RFC 7489).
 *
 * Pure; the DNS is a table, the organisational domain comes from the public suffix list (libpsl).
 */
#pragma once

#include "message/proof/dkim.h"
#include "message/proof/spf.h"

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

enum {                         /* bits of failure_options, fo= of section 6.3 */
       DMARC_FAILURE_ANY = 1,  /* "1" */
       DMARC_FAILURE_DKIM = 2, /* "d" */
       DMARC_FAILURE_SPF = 4,  /* "s" */
};

struct dmarc_record { /* section 6.3 */
    enum dmarc_policy policy, subdomain_policy;
    bool strict_dkim, strict_spf;
    unsigned percent;
    struct slice rua, ruf; /* as they stand: lists of URIs */
    uint32_t interval_s;
    unsigned failure_options; /* 0 is "0": when nothing has passed */
};

/* PARSE_BAD: not a DMARC record, or one to be ignored. Results point into the text. */
enum parse dmarc_record_parse(struct slice text, struct dmarc_record *record_out);

enum dmarc_result { /* RFC 7489 section 11.2 */
                    DMARC_NONE,
                    DMARC_PASS,
                    DMARC_FAIL,
                    DMARC_TEMPERROR, /* the record, or what might have passed, cannot be looked up
                                        now. `policy` says what is at stake: better deferred */
                    DMARC_PERMERROR, /* several records, or a broken one: no policy */
};

struct dmarc_query {
    struct slice from_domain;        /* of the one From address; see dmarc_from() */
    const struct spf_outcome *spf;   /* of MAIL FROM, or of HELO for the null sender */
    struct slice spf_domain;         /* that was checked */
    const struct dkim_verdict *dkim; /* all of them */
    size_t n_dkim;
    unsigned chance; /* 0..99, for pct= */
};

struct dmarc_outcome {
    enum dmarc_result result;
    struct slice domain; /* where the record was found: From's or its organisation's */
    struct dmarc_record record;
    enum dmarc_policy policy;      /* what the record asks for with what fails: p or sp */
    enum dmarc_policy disposition; /* of this message, after pct=; NONE unless FAIL */
    bool sampled_out;              /* pct= has softened it */
    bool spf_aligned, dkim_aligned;
};

/* False: answers are missing. */
bool dmarc_check(struct arena *arena, struct dns_table *table, const struct dmarc_query *query,
                 struct dmarc_outcome *outcome_out);

/* The domain of the From field as A-labels in lower case; empty when no address there has one, when
 * they have different ones (also those of several From fields), or when it is no host's name
 * (section 6.6.1). */
struct slice dmarc_from(struct arena *arena, struct slice header);

/* The organisational domain (section 3.2); the name itself when it is a public suffix. */
struct slice dmarc_organisation(struct arena *arena, struct slice domain);

const char *dmarc_result_name(enum dmarc_result result);
const char *dmarc_policy_name(enum dmarc_policy policy);

/* Whether a domain takes reports about another one (section 7.1); false while answers are missing.
 */
bool dmarc_may_report(struct arena *arena, struct dns_table *table, struct slice about,
                      struct slice to_domain, bool *may_out);
