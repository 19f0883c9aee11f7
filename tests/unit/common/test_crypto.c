/* Hashes against published vectors; passwords both ways. */
#include "common/crypto.h"

#include "common/codec.h"
#include "tests/unit/support/check.h"

static void check_hex(const unsigned char *bytes, size_t len, const char *want)
{
    AUTO(buf_free) struct buf hex = { 0 };

    hex_encode(slice_make(bytes, len), &hex);
    assert_string_equal(buf_text(&hex), want);
}

static void sha256_vectors(void **state)
{
    unsigned char out[SHA256_SIZE];

    sha256(SLICE("abc"), out); /* FIPS 180-2 appendix B.1 */
    check_hex(out, sizeof(out), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256((struct slice){ 0 }, out);
    check_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out); /* RFC 4231, 4.3 */
    check_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void pbkdf2_vectors(void **state)
{
    unsigned char out[SHA256_SIZE];

    pbkdf2_sha256(SLICE("passwd"), SLICE("salt"), 1, out); /* RFC 7914 section 11 */
    check_hex(out, sizeof(out), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

static void blake2b_piece_by_piece(void **state)
{
    unsigned char whole[HASH_SIZE], pieces[HASH_SIZE], keyed[HASH_SIZE];
    const unsigned char key[32] = { 1 };
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, "abc", 3);
    hash_end(&hash, whole);
    check_hex(whole, sizeof(whole),
              "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    hash_init(&hash);
    for (int i = 0; i < 3; i++)
        hash_add(&hash, &"abc"[i], 1);
    hash_end(&hash, pieces);
    assert_memory_equal(whole, pieces, HASH_SIZE);
    hash_keyed(key, SLICE("abc"), keyed);
    assert_memory_not_equal(whole, keyed, HASH_SIZE);
}

static void random_differs(void **state)
{
    unsigned char a[32] = { 0 }, b[32] = { 0 };

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_false(bytes_equal_constant_time(a, b, sizeof(a)));
    assert_true(bytes_equal_constant_time(a, a, sizeof(a)));
    assert_true(random_u64() != random_u64());
}

static const struct password_cost cheap = { .memory_bytes = 8192,
                                            .passes = 1,
                                            .scram_iterations = 4096 };

static void passwords_match_themselves(void **state)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct error err;

    assert_true(password_hash(SLICE("p\xC3\xA4ss"), &cheap, &argon, &scram, &err));
    assert_int_equal(strncmp(buf_text(&argon), "$argon2id$", 10), 0);
    assert_true(password_matches(SLICE("p\xC3\xA4ss"), buf_text(&argon)));
    assert_false(password_matches(SLICE("p\xC3\xA4s"), buf_text(&argon)));
    assert_false(password_matches((struct slice){ 0 }, buf_text(&argon)));
    assert_false(password_matches(SLICE("x"), ""));
    assert_false(password_matches(SLICE("x"), "not a hash"));
    password_pretend(SLICE("x"), &cheap);
}

/* RFC 5803: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey */
static void scram_keys_are_made_of_the_password(void **state)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    AUTO(buf_free) struct buf salt = { 0 };
    AUTO(buf_free) struct buf want = { 0 };
    unsigned char salted[32], key[32], stored[32];
    struct slice rest, part;
    struct error err;

    assert_true(password_hash(SLICE("pencil"), &cheap, &argon, &scram, &err));
    rest = buf_slice(&scram);
    assert_true(slice_split(&rest, ':', &part));
    assert_true(slice_equal(part, SLICE("SCRAM-SHA-256$4096")));
    assert_true(slice_split(&rest, '$', &part));
    assert_true(base64_decode(part, &salt));
    assert_int_equal(salt.len, 16);

    pbkdf2_sha256(SLICE("pencil"), buf_slice(&salt), 4096, salted);
    hmac_sha256(slice_make(salted, 32), SLICE("Client Key"), key);
    sha256(slice_make(key, 32), stored);
    base64_encode(slice_make(stored, 32), &want);
    buf_add_byte(&want, ':');
    hmac_sha256(slice_make(salted, 32), SLICE("Server Key"), key);
    base64_encode(slice_make(key, 32), &want);
    assert_true(slice_equal(rest, buf_slice(&want)));
}

static void bad_costs_are_errors(void **state)
{
    static const struct password_cost no_memory = { 1, 1, 4096 };
    static const struct password_cost no_iterations = { 8192, 1, 0 };
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct error err;

    assert_false(password_hash(SLICE("x"), &no_memory, &argon, &scram, &err));
    assert_false(password_hash(SLICE("x"), &no_iterations, &argon, &scram, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_false(password_hash(SLICE(""), &cheap, &argon, &scram, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
    assert_int_equal(argon.len + scram.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(pbkdf2_vectors),
        cmocka_unit_test(blake2b_piece_by_piece),
        cmocka_unit_test(random_differs),
        cmocka_unit_test(passwords_match_themselves),
        cmocka_unit_test(scram_keys_are_made_of_the_password),
        cmocka_unit_test(bad_costs_are_errors),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
