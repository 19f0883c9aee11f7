/* dkim_sign.c - signs messages (RFC 6376 section 5), relaxed/relaxed.
 *
 * The field is written up to "b=", hashed as a verifier will hash it, and completed.
 */
#include "message/proof/dkim_private.h"

#include "common/codec.h"

#define LINE_MAX_LEN   72
#define SIGN_NAMES_MAX 200 /* in h=; a verifier has its limits too */

/* What is signed when it is there (section 5.4.1), and what is signed once more than it is there,
 * so that nobody can add one. Lists and resenders may add theirs. */
static const struct {
    const char *name;
    bool is_sealed;
} signable[] = {
    { "From", true },
    { "Sender", true },
    { "Reply-To", true },
    { "Subject", true },
    { "Date", true },
    { "Message-ID", true },
    { "To", true },
    { "Cc", true },
    { "In-Reply-To", true },
    { "References", true },
    { "MIME-Version", true },
    { "Content-Type", true },
    { "Content-Transfer-Encoding", true },
    { "Content-Disposition", false },
    { "Content-ID", false },
    { "Content-Description", false },
    { "Content-Language", false },
    { "Resent-Date", false },
    { "Resent-From", false },
    { "Resent-Sender", false },
    { "Resent-To", false },
    { "Resent-Cc", false },
    { "Resent-Message-ID", false },
    { "List-Id", false },
    { "List-Help", false },
    { "List-Unsubscribe", false },
    { "List-Unsubscribe-Post", false },
    { "List-Subscribe", false },
    { "List-Post", false },
    { "List-Owner", false },
    { "List-Archive", false },
    { "Autocrypt", false },
    { "Feedback-ID", false },
};

/* Begins a new line when the next word would make this one too long. */
static void add_folded(struct buf *out, struct slice word, size_t *column)
{
    if (*column + word.len > LINE_MAX_LEN) {
        buf_add_text(out, "\r\n\t");
        *column = 8;
    }
    buf_add_slice(out, word);
    *column += word.len;
}

static void add_names(struct buf *out, struct slice name, size_t times, size_t *column)
{
    for (; times > 0; times--) {
        if (out->len > 0)
            add_folded(out, SLICE(":"), column);
        add_folded(out, name, column);
    }
}

bool sign_names(const struct field_index *index, bool with_signatures, struct buf *names_out,
                struct error *err)
{
    size_t column = 10, total = 0;
    struct slice signatures = SLICE("DKIM-Signature");

    if (index->is_broken)
        return error_set(err, ERROR_INVALID, "a line of the header is no field");
    for (size_t i = 0; i < COUNT_OF(signable); i++) {
        struct slice name = slice_of(signable[i].name);
        size_t times = index_count(index, name) + signable[i].is_sealed;

        total += times;
        if (total > SIGN_NAMES_MAX || index->is_cut)
            return error_set(err, ERROR_LIMIT, "too many fields to sign");
        add_names(names_out, name, times, &column);
    }
    if (with_signatures)
        add_names(names_out, signatures, MIN(index_count(index, signatures), DKIM_SIGNATURES_MAX),
                  &column);
    return true;
}

bool sign_hash(const struct dkim_signer *signer, const unsigned char hash[DKIM_HASH_SIZE],
               struct buf *out, struct error *err)
{
    AUTO(buf_free) struct buf signature = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    size_t column = 10;

    if (private_key_algorithm(signer->key) != signer->algorithm)
        return error_set(err, ERROR_INVALID, "the key is of another algorithm");
    if (!signature_make(signer->key, slice_make(hash, DKIM_HASH_SIZE), &signature, err))
        return false;
    base64_encode(buf_slice(&signature), &text);
    for (size_t at = 0; at < text.len;) {
        struct slice line = slice_part(buf_slice(&text), at, LINE_MAX_LEN - column);

        add_folded(out, line, &column);
        at += line.len;
        if (at < text.len)
            buf_add_text(out, "\r\n\t");
        column = 8;
    }
    return true;
}

bool sign_field(const struct dkim_signer *signer, struct field_index *index, struct slice names,
                struct buf *field, struct error *err)
{
    struct slice rest = buf_slice(field), name;
    unsigned char hash[DKIM_HASH_SIZE];
    struct header_field own;
    struct canon canon;

    if (!header_next(&rest, &own) || rest.len > 0)
        return error_set(err, ERROR_INVALID, "not one field: line ends in domain or selector");
    index_begin(index);
    canon_init(&canon);
    while (tag_item(&names, &name)) {
        const struct header_field *signed_one = index_take(index, name, &own);

        if (signed_one != NULL)
            canon_field(&canon, signed_one, true);
    }
    canon_signature(&canon, &own, slice_from(own.value, own.value.len), true);
    canon_end(&canon, hash);
    if (!sign_hash(signer, hash, field, err))
        return false;
    buf_add_text(field, "\r\n");
    return true;
}

void sign_tags(const struct dkim_signer *signer, struct buf *out)
{
    buf_fmt(out, "a=%s-sha256;\r\n\td=" SLICE_FMT "; s=" SLICE_FMT "; t=%lld;",
            signer->algorithm == SIGNATURE_ED25519_SHA256 ? "ed25519" : "rsa",
            SLICE_ARG(signer->domain), SLICE_ARG(signer->selector), (long long)signer->now_s);
    if (signer->expires_s > 0)
        buf_fmt(out, " x=%lld;", (long long)signer->expires_s);
}

void dkim_body_hash(struct slice body, unsigned char hash_out[32])
{
    canon_body(body, true, hash_out);
}

bool dkim_sign_hashed(const struct dkim_signer *signer, struct slice header,
                      const unsigned char body_hash[32], struct buf *field_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf names = { 0 };
    AUTO(buf_free) struct buf field = { 0 };
    struct field_index index;

    index_make(&arena, header, &index);
    if (!sign_names(&index, false, &names, err))
        return false;
    buf_add_text(&field, "DKIM-Signature: v=1; c=relaxed/relaxed; ");
    sign_tags(signer, &field);
    buf_add_text(&field, "\r\n\th=");
    buf_add_slice(&field, buf_slice(&names));
    buf_add_text(&field, ";\r\n\tbh=");
    base64_encode(slice_make(body_hash, DKIM_HASH_SIZE), &field);
    buf_add_text(&field, ";\r\n\tb=");
    if (!sign_field(signer, &index, buf_slice(&names), &field, err))
        return error_wrap(err, "signing for " SLICE_FMT, SLICE_ARG(signer->domain));
    buf_move(field_out, &field);
    return true;
}

bool dkim_sign(const struct dkim_signer *signer, struct slice header, struct slice body,
               struct buf *field_out, struct error *err)
{
    unsigned char hash[DKIM_HASH_SIZE];

    dkim_body_hash(body, hash);
    return dkim_sign_hashed(signer, header, hash, field_out, err);
}
