/* path.c - the mailboxes of SMTP commands, by the strict grammar of RFC 5321 section 4.1.2 with the
 * UTF-8 of RFC 6531 section 3.3.
 */
#include "message/address.h"

#include "common/codec.h"

#include <arpa/inet.h>

#define LOCAL_MAX  255 /* section 4.5.3.1.1 has 64, which lists and bounces do not keep to */
#define DOMAIN_MAX 255
#define LABEL_MAX  63
#define ROUTE_MAX  1024

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_8bit(char c)
{
    return ((unsigned char)c & 0x80) != 0;
}

/* RFC 5322 section 3.2.3 */
static bool is_atext(char c)
{
    return is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool has_8bit(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_8bit(text.data[i]))
            return true;
    return false;
}

static bool is_dot_string(struct slice text)
{
    struct slice rest = text;
    bool dot = true;

    for (; rest.len > 0; rest = slice_from(rest, 1)) {
        if (rest.data[0] == '.' ? dot : !is_atext(rest.data[0]))
            return false;
        dot = rest.data[0] == '.';
    }
    return !dot;
}

/* Dot-string; the end is where the grammar ends, which the caller looks at. */
static enum parse parse_dot_string(struct slice *rest, struct slice *local_out)
{
    size_t len = 0;

    while (len < rest->len && (is_atext(rest->data[len]) || rest->data[len] == '.'))
        len++;
    if (len == rest->len)
        return PARSE_MORE;
    *local_out = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, len);
    return is_dot_string(*local_out) ? PARSE_OK : PARSE_BAD;
}

static bool is_quotable(char c)
{
    return is_8bit(c) || (c >= ' ' && c < 127);
}

static enum parse parse_quoted_string(struct arena *arena, struct slice *rest,
                                      struct slice *local_out)
{
    char *text = arena_alloc(arena, rest->len);
    size_t len = 0;

    for (size_t i = 1; i < rest->len; i++) {
        if (rest->data[i] == '"') {
            *local_out = slice_make(text, len);
            *rest = slice_from(*rest, i + 1);
            return len > 0 ? PARSE_OK : PARSE_BAD;
        }
        if (rest->data[i] == '\\' && ++i == rest->len)
            return PARSE_MORE;
        if (!is_quotable(rest->data[i]))
            return PARSE_BAD;
        text[len++] = rest->data[i];
    }
    return PARSE_MORE;
}

static enum parse parse_local(struct arena *arena, struct slice *rest, struct slice *local_out)
{
    enum parse result;

    if (rest->len == 0)
        return PARSE_MORE;
    result = rest->data[0] == '"' ? parse_quoted_string(arena, rest, local_out)
                                  : parse_dot_string(rest, local_out);
    if (result == PARSE_OK && (local_out->len > LOCAL_MAX || !utf8_valid(*local_out)))
        return PARSE_BAD;
    return result;
}

/* sub-domain; underscores are no part of it, but of names that get mail. */
static bool is_label(struct slice label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.data[0] == '-' ||
        label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_alnum(label.data[i]) && !is_8bit(label.data[i]) && label.data[i] != '-' &&
            label.data[i] != '_')
            return false;
    return true;
}

static bool is_domain(struct slice domain)
{
    struct slice rest = domain;
    struct slice label;

    if (domain.len == 0 || domain.len > DOMAIN_MAX || domain.data[domain.len - 1] == '.')
        return false;
    while (slice_split(&rest, '.', &label))
        if (!is_label(label))
            return false;
    return utf8_valid(domain);
}

/* address-literal of IPv4 or IPv6 (RFC 5321 section 4.1.3); there are no others so far. */
static bool is_literal(struct slice domain)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    struct slice inside = slice_part(domain, 1, domain.len - 2);
    bool six = slice_starts(inside, "IPv6:");

    if (six)
        inside = slice_from(inside, strlen("IPv6:"));
    if (inside.len == 0 || inside.len >= sizeof(text) || memchr(inside.data, '\0', inside.len))
        return false;
    memcpy(text, inside.data, inside.len);
    text[inside.len] = '\0';
    return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool is_domain_or_literal(struct slice domain)
{
    if (domain.len >= 2 && domain.data[0] == '[' && domain.data[domain.len - 1] == ']')
        return is_literal(domain);
    return is_domain(domain);
}

static bool set_domain(struct slice domain, struct path *path)
{
    path->domain = domain;
    path->utf8 = has_8bit(path->local) || has_8bit(domain);
    return is_domain_or_literal(domain);
}

/* A-d-l ":", which is accepted and ignored (RFC 5321 section 4.1.2). */
static enum parse skip_route(struct slice *rest)
{
    ptrdiff_t colon = slice_find(slice_part(*rest, 0, ROUTE_MAX), ':');
    struct slice route, hop;

    if (colon < 0)
        return slice_find(*rest, '>') >= 0 || rest->len >= ROUTE_MAX ? PARSE_BAD : PARSE_MORE;
    route = slice_part(*rest, 0, (size_t)colon);
    while (slice_split(&route, ',', &hop))
        if (hop.len < 2 || hop.data[0] != '@' || !is_domain(slice_from(hop, 1)))
            return PARSE_BAD;
    *rest = slice_from(*rest, (size_t)colon + 1);
    return PARSE_OK;
}

/* "@" domain ">" or, for Postmaster, ">" alone. */
static enum parse parse_domain_end(struct slice *rest, struct path *path)
{
    ptrdiff_t end = slice_find(slice_part(*rest, 0, DOMAIN_MAX + 2), '>');

    if (rest->len == 0 || (end < 0 && rest->len < DOMAIN_MAX + 2 && rest->data[0] == '@'))
        return PARSE_MORE;
    if (end < 0 || (end > 0 && rest->data[0] != '@'))
        return PARSE_BAD;
    if (end == 0)
        path->utf8 = has_8bit(path->local);
    else if (!set_domain(slice_part(*rest, 1, (size_t)end - 1), path))
        return PARSE_BAD;
    *rest = slice_from(*rest, (size_t)end + 1);
    return PARSE_OK;
}

enum parse path_parse(struct arena *arena, struct slice *rest, struct path *path_out)
{
    struct slice at = slice_from(*rest, 1);
    enum parse result = PARSE_OK;

    *path_out = (struct path){ .null = false };
    if (rest->len > 0 && rest->data[0] != '<')
        return PARSE_BAD;
    if (at.len == 0)
        return PARSE_MORE;
    if (at.data[0] == '>') {
        path_out->null = true;
        *rest = slice_from(at, 1);
        return PARSE_OK;
    }
    if (at.data[0] == '@')
        result = skip_route(&at);
    if (result == PARSE_OK)
        result = parse_local(arena, &at, &path_out->local);
    if (result == PARSE_OK)
        result = parse_domain_end(&at, path_out);
    if (result == PARSE_OK)
        *rest = at;
    return result;
}

bool path_parse_bare(struct arena *arena, struct slice text, struct path *path_out)
{
    *path_out = (struct path){ .null = false };
    return parse_local(arena, &text, &path_out->local) == PARSE_OK && text.len > 1 &&
           text.data[0] == '@' && set_domain(slice_from(text, 1), path_out);
}

void path_print(struct slice local, struct slice domain, struct buf *out)
{
    bool plain = is_dot_string(local);

    if (!plain)
        buf_add_byte(out, '"');
    for (size_t i = 0; i < local.len; i++) {
        if (!plain && (local.data[i] == '"' || local.data[i] == '\\'))
            buf_add_byte(out, '\\');
        buf_add_byte(out, local.data[i]);
    }
    if (!plain)
        buf_add_byte(out, '"');
    if (domain.len > 0) {
        buf_add_byte(out, '@');
        buf_add_slice(out, domain);
    }
}
