/* dkim.c - verifies the DKIM signatures of a message: all hashes first, then key by key. */
#include "message/proof/dkim_private.h"

#include <stdlib.h>

struct dkim_verifier {
    struct arena arena;
    struct signed_field signatures[DKIM_SIGNATURES_MAX];
    struct dkim_verdict verdicts[DKIM_SIGNATURES_MAX];
    size_t count;
};

/* i=, or what stands for it (section 3.5). */
static struct slice identity_of(struct arena *arena, const struct signed_field *s)
{
    char *text;

    if (s->identity.len > 0 || s->domain.len == 0)
        return s->identity;
    text = arena_alloc(arena, s->domain.len + 1);
    text[0] = '@';
    memcpy(text + 1, s->domain.data, s->domain.len);
    return slice_make(text, s->domain.len + 1);
}

static void add_signature(struct dkim_verifier *verifier, const struct header_field *field,
                          struct field_index *index, struct body_hashes *bodies, int64_t now_s)
{
    struct signed_field *s = &verifier->signatures[verifier->count];
    struct dkim_verdict *verdict = &verifier->verdicts[verifier->count++];

    if (signed_parse(&verifier->arena, field, SIGNED_DKIM, now_s, s))
        (void)!signed_hash(s, index, bodies);
    verdict->domain = s->domain;
    verdict->selector = s->selector;
    verdict->identity = identity_of(&verifier->arena, s);
    verdict->algorithm = s->algorithm_name;
    verdict->start = s->start;
}

struct dkim_verifier *dkim_verifier_new(struct slice header, struct slice body, int64_t now_s)
{
    struct dkim_verifier *verifier = NEW(struct dkim_verifier);
    struct body_hashes bodies = { .body = body };
    struct field_index index;

    index_make(&verifier->arena, header, &index);
    for (size_t i = 0; i < index.count && verifier->count < DKIM_SIGNATURES_MAX; i++)
        if (slice_is(index.fields[i].field.name, "DKIM-Signature"))
            add_signature(verifier, &index.fields[i].field, &index, &bodies, now_s);
    return verifier;
}

void dkim_verifier_free(struct dkim_verifier **verifier)
{
    if (*verifier == NULL)
        return;
    arena_free(&(*verifier)->arena);
    free(*verifier);
    *verifier = NULL;
}

bool dkim_verify(struct dkim_verifier *verifier, struct dns_table *table,
                 const struct dkim_verdict **verdicts_out, size_t *count_out)
{
    bool complete = true;

    for (size_t i = 0; i < verifier->count; i++) {
        struct signed_field *s = &verifier->signatures[i];

        if (!s->is_settled && !signed_check(s, table))
            complete = false; /* the others may miss something too: all is fetched at once */
        verifier->verdicts[i].result = s->result;
        verifier->verdicts[i].reason = s->reason;
        verifier->verdicts[i].is_test = s->is_test;
    }
    *verdicts_out = verifier->verdicts;
    *count_out = verifier->count;
    return complete;
}

const char *dkim_result_name(enum dkim_result result)
{
    switch (result) {
    case DKIM_NONE:
        return "none";
    case DKIM_PASS:
        return "pass";
    case DKIM_FAIL:
        return "fail";
    case DKIM_POLICY:
        return "policy";
    case DKIM_NEUTRAL:
        return "neutral";
    case DKIM_TEMPERROR:
        return "temperror";
    case DKIM_PERMERROR:
        return "permerror";
    }
    abort();
}
