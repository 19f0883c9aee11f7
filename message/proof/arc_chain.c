/* arc_chain.c - collects the ARC sets of a header. */
#include "message/proof/arc_private.h"

/* Comments, nested, and blanks (RFC 5322 section 3.2.2). */
static void skip_blanks(struct slice *rest)
{
    size_t at = 0, depth = 0;

    for (; at < rest->len; at++) {
        char c = rest->data[at];

        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            at++;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *rest = slice_from(*rest, at);
}

static bool take(struct slice *rest, char c)
{
    skip_blanks(rest);
    if (rest->len == 0 || rest->data[0] != c)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* "i=N;" in front of Authentication-Results (RFC 8617 section 4.1.1); 0: it is not there. */
static unsigned take_instance(struct slice *rest)
{
    uint64_t number = 0;
    size_t digits = 0;

    if (!take(rest, 'i') || !take(rest, '='))
        return 0;
    skip_blanks(rest);
    while (digits < rest->len && rest->data[digits] >= '0' && rest->data[digits] <= '9')
        digits++;
    if (!slice_number(slice_part(*rest, 0, digits), ARC_SETS_MAX, &number))
        return 0;
    *rest = slice_from(*rest, digits);
    return take(rest, ';') ? (unsigned)number : 0;
}

static void complain(struct arc_chain *chain, const char *problem)
{
    if (chain->problem == NULL)
        chain->problem = problem;
}

/* The set of an instance, which counts; NULL when there is none of that number. */
static struct arc_set *set_of(struct arc_chain *chain, unsigned instance)
{
    if (instance == 0 || instance > ARC_SETS_MAX) {
        complain(chain, "a field without a good instance");
        return NULL;
    }
    chain->count = MAX(chain->count, instance);
    return &chain->sets[instance - 1];
}

static void claim(struct arc_chain *chain, bool *has)
{
    if (*has)
        complain(chain, "two fields of a kind in one set");
    *has = true;
}

static void collect_results(struct arc_chain *chain, const struct header_field *field)
{
    struct slice rest = field->value;
    struct arc_set *set = set_of(chain, take_instance(&rest));

    if (set == NULL)
        return;
    claim(chain, &set->has_results);
    set->results = *field;
    set->payload = slice_trim(rest);
}

static void collect_signed(struct arena *arena, struct arc_chain *chain,
                           const struct header_field *field, enum signed_kind kind, int64_t now_s)
{
    struct signed_field s;
    bool good = signed_parse(arena, field, kind, now_s, &s);
    struct arc_set *set = set_of(chain, s.instance);

    if (set == NULL)
        return;
    if (kind == SIGNED_MESSAGE) {
        claim(chain, &set->has_message);
        set->message = s;
        return;
    }
    claim(chain, &set->has_seal);
    set->seal = s;
    if (!good)
        complain(chain, s.reason);
}

/* Section 5.2 step 3, with step 2 as the first question. */
static void check_structure(struct arc_chain *chain)
{
    if (arc_has_ended(chain)) {
        chain->problem = "the chain has failed before";
        return;
    }
    for (unsigned i = 0; i < chain->count; i++) {
        const struct arc_set *set = &chain->sets[i];

        if (!set->has_results || !set->has_message || !set->has_seal)
            complain(chain, "a field of a set is missing");
        else if (!slice_equal(set->seal.chain, i == 0 ? SLICE("none") : SLICE("pass")))
            complain(chain, "cv= is not what its place asks for");
    }
}

bool arc_has_ended(const struct arc_chain *chain)
{
    return chain->count > 0 && slice_equal(chain->sets[chain->count - 1].seal.chain, SLICE("fail"));
}

void arc_collect(struct arena *arena, const struct field_index *index, int64_t now_s,
                 struct arc_chain *chain_out)
{
    *chain_out = (struct arc_chain){ 0 };
    for (size_t i = 0; i < index->count; i++) {
        const struct header_field *field = &index->fields[i].field;

        if (slice_is(field->name, "ARC-Authentication-Results"))
            collect_results(chain_out, field);
        else if (slice_is(field->name, "ARC-Message-Signature"))
            collect_signed(arena, chain_out, field, SIGNED_MESSAGE, now_s);
        else if (slice_is(field->name, "ARC-Seal"))
            collect_signed(arena, chain_out, field, SIGNED_SEAL, now_s);
    }
    check_structure(chain_out);
    if (chain_out->count > 0 || chain_out->problem != NULL) {
        if (index->is_cut)
            chain_out->problem = "too many fields in the header";
        else if (index->is_broken)
            chain_out->problem = "a line of the header is no field";
    }
}

void arc_canon_set(struct canon *canon, const struct arc_set *set, bool whole)
{
    canon_field(canon, &set->results, true);
    canon_field(canon, &set->message.field, true);
    if (whole)
        canon_field(canon, &set->seal.field, true);
}
