/* tls_private.h - what conn_tls.c needs of tls.c: GnuTLS sessions with the right parameters.
 *
 * A set of certificates is counted: the tls object holds one reference, every session one more, so
 * a reload replaces the set without touching sessions that use the old one.
 */
#pragma once

#include "common/tls.h"

#include <gnutls/gnutls.h>

/* As a client: mail that leaves had better be encrypted with something old than with nothing. */
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* As a server: forward secrecy and authenticated ciphers only (RFC 9325 section 4.2). */
#define TLS_SERVER_PRIORITY                                                                        \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"                                                   \
    ":-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM"                                    \
    ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"

struct tls_certificates;

/* A server's session; give the certificates back after gnutls_deinit(). NULL: out of memory. */
gnutls_session_t tls_session(struct tls *tls, struct tls_certificates **certificates_out);
void tls_certificates_unref(struct tls_certificates **certificates);
