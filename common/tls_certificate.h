/* tls_certificate.h - a look at the certificate in a PEM file, for what is published of it.
 *
 * Threads: any.
 */
#pragma once

#include "common/error.h"

struct certificate {
    unsigned char key_sha256[32]; /* of its SubjectPublicKeyInfo: TLSA "3 1 1" (RFC 6698) */
    int64_t begins_s, expires_s;
    bool is_for_host; /* it names the host, wildcards included */
};

/* The first certificate in the file. Errors: ERROR_NOT_FOUND, ERROR_INVALID. */
bool certificate_read(const char *path, const char *host, struct certificate *certificate_out,
                      struct error *err) MUST_CHECK;
