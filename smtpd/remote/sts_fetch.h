/* sts_fetch.h - fetches policies of MTA-STS over HTTPS (RFC 8461 section 3.3), with libcurl.
 *
 * Names are not resolved here: the caller gives the addresses. The certificate has to be of an
 * authority we trust and for "mta-sts." + domain; redirects, other status codes than 200, other
 * media types than text/plain and over 64 KB are failures, and so is a minute without an end.
 *
 * Threads: one of its own for all fetches, which run side by side in it; `done` is called there.
 */
#pragma once

#include "common/buf.h"

struct sts_fetcher;

struct sts_fetcher_options {
    uint16_t port;           /* 443, but for tests */
    const char *authorities; /* PEM file; empty: the system's */
};

enum sts_fetched {
    STS_FETCHED,
    STS_UNREACHABLE, /* "sts-policy-fetch-error" of RFC 8460 section 4.3.2.2 */
    STS_UNTRUSTED,   /* "sts-webpki-invalid" */
};

/* One fetch; the caller's, and stays where it is until `done`. */
struct sts_fetch {
    const char *domain;
    const char *addresses; /* "192.0.2.1,[2001:db8::1]" */
    void (*done)(struct sts_fetch *fetch);

    enum sts_fetched result;
    char reason[200]; /* unless FETCHED */
    struct buf body;  /* free it */

    struct sts_fetch *next; /* the fetcher's */
    void *easy, *addresses_list;
};

struct sts_fetcher *sts_fetcher_new(const struct sts_fetcher_options *options);
void sts_fetcher_get(struct sts_fetcher *fetcher, struct sts_fetch *fetch); /* any thread */
void sts_fetcher_free(struct sts_fetcher **fetcher); /* what is under way is not `done` */
