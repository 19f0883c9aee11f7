/* signature.h - hashes, and signatures with RSA and Ed25519, for DKIM and ARC (RFC 6376, 8463).
 *
 * Threads: any; a key may be used by several at once. Keys are wiped when freed.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };
#define DIGEST_SIZE_MAX 64

/* Piece by piece. */
struct digest;
struct digest *digest_new(enum digest_kind kind);
void digest_add(struct digest *digest, struct slice bytes);
size_t digest_end(struct digest **digest, unsigned char out[DIGEST_SIZE_MAX]); /* frees it */

enum signature_algorithm {
    SIGNATURE_RSA_SHA256,
    SIGNATURE_ED25519_SHA256, /* Ed25519 over a SHA-256 digest, RFC 8463 section 3 */
    SIGNATURE_RSA_SHA1,       /* only to tell that it is one: RFC 8301 forbids to verify it */
};

struct private_key;

/* A new key: RSA of 2048 bits, or Ed25519. */
bool private_key_new(enum signature_algorithm algorithm, struct private_key **key_out,
                     struct error *err) MUST_CHECK;
/* PEM, PKCS #8 (or #1). Errors: ERROR_INVALID. */
bool private_key_read(struct slice pem, struct private_key **key_out, struct error *err) MUST_CHECK;
bool private_key_print(const struct private_key *key, struct buf *pem_out,
                       struct error *err) MUST_CHECK;
enum signature_algorithm private_key_algorithm(const struct private_key *key);
void private_key_free(struct private_key **key);

/* What a DKIM key record has in p=, before base64: SubjectPublicKeyInfo DER for RSA (RFC 6376
 * section 3.6.1), the 32 raw bytes for Ed25519 (RFC 8463 section 4.2). */
bool private_key_public(const struct private_key *key, struct buf *out,
                        struct error *err) MUST_CHECK;

/* `hash`: the SHA-256 of what is signed. */
bool signature_make(const struct private_key *key, struct slice hash, struct buf *out,
                    struct error *err) MUST_CHECK;

enum signature_result {
    SIGNATURE_GOOD,
    SIGNATURE_WRONG,
    SIGNATURE_BAD_KEY,  /* not a key of this algorithm; for RSA also bare RSAPublicKey DER is one */
    SIGNATURE_WEAK_KEY, /* RSA under 1024 bits (RFC 8301 section 3.2) */
};
enum signature_result signature_check(enum signature_algorithm algorithm, struct slice public_key,
                                      struct slice hash, struct slice signature);
