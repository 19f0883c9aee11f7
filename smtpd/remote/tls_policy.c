/* tls_policy.c - see tls_policy.h. */
#include "smtpd/remote/tls_policy.h"

#include "smtpd/remote/tls_text.h"

#include <stdio.h>
#include <stdlib.h>

struct search {
    struct dns_table *table;
    const struct tls_query *query;
    struct tls_policy *policy;
};

/* What was found of DANE for a host. */
enum dane {
    DANE_AGAIN,
    DANE_NONE,
    DANE_FAILED, /* records may be there: who cannot see them must not connect */
    DANE_FOUND,
};

static enum tls_step skip(struct search *search, const char *status, const char *why,
                          struct slice name)
{
    struct tls_policy *policy = search->policy;

    snprintf(policy->status, sizeof(policy->status), "%s", status);
    snprintf(policy->text, sizeof(policy->text), "%s: " SLICE_FMT, why,
             SLICE_ARG(slice_part(name, 0, 120)));
    return TLS_STEP_SKIP;
}

static const char *text_in_table(struct search *search, struct slice text)
{
    return slice_text(&search->table->arena, text);
}

static void add_name(struct search *search, struct slice name)
{
    struct tls_check *check = &search->policy->check;

    for (size_t i = 0; i < check->n_names; i++)
        if (slice_is(name, check->names[i]))
            return;
    if (name.len > 0 && check->n_names < TLS_NAMES_MAX)
        check->names[check->n_names++] = text_in_table(search, name);
}

/* --- DANE --- */

static bool is_alias(const struct dns_answer *answer, struct slice name)
{
    return answer->canonical.len > 0 && !slice_equal_case(answer->canonical, name);
}

/* Whether the host's own name is a signed alias, though what it leads to is not signed. */
static enum dane find_signed_alias(struct search *search, struct slice *base_out)
{
    const struct dns_answer *alias = dns_get(search->table, search->query->host, DNS_CNAME);

    if (alias == NULL)
        return DANE_AGAIN;
    *base_out = search->query->host;
    return alias->state == DNS_FOUND && alias->secure ? DANE_FOUND : DANE_NONE;
}

/* RFC 7672 section 2.2.2: TLSA records count for a host whose addresses are signed. The name to
 * begin with is the one that its aliases lead to. */
static enum dane find_base(struct search *search, struct slice *base_out)
{
    const struct dns_answer *answer = dns_get(search->table, search->query->host, DNS_A);

    if (answer != NULL && answer->state != DNS_FOUND)
        answer = dns_get(search->table, search->query->host, DNS_AAAA);
    if (answer == NULL)
        return DANE_AGAIN;
    if (answer->state != DNS_FOUND)
        return DANE_NONE;
    *base_out = is_alias(answer, search->query->host) ? answer->canonical : search->query->host;
    if (answer->secure)
        return DANE_FOUND;
    return is_alias(answer, search->query->host) ? find_signed_alias(search, base_out) : DANE_NONE;
}

/* The records "_25._tcp." + base; DANE_NONE where there are none that are signed. */
static enum dane look_at_base(struct search *search, struct slice base,
                              const struct dns_answer **answer_out)
{
    char name[DNS_NAME_SIZE + 16];
    int len =
        snprintf(name, sizeof(name), "_%u._tcp." SLICE_FMT, search->query->port, SLICE_ARG(base));

    *answer_out = dns_get(search->table, slice_make(name, (size_t)len), DNS_TLSA);
    if (*answer_out == NULL)
        return DANE_AGAIN;
    if ((*answer_out)->state == DNS_FAILED)
        return DANE_FAILED;
    return (*answer_out)->state == DNS_FOUND && (*answer_out)->secure ? DANE_FOUND : DANE_NONE;
}

/* RFC 7672 section 3.2.2: the names a DANE-TA certificate may be for. */
static bool add_dane_names(struct search *search, struct slice base)
{
    const struct tls_query *query = search->query;
    const struct dns_answer *mx;

    search->policy->check.server_name = text_in_table(search, base);
    add_name(search, base);
    add_name(search, query->domain);
    if (!query->by_mx)
        return true;
    mx = dns_get(search->table, query->domain, DNS_MX);
    if (mx != NULL && mx->secure)
        add_name(search, mx->canonical);
    return mx != NULL;
}

static enum dane demand_dane(struct search *search, struct slice base,
                             const struct dns_answer *answer)
{
    struct tls_check *check = &search->policy->check;

    if (!add_dane_names(search, base))
        return DANE_AGAIN;
    check->n_records = tlsa_choose(answer->records, answer->count, check->records);
    /* Section 2.2: records that are all unusable ask for TLS still. */
    check->level = check->n_records > 0 ? TLS_DANE : TLS_ANY;
    search->policy->required = true;
    search->policy->source = TLS_BY_TLSA;
    search->policy->text_of_policy = tls_text_of_records(&search->table->arena, answer);
    return DANE_FOUND;
}

static bool may_have_dane(const struct tls_query *query)
{
    return !query->no_dane && query->host.len > 0 && (!query->by_mx || query->mx_secure);
}

static enum dane find_dane(struct search *search)
{
    const struct dns_answer *answer;
    struct slice base = { 0 };
    enum dane found = may_have_dane(search->query) ? find_base(search, &base) : DANE_NONE;

    if (found != DANE_FOUND)
        return found;
    found = look_at_base(search, base, &answer);
    if (found == DANE_NONE && !slice_equal_case(base, search->query->host)) {
        base = search->query->host;
        found = look_at_base(search, base, &answer);
    }
    return found == DANE_FOUND ? demand_dane(search, base, answer) : found;
}

/* --- MTA-STS --- */

/* RFC 8461 section 3.1: records that are no policy's do not count, several that are mean none. */
static bool find_record(struct search *search, struct slice *id_out)
{
    char name[DNS_NAME_SIZE + 16];
    int len = snprintf(name, sizeof(name), "_mta-sts." SLICE_FMT, SLICE_ARG(search->query->domain));
    const struct dns_answer *answer =
        dns_get(search->table, slice_make(name, (size_t)len), DNS_TXT);
    struct slice text, id;
    size_t n_found = 0;

    *id_out = (struct slice){ 0 };
    if (answer == NULL)
        return false;
    for (size_t i = 0; answer->state == DNS_FOUND && i < answer->count; i++)
        if (dns_text(&search->table->arena, answer->records[i], &text) &&
            sts_record_parse(text, &id) && ++n_found == 1)
            *id_out = id;
    if (n_found > 1)
        *id_out = (struct slice){ 0 };
    return true;
}

static void demand_trust(struct search *search)
{
    search->policy->check.level = TLS_TRUSTED;
    add_name(search, search->query->host);
}

/* Section 4.2: in testing mode all is looked at, and nothing is refused for it. */
static enum tls_step demand_sts(struct search *search)
{
    const struct tls_query *query = search->query;
    struct tls_policy *policy = search->policy;
    bool enforces = query->sts->mode == STS_ENFORCE && !query->tls_optional;

    policy->source = TLS_BY_STS;
    policy->text_of_policy = tls_text_of_lines(&search->table->arena, query->sts_text);
    if (!sts_policy_names(query->sts, query->host)) {
        policy->violation = "validation-failure";
        return enforces ? skip(search, "4.7.5",
                               "The domain's MTA-STS policy does not name the host", query->host)
                        : TLS_STEP_USE;
    }
    demand_trust(search);
    policy->check.report_only = !enforces;
    policy->required = enforces;
    return TLS_STEP_USE;
}

static enum tls_step find_sts(struct search *search)
{
    const struct tls_query *query = search->query;

    if (query->no_sts || query->domain.len == 0 || query->host.len == 0)
        return TLS_STEP_USE;
    if (!query->sts_known)
        return find_record(search, &search->policy->sts_id) ? TLS_STEP_STS : TLS_STEP_DNS;
    if (query->sts == NULL || query->sts->mode == STS_NONE)
        return TLS_STEP_USE;
    return demand_sts(search);
}

/* --- all of them --- */

/* RFC 8689 section 4.2.1: the name of the host is proven by DNSSEC or by MTA-STS, or the domain
 * is the host. */
static bool is_name_proven(const struct search *search)
{
    const struct tls_query *query = search->query;

    if (query->host.len == 0)
        return false;
    return !query->by_mx || query->mx_secure ||
           (search->policy->source == TLS_BY_STS && search->policy->violation == NULL);
}

static enum tls_step add_sender(struct search *search)
{
    struct tls_policy *policy = search->policy;

    policy->offer_require = search->query->require_tls;
    if (!search->query->require_tls || search->query->null_sender)
        return TLS_STEP_USE;
    policy->permanent = true;
    if (!is_name_proven(search))
        return skip(search, "5.7.10",
                    "The sender requires TLS, and nothing proves the name of the host",
                    search->query->host);
    policy->required = true;
    policy->require_tls = true;
    if (policy->check.level != TLS_DANE)
        demand_trust(search);
    policy->check.report_only = false;
    return TLS_STEP_USE;
}

static void add_operator(struct search *search)
{
    struct tls_policy *policy = search->policy;

    if (search->query->wish == TLS_WISH_ANY)
        return;
    policy->required = true;
    if (search->query->wish == TLS_WISH_ENCRYPT)
        return;
    if (policy->check.level != TLS_DANE)
        demand_trust(search);
    policy->check.report_only = false;
}

static enum tls_step find_published(struct search *search)
{
    switch (find_dane(search)) {
    case DANE_AGAIN:
        return TLS_STEP_DNS;
    case DANE_NONE:
        return find_sts(search);
    case DANE_FAILED: /* RFC 7672 section 2.1.2 */
        if (search->query->tls_optional)
            return TLS_STEP_USE;
        search->policy->source = TLS_BY_TLSA;
        search->policy->violation = "dnssec-invalid";
        return skip(search, "4.7.5", "The TLSA records cannot be looked up now of the host",
                    search->query->host);
    case DANE_FOUND:
        search->policy->check.report_only = search->query->tls_optional;
        search->policy->required = !search->query->tls_optional;
        return TLS_STEP_USE;
    }
    abort();
}

enum tls_step tls_policy_find(struct dns_table *table, const struct tls_query *query,
                              struct tls_policy *policy_out)
{
    struct search search = { table, query, policy_out };

    *policy_out = (struct tls_policy){ 0 };
    enum tls_step step = find_published(&search);
    if (step != TLS_STEP_USE)
        return step;
    if (policy_out->check.server_name == NULL && query->host.len > 0)
        policy_out->check.server_name = text_in_table(&search, query->host);
    add_operator(&search);
    return add_sender(&search);
}

const char *tls_source_name(enum tls_source source)
{
    switch (source) {
    case TLS_BY_NOBODY:
        return "no-policy-found";
    case TLS_BY_TLSA:
        return "tlsa";
    case TLS_BY_STS:
        return "sts";
    }
    abort();
}

const char *tls_result_name(enum tls_fault fault)
{
    switch (fault) {
    case TLS_GOOD:
        return "";
    case TLS_EXPIRED:
        return "certificate-expired";
    case TLS_WRONG_NAME:
        return "certificate-host-mismatch";
    case TLS_NOT_TRUSTED:
        return "certificate-not-trusted";
    case TLS_NO_HANDSHAKE:
    case TLS_NOT_IN_TLSA:
        return "validation-failure";
    }
    abort();
}
