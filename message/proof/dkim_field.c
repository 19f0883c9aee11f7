/* dkim_field.c - reads the tags of DKIM-Signature, ARC-Message-Signature and ARC-Seal (RFC 6376
 * section 3.5, RFC 8617 section 4.1).
 *
 * A table says which tag must be in which field, and who reads it.
 */
#include "message/proof/dkim_private.h"

#include "message/proof/arc.h"
#include "message/proof/domain.h"

#define START_SIZE  8 /* of b=; RFC 6008 section 3 */
#define NUMBER_SIZE 12
#define NAME_SIZE   253
#define LENGTH_SIZE 76
#define IN_DKIM     (1u << SIGNED_DKIM)
#define IN_MESSAGE  (1u << SIGNED_MESSAGE)
#define IN_SEAL     (1u << SIGNED_SEAL)
#define EVERYWHERE  (IN_DKIM | IN_MESSAGE | IN_SEAL)
#define WITH_BODY   (IN_DKIM | IN_MESSAGE)

bool settle(struct signed_field *s, enum dkim_result result, const char *reason)
{
    s->is_settled = true;
    s->result = result;
    s->reason = reason;
    return false;
}

static bool bad(struct signed_field *s, const char *reason)
{
    return settle(s, DKIM_NEUTRAL, reason);
}

struct reading {
    struct arena *arena;
    struct signed_field *s;
    struct slice value;
    const struct tag *tag;
    int64_t now_s;
};

static bool read_version(struct reading *r)
{
    if (r->s->kind != SIGNED_DKIM || slice_equal(r->value, SLICE("1")))
        return true; /* RFC 8617 section 4.1.2 knows no version */
    return bad(r->s, "unknown version");
}

static const struct {
    const char *name;
    enum signature_algorithm algorithm;
} algorithms[] = {
    { "rsa-sha256", SIGNATURE_RSA_SHA256 },
    { "ed25519-sha256", SIGNATURE_ED25519_SHA256 },
    { "rsa-sha1", SIGNATURE_RSA_SHA1 },
};

static bool read_algorithm(struct reading *r)
{
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        if (!slice_equal(r->value, slice_of(algorithms[i].name)))
            continue;
        r->s->algorithm = algorithms[i].algorithm;
        return true;
    }
    return bad(r->s, "unknown algorithm");
}

/* Letters, digits, hyphens, and the underscores that are found: no label is empty or begins or
 * ends with a hyphen. */
static bool is_domain(struct slice name, size_t labels_min)
{
    struct slice rest = name, label;
    size_t labels = 0;

    if (name.len > NAME_SIZE || name.len == 0 || name.data[name.len - 1] == '.')
        return false;
    for (; slice_split(&rest, '.', &label); labels++) {
        if (label.len == 0 || label.len > 63 || label.data[0] == '-' ||
            label.data[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++) {
            char c = label.data[i];

            if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
                c != '-' && c != '_')
                return false;
        }
    }
    return labels >= labels_min;
}

/* As A-labels: internationalized mail may have U-labels here (RFC 8616 section 4). What is none
 * stays as it is, and is no domain. */
static struct slice to_ascii(struct arena *arena, struct slice name)
{
    struct slice ascii_name;

    if (slice_is_ascii(name))
        return name;
    ascii_name = domain_to_ascii(arena, name);
    return ascii_name.len > 0 ? ascii_name : name;
}

static bool read_domain(struct reading *r)
{
    return is_domain(r->s->domain, 2) || bad(r->s, "d= is no domain");
}

static bool read_selector(struct reading *r)
{
    return is_domain(r->s->selector, 1) || bad(r->s, "s= is no selector");
}

static bool read_base64(struct reading *r, struct slice *out)
{
    AUTO(buf_free) struct buf bytes = { 0 };

    if (!tag_base64(r->value, &bytes) || bytes.len == 0)
        return false;
    *out = slice_copy(r->arena, buf_slice(&bytes));
    return true;
}

/* The first characters, without the blanks that may be between them. */
static struct slice read_start(struct arena *arena, struct slice value)
{
    char *text = arena_alloc(arena, START_SIZE);
    size_t len = 0;

    for (size_t i = 0; i < value.len && len < START_SIZE; i++)
        if ((unsigned char)value.data[i] > ' ')
            text[len++] = value.data[i];
    return slice_make(text, len);
}

static bool read_signature(struct reading *r)
{
    r->s->hole = r->tag->whole;
    return read_base64(r, &r->s->signature) || bad(r->s, "b= is not base64");
}

static bool read_body_hash(struct reading *r)
{
    return read_base64(r, &r->s->body_hash) || bad(r->s, "bh= is not base64");
}

static bool read_canonical(struct slice name, bool *relaxed_out)
{
    *relaxed_out = slice_equal(name, SLICE("relaxed"));
    return *relaxed_out || slice_equal(name, SLICE("simple"));
}

static bool read_canonicals(struct reading *r)
{
    struct slice rest = r->value, header = { 0 };

    slice_split(&rest, '/', &header);
    r->s->relaxed_body = false;
    if (!read_canonical(header, &r->s->relaxed_header) ||
        (header.len != r->value.len && !read_canonical(rest, &r->s->relaxed_body)))
        return bad(r->s, "unknown canonicalization");
    return true;
}

/* From must be signed (section 5.4); a seal must not be (RFC 8617 section 4.1.2: loops). */
static bool read_names(struct reading *r)
{
    struct slice rest = r->value, name;
    bool from = false;
    size_t count = 0;

    if (r->s->kind == SIGNED_SEAL)
        return bad(r->s, "h= in a seal");
    for (; tag_item(&rest, &name); count++) {
        from = from || slice_is(name, "From");
        if (r->s->kind == SIGNED_MESSAGE && slice_is(name, "ARC-Seal"))
            return bad(r->s, "h= names ARC-Seal");
    }
    if (count > DKIM_NAMES_MAX)
        return bad(r->s, "too many names in h=");
    r->s->names = r->value;
    return from || settle(r->s, DKIM_PERMERROR, "From is not signed");
}

/* Whether a host is the domain or below it. */
static bool is_below(struct slice host, struct slice domain)
{
    size_t more = host.len - domain.len;

    if (host.len < domain.len || !slice_equal_case(slice_from(host, more), domain))
        return false;
    return more == 0 || (more > 1 && host.data[more - 1] == '.' && is_domain(host, 2));
}

static bool read_identity(struct reading *r)
{
    ptrdiff_t at;

    if (r->s->kind != SIGNED_DKIM)
        return r->s->instance > 0 || bad(r->s, "i= is no instance");
    at = slice_find_last(r->value, '@');
    if (at < 0)
        return bad(r->s, "i= is no address");
    r->s->identity = r->value;
    r->s->identity_host = to_ascii(r->arena, slice_from(r->value, (size_t)at + 1));
    return is_below(r->s->identity_host, r->s->domain) ||
           settle(r->s, DKIM_PERMERROR, "i= is not below d=");
}

static bool read_length(struct reading *r)
{
    r->s->has_length = true;
    if (r->value.len <= LENGTH_SIZE && slice_number(r->value, UINT64_MAX, &r->s->length))
        return true;
    return bad(r->s, "l= is no length");
}

static bool read_query(struct reading *r)
{
    return tag_has_item(r->value, "dns/txt") || bad(r->s, "q= has no known query");
}

/* Longer numbers count as infinite (section 3.5, t=). */
static bool read_time(struct slice value, int64_t *time_out)
{
    uint64_t number = 0;

    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    if (value.len <= NUMBER_SIZE && !slice_number(value, UINT64_MAX, &number))
        return false;
    *time_out = value.len > NUMBER_SIZE ? INT64_MAX : (int64_t)number;
    return true;
}

static bool read_made(struct reading *r)
{
    if (!read_time(r->value, &r->s->made_s))
        return bad(r->s, "t= is no time");
    if (r->s->made_s > r->now_s + DKIM_SKEW_S)
        return settle(r->s, DKIM_FAIL, "t= is in the future");
    return true;
}

static bool read_expires(struct reading *r)
{
    if (!read_time(r->value, &r->s->expires_s))
        return bad(r->s, "x= is no time");
    if (r->s->expires_s <= r->s->made_s)
        return bad(r->s, "x= is not after t=");
    if (r->s->expires_s < r->now_s - DKIM_SKEW_S)
        return settle(r->s, DKIM_FAIL, "signature expired");
    return true;
}

static bool read_chain(struct reading *r)
{
    r->s->chain = r->value;
    return slice_equal(r->value, SLICE("none")) || slice_equal(r->value, SLICE("pass")) ||
           slice_equal(r->value, SLICE("fail")) || bad(r->s, "unknown cv=");
}

/* In the order in which they are looked at: x= wants t=, i= wants d=. */
static const struct {
    const char *tag;
    unsigned must, may; /* be in these fields; in others it is ignored */
    bool (*read)(struct reading *);
} rules[] = {
    { "v", IN_DKIM, EVERYWHERE, read_version },
    { "a", EVERYWHERE, EVERYWHERE, read_algorithm },
    { "d", EVERYWHERE, EVERYWHERE, read_domain },
    { "s", EVERYWHERE, EVERYWHERE, read_selector },
    { "cv", IN_SEAL, IN_SEAL, read_chain },
    { "i", IN_MESSAGE | IN_SEAL, EVERYWHERE, read_identity },
    { "b", EVERYWHERE, EVERYWHERE, read_signature },
    { "bh", WITH_BODY, WITH_BODY, read_body_hash },
    { "c", 0, WITH_BODY, read_canonicals },
    { "h", WITH_BODY, EVERYWHERE, read_names },
    { "l", 0, WITH_BODY, read_length },
    { "q", 0, WITH_BODY, read_query },
    { "t", 0, EVERYWHERE, read_made },
    { "x", 0, WITH_BODY, read_expires },
};

/* What a verdict names, even of a field that is wrong. */
static void read_names_of_signer(struct arena *arena, const struct tag_list *list,
                                 struct signed_field *s)
{
    static const struct tag none;
    const struct tag *a = tag_find(list, "a"), *b = tag_find(list, "b");
    const struct tag *d = tag_find(list, "d"), *selector = tag_find(list, "s");
    const struct tag *i = tag_find(list, "i");
    uint64_t instance = 0;

    s->algorithm_name = (a != NULL ? a : &none)->value;
    s->domain = to_ascii(arena, (d != NULL ? d : &none)->value);
    s->selector = to_ascii(arena, (selector != NULL ? selector : &none)->value);
    s->start = read_start(arena, (b != NULL ? b : &none)->value);
    if (s->kind != SIGNED_DKIM && i != NULL && slice_number(i->value, ARC_SETS_MAX, &instance))
        s->instance = (unsigned)instance;
}

bool signed_parse(struct arena *arena, const struct header_field *field, enum signed_kind kind,
                  int64_t now_s, struct signed_field *out)
{
    struct reading reading = { .arena = arena, .s = out, .now_s = now_s };
    struct tag_list list;

    *out = (struct signed_field){ .kind = kind, .field = *field };
    /* DKIM is simple unless told otherwise; a seal has no choice (RFC 8617 section 4.1.3); an
     * ARC-Message-Signature without c= has DKIM's default by section 4.1.2, but those who leave it
     * out, as ValiMail's suite and dkimpy do, mean the relaxed forms. */
    out->relaxed_header = out->relaxed_body = kind != SIGNED_DKIM;
    if (!tag_list_parse(field->value, &list))
        return bad(out, "not a list of tags");
    read_names_of_signer(arena, &list, out);
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        reading.tag = tag_find(&list, rules[i].tag);
        if (reading.tag == NULL && (rules[i].must & 1u << kind) != 0)
            return settle(out, DKIM_PERMERROR, "a required tag is missing");
        if (reading.tag == NULL || (rules[i].may & 1u << kind) == 0)
            continue;
        reading.value = reading.tag->value;
        if (!rules[i].read(&reading))
            return false;
    }
    if (out->algorithm == SIGNATURE_RSA_SHA1)
        return settle(out, DKIM_POLICY, "rsa-sha1 is not accepted");
    return true;
}
