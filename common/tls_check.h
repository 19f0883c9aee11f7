/* tls_check.h - what we demand of a server that we are the client of, and how it did.
 *
 *     TLS_ANY      any certificate: encryption against those who only listen
 *     TLS_TRUSTED  a chain to an authority we trust, not expired, for one of the names
 *     TLS_DANE     one of the TLSA records fits (RFC 7672 section 3.1)
 *
 * The certificate is looked at inside the handshake: a server that fails sees an alert and none of
 * our data; with `report_only` the handshake goes on, and `fault` tells what would have been.
 *
 * Lifetime: the caller's, with all it points at, until the handshake or the connection is over.
 * Threads: the loop thread, meanwhile.
 */
#pragma once

#include "common/tlsa.h"

enum tls_level { TLS_ANY, TLS_TRUSTED, TLS_DANE };

enum tls_fault {
    TLS_GOOD,
    TLS_NO_HANDSHAKE, /* the handshake failed, for other reasons than the certificate */
    TLS_EXPIRED,      /* or not valid yet */
    TLS_WRONG_NAME,
    TLS_NOT_TRUSTED, /* no chain to an authority that counts */
    TLS_NOT_IN_TLSA, /* no record fits the certificates shown */
};

#define TLS_NAMES_MAX 4

struct tls_check {
    enum tls_level level;
    bool report_only;
    const char *server_name; /* sent as SNI; may be NULL */
    const char *names[TLS_NAMES_MAX];
    size_t n_names;
    struct tlsa records[TLSA_MAX]; /* see tlsa_choose() */
    size_t n_records;

    enum tls_fault fault; /* filled by the handshake */
    char text[200];       /* ... in words, with names; empty when good */
};

/* "The certificate has expired". */
const char *tls_fault_text(enum tls_fault fault);
