/* row.c - see row.h. */
#include "smtpd/proof/row.h"

#include <stdlib.h>

static struct slice domain_of(struct slice address)
{
    return slice_from(address, (size_t)(slice_find_last(address, '@') + 1));
}

/* The signature that proves the From domain, else the first. */
static const struct dkim_verdict *signature_of(const struct results *results)
{
    for (size_t i = 0; i < results->n_dkim; i++)
        if (results->dkim[i].result == DKIM_PASS &&
            slice_equal_case(results->dkim[i].domain, results->from_domain))
            return &results->dkim[i];
    for (size_t i = 0; i < results->n_dkim; i++)
        if (results->dkim[i].result == DKIM_PASS)
            return &results->dkim[i];
    return results->n_dkim > 0 ? &results->dkim[0] : NULL;
}

static struct slice disposition_of(const struct proof *proof)
{
    switch (proof_verdict(proof)) {
    case PROOF_ACCEPT:
        return SLICE("none");
    case PROOF_JUNK:
        return SLICE("quarantine");
    case PROOF_REFUSE:
        return SLICE("reject");
    }
    abort();
}

/* Why it is not what the policy says (appendix C, PolicyOverrideType). */
static struct slice reason_of(const struct proof *proof, const struct dmarc_outcome *dmarc)
{
    if (dmarc->result == DMARC_PASS ||
        slice_is(disposition_of(proof), dmarc_policy_name(dmarc->policy)))
        return (struct slice){ 0 };
    if (proof_is_vouched_for(proof))
        return SLICE("trusted_forwarder");
    return dmarc->sampled_out ? SLICE("sampled_out") : SLICE("local_policy");
}

bool proof_row(const struct proof *proof, struct dmarc_row *row_out)
{
    const struct results *results = proof_results(proof);
    const struct dmarc_outcome *dmarc = results->dmarc;
    const struct dkim_verdict *signature = signature_of(results);
    bool is_helo = results->sender.len == 0;

    if ((dmarc->result != DMARC_PASS && dmarc->result != DMARC_FAIL) || dmarc->record.rua.len == 0)
        return false;
    *row_out = (struct dmarc_row){
        .source = slice_of(results->address),
        .disposition = disposition_of(proof),
        .dkim = slice_of(dmarc->dkim_aligned ? "pass" : "fail"),
        .spf = slice_of(dmarc->spf_aligned ? "pass" : "fail"),
        .reason = reason_of(proof, dmarc),
        .header_from = results->from_domain,
        .envelope_from = domain_of(results->sender),
        .spf_domain = is_helo ? results->helo : domain_of(results->sender),
        .spf_scope = slice_of(is_helo ? "helo" : "mfrom"),
        .spf_result = slice_of(spf_result_name(results->spf_sender->result)),
    };
    if (signature != NULL) {
        row_out->dkim_domain = signature->domain;
        row_out->dkim_selector = signature->selector;
        row_out->dkim_result = slice_of(dkim_result_name(signature->result));
    }
    return true;
}
