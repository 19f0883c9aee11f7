/* dmarc.c - from the results of SPF and DKIM to what the domain wants done (RFC 7489 section 6.6).
 */
#include "message/proof/dmarc_private.h"

#include "message/proof/domain.h"

static struct slice joined(struct arena *arena, const char *prefix, struct slice domain)
{
    size_t len = strlen(prefix);
    char *name = arena_alloc(arena, len + domain.len);

    memcpy(name, prefix, len);
    if (domain.len > 0)
        memcpy(name + len, domain.data, domain.len);
    return slice_make(name, len + domain.len);
}

/* What is at "_dmarc." of a domain: section 6.6.3 steps 1 and 2. */
struct found {
    enum dns_state state; /* FAILED, or FOUND */
    size_t count;
    struct slice text; /* the last */
};

static bool look_up(struct arena *arena, struct dns_table *table, struct slice name,
                    struct found *found_out)
{
    const struct dns_answer *answer = dns_get(table, name, DNS_TXT);
    struct slice text;

    *found_out = (struct found){ .state = DNS_FOUND };
    if (answer == NULL)
        return false;
    if (answer->state == DNS_FAILED)
        found_out->state = DNS_FAILED;
    for (size_t i = 0; answer->state == DNS_FOUND && i < answer->count; i++)
        if (dns_text(arena, answer->records[i], &text) && dmarc_record_is(text)) {
            found_out->text = text;
            found_out->count++;
        }
    return true;
}

/* Section 6.6.3: at the domain itself, then at its organisation. */
static bool discover(struct arena *arena, struct dns_table *table, struct slice domain,
                     struct dmarc_outcome *outcome)
{
    struct slice organisation = dmarc_organisation(arena, domain);
    bool is_subdomain = false;
    struct found found;

    if (!look_up(arena, table, joined(arena, "_dmarc.", domain), &found))
        return false;
    outcome->domain = domain;
    if (found.state == DNS_FOUND && found.count == 0 && !slice_equal_case(organisation, domain)) {
        if (!look_up(arena, table, joined(arena, "_dmarc.", organisation), &found))
            return false;
        outcome->domain = organisation;
        is_subdomain = true;
    }
    if (found.state == DNS_FAILED)
        outcome->result = DMARC_TEMPERROR;
    else if (found.count == 0)
        outcome->result = DMARC_NONE;
    else if (found.count > 1 || dmarc_record_parse(found.text, &outcome->record) != PARSE_OK)
        outcome->result = DMARC_PERMERROR;
    else
        outcome->result = DMARC_FAIL; /* until something passes */
    if (outcome->result != DMARC_FAIL) {
        outcome->record = (struct dmarc_record){ .percent = 100 };
        return true;
    }
    outcome->policy = is_subdomain ? outcome->record.subdomain_policy : outcome->record.policy;
    return true;
}

/* Section 3.1: are two domains of one organisation, or the same? Signatures and senders may have
 * U-labels (RFC 8616). */
static bool aligned(struct arena *arena, struct slice a, struct slice from, bool strict)
{
    a = domain_to_ascii(arena, a);
    if (a.len == 0)
        return false;
    if (slice_equal_case(a, from))
        return true;
    return !strict &&
           slice_equal_case(dmarc_organisation(arena, a), dmarc_organisation(arena, from));
}

/* Section 6.6.2 steps 3 to 5. An aligned signature or sender that could not be checked for the
 * moment may be the one that would have passed. */
static void align(struct arena *arena, const struct dmarc_query *query, struct slice from,
                  struct dmarc_outcome *outcome)
{
    bool unknown = false;

    if (query->spf != NULL && aligned(arena, query->spf_domain, from, outcome->record.strict_spf)) {
        outcome->spf_aligned = query->spf->result == SPF_PASS;
        unknown = query->spf->result == SPF_TEMPERROR;
    }
    for (size_t i = 0; i < query->n_dkim; i++) {
        const struct dkim_verdict *dkim = &query->dkim[i];

        if ((dkim->result != DKIM_PASS && dkim->result != DKIM_TEMPERROR) ||
            !aligned(arena, dkim->domain, from, outcome->record.strict_dkim))
            continue;
        if (dkim->result == DKIM_PASS)
            outcome->dkim_aligned = true;
        else
            unknown = true;
    }
    if (outcome->spf_aligned || outcome->dkim_aligned)
        outcome->result = DMARC_PASS;
    else if (unknown)
        outcome->result = DMARC_TEMPERROR;
}

/* Section 6.6.4: what pct= leaves out gets the next milder treatment. */
static void dispose(unsigned chance, struct dmarc_outcome *outcome)
{
    outcome->disposition = outcome->policy;
    if (chance < outcome->record.percent || outcome->policy == DMARC_POLICY_NONE)
        return;
    outcome->sampled_out = true;
    outcome->disposition =
        outcome->policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

bool dmarc_check(struct arena *arena, struct dns_table *table, const struct dmarc_query *query,
                 struct dmarc_outcome *outcome_out)
{
    struct slice from = query->from_domain;

    *outcome_out = (struct dmarc_outcome){ .result = DMARC_NONE, .record = { .percent = 100 } };
    if (from.len > 0 && from.data[from.len - 1] == '.')
        from.len--;
    if (from.len == 0)
        return true;
    if (!discover(arena, table, from, outcome_out))
        return false;
    if (outcome_out->result != DMARC_FAIL)
        return true;
    align(arena, query, from, outcome_out);
    if (outcome_out->result == DMARC_FAIL)
        dispose(query->chance, outcome_out);
    return true;
}

/* Section 7.1: a record at ABOUT._report._dmarc.TO says so; within an organisation none is needed.
 */
bool dmarc_may_report(struct arena *arena, struct dns_table *table, struct slice about,
                      struct slice to_domain, bool *may_out)
{
    struct slice rest = joined(arena, "._report._dmarc.", to_domain);
    struct slice name = joined(arena, slice_text(arena, about), rest);
    struct found found;

    *may_out = to_domain.len > 0 && slice_equal_case(dmarc_organisation(arena, about),
                                                     dmarc_organisation(arena, to_domain));
    if (*may_out || to_domain.len == 0)
        return true;
    if (!look_up(arena, table, name, &found))
        return false;
    *may_out = found.count > 0;
    return true;
}

const char *dmarc_result_name(enum dmarc_result result)
{
    static const char *const names[] = {
        [DMARC_NONE] = "none",           [DMARC_PASS] = "pass",           [DMARC_FAIL] = "fail",
        [DMARC_TEMPERROR] = "temperror", [DMARC_PERMERROR] = "permerror",
    };

    return names[result];
}

const char *dmarc_policy_name(enum dmarc_policy policy)
{
    static const char *const names[] = {
        [DMARC_POLICY_NONE] = "none",
        [DMARC_POLICY_QUARANTINE] = "quarantine",
        [DMARC_POLICY_REJECT] = "reject",
    };

    return names[policy];
}
