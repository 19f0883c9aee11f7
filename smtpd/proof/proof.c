/* proof.c - see proof.h.
 *
 * Every round runs all checks that have no result yet, so that what they miss is fetched at once.
 */
#include "smtpd/proof/proof.h"

#include "storage/names.h"

#include <stdio.h>
#include <stdlib.h>

#define REPLY_SIZE 512

struct proof {
    struct proof_facts facts;
    struct arena arena;
    struct dns_table table;
    struct slice from_domain;
    struct dkim_verifier *dkim_verifier;
    struct arc_verifier *arc_verifier;
    struct spf_outcome spf, helo;
    struct dmarc_outcome dmarc;
    struct arc_verdict arc;
    struct results results;
    bool has_spf, has_helo, has_dkim, has_arc, has_dmarc;
    enum proof_verdict verdict;
    char reply[REPLY_SIZE];
};

/* A name that SPF may be asked about: not a literal, not a bare word (RFC 7208 section 2.3). */
static bool is_name(struct slice helo)
{
    return helo.len > 0 && helo.data[0] != '[' && slice_find(helo, '.') > 0;
}

struct proof *proof_new(const struct proof_facts *facts)
{
    struct proof *proof = NEW(struct proof);

    proof->facts = *facts;
    proof->from_domain = dmarc_from(&proof->arena, facts->header);
    proof->dkim_verifier = dkim_verifier_new(facts->header, facts->body, facts->now_s);
    proof->arc_verifier = arc_verifier_new(facts->header, facts->body, facts->now_s);
    proof->results = (struct results){
        .authserv_id = slice_of(facts->settings->hostname),
        .helo = facts->helo,
        .sender = facts->sender,
        .address = facts->address,
        .iprev = facts->iprev,
        .from_domain = proof->from_domain,
    };
    /* for the null sender the first check is of HELO already */
    proof->has_helo = facts->sender.len == 0 || !is_name(facts->helo);
    return proof;
}

void proof_free(struct proof **proof)
{
    struct proof *old = TAKE(*proof);

    if (old == NULL)
        return;
    dkim_verifier_free(&old->dkim_verifier);
    arc_verifier_free(&old->arc_verifier);
    dns_table_free(&old->table);
    arena_free(&old->arena);
    free(old);
}

struct dns_table *proof_table(struct proof *proof)
{
    return &proof->table;
}

void proof_give_up(struct proof *proof)
{
    for (struct dns_answer *asked = proof->table.first; asked != NULL; asked = asked->next)
        if (asked->state == DNS_MISSING)
            dns_put(&proof->table, &(struct dns_answer){ .name = asked->name,
                                                         .type = asked->type,
                                                         .state = DNS_FAILED,
                                                         .reason = SLICE("it took too long") });
    proof->table.max = MAX(proof->table.count, 1);
}

static struct spf_query query_of(const struct proof *proof, struct slice sender)
{
    return (struct spf_query){
        .address = proof->facts.address,
        .helo = proof->facts.helo,
        .sender = sender,
        .receiver = slice_of(proof->facts.settings->hostname),
        .now_s = proof->facts.now_s,
    };
}

static bool check_spf(struct proof *proof)
{
    const struct spf_query query = query_of(proof, proof->facts.sender);

    if (!proof->has_spf)
        proof->has_spf = spf_check(&proof->arena, &proof->table, &query, &proof->spf);
    if (proof->has_spf)
        proof->results.spf_sender = &proof->spf;
    return proof->has_spf;
}

static bool check_helo(struct proof *proof)
{
    const struct spf_query query = query_of(proof, (struct slice){ 0 });

    if (proof->has_helo)
        return true;
    proof->has_helo = spf_check(&proof->arena, &proof->table, &query, &proof->helo);
    if (proof->has_helo)
        proof->results.spf_helo = &proof->helo;
    return proof->has_helo;
}

static bool check_dkim(struct proof *proof)
{
    if (!proof->has_dkim)
        proof->has_dkim = dkim_verify(proof->dkim_verifier, &proof->table, &proof->results.dkim,
                                      &proof->results.n_dkim);
    proof->results.dkim_checked = proof->has_dkim;
    return proof->has_dkim;
}

static bool check_arc(struct proof *proof)
{
    if (!proof->has_arc)
        proof->has_arc = arc_verify(proof->arc_verifier, &proof->table, &proof->arc);
    if (proof->has_arc)
        proof->results.arc = &proof->arc;
    return proof->has_arc;
}

/* The domain that SPF has looked at. */
static struct slice spf_domain(struct proof *proof)
{
    AUTO(buf_free) struct buf domain = { 0 };
    struct path path;

    if (proof->facts.sender.len == 0)
        return proof->facts.helo;
    if (!path_parse_bare(&proof->arena, proof->facts.sender, &path) ||
        !name_domain(path.domain, &domain))
        return (struct slice){ 0 };
    return slice_copy(&proof->arena, buf_slice(&domain));
}

static bool check_dmarc(struct proof *proof)
{
    const struct dmarc_query query = {
        .from_domain = proof->from_domain,
        .spf = &proof->spf,
        .spf_domain = spf_domain(proof),
        .dkim = proof->results.dkim,
        .n_dkim = proof->results.n_dkim,
        .chance = proof->facts.chance,
    };

    if (!proof->has_dmarc)
        proof->has_dmarc = dmarc_check(&proof->arena, &proof->table, &query, &proof->dmarc);
    if (proof->has_dmarc)
        proof->results.dmarc = &proof->dmarc;
    return proof->has_dmarc;
}

/* So that the record is there when it is needed. */
static void ask_for_policy(struct proof *proof)
{
    AUTO(buf_free) struct buf name = { 0 };

    buf_fmt(&name, "_dmarc." SLICE_FMT, SLICE_ARG(proof->from_domain));
    if (proof->from_domain.len > 0)
        (void)dns_get(&proof->table, buf_slice(&name), DNS_TXT);
}

bool proof_is_vouched_for(const struct proof *proof)
{
    struct slice rest = slice_of(proof->facts.settings->trusted_sealers), name;

    /* it may have seen itself that the message was not its author's */
    if (proof->arc.result != ARC_PASS || slice_search(proof->arc.results, SLICE("dmarc=fail")) >= 0)
        return false;
    while (slice_split(&rest, ' ', &name))
        if (name.len > 0 && slice_equal_case(name, proof->arc.sealer))
            return true;
    return false;
}

/* RFC 7372 section 3.2, 3.3 for the codes. */
static void decide(struct proof *proof)
{
    const struct settings *settings = proof->facts.settings;
    bool refused = proof->dmarc.disposition == DMARC_POLICY_REJECT;
    uint64_t action = PROOF_ACTION_ACCEPT;

    /* no author, or several: nobody's policy can speak for it (RFC 7489 section 6.6.1) */
    if (proof->from_domain.len == 0 && settings->dmarc_quarantine != PROOF_ACTION_ACCEPT)
        action = PROOF_ACTION_JUNK;
    if (proof->dmarc.result == DMARC_FAIL && !proof_is_vouched_for(proof)) {
        if (proof->dmarc.disposition != DMARC_POLICY_NONE)
            action = refused ? settings->dmarc_reject : settings->dmarc_quarantine;
        snprintf(proof->reply, sizeof(proof->reply),
                 "550 5.7.26 Refused by the DMARC policy of " SLICE_FMT
                 ": neither SPF nor DKIM proves where this message is from",
                 (int)MIN(proof->from_domain.len, 253), proof->from_domain.data);
    }
    if (settings->spf_fail > action && proof->spf.result == SPF_FAIL &&
        proof->dmarc.result != DMARC_PASS && !proof_is_vouched_for(proof)) {
        action = settings->spf_fail;
        snprintf(proof->reply, sizeof(proof->reply),
                 "550 5.7.23 " SLICE_FMT " does not let %s send its mail (SPF)",
                 (int)MIN(proof->spf.domain.len, 253), proof->spf.domain.data,
                 proof->facts.address);
    }
    proof->verdict = action == PROOF_ACTION_REFUSE ? PROOF_REFUSE
                     : action == PROOF_ACTION_JUNK ? PROOF_JUNK
                                                   : PROOF_ACCEPT;
}

bool proof_check(struct proof *proof)
{
    bool all = check_spf(proof);

    ask_for_policy(proof);
    all = check_helo(proof) && all;
    all = check_dkim(proof) && all;
    all = check_arc(proof) && all;
    if (!all || !check_dmarc(proof))
        return false;
    decide(proof);
    return true;
}

enum proof_verdict proof_verdict(const struct proof *proof)
{
    return proof->verdict;
}

const char *proof_reply(const struct proof *proof)
{
    return proof->reply;
}

const struct results *proof_results(const struct proof *proof)
{
    return &proof->results;
}

void proof_print(const struct proof *proof, struct buf *out)
{
    buf_add_text(out, "Authentication-Results: ");
    results_print(&proof->results, out);
    buf_add_text(out, "\r\n");
}
