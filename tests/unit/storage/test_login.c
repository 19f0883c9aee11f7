/* test_login.c - logging in: right and wrong, slow and remembered, PLAIN, LOGIN and SCRAM. */
#include "common/clock.h"
#include "common/codec.h"
#include "common/totp.h"
#include "storage/login.h"
#include "storage/login_cache.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

static const struct password_cost cheap = { .memory_bytes = 8192,
                                            .passes = 1,
                                            .scram_iterations = 4096 };
static const struct sasl_binding no_binding;

struct users {
    struct place *place;
    struct login_options options;
    uint64_t bob, eve;
};

static void hash(const char *password, struct buf *argon, struct buf *scram)
{
    struct error err = { 0 };

    check_ok(password_hash(slice_of(password), &cheap, argon, scram, &err), &err);
}

static uint64_t add_user(struct place *place, const char *address, const char *password)
{
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct error err = { 0 };
    uint64_t id = 0;

    hash(password, &argon, &scram);
    check_ok(account_add(place->desk, slice_of(address), SLICE(""), buf_slice(&argon),
                         buf_slice(&scram), &id, &err),
             &err);
    return id;
}

static int set_up(void **state)
{
    struct users *users = NEW(struct users);
    struct error err = { 0 };

    place_open((void **)&users->place);
    users->options = (struct login_options){ .cache = login_cache_new(64),
                                             .cost = cheap,
                                             .default_domain = "example.org",
                                             .scope = LOGIN_IMAP };
    check_ok(domain_add(users->place->desk, SLICE("example.org"), &err), &err);
    users->bob = add_user(users->place, "bob@example.org", "secret");
    users->eve = add_user(users->place, "eve@example.org", "other");
    check_ok(account_set_disabled(users->place->desk, users->eve, true, &err), &err);
    *state = users;
    return 0;
}

static int tear_down(void **state)
{
    struct users *users = *state;

    login_cache_free(&users->options.cache);
    place_close((void **)&users->place);
    free(users);
    return 0;
}

struct outcome {
    enum login_result result;
    bool slow; /* Argon2 was needed */
    uint64_t account;
    char address[64], reason[64];
};

/* Goes through the slow lane if it must, and notes how it ended. */
static struct outcome finish(struct users *users, struct login *login, enum login_result result)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };
    struct outcome outcome = { .slow = result == LOGIN_SLOW };

    if (result == LOGIN_SLOW) {
        login_slow(login);
        result = login_finish(login, users->place->desk, &out, &err);
    }
    outcome.result = result;
    outcome.account = login->account;
    assert_true((login->account != 0) == (result == LOGIN_OK));
    snprintf(outcome.address, sizeof(outcome.address), "%s", buf_text(&login->address));
    snprintf(outcome.reason, sizeof(outcome.reason), "%s", login->reason ? login->reason : "");
    login_free(login);
    return outcome;
}

static struct outcome try_password(struct users *users, const char *user, const char *password)
{
    struct error err = { 0 };
    struct login login;
    enum login_result result = login_password(&login, &users->options, users->place->desk,
                                              slice_of(user), slice_of(password), &err);

    return finish(users, &login, result);
}

static const struct {
    const char *user, *password;
    enum login_result result;
    const char *reason, *address;
} attempts[] = {
    { "bob@example.org", "secret", LOGIN_OK, "", "bob@example.org" },
    { "BOB@Example.ORG", "secret", LOGIN_OK, "", "bob@example.org" },
    { "bob", "secret", LOGIN_OK, "", "bob@example.org" },
    { "bob", "Secret", LOGIN_REFUSED, "wrong password", "bob@example.org" },
    { "bob", "", LOGIN_REFUSED, "wrong password", "bob@example.org" },
    { "bob@example.net", "secret", LOGIN_REFUSED, "unknown user", "bob@example.net" },
    { "nobody", "secret", LOGIN_REFUSED, "unknown user", "nobody@example.org" },
    { "eve", "other", LOGIN_REFUSED, "disabled", "eve@example.org" },
    { "eve", "wrong", LOGIN_REFUSED, "disabled", "eve@example.org" },
    { "", "", LOGIN_REFUSED, "unknown user", "@example.org" },
};

static void passwords(void **state)
{
    struct users *users = *state;

    for (size_t i = 0; i < COUNT_OF(attempts); i++) {
        struct outcome outcome = try_password(users, attempts[i].user, attempts[i].password);

        if (outcome.result != attempts[i].result)
            fail_msg("%s %s: %d", attempts[i].user, attempts[i].password, outcome.result);
        assert_string_equal(outcome.reason, attempts[i].reason);
        assert_string_equal(outcome.address, attempts[i].address);
        if (outcome.result == LOGIN_OK)
            assert_int_equal(outcome.account, users->bob);
        else
            assert_true(
                outcome.slow); /* whoever is refused waits as long as for a wrong password */
    }
}

static void right_ones_are_remembered(void **state)
{
    struct users *users = *state;

    assert_true(try_password(users, "bob", "secret").slow);
    for (int i = 0; i < 3; i++) {
        struct outcome outcome = try_password(users, "bob@example.org", "secret");

        assert_int_equal(outcome.result, LOGIN_OK);
        assert_false(outcome.slow);
        assert_int_equal(outcome.account, users->bob);
    }
    assert_true(try_password(users, "bob", "secret2").slow); /* wrong ones are not */
    assert_true(try_password(users, "bob", "secret2").slow);
}

static void changes_take_effect_at_once(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf argon = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    struct desk *desk = users->place->desk;
    struct error err = { 0 };

    assert_int_equal(try_password(users, "bob", "secret").result, LOGIN_OK);
    hash("new", &argon, &scram);
    check_ok(account_set_password(desk, users->bob, buf_slice(&argon), buf_slice(&scram), &err),
             &err);
    assert_int_equal(try_password(users, "bob", "secret").result, LOGIN_REFUSED);
    assert_int_equal(try_password(users, "bob", "new").result, LOGIN_OK);
    check_ok(account_set_disabled(desk, users->bob, true, &err), &err);
    assert_int_equal(try_password(users, "bob", "new").result, LOGIN_REFUSED);
    check_ok(account_set_disabled(desk, users->bob, false, &err), &err);
    assert_int_equal(try_password(users, "bob", "new").result, LOGIN_OK);
    check_ok(account_remove(desk, users->bob, &err), &err);
    assert_int_equal(try_password(users, "bob", "new").result, LOGIN_REFUSED);
}

/* Bob's password is being hashed; what holds it will be wiped. */
static void check_in_the_slow_lane(struct users *users, struct login *login)
{
    struct error err = { 0 };

    assert_int_equal(login_password(login, &users->options, users->place->desk, SLICE("bob"),
                                    SLICE("secret"), &err),
                     LOGIN_SLOW);
    assert_true(login->sasl.password.secret);
    login_slow(login);
}

/* The account changes while the password is being hashed. */
static void changes_meanwhile_count(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf out = { 0 };
    struct desk *desk = users->place->desk;
    struct error err = { 0 };
    struct login login;

    check_in_the_slow_lane(users, &login);
    check_ok(account_set_disabled(desk, users->bob, true, &err), &err);
    assert_int_equal(login_finish(&login, desk, &out, &err), LOGIN_REFUSED);
    login_free(&login);
}

static struct outcome try_sasl(struct users *users, enum sasl_mechanism mechanism,
                               struct slice initial, const char *const *answers)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };
    struct login login;
    enum login_result result = login_start(&login, &users->options, users->place->desk, mechanism,
                                           &no_binding, initial, &out, &err);

    while (result == LOGIN_CHALLENGE && *answers != NULL) {
        buf_clear(&out);
        result = login_step(&login, users->place->desk, slice_of(*answers++), &out, &err);
    }
    return finish(users, &login, result);
}

static void plain_and_login(void **state)
{
    struct users *users = *state;
    const struct slice none = { NULL, 0 };
    const char *const nothing[] = { NULL };
    const char *const right[] = { "bob", "secret", NULL };
    const char *const wrong[] = { "bob", "wrong", NULL };

    assert_int_equal(try_sasl(users, SASL_PLAIN, SLICE("\0bob\0secret"), nothing).result, LOGIN_OK);
    assert_int_equal(try_sasl(users, SASL_PLAIN, SLICE("bob\0bob\0secret"), nothing).result,
                     LOGIN_OK);
    assert_int_equal(try_sasl(users, SASL_PLAIN, SLICE("eve\0bob\0secret"), nothing).result,
                     LOGIN_REFUSED);
    assert_int_equal(try_sasl(users, SASL_PLAIN, SLICE("\0bob\0wrong"), nothing).result,
                     LOGIN_REFUSED);
    assert_int_equal(try_sasl(users, SASL_PLAIN, SLICE("nonsense"), nothing).result, LOGIN_BAD);
    assert_int_equal(try_sasl(users, SASL_PLAIN, none, nothing).result, LOGIN_CHALLENGE);
    assert_int_equal(try_sasl(users, SASL_LOGIN, none, right).result, LOGIN_OK);
    assert_int_equal(try_sasl(users, SASL_LOGIN, none, wrong).result, LOGIN_REFUSED);
    assert_int_equal(try_sasl(users, SASL_LOGIN, SLICE("bob"), right + 1).result, LOGIN_OK);
}

/* The client's side of RFC 5802 section 3, for SCRAM-SHA-256 without channel binding. */
struct scram_client {
    struct buf auth_message, final;
};

static struct slice attribute(struct slice message, char name)
{
    struct slice part = { 0 };

    while (slice_split(&message, ',', &part)) {
        if (part.len >= 2 && part.data[0] == name)
            return slice_from(part, 2);
    }
    fail_msg("no %c= in the server's message", name);
    return part;
}

static void client_proof(struct scram_client *client, struct slice first_bare, struct slice server,
                         const char *password)
{
    AUTO(buf_free) struct buf salt = { 0 };
    unsigned char salted[SHA256_SIZE], key[SHA256_SIZE], stored[SHA256_SIZE], mark[SHA256_SIZE];
    uint64_t iterations = 0;

    assert_true(base64_decode(attribute(server, 's'), &salt));
    assert_true(slice_number(attribute(server, 'i'), 1000000, &iterations));
    buf_fmt(&client->final, "c=biws,r=" SLICE_FMT, SLICE_ARG(attribute(server, 'r')));
    buf_fmt(&client->auth_message, SLICE_FMT "," SLICE_FMT "," SLICE_FMT, SLICE_ARG(first_bare),
            SLICE_ARG(server), SLICE_ARG(buf_slice(&client->final)));

    pbkdf2_sha256(slice_of(password), buf_slice(&salt), (unsigned)iterations, salted);
    hmac_sha256(slice_make(salted, sizeof(salted)), SLICE("Client Key"), key);
    sha256(slice_make(key, sizeof(key)), stored);
    hmac_sha256(slice_make(stored, sizeof(stored)), buf_slice(&client->auth_message), mark);
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] ^= mark[i];
    buf_add_text(&client->final, ",p=");
    base64_encode(slice_make(key, sizeof(key)), &client->final);
}

static struct outcome try_scram(struct users *users, const char *user, const char *password,
                                struct buf *server_first)
{
    struct scram_client client = { 0 };
    AUTO(buf_free) struct buf first = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct error err = { 0 };
    struct login login;
    enum login_result result;

    buf_fmt(&first, "n,,n=%s,r=fyko+d2lbbFgONRv9qkxdawL", user);
    result = login_start(&login, &users->options, users->place->desk, SASL_SCRAM_SHA_256,
                         &no_binding, buf_slice(&first), server_first, &err);
    assert_int_equal(result, LOGIN_CHALLENGE);
    assert_int_equal(login.account, 0); /* nothing is proved yet */
    client_proof(&client, slice_from(buf_slice(&first), 3), buf_slice(server_first), password);
    result = login_step(&login, users->place->desk, buf_slice(&client.final), &out, &err);
    if (result == LOGIN_OK)
        assert_true(slice_starts(buf_slice(&out), "v="));
    buf_free(&client.final);
    buf_free(&client.auth_message);
    return finish(users, &login, result);
}

static const struct {
    const char *user, *password;
    enum login_result result;
    const char *reason;
} scram_attempts[] = {
    { "bob", "secret", LOGIN_OK, "" },
    { "bob@example.org", "secret", LOGIN_OK, "" },
    { "bob", "wrong", LOGIN_REFUSED, "wrong password" },
    { "nobody", "secret", LOGIN_REFUSED, "unknown user" },
    { "eve", "other", LOGIN_REFUSED, "disabled" },
};

static void scram(void **state)
{
    struct users *users = *state;

    for (size_t i = 0; i < COUNT_OF(scram_attempts); i++) {
        AUTO(buf_free) struct buf server = { 0 };
        struct outcome outcome =
            try_scram(users, scram_attempts[i].user, scram_attempts[i].password, &server);

        if (outcome.result != scram_attempts[i].result)
            fail_msg("%s %s: %d %s", scram_attempts[i].user, scram_attempts[i].password,
                     outcome.result, outcome.reason);
        assert_string_equal(outcome.reason, scram_attempts[i].reason);
        assert_false(outcome.slow);
        if (outcome.result == LOGIN_OK)
            assert_int_equal(outcome.account, users->bob);
    }
}

/* An unknown user has a salt, and it is the same each time, as a known one's is. */
static void unknown_users_have_steady_salts(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf one = { 0 };
    AUTO(buf_free) struct buf two = { 0 };

    try_scram(users, "nobody", "x", &one);
    place_reopen(users->place);
    try_scram(users, "nobody", "x", &two);
    assert_true(slice_equal(attribute(buf_slice(&one), 's'), attribute(buf_slice(&two), 's')));
}

static struct app_password add_app(struct users *users, uint64_t account, const char *name,
                                   unsigned scope, int64_t expires_ms, struct buf *password)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf scram = { 0 };
    unsigned char verifier[HASH_SIZE];
    struct app_password app = { .name = slice_of(name), .scope = scope, .expires_ms = expires_ms };
    struct account_info info;
    struct error err = { 0 };

    buf_clear(password);
    app_password_make(password);
    check_ok(account_by_id(users->place->desk, &arena, account, &info, &err), &err);
    check_ok(scram_hash_like(buf_slice(password), info.scram, &scram, &err), &err);
    app_password_verify(buf_slice(password), verifier);
    app.verifier = slice_make(verifier, sizeof(verifier));
    app.scram = buf_slice(&scram);
    check_ok(app_password_add(users->place->desk, account, &app, &err), &err);
    app.verifier = app.scram = (struct slice){ 0 };
    return app;
}

/* With a password and with SCRAM, which must agree, and without Argon2 where it gets in. */
static void check_app(struct users *users, const char *user, struct buf *password,
                      const char *reason)
{
    AUTO(buf_free) struct buf server = { 0 };
    struct outcome plain = try_password(users, user, buf_text(password));
    struct outcome scram = try_scram(users, user, buf_text(password), &server);

    assert_string_equal(plain.reason, reason);
    assert_string_equal(scram.reason, reason);
    assert_int_equal(plain.result, *reason == '\0' ? LOGIN_OK : LOGIN_REFUSED);
    assert_int_equal(scram.result, plain.result);
    assert_int_equal(plain.account, *reason == '\0' ? users->bob : 0);
    assert_int_equal(scram.account, plain.account);
}

static void app_passwords(void **state)
{
    struct users *users = *state;
    struct desk *desk = users->place->desk;
    AUTO(buf_free) struct buf phone = { 0 };
    AUTO(buf_free) struct buf tablet = { 0 };
    AUTO(buf_free) struct buf old = { 0 };
    AUTO(buf_free) struct buf eves = { 0 };
    struct error err = { 0 };

    add_app(users, users->bob, "phone", LOGIN_IMAP | LOGIN_SMTP, 0, &phone);
    add_app(users, users->bob, "tablet", LOGIN_POP3, 0, &tablet);
    add_app(users, users->bob, "old", LOGIN_ANY, 1, &old);
    add_app(users, users->eve, "phone", LOGIN_ANY, 0, &eves);
    check_app(users, "bob", &phone, "");
    assert_false(try_password(users, "bob", buf_text(&phone)).slow);
    check_app(users, "bob", &tablet, "app password is not for this protocol");
    check_app(users, "bob", &old, "app password has expired");
    check_app(users, "bob", &eves, "wrong password"); /* it is another account's */
    check_app(users, "eve", &eves, "disabled");
    assert_int_equal(try_password(users, "bob", "secret").result, LOGIN_OK);

    check_ok(app_password_revoke(desk, users->bob, SLICE("phone"), &err), &err);
    check_app(users, "bob", &phone, "wrong password");
    assert_false(app_password_revoke(desk, users->bob, SLICE("phone"), &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

/* It is taken back between the client's two messages. */
static void app_passwords_revoked_meanwhile(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf phone = { 0 };
    AUTO(buf_free) struct buf server = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct scram_client client = { 0 };
    struct error err = { 0 };
    struct login login;

    add_app(users, users->bob, "phone", LOGIN_ANY, 0, &phone);
    assert_int_equal(login_start(&login, &users->options, users->place->desk, SASL_SCRAM_SHA_256,
                                 &no_binding, SLICE("n,,n=bob,r=abc"), &server, &err),
                     LOGIN_CHALLENGE);
    client_proof(&client, SLICE("n=bob,r=abc"), buf_slice(&server), buf_text(&phone));
    check_ok(app_password_revoke(users->place->desk, users->bob, SLICE("phone"), &err), &err);
    assert_int_equal(login_step(&login, users->place->desk, buf_slice(&client.final), &out, &err),
                     LOGIN_REFUSED);
    assert_int_equal(out.len, 0);
    assert_string_equal(login.reason, "app password was revoked");
    login_free(&login);
    buf_free(&client.final);
    buf_free(&client.auth_message);
}

static void app_passwords_have_limits(void **state)
{
    static const struct {
        const char *name;
        unsigned scope;
        enum error_kind want;
    } cases[] = {
        { "", LOGIN_ANY, ERROR_INVALID },
        { "a\nb", LOGIN_ANY, ERROR_INVALID },
        { "\xC2\x9B[31m", LOGIN_ANY, ERROR_INVALID },
        { "\xFF", LOGIN_ANY, ERROR_INVALID },
        { "phone", 0, ERROR_INVALID },
        { "phone", 8, ERROR_INVALID },
        { "twice", LOGIN_ANY, ERROR_EXISTS },
    };
    struct users *users = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf password = { 0 };
    struct app_password_list list;
    struct error err = { 0 };

    add_app(users, users->bob, "twice", LOGIN_ANY, 0, &password);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct app_password app = { .name = slice_of(cases[i].name), .scope = cases[i].scope };

        assert_false(app_password_add(users->place->desk, users->bob, &app, &err));
        assert_int_equal(err.kind, cases[i].want);
    }
    for (int i = 1; i < APP_PASSWORDS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof(name), "Ger\xC3\xA4t %d", i);
        add_app(users, users->bob, name, LOGIN_ANY, 0, &password);
    }
    check_app(users, "bob", &password, "");
    struct app_password more = { .name = SLICE("one more"), .scope = LOGIN_ANY };
    assert_false(app_password_add(users->place->desk, users->bob, &more, &err));
    assert_int_equal(err.kind, ERROR_DENIED);
    check_ok(app_password_all(users->place->desk, users->bob, &arena, &list, &err), &err);
    assert_int_equal(list.count, APP_PASSWORDS_MAX);
    check_ok(account_remove(users->place->desk, users->bob, &err), &err);
    check_ok(app_password_all(users->place->desk, users->bob, &arena, &list, &err), &err);
    assert_int_equal(list.count, 0);
}

static void set_totp(struct users *users, struct slice key)
{
    struct error err = { 0 };

    check_ok(account_set_totp(users->place->desk, users->bob, key, &err), &err);
}

#define TOTP_KEY SLICE("12345678901234567890")

/* "secret" with the code of `steps` from now; it stays right for half a minute at least. */
static const char *with_code(const char *password, int steps, struct buf *out)
{
    uint64_t step = (uint64_t)(time_ms() / 1000 / TOTP_STEP_S + steps);

    buf_clear(out);
    buf_fmt(out, "%s%06u", password, hotp(TOTP_KEY, step, TOTP_DIGITS));
    return buf_text(out);
}

static void check_try(struct users *users, const char *password, const char *reason, bool slow)
{
    struct outcome outcome = try_password(users, "bob", password);

    assert_string_equal(outcome.reason, reason);
    assert_int_equal(outcome.result, *reason == '\0' ? LOGIN_OK : LOGIN_REFUSED);
    assert_int_equal(outcome.slow, slow);
}

/* What is refused takes the slow way each time, whether the password is remembered or not. */
static void codes(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf again = { 0 };
    AUTO(buf_free) struct buf server = { 0 };

    check_try(users, "secret", "", true);
    check_try(users, "secret", "", false);
    set_totp(users, TOTP_KEY);
    check_try(users, "secret", "main password without a code", true);
    check_try(users, "secret000000x", "wrong password", true);
    check_try(users, with_code("secret", 5, &text), "wrong code", true);
    check_try(users, with_code("Secret", 0, &text), "wrong password", true);
    check_try(users, with_code("", 0, &text), "wrong password", true);
    check_try(users, with_code("secret", 0, &again), "", false);
    check_try(users, buf_text(&again), "the code was used before", true);
    check_try(users, with_code("secret", 1, &text), "", false);
    check_try(users, buf_text(&again), "the code was used before", true); /* an older one */

    assert_string_equal(try_scram(users, "bob", "secret", &server).reason,
                        "main password without a code");
    set_totp(users, SLICE(""));
    check_try(users, "secret", "", false);
    check_try(users, with_code("secret", 1, &text), "wrong password", true);
}

static void codes_do_not_concern_app_passwords(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf phone = { 0 };

    set_totp(users, TOTP_KEY);
    add_app(users, users->bob, "phone", LOGIN_ANY, 0, &phone);
    check_app(users, "bob", &phone, "");
}

/* Two processes are given the same code at the same time: one of them takes it. */
static void codes_count_once(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct desk *desk = users->place->desk;
    struct error err = { 0 };
    struct login logins[2];

    set_totp(users, TOTP_KEY);
    with_code("secret", 0, &text);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            login_password(&logins[i], &users->options, desk, SLICE("bob"), buf_slice(&text), &err),
            LOGIN_SLOW);
        login_slow(&logins[i]);
    }
    assert_int_equal(login_finish(&logins[0], desk, &out, &err), LOGIN_OK);
    assert_int_equal(login_finish(&logins[1], desk, &out, &err), LOGIN_REFUSED);
    assert_string_equal(logins[1].reason, "the code was used before");
    for (int i = 0; i < 2; i++)
        login_free(&logins[i]);
}

static void codes_turned_on_meanwhile(void **state)
{
    struct users *users = *state;
    AUTO(buf_free) struct buf out = { 0 };
    struct desk *desk = users->place->desk;
    struct error err = { 0 };
    struct login login;

    check_in_the_slow_lane(users, &login);
    set_totp(users, TOTP_KEY);
    assert_int_equal(login_finish(&login, desk, &out, &err), LOGIN_REFUSED);
    login_free(&login);
}

static void app_passwords_are_random(void **state)
{
    AUTO(buf_free) struct buf one = { 0 };
    AUTO(buf_free) struct buf two = { 0 };

    app_password_make(&one);
    app_password_make(&two);
    assert_true(app_password_has_form(buf_slice(&one)));
    assert_true(app_password_has_form(buf_slice(&two)));
    assert_false(slice_equal(buf_slice(&one), buf_slice(&two)));
    assert_false(app_password_has_form(slice_from(buf_slice(&one), 1)));
    assert_false(app_password_has_form(SLICE("correct horse")));
}

static void app_passwords_tell_their_use(void **state)
{
    struct users *users = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf password = { 0 };
    struct app_password_list list;
    struct error err = { 0 };

    add_app(users, users->bob, "phone", LOGIN_ANY, 0, &password);
    check_ok(app_password_all(users->place->desk, users->bob, &arena, &list, &err), &err);
    assert_int_equal(list.items[0].used_ms, 0);
    struct app_password_use uses[] = {
        { list.items[0].id, LOGIN_SMTP, 2000, "192.0.2.1" },
        { list.items[0].id, LOGIN_IMAP, 1000, "192.0.2.2" }, /* another process's, late */
        { 99, LOGIN_IMAP, 1000, "192.0.2.2" },               /* revoked meanwhile */
    };
    check_ok(app_password_used(users->place->desk, uses, COUNT_OF(uses), &err), &err);
    check_ok(app_password_all(users->place->desk, users->bob, &arena, &list, &err), &err);
    assert_int_equal(list.items[0].used_ms, 2000);
    assert_int_equal(list.items[0].used_scope, LOGIN_SMTP);
    assert_true(slice_is(list.items[0].used_address, "192.0.2.1"));
}

static void the_cache_is_exact(void **state)
{
    struct login_cache *cache = login_cache_new(8);

    crypto_init();
    login_cache_add(cache, 1, SLICE("argon"), SLICE("password"));
    assert_true(login_cache_has(cache, 1, SLICE("argon"), SLICE("password")));
    assert_false(login_cache_has(cache, 2, SLICE("argon"), SLICE("password")));
    assert_false(login_cache_has(cache, 1, SLICE("argon2"), SLICE("password")));
    assert_false(login_cache_has(cache, 1, SLICE("argonp"), SLICE("assword")));
    assert_false(login_cache_has(cache, 1, SLICE("argon"), SLICE("passwor")));
    for (uint64_t id = 2; id < 200; id++) {
        login_cache_add(cache, id, SLICE("a"), SLICE("p"));
        assert_true(login_cache_has(cache, id, SLICE("a"), SLICE("p")));
    }
    login_cache_free(&cache);
    assert_null(cache);
    login_cache_free(&cache);
}

#define WITH_USERS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cache_is_exact),
        WITH_USERS(passwords),
        WITH_USERS(right_ones_are_remembered),
        WITH_USERS(changes_take_effect_at_once),
        WITH_USERS(changes_meanwhile_count),
        WITH_USERS(plain_and_login),
        WITH_USERS(scram),
        WITH_USERS(unknown_users_have_steady_salts),
        WITH_USERS(codes),
        WITH_USERS(codes_do_not_concern_app_passwords),
        WITH_USERS(codes_count_once),
        WITH_USERS(codes_turned_on_meanwhile),
        WITH_USERS(app_passwords),
        WITH_USERS(app_passwords_revoked_meanwhile),
        WITH_USERS(app_passwords_have_limits),
        WITH_USERS(app_passwords_tell_their_use),
        cmocka_unit_test(app_passwords_are_random),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
