/* way.c - see way.h. */
#include "smtpd/remote/way.h"

#include <stdio.h>

#define UNIX_PATH_SIZE 108 /* of a unix socket, with its NUL (unix(7)) */

static bool parse_options(struct slice rest, struct way *way_out)
{
    struct slice word;

    while (slice_split(&rest, ',', &word)) {
        if (slice_is(word, "encrypt"))
            way_out->tls = WAY_TLS_ENCRYPT;
        else if (slice_is(word, "verify"))
            way_out->tls = WAY_TLS_VERIFY;
        else if (slice_is(word, "auth"))
            way_out->auth = true;
        else
            return false;
    }
    return true;
}

/* "host:port,option,..." */
static bool parse_relay(struct slice rest, struct way *way_out)
{
    struct slice server;
    uint64_t port;

    if (!slice_split(&rest, ',', &server))
        return false;
    ptrdiff_t colon = slice_find_last(server, ':');
    if (colon < 1 || !slice_number(slice_from(server, (size_t)colon + 1), 65535, &port) ||
        port == 0)
        return false;
    struct slice host = slice_part(server, 0, (size_t)colon);
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_part(host, 1, host.len - 2);
    if (host.len >= WAY_HOST_SIZE || host.data[0] == '/')
        return false;
    way_out->kind = WAY_RELAY;
    way_out->port = (uint16_t)port;
    snprintf(way_out->host, sizeof(way_out->host), SLICE_FMT, SLICE_ARG(host));
    return parse_options(rest, way_out);
}

/* "/path,option,..." or as a relay */
static bool parse_lmtp(struct slice rest, struct way *way_out)
{
    struct slice path;

    way_out->lmtp = true;
    if (!slice_starts(rest, "/"))
        return parse_relay(rest, way_out);
    if (!slice_split(&rest, ',', &path) || path.len >= UNIX_PATH_SIZE)
        return false;
    way_out->kind = WAY_RELAY;
    snprintf(way_out->host, sizeof(way_out->host), SLICE_FMT, SLICE_ARG(path));
    return parse_options(rest, way_out);
}

static bool parse_way(struct slice text, struct way *way_out)
{
    *way_out = (struct way){ .kind = WAY_DIRECT };
    if (slice_starts(text, "relay:"))
        return parse_relay(slice_from(text, strlen("relay:")), way_out);
    if (slice_starts(text, "lmtp:"))
        return parse_lmtp(slice_from(text, strlen("lmtp:")), way_out);
    if (slice_is(text, "discard"))
        way_out->kind = WAY_DISCARD;
    else if (slice_is(text, "reject"))
        way_out->kind = WAY_REJECT;
    else
        return slice_is(text, "direct");
    return true;
}

/* The next route of the list; *good_out: it is understood. False at the end. */
static bool next_route(struct slice *rest, struct slice *domain_out, struct way *way_out,
                       bool *good_out)
{
    struct slice word = { 0 };

    while (slice_split(rest, ' ', &word))
        if (word.len > 0)
            break;
    if (word.len == 0)
        return false;
    ptrdiff_t sign = slice_find(word, '=');
    *domain_out = slice_part(word, 0, sign > 0 ? (size_t)sign : 0);
    *good_out = sign > 0 && parse_way(slice_from(word, (size_t)sign + 1), way_out);
    return true;
}

bool ways_check(const char *routes, struct error *err)
{
    struct slice rest = slice_of(routes), domain;
    struct way way;
    bool good;

    for (size_t n = 1; next_route(&rest, &domain, &way, &good); n++)
        if (!good)
            return error_set(err, ERROR_INVALID,
                             "[smtp] routes: number %zu is not domain=direct|discard|reject|"
                             "relay:host:port[,encrypt|,verify][,auth]|lmtp:host:port|"
                             "lmtp:/path",
                             n);
    return true;
}

struct way way_find(const char *routes, const char *domain)
{
    struct slice rest = slice_of(routes), name;
    struct way found = { .kind = WAY_DIRECT }, way;
    bool good;

    while (next_route(&rest, &name, &way, &good)) {
        if (good && slice_is(name, domain))
            return way;
        if (good && slice_is(name, "*"))
            found = way;
    }
    return found;
}
