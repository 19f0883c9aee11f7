/* dkim_key.c - the key records of DKIM (RFC 6376 section 3.6.1, RFC 8463 section 4). */
#include "message/proof/dkim_private.h"

#include "common/codec.h"

void dkim_key_free(struct dkim_key *key)
{
    buf_free(&key->bytes);
}

static struct slice value_of(const struct tag_list *list, const char *tag, const char *otherwise)
{
    const struct tag *found = tag_find(list, tag);

    return found != NULL ? found->value : slice_of(otherwise);
}

/* v= need not be there; if it is, it comes first. */
static bool has_version(const struct tag_list *list)
{
    const struct tag *version = tag_find(list, "v");

    return version == NULL ||
           (version == &list->tags[0] && slice_equal(version->value, SLICE("DKIM1")));
}

static const char *read_key_type(struct slice type, struct dkim_key *key)
{
    key->is_ed25519 = slice_equal(type, SLICE("ed25519"));
    return key->is_ed25519 || slice_equal(type, SLICE("rsa")) ? NULL : "unknown key type";
}

static const char *read_key_bytes(const struct tag_list *list, struct dkim_key *key)
{
    const struct tag *data = tag_find(list, "p");

    if (data == NULL)
        return "key record without p=";
    if (data->value.len == 0)
        return "key revoked";
    return tag_base64(data->value, &key->bytes) ? NULL : "p= is not base64";
}

/* In the order of section 6.1.2. */
const char *dkim_key_parse(struct slice text, struct dkim_key *key_out)
{
    struct tag_list list;
    struct slice services, flags;
    const char *problem;

    *key_out = (struct dkim_key){ 0 };
    if (!tag_list_parse(text, &list))
        return "key record is not a list of tags";
    if (!has_version(&list))
        return "key record of another version";
    services = value_of(&list, "s", "*");
    if (!tag_has_item(services, "*") && !tag_has_item(services, "email"))
        return "key is not for mail";
    if (!tag_has_item(value_of(&list, "h", "sha256"), "sha256"))
        return "key is not for sha256";
    problem = read_key_bytes(&list, key_out);
    if (problem == NULL)
        problem = read_key_type(value_of(&list, "k", "rsa"), key_out);
    flags = value_of(&list, "t", "");
    key_out->is_test = tag_has_item(flags, "y");
    key_out->is_strict = tag_has_item(flags, "s");
    return problem;
}

bool dkim_key_record(const struct private_key *key, enum signature_algorithm algorithm,
                     struct buf *out, struct error *err)
{
    AUTO(buf_free) struct buf bytes = { 0 };

    if (private_key_algorithm(key) != algorithm)
        return error_set(err, ERROR_INVALID, "the key is of another algorithm");
    if (!private_key_public(key, &bytes, err))
        return error_wrap(err, "printing a key record");
    buf_fmt(out, "v=DKIM1; k=%s; p=", algorithm == SIGNATURE_ED25519_SHA256 ? "ed25519" : "rsa");
    base64_encode(buf_slice(&bytes), out);
    return true;
}
