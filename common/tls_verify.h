/* tls_verify.h - looks at a server's certificates in the handshake; only for conn_tls.c. */
#pragma once

#include "common/tls_check.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

/* False: check->fault and check->text say why. */
bool tls_verify(gnutls_session_t session, struct tls_check *check);
