/* SASL mechanisms from the client's side: the example of RFC 7677, and what must not get in. */
#include "common/codec.h"
#include "common/crypto.h"
#include "common/sasl_private.h"
#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

static const unsigned char fake_key[32] = { 7 };

static enum sasl_result step(struct sasl *sasl, struct slice answer, struct buf *out)
{
    AUTO(exact_free) struct slice exact = exact_copy(answer);

    buf_clear(out);
    return sasl_step(sasl, exact, out);
}

static void names(void **state)
{
    enum sasl_mechanism found;

    for (int i = SASL_PLAIN; i <= SASL_SCRAM_SHA_256_PLUS; i++) {
        assert_true(sasl_by_name(slice_of(sasl_name((enum sasl_mechanism)i)), &found));
        assert_int_equal(found, i);
        assert_int_equal(sasl_sends_password(found), i == SASL_PLAIN || i == SASL_LOGIN);
    }
    assert_null(sasl_name((enum sasl_mechanism)(SASL_SCRAM_SHA_256_PLUS + 1)));
    assert_true(sasl_by_name(SLICE("plain"), &found));
    assert_false(sasl_by_name(SLICE("CRAM-MD5"), &found));
}

static void plain(void **state)
{
    static const struct {
        struct slice answer;
        enum sasl_result want;
        bool malformed;
    } cases[] = {
        { { "\0bob\0secret", 11 }, SASL_PASSWORD, false },
        { { "bob\0bob\0secret", 14 }, SASL_PASSWORD, false },
        { { "eve\0bob\0secret", 14 }, SASL_FAILED, false },
        { { "\0bob\0", 5 }, SASL_FAILED, true },
        { { "\0\0secret", 8 }, SASL_FAILED, true },
        { { "\0bob", 4 }, SASL_FAILED, true },
        { { "bob", 3 }, SASL_FAILED, true },
        { { "\0bob\0sec\0ret", 12 }, SASL_FAILED, true },
        { { "\0b\xFF\0secret", 10 }, SASL_FAILED, true },
        { { "\0", 1 }, SASL_FAILED, true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };

        sasl_start(&sasl, SASL_PLAIN, NULL);
        assert_int_equal(step(&sasl, cases[i].answer, &out), cases[i].want);
        assert_int_equal(sasl.malformed, cases[i].malformed);
        if (cases[i].want == SASL_PASSWORD) {
            assert_true(buf_is(&sasl.user, "bob"));
            assert_true(buf_is(&sasl.password, "secret"));
        }
        assert_int_equal(step(&sasl, SLICE("\0bob\0secret"), &out), SASL_FAILED);
    }
}

static void plain_without_initial_response(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };

    sasl_start(&sasl, SASL_PLAIN, NULL);
    assert_int_equal(step(&sasl, SLICE(""), &out), SASL_CHALLENGE);
    assert_int_equal(out.len, 0);
    assert_int_equal(step(&sasl, SLICE("\0bob\0secret"), &out), SASL_PASSWORD);
}

static void sizes_have_limits(void **state)
{
    static const struct {
        size_t user, password;
        bool fits;
    } cases[] = {
        { 1024, 1024, true }, { 1025, 1, false }, { 1, 1025, false }, { 1, 9000, false }
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };
        AUTO(buf_free) struct buf answer = { 0 };

        buf_fmt(&answer, "%c%0*d%c%0*d", 0, (int)cases[i].user, 0, 0, (int)cases[i].password, 0);
        sasl_start(&sasl, SASL_PLAIN, NULL);
        assert_int_equal(step(&sasl, buf_slice(&answer), &out),
                         cases[i].fits ? SASL_PASSWORD : SASL_FAILED);
        assert_int_equal(sasl.malformed, !cases[i].fits);
    }
}

static void login(void **state)
{
    for (int with_initial = 0; with_initial < 2; with_initial++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };

        sasl_start(&sasl, SASL_LOGIN, NULL);
        if (!with_initial) {
            assert_int_equal(step(&sasl, SLICE(""), &out), SASL_CHALLENGE);
            assert_true(buf_is(&out, "Username:"));
        }
        assert_int_equal(step(&sasl, SLICE("bob"), &out), SASL_CHALLENGE);
        assert_true(buf_is(&out, "Password:"));
        assert_int_equal(step(&sasl, SLICE("secret"), &out), SASL_PASSWORD);
        assert_true(buf_is(&sasl.user, "bob"));
        assert_true(buf_is(&sasl.password, "secret"));
        assert_int_equal(step(&sasl, SLICE("again"), &out), SASL_FAILED);
    }
}

static void login_refuses_nothing(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };

    sasl_start(&sasl, SASL_LOGIN, NULL);
    assert_int_equal(step(&sasl, SLICE(""), &out), SASL_CHALLENGE);
    assert_int_equal(step(&sasl, SLICE(""), &out), SASL_FAILED);
    assert_true(sasl.malformed);
}

/* RFC 7677 section 3: user "user", password "pencil". */
#define RFC_SALT         "W22ZaJ0SNY7soEsUEjb6gQ=="
#define RFC_CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_NONCE        RFC_CLIENT_NONCE RFC_SERVER_NONCE
#define RFC_FINAL        "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SIGNATURE    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void add_keys(const char *password, struct buf *out)
{
    AUTO(buf_free) struct buf salt = { 0 };
    unsigned char salted[32], key[32], stored[32];

    assert_true(base64_decode(SLICE(RFC_SALT), &salt));
    pbkdf2_sha256(slice_of(password), buf_slice(&salt), 4096, salted);
    hmac_sha256(slice_make(salted, 32), SLICE("Client Key"), key);
    sha256(slice_make(key, 32), stored);
    buf_add_text(out, "SCRAM-SHA-256$4096:" RFC_SALT "$");
    base64_encode(slice_make(stored, 32), out);
    buf_add_byte(out, ':');
    hmac_sha256(slice_make(salted, 32), SLICE("Server Key"), key);
    base64_encode(slice_make(key, 32), out);
}

/* What a client computes: the final message for any binding. */
static void add_final(const char *password, const char *first_bare, const char *server_first,
                      struct slice binding_input, struct buf *out)
{
    AUTO(buf_free) struct buf salt = { 0 };
    AUTO(buf_free) struct buf message = { 0 };
    unsigned char salted[32], key[32], stored[32], signature[32];
    struct slice nonce = slice_part(slice_of(server_first), 0, strcspn(server_first, ","));

    assert_true(base64_decode(SLICE(RFC_SALT), &salt));
    pbkdf2_sha256(slice_of(password), buf_slice(&salt), 4096, salted);
    hmac_sha256(slice_make(salted, 32), SLICE("Client Key"), key);
    sha256(slice_make(key, 32), stored);
    buf_add_text(out, "c=");
    base64_encode(binding_input, out);
    buf_add_byte(out, ',');
    buf_add_slice(out, nonce);
    buf_fmt(&message, "%s,%s,%s", first_bare, server_first, buf_text(out));
    hmac_sha256(slice_make(stored, 32), buf_slice(&message), signature);
    for (int i = 0; i < 32; i++)
        key[i] ^= signature[i];
    buf_add_text(out, ",p=");
    base64_encode(slice_make(key, 32), out);
}

static void start_scram(struct sasl *sasl, enum sasl_mechanism mechanism,
                        const struct sasl_binding *binding)
{
    sasl_start(sasl, mechanism, binding);
    buf_clear(&sasl->nonce);
    buf_add_text(&sasl->nonce, RFC_SERVER_NONCE);
}

static void scram_example_of_rfc_7677(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf keys = { 0 };
    struct slice known;

    add_keys("pencil", &keys);
    start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
    assert_int_equal(step(&sasl, SLICE(""), &out), SASL_CHALLENGE);
    assert_int_equal(step(&sasl, SLICE("n,,n=user,r=" RFC_CLIENT_NONCE), &out), SASL_KEYS);
    assert_true(buf_is(&sasl.user, "user"));
    known = buf_slice(&keys);
    assert_int_equal(sasl_keys(&sasl, &known, 1, fake_key, &out), SASL_CHALLENGE);
    assert_string_equal(buf_text(&out), "r=" RFC_NONCE ",s=" RFC_SALT ",i=4096");
    assert_int_equal(
        step(&sasl, SLICE("c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
             &out),
        SASL_DONE);
    assert_string_equal(buf_text(&out), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_int_equal(step(&sasl, SLICE(""), &out), SASL_FAILED);
}

static void scram_final_messages_that_fail(void **state)
{
    static const struct {
        const char *final;
        bool malformed;
    } cases[] = {
        { "c=biws,r=" RFC_NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", false },
        { "c=biws,r=" RFC_NONCE "x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", false },
        { "c=eSws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", false },
        { "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", true },
        { "c=biw,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", true },
        { "c=biws,r=" RFC_NONCE ",p=AAAA", true },
        { "c=biws,r=" RFC_NONCE, true },
        { "r=" RFC_NONCE ",c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", true },
        { "", true },
        { ",,,", true },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };
        AUTO(buf_free) struct buf keys = { 0 };
        struct slice known;

        add_keys("pencil", &keys);
        start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
        assert_int_equal(step(&sasl, SLICE("n,,n=user,r=" RFC_CLIENT_NONCE), &out), SASL_KEYS);
        known = buf_slice(&keys);
        assert_int_equal(sasl_keys(&sasl, &known, 1, fake_key, &out), SASL_CHALLENGE);
        assert_int_equal(step(&sasl, slice_of(cases[i].final), &out), SASL_FAILED);
        assert_int_equal(sasl.malformed, cases[i].malformed);
        assert_int_equal(out.len, 0);
    }
}

static void scram_first_messages(void **state)
{
    static const struct sasl_binding tls = { .exporter = { "exported", 8 } };
    static const struct {
        enum sasl_mechanism mechanism;
        bool binding;
        const char *first;
        enum sasl_result want;
        bool malformed;
        const char *user;
    } cases[] = {
        { SASL_SCRAM_SHA_256, false, "n,,n=bob,r=x", SASL_KEYS, false, "bob" },
        { SASL_SCRAM_SHA_256, false, "n,,n=b=2Co=3Db,r=x", SASL_KEYS, false, "b,o=b" },
        { SASL_SCRAM_SHA_256, false, "n,a=bob,n=bob,r=x", SASL_KEYS, false, "bob" },
        { SASL_SCRAM_SHA_256, false, "n,,n=bob,r=x,ext=1", SASL_KEYS, false, "bob" },
        { SASL_SCRAM_SHA_256, false, "y,,n=bob,r=x", SASL_KEYS, false, "bob" },
        { SASL_SCRAM_SHA_256, true, "n,,n=bob,r=x", SASL_KEYS, false, "bob" },
        /* RFC 5802 section 6: somebody took -PLUS out of our offer */
        { SASL_SCRAM_SHA_256, true, "y,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256, true, "p=tls-exporter,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256_PLUS, true, "p=tls-exporter,,n=bob,r=x", SASL_KEYS, false, "bob" },
        { SASL_SCRAM_SHA_256_PLUS, true, "p=tls-unique,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256_PLUS, true, "p=tls-server-end-point,,n=bob,r=x", SASL_FAILED, false,
          NULL },
        { SASL_SCRAM_SHA_256_PLUS, true, "n,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256_PLUS, true, "y,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256_PLUS, false, "p=tls-exporter,,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256, false, "n,a=eve,n=bob,r=x", SASL_FAILED, false, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=b=2cob,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=bob=,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=bob,r=", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=bob", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,m=1,n=bob,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,,n=bob,r=x y", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n,x,n=bob,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "z,,n=bob,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "p=,,n=bob,r=x", SASL_FAILED, true, NULL },
        { SASL_SCRAM_SHA_256, false, "n", SASL_FAILED, true, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };

        start_scram(&sasl, cases[i].mechanism, cases[i].binding ? &tls : NULL);
        assert_int_equal(sasl.tls_offered_plus, cases[i].binding);
        if (step(&sasl, slice_of(cases[i].first), &out) != cases[i].want)
            fail_msg("%s", cases[i].first);
        assert_int_equal(sasl.malformed, cases[i].malformed);
        if (cases[i].user != NULL)
            assert_string_equal(buf_text(&sasl.user), cases[i].user);
    }
}

static void scram_plus_binds_to_the_connection(void **state)
{
    static const struct sasl_binding tls = { .exporter = { "exp\0rted", 8 },
                                             .end_point = { "end point", 9 } };
    static const struct {
        const char *header;
        struct slice data;
        enum sasl_result want;
    } cases[] = {
        { "p=tls-exporter,,", { "exp\0rted", 8 }, SASL_DONE },
        { "p=tls-server-end-point,,", { "end point", 9 }, SASL_DONE },
        { "p=tls-exporter,,", { "end point", 9 }, SASL_FAILED },
        { "p=tls-exporter,,", { "exp\0rtex", 8 }, SASL_FAILED }, /* somebody in between */
        { "p=tls-exporter,,", { "", 0 }, SASL_FAILED },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };
        AUTO(buf_free) struct buf first = { 0 };
        AUTO(buf_free) struct buf keys = { 0 };
        struct slice known;
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf final = { 0 };

        add_keys("pencil", &keys);
        buf_fmt(&first, "%sn=user,r=abc", cases[i].header);
        buf_add_text(&input, cases[i].header);
        buf_add_slice(&input, cases[i].data);
        start_scram(&sasl, SASL_SCRAM_SHA_256_PLUS, &tls);
        assert_int_equal(step(&sasl, buf_slice(&first), &out), SASL_KEYS);
        known = buf_slice(&keys);
        assert_int_equal(sasl_keys(&sasl, &known, 1, fake_key, &out), SASL_CHALLENGE);
        add_final("pencil", "n=user,r=abc", buf_text(&out), buf_slice(&input), &final);
        assert_int_equal(step(&sasl, buf_slice(&final), &out), cases[i].want);
    }
}

/* A user with several passwords: the one that was proved signs the answer. */
static void scram_finds_the_password(void **state)
{
    static const struct {
        const char *passwords[3];
        enum sasl_result want;
        size_t matched;
    } cases[] = {
        { { "pencil", "pen", "chalk" }, SASL_DONE, 0 },
        { { "pen", "pencil", "chalk" }, SASL_DONE, 1 },
        { { "pen", "chalk", "pencil" }, SASL_DONE, 2 },
        { { "pen", "chalk", "brush" }, SASL_FAILED, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sasl_free) struct sasl sasl;
        AUTO(buf_free) struct buf out = { 0 };
        struct buf keys[3] = { 0 };
        struct slice all[3];

        for (size_t k = 0; k < COUNT_OF(all); k++) {
            add_keys(cases[i].passwords[k], &keys[k]);
            all[k] = buf_slice(&keys[k]);
        }
        start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
        assert_int_equal(step(&sasl, SLICE("n,,n=user,r=" RFC_CLIENT_NONCE), &out), SASL_KEYS);
        assert_int_equal(sasl_keys(&sasl, all, 3, fake_key, &out), SASL_CHALLENGE);
        assert_int_equal(step(&sasl, SLICE(RFC_FINAL), &out), cases[i].want);
        assert_string_equal(buf_text(&out), cases[i].want == SASL_DONE ? RFC_SIGNATURE : "");
        assert_int_equal(sasl.matched, cases[i].matched);
        for (size_t k = 0; k < COUNT_OF(all); k++)
            buf_free(&keys[k]);
    }
}

/* One salt is told, the first's: what was made with another matches nothing, nor does what is
 * damaged. */
static void scram_keys_share_a_salt(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf keys = { 0 };
    struct slice all[4] = { SLICE("SCRAM-SHA-256$4096:"), SLICE("SCRAM-SHA-256$0:AAAA$AAAA:AAAA") };

    add_keys("pencil", &keys);
    all[2] = SLICE("SCRAM-SHA-256$4096:QUFBQUFBQUFBQUFBQUFBQQ==$"
                   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:"
                   "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=");
    all[3] = buf_slice(&keys);
    start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
    assert_int_equal(step(&sasl, SLICE("n,,n=user,r=" RFC_CLIENT_NONCE), &out), SASL_KEYS);
    assert_int_equal(sasl_keys(&sasl, all, 4, fake_key, &out), SASL_CHALLENGE);
    assert_string_equal(buf_text(&out), "r=" RFC_NONCE ",s=QUFBQUFBQUFBQUFBQUFBQQ==,i=4096");
    assert_int_equal(step(&sasl, SLICE(RFC_FINAL), &out), SASL_FAILED);
}

static void server_first_for(const char *user, struct slice keys, struct buf *out)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf first = { 0 };

    buf_fmt(&first, "n,,n=%s,r=abc", user);
    start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
    assert_int_equal(sasl_step(&sasl, buf_slice(&first), out), SASL_KEYS);
    assert_int_equal(sasl_keys(&sasl, &keys, 1, fake_key, out), SASL_CHALLENGE);
}

static void unknown_users_look_like_known_ones(void **state)
{
    AUTO(buf_free) struct buf bob = { 0 };
    AUTO(buf_free) struct buf bob_again = { 0 };
    AUTO(buf_free) struct buf eve = { 0 };
    AUTO(buf_free) struct buf damaged = { 0 };

    server_first_for("bob", SLICE(""), &bob);
    server_first_for("bob", SLICE(""), &bob_again);
    server_first_for("bob", SLICE("SCRAM-SHA-256$x:y$z"), &damaged);
    server_first_for("eve", SLICE(""), &eve);
    assert_string_equal(buf_text(&bob), buf_text(&bob_again));
    assert_string_equal(buf_text(&bob), buf_text(&damaged));
    assert_string_not_equal(buf_text(&bob), buf_text(&eve));
    assert_int_equal(bob.len, strlen("r=abc" RFC_SERVER_NONCE ",s=" RFC_SALT ",i=10000"));
}

/* Keys of nothing but zeroes are computable by anybody. */
static void unknown_users_never_get_in(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf final = { 0 };

    start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
    assert_int_equal(step(&sasl, SLICE("n,,n=user,r=abc"), &out), SASL_KEYS);
    assert_int_equal(sasl_keys(&sasl, NULL, 0, fake_key, &out), SASL_CHALLENGE);
    add_final("", "n=user,r=abc", buf_text(&out), SLICE("n,,"), &final);
    assert_int_equal(step(&sasl, buf_slice(&final), &out), SASL_FAILED);
    assert_false(sasl.malformed);
}

static void calls_out_of_turn_fail(void **state)
{
    AUTO(sasl_free) struct sasl sasl;
    AUTO(buf_free) struct buf out = { 0 };

    start_scram(&sasl, SASL_SCRAM_SHA_256, NULL);
    assert_int_equal(sasl_keys(&sasl, NULL, 0, fake_key, &out), SASL_FAILED);
    assert_int_equal(step(&sasl, SLICE("n,,n=user,r=abc"), &out), SASL_KEYS);
    assert_int_equal(step(&sasl, SLICE("c=biws,r=abc,p=AAAA"), &out), SASL_FAILED);
}

/* An empty initial response is not the same as none. */
static void initial_responses(void **state)
{
    static const struct {
        const char *text;
        bool good;
        const char *want;
    } cases[] = {
        { "=", true, "" },   { "Yg==", true, "b" }, { "", true, "" },
        { "==", false, "" }, { "!", false, "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf out = { 0 };

        assert_int_equal(sasl_initial(slice_of(cases[i].text), &out), cases[i].good);
        assert_non_null(out.data);
        if (cases[i].good)
            assert_true(buf_is(&out, cases[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_responses),
        cmocka_unit_test(names),
        cmocka_unit_test(plain),
        cmocka_unit_test(plain_without_initial_response),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(login),
        cmocka_unit_test(login_refuses_nothing),
        cmocka_unit_test(scram_example_of_rfc_7677),
        cmocka_unit_test(scram_final_messages_that_fail),
        cmocka_unit_test(scram_first_messages),
        cmocka_unit_test(scram_finds_the_password),
        cmocka_unit_test(scram_keys_share_a_salt),
        cmocka_unit_test(scram_plus_binds_to_the_connection),
        cmocka_unit_test(unknown_users_look_like_known_ones),
        cmocka_unit_test(unknown_users_never_get_in),
        cmocka_unit_test(calls_out_of_turn_fail),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
