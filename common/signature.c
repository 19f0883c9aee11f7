/* signature.c - hashes and signatures, by GnuTLS.
 *
 * A key in the DNS is whatever its owner likes: its size and its exponent have limits, so that a
 * check takes a millisecond or two and not a second.
 */
#include "common/signature.h"

#include "common/mem.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>

#define PEM_MAX          (64u << 10)
#define PUBLIC_KEY_MAX   4096
#define RSA_BITS         2048
#define RSA_BITS_MIN     1024 /* RFC 8301 section 3.2 */
#define RSA_BITS_MAX     8192
#define RSA_EXPONENT_MAX 4 /* bytes */
#define SHA256_HASH_SIZE 32
#define ED25519_KEY_SIZE 32
#define SIGNATURE_MAX    (RSA_BITS_MAX / 8)
#define DER_SEQUENCE     0x30
#define DER_BIT_STRING   0x03

/* --- digests --- */

struct digest {
    gnutls_hash_hd_t handle;
    size_t size;
};

static gnutls_digest_algorithm_t digest_algorithm(enum digest_kind kind)
{
    switch (kind) {
    case DIGEST_SHA1:
        return GNUTLS_DIG_SHA1;
    case DIGEST_SHA256:
        return GNUTLS_DIG_SHA256;
    case DIGEST_SHA512:
        return GNUTLS_DIG_SHA512;
    }
    abort();
}

struct digest *digest_new(enum digest_kind kind)
{
    struct digest *digest = NEW(struct digest);

    if (gnutls_hash_init(&digest->handle, digest_algorithm(kind)) != 0)
        abort(); /* out of memory */
    digest->size = gnutls_hash_get_len(digest_algorithm(kind));
    return digest;
}

void digest_add(struct digest *digest, struct slice bytes)
{
    if (bytes.len > 0 && gnutls_hash(digest->handle, bytes.data, bytes.len) != 0)
        abort();
}

size_t digest_end(struct digest **digest, unsigned char out[DIGEST_SIZE_MAX])
{
    size_t size;

    if (*digest == NULL)
        return 0;
    size = (*digest)->size;
    gnutls_hash_deinit((*digest)->handle, out);
    free(*digest);
    *digest = NULL;
    return size;
}

/* --- private keys --- */

struct private_key {
    gnutls_privkey_t key;
    enum signature_algorithm algorithm;
};

static gnutls_datum_t datum_of(struct slice slice)
{
    return (gnutls_datum_t){ (unsigned char *)(slice.data != NULL ? slice.data : ""),
                             (unsigned)slice.len };
}

static void datum_free(gnutls_datum_t *datum)
{
    if (datum->data != NULL)
        mem_wipe(datum->data, datum->size);
    gnutls_free(datum->data);
    datum->data = NULL;
}

static void datum_move(gnutls_datum_t *datum, struct buf *out)
{
    buf_add(out, datum->data, datum->size);
    datum_free(datum);
}

static void public_free(gnutls_pubkey_t *key)
{
    if (*key != NULL)
        gnutls_pubkey_deinit(*key);
    *key = NULL;
}

static struct private_key *key_alloc(void)
{
    struct private_key *key = NEW(struct private_key);

    if (gnutls_privkey_init(&key->key) != 0)
        abort();
    return key;
}

static gnutls_pubkey_t public_alloc(void)
{
    gnutls_pubkey_t key;

    if (gnutls_pubkey_init(&key) != 0)
        abort();
    return key;
}

void private_key_free(struct private_key **key)
{
    if (*key == NULL)
        return;
    gnutls_privkey_deinit((*key)->key);
    free(*key);
    *key = NULL;
}

bool private_key_new(enum signature_algorithm algorithm, struct private_key **key_out,
                     struct error *err)
{
    AUTO(private_key_free) struct private_key *key = key_alloc();
    bool is_rsa = algorithm == SIGNATURE_RSA_SHA256;
    int code;

    if (algorithm == SIGNATURE_RSA_SHA1)
        return error_set(err, ERROR_INVALID, "no keys are made for SHA-1");
    code = gnutls_privkey_generate(key->key, is_rsa ? GNUTLS_PK_RSA : GNUTLS_PK_EDDSA_ED25519,
                                   is_rsa ? RSA_BITS : 0, 0);
    if (code != 0)
        return error_set(err, ERROR_INTERNAL, "making a key: %s", gnutls_strerror(code));
    key->algorithm = algorithm;
    *key_out = TAKE(key);
    return true;
}

/* Whether it is a key that we sign with, and of which algorithm. */
static bool key_classify(struct private_key *key, struct error *err)
{
    unsigned bits = 0;
    int kind = gnutls_privkey_get_pk_algorithm(key->key, &bits);

    if (kind == GNUTLS_PK_EDDSA_ED25519) {
        key->algorithm = SIGNATURE_ED25519_SHA256;
        return true;
    }
    if (kind != GNUTLS_PK_RSA)
        return error_set(err, ERROR_INVALID, "the key is neither RSA nor Ed25519");
    if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
        return error_set(err, ERROR_INVALID, "an RSA key of %u bits: it must have %d to %d", bits,
                         RSA_BITS_MIN, RSA_BITS_MAX);
    key->algorithm = SIGNATURE_RSA_SHA256;
    return true;
}

bool private_key_read(struct slice pem, struct private_key **key_out, struct error *err)
{
    AUTO(private_key_free) struct private_key *key = key_alloc();
    gnutls_datum_t datum = datum_of(pem);
    int code;

    if (pem.len > PEM_MAX)
        return error_set(err, ERROR_INVALID, "the key is larger than %u bytes", PEM_MAX);
    code = gnutls_privkey_import_x509_raw(key->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code != 0)
        return error_set(err, ERROR_INVALID, "not a private key in PEM: %s", gnutls_strerror(code));
    if (!key_classify(key, err))
        return false;
    *key_out = TAKE(key);
    return true;
}

static void x509_free(gnutls_x509_privkey_t *key)
{
    if (*key != NULL)
        gnutls_x509_privkey_deinit(*key);
    *key = NULL;
}

bool private_key_print(const struct private_key *key, struct buf *pem_out, struct error *err)
{
    AUTO(x509_free) gnutls_x509_privkey_t x509 = NULL;
    gnutls_datum_t pem = { 0 };
    int code = gnutls_privkey_export_x509(key->key, &x509);

    if (code == 0) /* PKCS #8 without a password */
        code = gnutls_x509_privkey_export2_pkcs8(x509, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                 &pem);
    if (code != 0)
        return error_set(err, ERROR_INTERNAL, "printing a key: %s", gnutls_strerror(code));
    datum_move(&pem, pem_out);
    return true;
}

enum signature_algorithm private_key_algorithm(const struct private_key *key)
{
    return key->algorithm;
}

bool private_key_public(const struct private_key *key, struct buf *out, struct error *err)
{
    AUTO(public_free) gnutls_pubkey_t public_key = public_alloc();
    gnutls_datum_t bytes = { 0 };
    int code = gnutls_pubkey_import_privkey(public_key, key->key, 0, 0);

    if (code == 0 && key->algorithm == SIGNATURE_RSA_SHA256)
        code = gnutls_pubkey_export2(public_key, GNUTLS_X509_FMT_DER, &bytes);
    else if (code == 0)
        code = gnutls_pubkey_export_ecc_raw2(public_key, NULL, &bytes, NULL, 0);
    if (code != 0)
        return error_set(err, ERROR_INTERNAL, "taking the public key: %s", gnutls_strerror(code));
    datum_move(&bytes, out);
    return true;
}

/* --- signing --- */

bool signature_make(const struct private_key *key, struct slice hash, struct buf *out,
                    struct error *err)
{
    gnutls_datum_t datum = datum_of(hash), signature = { 0 };
    int code;

    if (hash.len != SHA256_HASH_SIZE)
        return error_set(err, ERROR_INVALID, "a hash of %zu bytes", hash.len);
    if (key->algorithm == SIGNATURE_RSA_SHA256)
        code = gnutls_privkey_sign_hash2(key->key, GNUTLS_SIGN_RSA_SHA256, 0, &datum, &signature);
    else /* PureEdDSA, of the hash as if it were the message: RFC 8463 section 3 */
        code =
            gnutls_privkey_sign_data2(key->key, GNUTLS_SIGN_EDDSA_ED25519, 0, &datum, &signature);
    if (code != 0)
        return error_set(err, ERROR_INTERNAL, "signing: %s", gnutls_strerror(code));
    datum_move(&signature, out);
    return true;
}

/* --- checking --- */

static enum signature_result check_ed25519(struct slice public_key, struct slice hash,
                                           struct slice signature)
{
    AUTO(public_free) gnutls_pubkey_t key = public_alloc();
    gnutls_datum_t point = datum_of(public_key), data = datum_of(hash);
    gnutls_datum_t signed_bytes = datum_of(signature);

    if (public_key.len != ED25519_KEY_SIZE ||
        gnutls_pubkey_import_ecc_raw(key, GNUTLS_ECC_CURVE_ED25519, &point, NULL) != 0)
        return SIGNATURE_BAD_KEY;
    if (gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_EDDSA_ED25519, 0, &data, &signed_bytes) < 0)
        return SIGNATURE_WRONG;
    return SIGNATURE_GOOD;
}

/* Puts DER's tag and length before the content, which has under 64 KiB. */
static void der_add(struct buf *out, unsigned char tag, struct slice content)
{
    buf_add_byte(out, (char)tag);
    buf_add_byte(out, (char)0x82);
    buf_add_byte(out, (char)(content.len >> 8));
    buf_add_byte(out, (char)content.len);
    buf_add_slice(out, content);
}

/* A bare RSAPublicKey (RFC 8017 appendix A.1.1) as SubjectPublicKeyInfo. Lengths are written in
 * their longest form, as BER allows. */
static bool import_bare(gnutls_pubkey_t key, struct slice public_key)
{
    static const unsigned char algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                               0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
    AUTO(buf_free) struct buf bits = { 0 };
    AUTO(buf_free) struct buf content = { 0 };
    AUTO(buf_free) struct buf info = { 0 };
    gnutls_datum_t datum;

    buf_add_byte(&bits, 0); /* no unused bits */
    buf_add_slice(&bits, public_key);
    buf_add(&content, algorithm, sizeof(algorithm));
    der_add(&content, DER_BIT_STRING, buf_slice(&bits));
    der_add(&info, DER_SEQUENCE, buf_slice(&content));
    datum = datum_of(buf_slice(&info));
    return gnutls_pubkey_import(key, &datum, GNUTLS_X509_FMT_DER) == 0;
}

static enum signature_result import_rsa(struct slice public_key, gnutls_pubkey_t key)
{
    gnutls_datum_t datum = datum_of(public_key), modulus = { 0 }, exponent = { 0 };
    enum signature_result result = SIGNATURE_BAD_KEY;
    unsigned bits = 0;

    if (public_key.len > PUBLIC_KEY_MAX)
        return SIGNATURE_BAD_KEY;
    if (gnutls_pubkey_import(key, &datum, GNUTLS_X509_FMT_DER) != 0 &&
        !import_bare(key, public_key))
        return SIGNATURE_BAD_KEY;
    if (gnutls_pubkey_get_pk_algorithm(key, &bits) != GNUTLS_PK_RSA || bits > RSA_BITS_MAX)
        return SIGNATURE_BAD_KEY;
    if (gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, GNUTLS_EXPORT_FLAG_NO_LZ) == 0 &&
        exponent.size <= RSA_EXPONENT_MAX)
        result = bits < RSA_BITS_MIN ? SIGNATURE_WEAK_KEY : SIGNATURE_GOOD;
    datum_free(&modulus);
    datum_free(&exponent);
    return result;
}

static enum signature_result check_rsa(struct slice public_key, struct slice hash,
                                       struct slice signature)
{
    AUTO(public_free) gnutls_pubkey_t key = public_alloc();
    gnutls_datum_t datum = datum_of(hash), signed_bytes = datum_of(signature);
    enum signature_result result = import_rsa(public_key, key);

    if (result != SIGNATURE_GOOD)
        return result;
    if (gnutls_pubkey_verify_hash2(key, GNUTLS_SIGN_RSA_SHA256, 0, &datum, &signed_bytes) < 0)
        return SIGNATURE_WRONG;
    return SIGNATURE_GOOD;
}

enum signature_result signature_check(enum signature_algorithm algorithm, struct slice public_key,
                                      struct slice hash, struct slice signature)
{
    if (hash.len != SHA256_HASH_SIZE || signature.len > SIGNATURE_MAX)
        return SIGNATURE_WRONG;
    switch (algorithm) {
    case SIGNATURE_RSA_SHA256:
        return check_rsa(public_key, hash, signature);
    case SIGNATURE_ED25519_SHA256:
        return check_ed25519(public_key, hash, signature);
    case SIGNATURE_RSA_SHA1:
        return SIGNATURE_WRONG;
    }
    abort();
}
