/* spf_record.c - the text of a record to terms (RFC 7208 section 4.5, 4.6.1 and 12).
 *
 * Terms are taken off one by one and not kept, so a record that consists of ten thousand of them
 * costs time in proportion to its length, and no memory.
 */
#include "message/proof/spf_private.h"

#include <arpa/inet.h>

#define VERSION "v=spf1"

bool spf_record_is(struct slice text)
{
    return slice_starts(text, VERSION) &&
           (text.len == strlen(VERSION) || text.data[strlen(VERSION)] == ' ');
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ) */
static bool is_modifier_name(struct slice name)
{
    if (name.len == 0 || !is_letter(name.data[0]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_letter(name.data[i]) && !is_digit(name.data[i]) &&
            memchr("-_.", name.data[i], 3) == NULL)
            return false;
    return true;
}

static bool is_domain_spec(struct slice text)
{
    return text.len <= SPF_SPEC_MAX && spf_macro_valid(text, SPF_DOMAIN_SPEC);
}

static bool modifier(struct slice name, struct slice value, struct spf_term *term)
{
    term->domain = value;
    if (slice_is(name, "redirect"))
        term->kind = SPF_REDIRECT;
    else if (slice_is(name, "exp"))
        term->kind = SPF_EXP;
    else
        term->kind = SPF_OTHER;
    if (term->kind == SPF_OTHER)
        return spf_macro_valid(value, SPF_MACRO_STRING);
    return is_domain_spec(value);
}

/* Takes "/24" off the end, or "//64" with two slashes. Nothing there: untouched. False: a number
 * that is too large or has a zero in front. */
static bool take_prefix(struct slice *rest, size_t slashes, unsigned max, unsigned *prefix_out)
{
    size_t at = rest->len;
    uint64_t number;
    struct slice digits;

    while (at > 0 && is_digit(rest->data[at - 1]))
        at--;
    digits = slice_from(*rest, at);
    if (digits.len == 0 || at < slashes || memcmp(rest->data + at - slashes, "//", slashes) != 0)
        return true;
    if (!slice_number(digits, max, &number) || (digits.len > 1 && digits.data[0] == '0'))
        return false;
    *prefix_out = (unsigned)number;
    rest->len = at - slashes;
    return true;
}

/* IP4 = "ip4" ":" ip4-network [ "/" 1*DIGIT ], and the same for IP6. */
static bool network(struct slice rest, struct spf_term *term)
{
    bool is_ip4 = term->kind == SPF_IP4;
    char address[46];

    if (!take_prefix(&rest, 1, is_ip4 ? 32 : 128, is_ip4 ? &term->prefix4 : &term->prefix6))
        return false;
    if (rest.len < 2 || rest.len > sizeof(address) || rest.data[0] != ':' ||
        memchr(rest.data, '\0', rest.len) != NULL)
        return false;
    memcpy(address, rest.data + 1, rest.len - 1);
    address[rest.len - 1] = '\0';
    return inet_pton(is_ip4 ? AF_INET : AF_INET6, address, term->network) == 1;
}

/* [ ":" domain-spec ], or one that has to be. */
static bool domain_spec(struct slice rest, bool may_be_absent, struct spf_term *term)
{
    if (rest.len == 0)
        return may_be_absent;
    term->domain = slice_from(rest, 1);
    return rest.data[0] == ':' && is_domain_spec(term->domain);
}

static bool arguments(struct slice rest, struct spf_term *term)
{
    switch (term->kind) {
    case SPF_ALL:
        return rest.len == 0;
    case SPF_INCLUDE:
    case SPF_EXISTS:
        return domain_spec(rest, false, term);
    case SPF_A:
    case SPF_MX:
        return take_prefix(&rest, 2, 128, &term->prefix6) &&
               take_prefix(&rest, 1, 32, &term->prefix4) && domain_spec(rest, true, term);
    case SPF_PTR:
        return domain_spec(rest, true, term);
    case SPF_IP4:
    case SPF_IP6:
        return network(rest, term);
    case SPF_REDIRECT:
    case SPF_EXP:
    case SPF_OTHER:
        return false;
    }
    return false;
}

static bool qualifier(char byte, enum spf_result *result_out)
{
    static const char marks[] = "+-?~";
    static const enum spf_result results[] = { SPF_PASS, SPF_FAIL, SPF_NEUTRAL, SPF_SOFTFAIL };
    const char *mark = memchr(marks, byte, sizeof(marks) - 1);

    if (mark != NULL)
        *result_out = results[mark - marks];
    return mark != NULL;
}

static bool mechanism(struct slice text, struct spf_term *term)
{
    static const char *const names[] = {
        [SPF_ALL] = "all", [SPF_INCLUDE] = "include", [SPF_A] = "a",     [SPF_MX] = "mx",
        [SPF_PTR] = "ptr", [SPF_IP4] = "ip4",         [SPF_IP6] = "ip6", [SPF_EXISTS] = "exists",
    };
    size_t len = 0;

    if (qualifier(text.data[0], &term->result))
        text = slice_from(text, 1);
    while (len < text.len && text.data[len] != ':' && text.data[len] != '/')
        len++;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_is(slice_part(text, 0, len), names[i])) {
            term->kind = (enum spf_kind)i;
            return arguments(slice_from(text, len), term);
        }
    return false;
}

enum parse spf_term_next(struct slice *rest, struct spf_term *term_out)
{
    ptrdiff_t equals;
    bool good;

    *term_out = (struct spf_term){ .result = SPF_PASS, .prefix4 = 32, .prefix6 = 128 };
    while (rest->len > 0 && rest->data[0] == ' ')
        *rest = slice_from(*rest, 1);
    if (!slice_split(rest, ' ', &term_out->text))
        return PARSE_MORE;
    equals = slice_find(term_out->text, '=');
    if (equals >= 0 && is_modifier_name(slice_part(term_out->text, 0, (size_t)equals)))
        good = modifier(slice_part(term_out->text, 0, (size_t)equals),
                        slice_from(term_out->text, (size_t)equals + 1), term_out);
    else
        good = mechanism(term_out->text, term_out);
    return good ? PARSE_OK : PARSE_BAD;
}
