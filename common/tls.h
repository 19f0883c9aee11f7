/* tls.h - the server's certificates and the TLS parameters of both directions.
 *
 * One certificate by default, more by server name (SNI) from a folder of NAME.crt + NAME.key (PEM,
 * chain first). TLS 1.2 and 1.3 only. Session tickets are on; their key is made at start and lives
 * in memory. tls_reload() reads all files again; sessions that run keep what they have. Which name
 * a certificate is for is read from the certificate, wildcards included; the file's name is only
 * for people. Without a match, or without SNI, the default is used.
 *
 * Threads: loop thread.
 */
#pragma once

#include "common/error.h"

struct tls;

struct tls_files {
    const char *certificate, *key; /* PEM; NULL: no TLS is offered */
    const char *folder;            /* more certificates by name; may be NULL */
};

/* *tls_out is NULL when `files` names no certificate. */
bool tls_load(const struct tls_files *files, struct tls **tls_out, struct error *err) MUST_CHECK;
bool tls_reload(struct tls *tls, struct error *err) MUST_CHECK; /* on failure the old ones stay */
void tls_free(struct tls **tls);
