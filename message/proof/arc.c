/* arc.c - verifies the Authenticated Received Chain (RFC 8617 section 5.2).
 *
 * The newest set comes first, alone: only when its two signatures are good are the keys of older
 * ones asked for, so that a made-up chain costs two lookups and not a hundred.
 */
#include "message/proof/arc_private.h"

#include <stdlib.h>

struct arc_verifier {
    struct arena arena;
    struct field_index index;
    struct body_hashes bodies;
    struct arc_chain chain;
    bool is_newest_good, is_settled;
    struct arc_verdict verdict;
};

static void fail(struct arc_verifier *verifier, const char *reason, bool temporary)
{
    verifier->is_settled = true;
    verifier->verdict.result = ARC_FAIL;
    verifier->verdict.reason = reason;
    verifier->verdict.temporary = temporary;
}

/* A seal covers all sets up to its own (section 5.1.1). */
static void hash_seal(struct arc_chain *chain, unsigned at)
{
    struct signed_field *seal = &chain->sets[at].seal;
    struct canon canon;

    canon_init(&canon);
    for (unsigned i = 0; i <= at; i++)
        arc_canon_set(&canon, &chain->sets[i], i < at);
    canon_signature(&canon, &seal->field, seal->hole, true);
    canon_end(&canon, seal->hash);
}

static void hash_set(struct arc_verifier *verifier, unsigned at)
{
    struct signed_field *message = &verifier->chain.sets[at].message;

    if (!message->is_settled)
        (void)!signed_hash(message, &verifier->index, &verifier->bodies);
    if (!verifier->chain.sets[at].seal.is_settled)
        hash_seal(&verifier->chain, at);
}

struct arc_verifier *arc_verifier_new(struct slice header, struct slice body, int64_t now_s)
{
    struct arc_verifier *verifier = NEW(struct arc_verifier);
    struct arc_chain *chain = &verifier->chain;
    struct arc_verdict *verdict = &verifier->verdict;

    verifier->bodies.body = body;
    index_make(&verifier->arena, header, &verifier->index);
    arc_collect(&verifier->arena, &verifier->index, now_s, chain);
    verdict->sets = chain->count;
    if (chain->count > 0) {
        verdict->sealer = chain->sets[chain->count - 1].seal.domain;
        verdict->results = chain->sets[chain->count - 1].payload;
    }
    if (chain->problem != NULL)
        fail(verifier, chain->problem, false);
    else if (chain->count == 0)
        verifier->is_settled = true; /* as ARC_NONE */
    else
        hash_set(verifier, chain->count - 1);
    return verifier;
}

void arc_verifier_free(struct arc_verifier **verifier)
{
    if (*verifier == NULL)
        return;
    arena_free(&(*verifier)->arena);
    free(*verifier);
    *verifier = NULL;
}

/* Settles both signatures of a set; false: an answer is missing. Asks for both keys at once. */
static bool check_set(struct arc_set *set, struct dns_table *table)
{
    bool message = set->message.is_settled || signed_check(&set->message, table);
    bool seal = set->seal.is_settled || signed_check(&set->seal, table);

    return message && seal;
}

/* Fails the chain unless the signature is good. */
static bool is_good(struct arc_verifier *verifier, const struct signed_field *s)
{
    if (s->result == DKIM_PASS)
        return true;
    /* what is wrong for ever outweighs what may be right later */
    if (!verifier->is_settled || verifier->verdict.temporary)
        fail(verifier, s->reason, s->result == DKIM_TEMPERROR);
    return false;
}

static bool check_newest(struct arc_verifier *verifier, struct dns_table *table)
{
    unsigned count = verifier->chain.count;
    struct arc_set *newest = &verifier->chain.sets[count - 1];

    if (!check_set(newest, table))
        return false;
    verifier->is_newest_good = is_good(verifier, &newest->message);
    verifier->is_newest_good = is_good(verifier, &newest->seal) && verifier->is_newest_good;
    for (unsigned i = 0; verifier->is_newest_good && i + 1 < count; i++)
        hash_set(verifier, i);
    return true;
}

/* Section 5.2 step 5. */
static unsigned oldest_pass(const struct arc_chain *chain)
{
    unsigned oldest = chain->count;

    while (oldest > 1 && chain->sets[oldest - 2].message.result == DKIM_PASS)
        oldest--;
    return oldest == 1 ? 0 : oldest;
}

static bool check_older(struct arc_verifier *verifier, struct dns_table *table)
{
    struct arc_chain *chain = &verifier->chain;
    bool complete = true;

    for (unsigned i = 0; i + 1 < chain->count; i++)
        complete = check_set(&chain->sets[i], table) && complete;
    if (!complete)
        return false;
    for (unsigned i = 0; i + 1 < chain->count; i++)
        (void)is_good(verifier, &chain->sets[i].seal);
    if (verifier->is_settled)
        return true;
    verifier->is_settled = true;
    verifier->verdict.result = ARC_PASS;
    verifier->verdict.oldest_pass = oldest_pass(chain);
    return true;
}

bool arc_verify(struct arc_verifier *verifier, struct dns_table *table,
                struct arc_verdict *verdict_out)
{
    if (!verifier->is_settled && !verifier->is_newest_good && !check_newest(verifier, table))
        return false;
    if (!verifier->is_settled && !check_older(verifier, table))
        return false;
    *verdict_out = verifier->verdict;
    return true;
}

const char *arc_result_name(enum arc_result result)
{
    switch (result) {
    case ARC_NONE:
        return "none";
    case ARC_PASS:
        return "pass";
    case ARC_FAIL:
        return "fail";
    }
    abort();
}
