/* arc_seal.c - adds the next set to the chain (RFC 8617 section 5.1). */
#include "message/proof/arc_private.h"

#include "common/codec.h"

/* A field that is being written, as a verifier will find it. */
static bool read_back(const struct buf *text, struct header_field *field_out, struct error *err)
{
    struct slice rest = buf_slice(text);

    if (!header_next(&rest, field_out) || rest.len > 0)
        return error_set(err, ERROR_INVALID, "not one field: line ends in results or names");
    return true;
}

static bool print_message_signature(const struct dkim_signer *signer, unsigned instance,
                                    struct field_index *index, struct slice body, struct buf *out,
                                    struct error *err)
{
    AUTO(buf_free) struct buf names = { 0 };
    unsigned char hash[DKIM_HASH_SIZE];

    if (!sign_names(index, true, &names, err))
        return false;
    dkim_body_hash(body, hash);
    buf_fmt(out, "ARC-Message-Signature: i=%u; c=relaxed/relaxed; ", instance);
    sign_tags(signer, out);
    buf_add_text(out, "\r\n\th=");
    buf_add_slice(out, buf_slice(&names));
    buf_add_text(out, ";\r\n\tbh=");
    base64_encode(slice_make(hash, DKIM_HASH_SIZE), out);
    buf_add_text(out, ";\r\n\tb=");
    return sign_field(signer, index, buf_slice(&names), out, err);
}

/* `set`: the new one, without its seal. A failed chain is not covered (section 5.1.2). */
static bool print_seal(const struct dkim_signer *signer, const struct arc_chain *chain,
                       enum arc_result result, const struct arc_set *set, struct buf *out,
                       struct error *err)
{
    struct dkim_signer sealer = *signer;
    unsigned char hash[DKIM_HASH_SIZE];
    struct header_field own;
    struct canon canon;

    sealer.expires_s = 0; /* a seal has no x= (section 4.1.3) */
    buf_fmt(out, "ARC-Seal: i=%u; cv=%s; ", chain->count + 1, arc_result_name(result));
    sign_tags(&sealer, out);
    buf_add_text(out, "\r\n\tb=");
    if (!read_back(out, &own, err))
        return false;
    canon_init(&canon);
    for (unsigned i = 0; result == ARC_PASS && i < chain->count; i++)
        arc_canon_set(&canon, &chain->sets[i], true);
    arc_canon_set(&canon, set, false);
    canon_signature(&canon, &own, slice_from(own.value, own.value.len), true);
    canon_end(&canon, hash);
    if (!sign_hash(&sealer, hash, out, err))
        return false;
    buf_add_text(out, "\r\n");
    return true;
}

/* Whether the verdict can be about this chain, and another set can be added. */
static bool may_seal(const struct arc_chain *chain, const struct arc_verdict *incoming,
                     struct error *err)
{
    if (incoming->result == ARC_FAIL && incoming->temporary)
        return error_set(err, ERROR_TEMPORARY, "the chain could not be verified yet");
    if (incoming->sets != chain->count ||
        (incoming->result != ARC_FAIL && chain->problem != NULL) ||
        (incoming->result == ARC_NONE) != (chain->count == 0 && chain->problem == NULL))
        return error_set(err, ERROR_INVALID, "the verdict is on another chain");
    if (chain->count >= ARC_SETS_MAX)
        return error_set(err, ERROR_LIMIT, "the chain has %d sets", ARC_SETS_MAX);
    return true;
}

static bool print_set(const struct dkim_signer *signer, struct arc_chain *chain,
                      enum arc_result result, struct slice results, struct field_index *index,
                      struct slice body, struct buf *fields_out, struct error *err)
{
    AUTO(buf_free) struct buf results_text = { 0 };
    AUTO(buf_free) struct buf message_text = { 0 };
    AUTO(buf_free) struct buf seal_text = { 0 };
    struct arc_set set = { 0 };

    buf_fmt(&results_text, "ARC-Authentication-Results: i=%u; ", chain->count + 1);
    buf_add_slice(&results_text, results);
    buf_add_text(&results_text, "\r\n");
    if (!read_back(&results_text, &set.results, err) ||
        !print_message_signature(signer, chain->count + 1, index, body, &message_text, err) ||
        !read_back(&message_text, &set.message.field, err) ||
        !print_seal(signer, chain, result, &set, &seal_text, err))
        return error_wrap(err, "sealing for " SLICE_FMT, SLICE_ARG(signer->domain));
    buf_move(fields_out, &seal_text);
    buf_move(fields_out, &message_text);
    buf_move(fields_out, &results_text);
    return true;
}

bool arc_seal(const struct dkim_signer *signer, const struct arc_verdict *incoming,
              struct slice results, struct slice header, struct slice body, struct buf *fields_out,
              struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct arc_chain *chain = ARENA_NEW(&arena, struct arc_chain);
    struct field_index index;

    index_make(&arena, header, &index);
    arc_collect(&arena, &index, signer->now_s, chain);
    if (arc_has_ended(chain))
        return true;
    return may_seal(chain, incoming, err) &&
           print_set(signer, chain, incoming->result, results, &index, body, fields_out, err);
}
