/* imap_url.h - URLs of messages and their parts (RFC 5092, the older form of RFC 2192), with the
 * authorization of RFC 4467.
 *
 *     imap://bob@example.org/INBOX;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
 *         ;EXPIRE=2026-12-31T00:00:00Z;URLAUTH=submit+bob:internal:91354a47...
 *     /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=HEADER        relative, to a server
 *     ;UID=20, /;UID=20                                            relative, to a mailbox
 *
 * Pure. URLs of servers, mailboxes and searches are none of ours: they do not name a message.
 */
#pragma once

#include "common/mem.h"
#include "common/slice.h"

#define IMAP_URL_MAX 8192 /* bytes */

/* Who may use it (RFC 4467 section 3). */
enum url_access {
    URL_ACCESS_NONE,      /* there is no URLAUTH */
    URL_ACCESS_SUBMIT,    /* "submit+user": submission servers, for this user */
    URL_ACCESS_USER,      /* "user+user": this user */
    URL_ACCESS_AUTHUSER,  /* whoever is logged in */
    URL_ACCESS_ANONYMOUS, /* everybody */
};

/* Slices are decoded and lie in the arena, but for the two that say otherwise. */
struct imap_url {
    bool absolute; /* it begins with "imap://" */
    struct slice user, host;
    uint16_t port; /* 0: none is named */

    struct slice mailbox; /* UTF-8; empty: the one that is selected */
    uint32_t uidvalidity; /* 0: none */
    uint32_t uid;
    struct slice section; /* section-spec of RFC 3501; empty: the whole message */
    bool partial;
    uint32_t from, length; /* length 0: to the end */

    bool expires;
    int64_t expire_ms; /* Unix time */
    enum url_access access;
    struct slice access_user; /* of SUBMIT and USER */
    struct slice rump;      /* of the text: up to the access identifier, which is what is signed */
    struct slice mechanism; /* of the text; empty: it is a rump */
    struct slice token;     /* hexadecimal digits */
};

/* False: it is no URL of a message. */
bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url_out) MUST_CHECK;

/* A date and time of RFC 3339, as in EXPIRE. */
bool rfc3339_parse(struct slice text, int64_t *unix_ms_out) MUST_CHECK;
