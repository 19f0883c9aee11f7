/* test_signature.c - keys and signatures: those of RFC 8463 appendix A, others made with OpenSSL
 * (RSA) and PyNaCl (Ed25519). All signatures are of "abc".
 */
#include "common/signature.h"

#include "common/codec.h"
#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/keys.h"

#define KEY_512                                                                                    \
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK67RA42BXzw1lAr/RCIsF83TtLV2sPFOnBhbCGXanDl02/gXBr7NE"       \
    "ZY3rAPHK7c+6a9Yv4kh5fiGXDDp/nwXx0CAwEAAQ=="
#define SIGNATURE_512                                                                              \
    "VhobpNrGYzuKql7qCeVSyHWw4VfM16RI7iwiytx7jd1pYZtclj0i1nYnfOXjFENdec3UUhh4FkzWOuc/L92AMQ"       \
    "=="

#define KEY_768                                                                                    \
    "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhALSWIyK8zrmxY2qQDW9H3jMztAV6/6CfKwaQFHcHq3fX6yifqJfN33"       \
    "XikLpRMDRiVhWZoc/ln5J8cS2bwQGVbnE9MPFiPZgHT26rVCeXsvXNO1oquT/Nx8D0szjBsPrrmQIDAQAB"
#define SIGNATURE_768                                                                              \
    "IH6B8J5Pfe856upHQMP1tl5ZNG3GbZz3ZpdZtdxtXDfJ0UrcE+rzBT3iTBhrhOgvoQuNk/+/RhwkFouL7e/L2D"       \
    "Aer5puIeMxF1WX7Vbb7hjA0rdnArIuzTZXDkeJhqpB"

#define KEY_1024                                                                                   \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCkQ+BzFSfXm1tUmPu2NeLGAwwVKkRdjpuw1IioNBvAzE8BHy"       \
    "fuC04QtiUc5VqWFFQJ2e794VL8xkmsWxvG7y7oxWVzBV4XnzrANaBeBQC9iIZ/sUHjeXwUOV1J/Igs2zrpQMho"       \
    "ne0i9ydL6Lc1O1YqCEksODtKN3Q8E/9j2cYBdQIDAQAB"
#define SIGNATURE_1024                                                                             \
    "PedU6KKnOPYHaw4hiuC4AiLUVxeF8TRekR3EMLE+81xTpY2uy3q2v7oiYhii3lo1VqsqUzw/tu83k/e/XGKphp"       \
    "ao7DK+MbgaDbJWkawVIoiLEnbQ20drxWL2Fu13rU7C+Qr3pKWU6K/yWfs5avah2akya94ekXePBffrc5gzBB4="

#define KEY_1024_BARE                                                                              \
    "MIGJAoGBAKRD4HMVJ9ebW1SY+7Y14sYDDBUqRF2Om7DUiKg0G8DMTwEfJ+4LThC2JRzlWpYUVAnZ7v3hUvzGSa"       \
    "xbG8bvLujFZXMFXhefOsA1oF4FAL2Ihn+xQeN5fBQ5XUn8iCzbOulAyGid7SL3J0votzU7VioISSw4O0o3dDwT"       \
    "/2PZxgF1AgMBAAE="

/* The same modulus with an exponent of its size. */
#define KEY_EXPONENT                                                                               \
    "MIIBCAKBgQCkQ+BzFSfXm1tUmPu2NeLGAwwVKkRdjpuw1IioNBvAzE8BHyfuC04QtiUc5VqWFFQJ2e794VL8xk"       \
    "msWxvG7y7oxWVzBV4XnzrANaBeBQC9iIZ/sUHjeXwUOV1J/Igs2zrpQMhone0i9ydL6Lc1O1YqCEksODtKN3Q8"       \
    "E/9j2cYBdQKBgQCkQ+BzFSfXm1tUmPu2NeLGAwwVKkRdjpuw1IioNBvAzE8BHyfuC04QtiUc5VqWFFQJ2e794V"       \
    "L8xkmsWxvG7y7oxWVzBV4XnzrANaBeBQC9iIZ/sUHjeXwUOV1J/Igs2zrpQMhone0i9ydL6Lc1O1YqCEksODtK"       \
    "N3Q8E/9j2cYBcw=="

#define KEY_P256                                                                                   \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIPQht3L2V+DkLZBo4mPjLP9+tjcK+T6mqTT4Q4Wm/odNsMCDTQ"       \
    "nHIzdoWglipbhDWg8GXhJYQHx4OiqdNarDcg=="

static const char p256_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgveNnvKS/UnPh/dUI\n"
                               "X3BZRgUyDrynYXjYDlPlZCWGWbyhRANCAAQg9CG3cvZX4OQtkGjiY+Ms/362Nwr5\n"
                               "PqapNPhDhab+h02wwINNCccjN2haCWKluENaDwZeElhAfHg6Kp01qsNy\n"
                               "-----END PRIVATE KEY-----\n";

static const char rsa512_pem[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIIBOgIBAAJBAK67RA42BXzw1lAr/RCIsF83TtLV2sPFOnBhbCGXanDl02/gXBr7\n"
    "NEZY3rAPHK7c+6a9Yv4kh5fiGXDDp/nwXx0CAwEAAQJAPPTJfiesbHTcXyWpaC43\n"
    "UVBLKFRAuFFC3Nev0FwxXubK7RjL1E5ly9hOdxcYBEBUHf7l1TDMU80VZMzOVpGi\n"
    "hQIhANgzKs1FJyntHAQOvvckTf+epbvkH+fivXPquvrQHPJjAiEAzuXSlOzkTwdx\n"
    "B3hevxskqeLFrjMakH7D6ZHg0wRFYH8CIA+bafyVgGVDa6FTWy/GHCdW0YoFxtPb\n"
    "h2ely0et3FkXAiEAuidCP0idaxXQ9t2wsdXkOQ6WulO0tQm5j+/3DyWqnlUCIDPb\n"
    "c6w6EfyNWNJj/eHW07x1EVi4T00LmFOifbZCWZEp\n"
    "-----END RSA PRIVATE KEY-----\n";

#define ED25519_SIGNATURE                                                                          \
    "CW9VadgH7orHsZE9pwzwqrM1wlj0uUyPIQ3RQel0OSfI0aazeIcqcslEbB915tx7Le+YvQwhS+ZwbUh5H1doCg=="

static struct slice decode(const char *base64, struct buf *out)
{
    assert_true(base64_decode(slice_of(base64), out));
    return buf_slice(out);
}

static void hash_of(const char *text, unsigned char out[DIGEST_SIZE_MAX])
{
    struct digest *digest = digest_new(DIGEST_SHA256);

    digest_add(digest, slice_of(text));
    assert_int_equal(digest_end(&digest, out), 32);
    assert_null(digest);
}

static const struct {
    const char *name;
    enum digest_kind kind;
    const char *hex; /* of "abc": FIPS 180-4's examples */
} digests[] = {
    { "sha1", DIGEST_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha256", DIGEST_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "sha512", DIGEST_SHA512,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
};

static void test_digests(void **state)
{
    for (size_t i = 0; i < COUNT_OF(digests); i++) {
        AUTO(buf_free) struct buf hex = { 0 };
        struct digest *digest = digest_new(digests[i].kind);
        unsigned char out[DIGEST_SIZE_MAX];
        size_t len;

        digest_add(digest, SLICE("a"));
        digest_add(digest, (struct slice){ 0 });
        digest_add(digest, SLICE("bc"));
        len = digest_end(&digest, out);
        hex_encode(slice_make(out, len), &hex);
        assert_string_equal(buf_text(&hex), digests[i].hex);
        assert_int_equal(digest_end(&digest, out), 0);
    }
}

static const struct {
    const char *name;
    enum signature_algorithm algorithm;
    const char *key, *signature, *text;
    enum signature_result want;
} checks[] = {
    { "1024 bits", SIGNATURE_RSA_SHA256, KEY_1024, SIGNATURE_1024, "abc", SIGNATURE_GOOD },
    { "a bare key", SIGNATURE_RSA_SHA256, KEY_1024_BARE, SIGNATURE_1024, "abc", SIGNATURE_GOOD },
    { "another text", SIGNATURE_RSA_SHA256, KEY_1024, SIGNATURE_1024, "abd", SIGNATURE_WRONG },
    { "no signature", SIGNATURE_RSA_SHA256, KEY_1024, "", "abc", SIGNATURE_WRONG },
    { "a short one", SIGNATURE_RSA_SHA256, KEY_1024, "AAAA", "abc", SIGNATURE_WRONG },
    { "of another key", SIGNATURE_RSA_SHA256, RFC8463_RSA_PUBLIC, SIGNATURE_1024, "abc",
      SIGNATURE_WRONG },
    { "512 bits", SIGNATURE_RSA_SHA256, KEY_512, SIGNATURE_512, "abc", SIGNATURE_WEAK_KEY },
    { "768 bits", SIGNATURE_RSA_SHA256, KEY_768, SIGNATURE_768, "abc", SIGNATURE_WEAK_KEY },
    { "a giant exponent", SIGNATURE_RSA_SHA256, KEY_EXPONENT, SIGNATURE_1024, "abc",
      SIGNATURE_BAD_KEY },
    { "a curve for RSA", SIGNATURE_RSA_SHA256, KEY_P256, SIGNATURE_1024, "abc", SIGNATURE_BAD_KEY },
    { "Ed25519 for RSA", SIGNATURE_RSA_SHA256, RFC8463_ED25519_PUBLIC, SIGNATURE_1024, "abc",
      SIGNATURE_BAD_KEY },
    { "no key", SIGNATURE_RSA_SHA256, "", SIGNATURE_1024, "abc", SIGNATURE_BAD_KEY },
    { "SHA-1", SIGNATURE_RSA_SHA1, KEY_1024, SIGNATURE_1024, "abc", SIGNATURE_WRONG },
    { "Ed25519", SIGNATURE_ED25519_SHA256, RFC8463_ED25519_PUBLIC, ED25519_SIGNATURE, "abc",
      SIGNATURE_GOOD },
    { "Ed25519, another text", SIGNATURE_ED25519_SHA256, RFC8463_ED25519_PUBLIC, ED25519_SIGNATURE,
      "ABC", SIGNATURE_WRONG },
    { "Ed25519, no signature", SIGNATURE_ED25519_SHA256, RFC8463_ED25519_PUBLIC, "", "abc",
      SIGNATURE_WRONG },
    { "RSA for Ed25519", SIGNATURE_ED25519_SHA256, KEY_1024, ED25519_SIGNATURE, "abc",
      SIGNATURE_BAD_KEY },
    { "Ed25519, no key", SIGNATURE_ED25519_SHA256, "", ED25519_SIGNATURE, "abc",
      SIGNATURE_BAD_KEY },
    /* 32 bytes whose point is not on the curve */
    { "Ed25519, no point", SIGNATURE_ED25519_SHA256,
      "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ED25519_SIGNATURE, "abc", SIGNATURE_WRONG },
};

static void test_checks(void **state)
{
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        AUTO(buf_free) struct buf key = { 0 };
        AUTO(buf_free) struct buf signature = { 0 };
        AUTO(exact_free) struct slice exact_key = exact_copy(decode(checks[i].key, &key));
        unsigned char hash[DIGEST_SIZE_MAX];

        hash_of(checks[i].text, hash);
        if (signature_check(checks[i].algorithm, exact_key, slice_make(hash, 32),
                            decode(checks[i].signature, &signature)) != checks[i].want)
            fail_msg("%s", checks[i].name);
    }
}

#define MODULUS_AT 29 /* in KEY_1024; before it are names of what follows */

/* A key cut at every byte, and with each byte changed: nothing crashes, and no other modulus or
 * exponent verifies. */
static void test_damaged_keys(void **state)
{
    AUTO(buf_free) struct buf key = { 0 };
    AUTO(buf_free) struct buf signature = { 0 };
    unsigned char hash[DIGEST_SIZE_MAX];
    struct slice whole = decode(KEY_1024, &key), hashed = slice_make(hash, 32);
    struct slice bytes = decode(SIGNATURE_1024, &signature);

    hash_of("abc", hash);
    for (size_t i = 0; i < whole.len; i++) {
        AUTO(exact_free) struct slice cut = exact_copy(slice_part(whole, 0, i));
        AUTO(exact_free) struct slice turned = exact_copy(whole);

        assert_int_not_equal(signature_check(SIGNATURE_RSA_SHA256, cut, hashed, bytes),
                             SIGNATURE_GOOD);
        ((char *)turned.data)[i] ^= 1;
        if (signature_check(SIGNATURE_RSA_SHA256, turned, hashed, bytes) == SIGNATURE_GOOD)
            assert_true(i < MODULUS_AT);
    }
}

static void check_round_trip(enum signature_algorithm algorithm)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(private_key_free) struct private_key *again = NULL;
    AUTO(buf_free) struct buf pem = { 0 };
    AUTO(buf_free) struct buf public_key = { 0 };
    AUTO(buf_free) struct buf signature = { 0 };
    unsigned char hash[DIGEST_SIZE_MAX];
    struct error err;

    hash_of("round", hash);
    assert_true(private_key_new(algorithm, &key, &err));
    assert_true(private_key_print(key, &pem, &err));
    assert_true(slice_starts(buf_slice(&pem), "-----BEGIN PRIVATE KEY-----\n"));
    assert_true(private_key_read(buf_slice(&pem), &again, &err));
    assert_int_equal(private_key_algorithm(again), algorithm);
    assert_true(signature_make(again, slice_make(hash, 32), &signature, &err));
    assert_true(private_key_public(key, &public_key, &err));
    assert_int_equal(signature_check(algorithm, buf_slice(&public_key), slice_make(hash, 32),
                                     buf_slice(&signature)),
                     SIGNATURE_GOOD);
    hash[0] ^= 1;
    assert_int_equal(signature_check(algorithm, buf_slice(&public_key), slice_make(hash, 32),
                                     buf_slice(&signature)),
                     SIGNATURE_WRONG);
}

static void test_round_trips(void **state)
{
    struct private_key *key = NULL;
    struct error err;

    check_round_trip(SIGNATURE_RSA_SHA256);
    check_round_trip(SIGNATURE_ED25519_SHA256);
    assert_false(private_key_new(SIGNATURE_RSA_SHA1, &key, &err));
}

static const struct {
    const char *pem, *public_key;
    enum signature_algorithm algorithm;
} rfc8463[] = {
    { RFC8463_RSA_PEM, RFC8463_RSA_PUBLIC, SIGNATURE_RSA_SHA256 },
    { RFC8463_ED25519_PEM, RFC8463_ED25519_PUBLIC, SIGNATURE_ED25519_SHA256 },
};

static void test_rfc8463_keys(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rfc8463); i++) {
        AUTO(private_key_free) struct private_key *key = NULL;
        AUTO(buf_free) struct buf public_key = { 0 };
        AUTO(buf_free) struct buf text = { 0 };
        struct error err;

        assert_true(private_key_read(slice_of(rfc8463[i].pem), &key, &err));
        assert_int_equal(private_key_algorithm(key), rfc8463[i].algorithm);
        assert_true(private_key_public(key, &public_key, &err));
        base64_encode(buf_slice(&public_key), &text);
        assert_string_equal(buf_text(&text), rfc8463[i].public_key);
    }
}

/* Ed25519 is deterministic: what we sign is what PyNaCl signs. */
static void test_ed25519_as_others(void **state)
{
    AUTO(private_key_free) struct private_key *key = NULL;
    AUTO(buf_free) struct buf signature = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    unsigned char hash[DIGEST_SIZE_MAX];
    struct error err;

    hash_of("abc", hash);
    assert_true(private_key_read(SLICE(RFC8463_ED25519_PEM), &key, &err));
    assert_true(signature_make(key, slice_make(hash, 32), &signature, &err));
    base64_encode(buf_slice(&signature), &text);
    assert_string_equal(buf_text(&text), ED25519_SIGNATURE);
    assert_false(signature_make(key, slice_make(hash, 31), &signature, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

static const struct {
    const char *name, *pem;
} no_keys[] = {
    { "nothing", "" },
    { "a curve", p256_pem },
    { "512 bits", rsa512_pem },
    { "no PEM", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g" },
    { "a public key",
      "-----BEGIN PUBLIC KEY-----\n" RFC8463_RSA_PUBLIC "\n-----END PUBLIC KEY-----\n" },
};

static void test_no_keys(void **state)
{
    struct slice whole = SLICE(RFC8463_RSA_PEM);
    AUTO(buf_free) struct buf large = { 0 };
    struct private_key *key = NULL;
    struct error err;

    for (size_t i = 0; i < COUNT_OF(no_keys); i++) {
        if (private_key_read(slice_of(no_keys[i].pem), &key, &err) || err.kind != ERROR_INVALID)
            fail_msg("%s", no_keys[i].name);
        assert_null(key);
    }
    for (size_t i = 0; i < whole.len - sizeof("-----END RSA PRIVATE KEY-----\n"); i++) {
        AUTO(exact_free) struct slice cut = exact_copy(slice_part(whole, 0, i));

        assert_false(private_key_read(cut, &key, &err));
    }
    for (size_t i = 0; i < 70000; i++)
        buf_add_byte(&large, 'A');
    assert_false(private_key_read(buf_slice(&large), &key, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),      cmocka_unit_test(test_checks),
        cmocka_unit_test(test_damaged_keys), cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_rfc8463_keys), cmocka_unit_test(test_ed25519_as_others),
        cmocka_unit_test(test_no_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
