/* imap_url.c - see imap_url.h. */
#include "message/imap_url.h"

#include "message/date.h"
#include "message/decode.h"

/* Percent-decoding; no byte that a URL writes so may be NUL, CR or LF. */
static bool decode(struct slice text, struct arena *arena, struct slice *out)
{
    char *bytes = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        int byte = (unsigned char)text.data[i];

        if (byte == '%') {
            byte = hex_byte_after(text, i);
            i += 2;
        }
        if (byte <= 0 || byte == '\r' || byte == '\n')
            return false;
        bytes[len++] = (char)byte;
    }
    *out = slice_make(bytes, len);
    return true;
}

/* Where `needle` begins, in any case; -1. */
static ptrdiff_t find_word(struct slice text, const char *needle)
{
    for (size_t i = 0; i < text.len; i++)
        if (slice_starts(slice_from(text, i), needle))
            return (ptrdiff_t)i;
    return -1;
}

static bool nz_number(struct slice digits, uint32_t *number_out)
{
    uint64_t number;

    if (!slice_number(digits, UINT32_MAX, &number) || number == 0)
        return false;
    *number_out = (uint32_t)number;
    return true;
}

/* Everything in front of the first of `ends`, taken off. */
static struct slice take_until(struct slice *rest, const char *ends)
{
    size_t len = 0;

    while (len < rest->len && strchr(ends, rest->data[len]) == NULL)
        len++;
    struct slice taken = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, len);
    return taken;
}

/* iserver = [iuserinfo "@"] host [ ":" port ] */
static bool take_server(struct slice *rest, struct arena *arena, struct imap_url *url)
{
    struct slice server = take_until(rest, "/");
    ptrdiff_t at = slice_find_last(server, '@');
    struct slice user = slice_part(server, 0, at < 0 ? 0 : (size_t)at);
    struct slice host = slice_from(server, (size_t)(at + 1));
    ptrdiff_t colon = slice_find_last(host, ':');
    ptrdiff_t auth = find_word(user, ";AUTH=");
    uint64_t port = 0;

    if (auth >= 0)
        user = slice_part(user, 0, (size_t)auth);
    if (colon >= 0 && slice_find(slice_from(host, (size_t)colon), ']') < 0) {
        if (!slice_number(slice_from(host, (size_t)colon + 1), UINT16_MAX, &port) || port == 0)
            return false;
        host = slice_part(host, 0, (size_t)colon);
    }
    url->absolute = true;
    url->port = (uint16_t)port;
    return host.len > 0 && decode(user, arena, &url->user) && decode(host, arena, &url->host);
}

/* [mailbox [";UIDVALIDITY=" nz-number]], up to what names the message. */
static bool take_mailbox(struct slice *rest, struct arena *arena, struct imap_url *url)
{
    ptrdiff_t end = find_word(*rest, "/;UID=");
    bool bare = slice_starts(*rest, ";UID="); /* relative to a mailbox */
    struct slice name = slice_part(*rest, 0, bare ? 0 : (size_t)MAX(end, 0));
    ptrdiff_t validity = find_word(name, ";UIDVALIDITY=");

    if ((end < 0 && !bare) || slice_find(name, '?') >= 0)
        return false;
    *rest = slice_from(*rest, bare ? 0 : (size_t)end + 1);
    if (validity >= 0) {
        if (!nz_number(slice_from(name, (size_t)validity + strlen(";UIDVALIDITY=")),
                       &url->uidvalidity))
            return false;
        name = slice_part(name, 0, (size_t)validity);
        if (name.len > 0 && name.data[name.len - 1] == '/')
            name.len--;
    }
    return decode(name, arena, &url->mailbox);
}

/* partial-range = number ["." nz-number] */
static bool take_partial(struct slice value, struct imap_url *url)
{
    struct slice from = take_until(&value, ".");
    uint64_t number;

    url->partial = true;
    if (!slice_number(from, UINT32_MAX, &number))
        return false;
    url->from = (uint32_t)number;
    return value.len == 0 || nz_number(slice_from(value, 1), &url->length);
}

static bool take_access(struct slice access, struct arena *arena, struct imap_url *url)
{
    static const struct {
        const char *word;
        enum url_access access;
        bool user;
    } words[] = {
        { "submit+", URL_ACCESS_SUBMIT, true },
        { "user+", URL_ACCESS_USER, true },
        { "authuser", URL_ACCESS_AUTHUSER, false },
        { "anonymous", URL_ACCESS_ANONYMOUS, false },
    };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (words[i].user ? !slice_starts(access, words[i].word) : !slice_is(access, words[i].word))
            continue;
        url->access = words[i].access;
        return !words[i].user ||
               (decode(slice_from(access, strlen(words[i].word)), arena, &url->access_user) &&
                url->access_user.len > 0);
    }
    return false;
}

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("0123456789abcdefABCDEF", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    return true;
}

/* access [":" mechanism ":" 32*HEXDIG], the rest of the URL. */
static bool take_urlauth(struct slice text, struct slice value, struct arena *arena,
                         struct imap_url *url)
{
    struct slice access = take_until(&value, ":");

    url->rump = slice_part(text, 0, (size_t)(access.data + access.len - text.data));
    if (!take_access(access, arena, url))
        return false;
    if (value.len == 0)
        return true;
    value = slice_from(value, 1);
    url->mechanism = take_until(&value, ":");
    if (url->mechanism.len == 0 || value.len == 0)
        return false;
    url->token = slice_from(value, 1);
    return url->token.len >= 32 && is_hex(url->token);
}

/* ";NAME=" off the front. */
static bool take_name(struct slice *rest, const char *name)
{
    size_t len = strlen(name);

    if (!slice_starts(*rest, name))
        return false;
    *rest = slice_from(*rest, len);
    return true;
}

/* A "/" stands in front of what belongs to the path. */
static bool take_path_name(struct slice *rest, const char *name)
{
    struct slice ahead = *rest;

    if (ahead.len > 0 && ahead.data[0] == '/')
        ahead = slice_from(ahead, 1);
    if (!take_name(&ahead, name))
        return false;
    *rest = ahead;
    return true;
}

static bool take_message(struct slice text, struct slice rest, struct arena *arena,
                         struct imap_url *url)
{
    if (!take_name(&rest, ";UID=") || !nz_number(take_until(&rest, "/;"), &url->uid))
        return false;
    if (take_path_name(&rest, ";SECTION=") &&
        (!decode(take_until(&rest, "/;"), arena, &url->section) || url->section.len == 0))
        return false;
    if (take_path_name(&rest, ";PARTIAL=") && !take_partial(take_until(&rest, "/;"), url))
        return false;
    if (take_name(&rest, ";EXPIRE=")) {
        url->expires = true;
        if (!rfc3339_parse(take_until(&rest, "/;"), &url->expire_ms))
            return false;
    }
    if (take_name(&rest, ";URLAUTH="))
        return take_urlauth(text, rest, arena, url);
    return !url->expires && (rest.len == 0 || (rest.len == 1 && rest.data[0] == '/'));
}

bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url_out)
{
    struct slice rest = text;

    *url_out = (struct imap_url){ 0 };
    if (text.len > IMAP_URL_MAX)
        return false;
    if (slice_starts(text, "imap://")) {
        rest = slice_from(text, strlen("imap://"));
        if (!take_server(&rest, arena, url_out))
            return false;
    } else if (slice_starts(text, "//")) {
        return false;
    }
    /* "/;UID=" at the start is no root, but relative to the mailbox. */
    if (rest.len > 0 && rest.data[0] == '/' && !slice_starts(rest, "/;UID="))
        rest = slice_from(rest, 1);
    else if (url_out->absolute)
        return false;
    return take_mailbox(&rest, arena, url_out) && take_message(text, rest, arena, url_out) &&
           (!url_out->absolute || url_out->mailbox.len > 0);
}

/* RFC 3339 section 5.6 */

/* Two or four digits, and the byte behind them unless `behind` is 0. */
static bool take_digits(struct slice *rest, size_t count, const char *behind, int max,
                        int *number_out)
{
    uint64_t number;

    if (rest->len < count || !slice_number(slice_part(*rest, 0, count), (uint64_t)max, &number))
        return false;
    *number_out = (int)number;
    *rest = slice_from(*rest, count);
    if (behind[0] == '\0')
        return true;
    if (rest->len == 0 || rest->data[0] == '\0' || strchr(behind, rest->data[0]) == NULL)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

static bool take_zone(struct slice rest, int *minutes_out)
{
    bool west = rest.len > 0 && rest.data[0] == '-';
    int hours, minutes;

    *minutes_out = 0;
    if (slice_is(rest, "Z"))
        return true;
    if (rest.len == 0 || (rest.data[0] != '+' && !west))
        return false;
    rest = slice_from(rest, 1);
    if (!take_digits(&rest, 2, ":", 23, &hours) || !take_digits(&rest, 2, "", 59, &minutes) ||
        rest.len > 0)
        return false;
    *minutes_out = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

bool rfc3339_parse(struct slice text, int64_t *unix_ms_out)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day, hour, minute, second, zone;

    if (!take_digits(&text, 4, "-", 9999, &year) || !take_digits(&text, 2, "-", 12, &month) ||
        !take_digits(&text, 2, "Tt", 31, &day) || !take_digits(&text, 2, ":", 23, &hour) ||
        !take_digits(&text, 2, ":", 59, &minute) || !take_digits(&text, 2, "", 60, &second))
        return false;
    if (month == 0 || day == 0 || day > days[month - 1])
        return false;
    if (text.len > 0 && text.data[0] == '.') {
        text = slice_from(text, 1);
        while (text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9')
            text = slice_from(text, 1);
    }
    if (!take_zone(text, &zone))
        return false;
    *unix_ms_out =
        ((day_of(year, month, day) * 24 + hour) * 60 + minute - zone) * 60000ll + second * 1000ll;
    return true;
}
