/* dkim_check.c - is a signature right? Its hashes, then its key (RFC 6376 section 6.1).
 *
 * A key is asked for only when the body's hash is right: whoever makes up signatures causes no
 * lookups.
 */
#include "message/proof/dkim_private.h"

#include <stdlib.h>

/* --- hashes --- */

static bool check_body(struct signed_field *s, struct body_hashes *bodies)
{
    size_t form = s->relaxed_body;

    if (!bodies->made[form].is_made)
        bodies->made[form].length =
            canon_body(bodies->body, s->relaxed_body, bodies->made[form].hash);
    bodies->made[form].is_made = true;
    if (s->has_length && s->length > bodies->made[form].length)
        return settle(s, DKIM_PERMERROR, "l= is larger than the body");
    if (s->has_length && s->length < bodies->made[form].length)
        return settle(s, DKIM_POLICY, "l= leaves a part of the body unsigned");
    if (!slice_equal(s->body_hash, slice_make(bodies->made[form].hash, DKIM_HASH_SIZE)))
        return settle(s, DKIM_FAIL, "body hash did not verify");
    return true;
}

bool signed_hash(struct signed_field *s, struct field_index *index, struct body_hashes *bodies)
{
    struct slice rest = s->names, name;
    struct canon canon;

    if (index->is_cut)
        return settle(s, DKIM_PERMERROR, "too many fields in the header");
    if (index->is_broken)
        return settle(s, DKIM_PERMERROR, "a line of the header is no field");
    if (!check_body(s, bodies))
        return false;
    index_begin(index);
    canon_init(&canon);
    while (tag_item(&rest, &name)) {
        const struct header_field *field = index_take(index, name, &s->field);

        if (field != NULL)
            canon_field(&canon, field, s->relaxed_header);
    }
    canon_signature(&canon, &s->field, s->hole, s->relaxed_header);
    canon_end(&canon, s->hash);
    /* Else a reader might be shown a From that nobody has signed (section 8.15). */
    if (!index_all_taken(index, SLICE("From")))
        return settle(s, DKIM_FAIL, "a From field is not signed");
    return true;
}

/* --- keys --- */

static bool is_strict_mismatch(const struct signed_field *s)
{
    return s->identity.len > 0 && !slice_equal_case(s->identity_host, s->domain);
}

static bool check_signature(struct signed_field *s, const struct dkim_key *key)
{
    switch (signature_check(s->algorithm, buf_slice(&key->bytes),
                            slice_make(s->hash, DKIM_HASH_SIZE), s->signature)) {
    case SIGNATURE_GOOD:
        settle(s, DKIM_PASS, NULL);
        return true;
    case SIGNATURE_WRONG:
        return settle(s, DKIM_FAIL, "signature did not verify");
    case SIGNATURE_BAD_KEY:
        return settle(s, DKIM_PERMERROR, "p= is no key of its type");
    case SIGNATURE_WEAK_KEY:
        return settle(s, DKIM_POLICY, "key has under 1024 bits");
    }
    abort();
}

/* With one of the records of a selector; true when the signature is good. */
static bool check_record(struct signed_field *s, struct slice text)
{
    AUTO(dkim_key_free) struct dkim_key key = { 0 };
    const char *problem = dkim_key_parse(text, &key);

    s->is_test = key.is_test;
    if (problem != NULL)
        return settle(s, DKIM_PERMERROR, problem);
    if (key.is_ed25519 != (s->algorithm == SIGNATURE_ED25519_SHA256))
        return settle(s, DKIM_PERMERROR, "key is of another algorithm");
    if (key.is_strict && is_strict_mismatch(s))
        return settle(s, DKIM_PERMERROR, "i= is not d=, as the key asks");
    return check_signature(s, &key);
}

/* Section 6.1.2 step 4 leaves it open which of several records counts; with one that fits, the
 * signature has failed, whatever is wrong with others. */
static void check_records(struct signed_field *s, const struct dns_answer *answer)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct signed_field best = { 0 };

    settle(&best, DKIM_PERMERROR, "no key for signature");
    for (size_t i = 0; i < answer->count && i < DKIM_RECORDS_MAX; i++) {
        struct slice text;

        if (!dns_text(&arena, answer->records[i], &text))
            continue;
        if (check_record(s, text))
            return;
        if (best.result != DKIM_FAIL)
            best = *s;
    }
    s->is_test = best.is_test;
    settle(s, best.result, best.reason);
}

bool signed_check(struct signed_field *s, struct dns_table *table)
{
    AUTO(buf_free) struct buf name = { 0 };
    const struct dns_answer *answer;

    buf_add_slice(&name, s->selector);
    buf_add_text(&name, "._domainkey.");
    buf_add_slice(&name, s->domain);
    answer = dns_get(table, buf_slice(&name), DNS_TXT);
    if (answer == NULL)
        return false;
    switch (answer->state) {
    case DNS_FOUND:
        check_records(s, answer);
        return true;
    case DNS_NOTHING:
    case DNS_NO_NAME:
        settle(s, DKIM_PERMERROR, "no key for signature");
        return true;
    case DNS_FAILED:
        settle(s, DKIM_TEMPERROR, "key unavailable");
        return true;
    case DNS_MISSING:
        break;
    }
    abort();
}
