/* way.h - the operator's routes (the setting [smtp] routes): where mail for a domain goes instead
 * of to the servers that the DNS names.
 *
 *     routes = far.example=relay:10.0.0.1:2525  old.example=discard
 * *=relay:smtp.isp.net:587,verify,auth
 *
 *     domain "=" way      blanks between several; "*" is any domain that has none of its own
 *     way: direct         its own servers
 *          relay:host:port[,encrypt|,verify][,auth]
 *                         a server by name or address ("[...]" around IPv6), with TLS as said, and
 *                         logged in to as the settings relay_login and relay_password say
 *          lmtp:host:port[,...], lmtp:/path[,...]
 *                         the same by LMTP (RFC 2033); a path is that of a unix socket
 *          discard        taken and forgotten
 *          reject         refused when a user sends it; returned when it came another way
 *
 * Routes are for mail that leaves: for a domain of our own they have no effect.
 *
 * Pure. Domains are as the DNS knows them, without case. Threads: any.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

#define WAY_HOST_SIZE 201

enum way_kind { WAY_DIRECT, WAY_RELAY, WAY_DISCARD, WAY_REJECT };
enum way_tls { WAY_TLS_DEFAULT, WAY_TLS_ENCRYPT, WAY_TLS_VERIFY };

struct way {
    enum way_kind kind;
    char host[WAY_HOST_SIZE]; /* of a relay, without brackets; or the path of a unix socket */
    uint16_t port;            /* 0: a path */
    bool lmtp;                /* what is spoken there */
    enum way_tls tls;
    bool auth;
};

/* Errors: ERROR_INVALID, with what is wrong. */
bool ways_check(const char *routes, struct error *err) MUST_CHECK;

/* The way for a domain; DIRECT where nothing is said of it. The routes have been checked. */
struct way way_find(const char *routes, const char *domain);
