/* arc.h - the Authenticated Received Chain (RFC 8617): what servers on the way have seen.
 *
 * Pure; the DNS is a table. Two steps, as in dkim.h. At most 50 sets (section 4.2.1).
 */
#pragma once

#include "message/proof/dkim.h"

#define ARC_SETS_MAX 50

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL };

struct arc_verdict {
    enum arc_result result;
    bool temporary;       /* FAIL, because the DNS did not answer; never seal as cv=fail then */
    unsigned sets;        /* instances, 0: no chain */
    unsigned oldest_pass; /* section 5.2 step 5: the lowest AMS instance that still verifies, or 0
                             when all do */
    struct slice sealer;  /* d= of the newest seal */
    struct slice results; /* the newest ARC-Authentication-Results, without "i=N;" */
    const char *reason;   /* of FAIL */
};

struct arc_verifier;

/* Header and body must stay until arc_verifier_free(). */
struct arc_verifier *arc_verifier_new(struct slice header, struct slice body, int64_t now_s);
void arc_verifier_free(struct arc_verifier **verifier);
/* False: answers are missing. The verdict's slices live in the verifier. */
bool arc_verify(struct arc_verifier *verifier, struct dns_table *table,
                struct arc_verdict *verdict_out);

const char *arc_result_name(enum arc_result result);

/* Appends the three fields of the next set, newest first: ARC-Seal, ARC-Message-Signature,
 * ARC-Authentication-Results, each with CRLF. `incoming`: what arc_verify() found in the message as
 * it came; a chain that has failed is sealed with cv=fail as section 5.1.2 says, one with 50 sets
 * not at all. `results`: "mx.example.org; spf=pass ..." (results.h), without the field's name.
 * A chain that ends with cv=fail already is left alone: nothing is appended, and that is success.
 * Errors: ERROR_LIMIT for too many sets or fields, ERROR_TEMPORARY for a verdict that is,
 * ERROR_INVALID for one that is on another chain. */
bool arc_seal(const struct dkim_signer *signer, const struct arc_verdict *incoming,
              struct slice results, struct slice header, struct slice body, struct buf *fields_out,
              struct error *err) MUST_CHECK;
