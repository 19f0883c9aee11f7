/* dkim.h - making the signing keys of a domain.
 *
 * A domain signs with two keys (RFC 8463 section 3): RSA, which everybody can verify, and Ed25519.
 * The selector has the day in it, and a letter when that day has had one before: "r20261125",
 * "e20261125", "e20261125b".
 */
#pragma once

#include "admin/tool.h"

/* Two private keys that nobody has seen, for a domain that may not be there yet. */
struct new_keys {
    struct buf rsa, ed25519; /* PEM */
};
bool new_keys_make(struct new_keys *keys, struct error *err) MUST_CHECK;
void new_keys_free(struct new_keys *keys); /* wipes them */

/* Stores both for the domain; they wait until they are seen in the DNS. `now_ms` names the day. */
bool new_keys_store(struct desk *desk, struct slice domain, const struct new_keys *keys,
                    int64_t now_ms, struct error *err) MUST_CHECK;
