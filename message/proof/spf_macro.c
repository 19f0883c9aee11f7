/* spf_macro.c - macros: is a text valid, and what does it expand to? (RFC 7208 section 7)
 *
 * A domain name keeps its last 253 bytes anyway (section 7.3), so what grows past EXPANSION_MAX
 * loses its front while it grows: a record full of %{s} costs no memory.
 */
#include "message/proof/spf_private.h"

#define NAME_MAX_LEN  253
#define EXPANSION_MAX 4096

struct macro {
    char letter;             /* in lower case; or '%', '_', '-' */
    bool url;                /* it is in capitals */
    bool reverse;            /* "r" */
    size_t parts;            /* from the right; 0: all */
    struct slice delimiters; /* empty: "." */
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_alphanumeric(char byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* transformers = *DIGIT [ "r" ]; "the value MUST be nonzero". */
static bool transformers(struct slice *rest, struct macro *macro)
{
    size_t len = 0;

    while (len < rest->len && is_digit(rest->data[len])) {
        macro->parts = MIN(macro->parts * 10 + (size_t)(rest->data[len] - '0'), EXPANSION_MAX);
        len++;
    }
    if (len > 0 && macro->parts == 0)
        return false;
    *rest = slice_from(*rest, len);
    macro->reverse = rest->len > 0 && (rest->data[0] | 0x20) == 'r';
    if (macro->reverse)
        *rest = slice_from(*rest, 1);
    return true;
}

/* What stands between the braces. */
static bool macro_body(struct slice body, bool is_explanation, struct macro *macro)
{
    const char *letters = is_explanation ? "slodiphvcrt" : "slodiphv";

    if (body.len == 0 || !is_alphanumeric(body.data[0]) || is_digit(body.data[0]))
        return false;
    macro->letter = body.data[0] | 0x20;
    macro->url = body.data[0] != macro->letter;
    body = slice_from(body, 1);
    if (strchr(letters, macro->letter) == NULL || !transformers(&body, macro))
        return false;
    for (size_t i = 0; i < body.len; i++)
        if (memchr(".-+,/_=", body.data[i], 7) == NULL)
            return false;
    macro->delimiters = body.len > 0 ? body : SLICE(".");
    return true;
}

/* macro-expand = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-" */
static bool macro_next(struct slice *rest, bool is_explanation, struct macro *macro_out)
{
    ptrdiff_t end = slice_find(*rest, '}');
    struct slice body;

    *macro_out = (struct macro){ 0 };
    if (rest->len < 2)
        return false;
    if (memchr("%_-", rest->data[1], 3) != NULL) {
        macro_out->letter = rest->data[1];
        *rest = slice_from(*rest, 2);
        return true;
    }
    if (rest->data[1] != '{' || end < 0)
        return false;
    body = slice_part(*rest, 2, (size_t)end - 2);
    *rest = slice_from(*rest, (size_t)end + 1);
    return macro_body(body, is_explanation, macro_out);
}

/* toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool ends_in_label(struct slice text)
{
    struct slice label;
    bool digits_only = true;
    ptrdiff_t dot;

    if (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    dot = slice_find_last(text, '.');
    label = slice_from(text, (size_t)(dot + 1));
    if (dot < 0 || label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        if (!is_alphanumeric(label.data[i]) && label.data[i] != '-')
            return false;
        digits_only = digits_only && is_digit(label.data[i]);
    }
    return !digits_only;
}

bool spf_macro_valid(struct slice text, enum spf_macro_use use)
{
    struct slice rest = text, literal = text;
    struct macro macro;

    while (rest.len > 0) {
        if (rest.data[0] == '%') {
            if (!macro_next(&rest, use != SPF_DOMAIN_SPEC, &macro))
                return false;
            literal = rest;
            continue;
        }
        if (rest.data[0] < (use == SPF_EXPLAIN ? ' ' : '!') || rest.data[0] > '~')
            return false;
        rest = slice_from(rest, 1);
    }
    if (use != SPF_DOMAIN_SPEC)
        return true;
    return text.len > 0 && (literal.len == 0 || ends_in_label(literal));
}

/* --- expanding --- */

/* %{p}: the validated name; the current domain, or one below it, before any other. */
static bool expand_pointer(struct spf_check *check, struct slice current, struct slice *value_out)
{
    const struct iprev_outcome *names = spf_pointers(check);

    if (names == NULL)
        return false;
    if (!check->counted_pointers)
        check->lookups++; /* section 4.6.4 counts its query, which is sent once */
    check->counted_pointers = true;
    *value_out = names->count > 0 ? names->names[0] : SLICE("unknown");
    for (size_t i = names->count; i-- > 0;)
        if (spf_name_is_below(names->names[i], current))
            *value_out = names->names[i];
    for (size_t i = 0; i < names->count; i++)
        if (slice_equal_case(names->names[i], current))
            *value_out = names->names[i];
    return true;
}

static struct slice letter_value(const struct spf_check *check, char letter, struct slice current)
{
    bool is_ip4 = check->client.len == 4;

    switch (letter) {
    case 's':
        return check->sender;
    case 'l':
        return check->local;
    case 'o':
        return check->domain;
    case 'd':
        return current;
    case 'i':
        return is_ip4 ? slice_of(check->client.text) : check->client.digits;
    case 'v':
        return is_ip4 ? SLICE("in-addr") : SLICE("ip6");
    case 'h':
        return check->query->helo;
    case 'c':
        return slice_of(check->client.text);
    case 'r':
        return check->query->receiver.len > 0 ? check->query->receiver : SLICE("unknown");
    case 't':
        return check->now;
    case '_':
        return SLICE(" ");
    case '-':
        return SLICE("%20");
    default: /* "%%" */
        return SLICE("%");
    }
}

static bool is_delimiter(const struct macro *macro, char byte)
{
    return slice_find(macro->delimiters, byte) >= 0;
}

/* The last parts in their order, with dots between them. */
static void add_parts(const struct macro *macro, struct slice value, struct buf *out)
{
    size_t start = value.len, seen = 0;

    while (start > 0) {
        if (is_delimiter(macro, value.data[start - 1]) && ++seen == macro->parts)
            break;
        start--;
    }
    for (size_t i = start; i < value.len; i++)
        buf_add_byte(out, is_delimiter(macro, value.data[i]) ? '.' : value.data[i]);
}

/* Reversed: the first parts, from the last of them to the first. */
static void add_parts_reversed(const struct macro *macro, struct slice value, struct buf *out)
{
    size_t end = 0, seen = 0;

    while (end < value.len) {
        if (is_delimiter(macro, value.data[end]) && ++seen == macro->parts)
            break;
        end++;
    }
    for (size_t i = end; i-- > 0;)
        if (is_delimiter(macro, value.data[i])) {
            buf_add_slice(out, slice_part(value, i + 1, end - i - 1));
            buf_add_byte(out, '.');
            end = i;
        }
    buf_add_slice(out, slice_part(value, 0, end));
}

/* Section 7.3: "unreserved" of RFC 3986 section 2.3 stays, the rest becomes %HH. */
static void add_url(struct slice value, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        if (is_alphanumeric(value.data[i]) || memchr("-._~", value.data[i], 4) != NULL)
            buf_add_byte(out, value.data[i]);
        else
            buf_add(out,
                    (char[]){ '%', digits[(value.data[i] >> 4) & 15], digits[value.data[i] & 15] },
                    3);
    }
}

static bool expand_macro(struct spf_check *check, const struct macro *macro, struct slice current,
                         struct buf *out)
{
    AUTO(buf_free) struct buf parts = { 0 };
    struct slice value;

    if (macro->letter != 'p')
        value = letter_value(check, macro->letter, current);
    else if (!expand_pointer(check, current, &value))
        return false;
    if (macro->delimiters.len == 0)
        buf_add_slice(&parts, value);
    else if (macro->reverse)
        add_parts_reversed(macro, value, &parts);
    else
        add_parts(macro, value, &parts);
    if (macro->url)
        add_url(buf_slice(&parts), out);
    else
        buf_move(out, &parts);
    return true;
}

bool spf_macro_expand(struct spf_check *check, struct slice text, struct slice current,
                      enum spf_macro_use use, struct buf *out)
{
    struct macro macro;

    while (text.len > 0) {
        if (out->len > EXPANSION_MAX)
            buf_drop(out, out->len - EXPANSION_MAX);
        if (text.data[0] != '%') {
            buf_add_byte(out, text.data[0]);
            text = slice_from(text, 1);
        } else if (!macro_next(&text, use != SPF_DOMAIN_SPEC, &macro)) {
            return true; /* cannot be: spf_macro_valid() has read it */
        } else if (!expand_macro(check, &macro, current, out)) {
            return false;
        }
    }
    return true;
}

bool spf_target(struct spf_check *check, struct slice spec, struct slice current,
                struct slice *name_out)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct slice name, label;

    *name_out = current;
    if (spec.len == 0)
        return true;
    if (!spf_macro_expand(check, spec, current, SPF_DOMAIN_SPEC, &text))
        return false;
    name = buf_slice(&text);
    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    while (name.len > NAME_MAX_LEN && slice_split(&name, '.', &label))
        continue;
    *name_out = slice_copy(check->arena, name);
    return true;
}
