/* test_guard.c - who has to wait, who is banned, who never is. */
#include "storage/guard.h"

#include "common/crypto.h"
#include "common/mem.h"
#include "storage/guard_table.h"
#include "tests/unit/support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR 3600

static uint32_t now = 1800000000;

static uint32_t the_time(void)
{
    return now;
}

struct watch {
    char path[64];
    struct guard *guard;
};

static void open_guard(struct watch *watch)
{
    const struct guard_options options = {
        .path = watch->path,
        .delay_max_ms = 15000,
        .free = 3,
        .ban_after = 20,
        .ban_ms = HOUR * 1000,
        .known_ms = 30 * 24 * HOUR * UINT64_C(1000),
        .forgive_ms = HOUR * 1000,
        .now_s = the_time,
        .exempt = "127.0.0.0/8 ::1",
    };
    struct error err = { 0 };

    if (!guard_open(&options, &watch->guard, &err))
        fail_msg("%s", err.text);
}

/* A secret that is always the same: two passwords in some thousands have the same mark, and would
 * be counted as one. It has to be there after the file was opened. */
static const char header[48] = "postane guard 1\nnot a secret";

static int set_up(void **state)
{
    struct watch *watch = NEW(struct watch);
    char found[sizeof(header)];
    int fd;

    strcpy(watch->path, "/tmp/guard-XXXXXX");
    fd = mkstemp(watch->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, header, sizeof(header)), sizeof(header));
    open_guard(watch);
    assert_int_equal(pread(fd, found, sizeof(found), 0), sizeof(found));
    assert_memory_equal(found, header, sizeof(found));
    close(fd);
    *state = watch;
    return 0;
}

static int tear_down(void **state)
{
    struct watch *watch = *state;

    guard_close(&watch->guard);
    unlink(watch->path);
    free(watch);
    return 0;
}

static struct guard_visit visit(const char *address, const char *user)
{
    return (struct guard_visit){ .address = address, .user = slice_of(user) };
}

static uint64_t delay(struct watch *watch, const char *address, const char *user)
{
    struct guard_visit who = visit(address, user);

    return guard_delay(watch->guard, &who);
}

/* The text of the last ban that followed, "" for none. */
static const char *wrong(struct watch *watch, const char *address, const char *user,
                         const char *password)
{
    static char text[NETWORK_TEXT];
    struct guard_visit who = visit(address, user);
    struct guard_ban bans[GUARD_BANS];
    uint32_t mark =
        password != NULL ? guard_mark(watch->guard, &who, slice_of(password)) : GUARD_PROOF;
    size_t count = guard_wrong(watch->guard, &who, mark, bans);

    text[0] = '\0';
    if (count > 0)
        network_print(&bans[count - 1].network, text);
    return text;
}

static void right(struct watch *watch, const char *address, const char *user)
{
    struct guard_visit who = visit(address, user);

    guard_right(watch->guard, &who);
}

/* Different passwords; returns after how many a ban came, 0: it did not. */
static int guess(struct watch *watch, const char *address, const char *user, int count)
{
    static int number; /* no password twice in this program */

    for (int i = 1; i <= count; i++) {
        char password[32];

        snprintf(password, sizeof(password), "guess %d", number++);
        if (wrong(watch, address, user, password)[0] != '\0')
            return i;
    }
    return 0;
}

static void the_wait_grows(void **state)
{
    static const uint64_t want_ms[] = { 0, 0, 0, 0, 1000, 2000, 4000, 8000, 15000, 15000 };
    struct watch *watch = *state;

    for (size_t i = 0; i < COUNT_OF(want_ms); i++) {
        assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), want_ms[i]);
        guess(watch, "192.0.2.1", "bob@example.org", 1);
    }
    now += HOUR;
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 15000);
    now += 6 * HOUR;
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
}

static void one_old_password_is_one(void **state)
{
    struct watch *watch = *state;

    for (int i = 0; i < 2000; i++)
        assert_string_equal(wrong(watch, "192.0.2.1", "bob@example.org", "old"), "");
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
    assert_int_equal(delay(watch, "192.0.2.1", "eve@example.org"), 0);
    /* Two of them, taking turns, are two. */
    for (int i = 0; i < 2000; i++)
        wrong(watch, "192.0.2.1", "bob@example.org", i % 2 == 0 ? "old" : "older");
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
}

/* Its proofs differ each time, but come slowly. */
static void an_old_password_over_scram(void **state)
{
    struct watch *watch = *state;

    for (int i = 0; i < 1000; i++) {
        assert_string_equal(wrong(watch, "192.0.2.1", "bob@example.org", NULL), "");
        now += 31;
    }
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
    for (int i = 0; i < 5; i++)
        wrong(watch, "192.0.2.1", "bob@example.org", NULL);
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
}

static void guesses_over_scram_count(void **state)
{
    struct watch *watch = *state;
    int count = 0;

    while (count < 100 && wrong(watch, "192.0.2.1", "bob@example.org", NULL)[0] == '\0')
        count++;
    assert_in_range(count, 20, 40);
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 15000);
}

static void another_user_for_each_proof(void **state)
{
    struct watch *watch = *state;
    int count = 0;
    char user[32];

    do
        snprintf(user, sizeof(user), "user%d@example.org", count++);
    while (count < 100 && wrong(watch, "192.0.2.1", user, NULL)[0] == '\0');
    assert_int_equal(count, 20);
}

static void an_address_is_banned(void **state)
{
    struct watch *watch = *state;
    uint64_t last_ms = 0;

    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 20);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 0); /* it is banned */
    for (int i = 0; i < 12; i++) {
        struct guard_visit who = visit("198.51.100.1", "bob@example.org");
        struct guard_ban ban[GUARD_BANS] = { 0 };
        char password[32];

        for (int tries = 0; ban[0].for_ms == 0; tries++) {
            snprintf(password, sizeof(password), "%d %d", i, tries);
            guard_wrong(watch->guard, &who, guard_mark(watch->guard, &who, slice_of(password)),
                        ban);
        }
        assert_true(ban[0].for_ms == 7 * 24 * HOUR * UINT64_C(1000) ||
                    ban[0].for_ms == (last_ms == 0 ? HOUR * 1000 : last_ms * 2));
        last_ms = ban[0].for_ms;
        now += (uint32_t)(last_ms / 1000);
    }
    assert_int_equal(last_ms, 7 * 24 * HOUR * UINT64_C(1000));
}

static void one_password_for_many_users(void **state)
{
    struct watch *watch = *state;
    int count = 0;
    char user[32];

    do
        snprintf(user, sizeof(user), "user%d@example.org", count++);
    while (count < 100 && wrong(watch, "192.0.2.1", user, "summer2026")[0] == '\0');
    assert_int_equal(count, 20);
}

/* What one customer has of IPv6 is one address, and more is a network. */
static void networks_widen(void **state)
{
    static const struct {
        const char *before, *behind; /* the number in the address */
        const char *banned;
        int after;
    } cases[] = {
        { "2001:db8:2:2::", "", "2001:db8:2:2::/64", 20 },
        { "2001:db8:1:", "::1", "2001:db8:1::/48", 200 },
        { "198.51.100.", "", "198.51.100.0/24", 200 },
        { "2001:db8:", "::1", "", 0 },
    };
    struct watch *watch = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int after = 0;
        const char *banned = "";

        for (int tries = 0; tries < 250 && after == 0; tries++) {
            char address[64], password[32];

            snprintf(address, sizeof(address), "%s%d%s", cases[i].before, tries + 1,
                     cases[i].behind);
            snprintf(password, sizeof(password), "%zu.%d", i, tries);
            banned = wrong(watch, address, "bob@example.org", password);
            after = banned[0] != '\0' ? tries + 1 : 0;
        }
        assert_string_equal(banned, cases[i].banned);
        assert_int_equal(after, cases[i].after);
    }
}

/* An account that the whole world attacks. */
static void known_clients_do_not_wait(void **state)
{
    struct watch *watch = *state;

    right(watch, "192.0.2.1", "bob@example.org");
    for (int i = 0; i < 200; i++) {
        char address[32];

        snprintf(address, sizeof(address), "10.%d.0.1", i);
        guess(watch, address, "bob@example.org", 1);
    }
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
    assert_int_equal(delay(watch, "192.0.2.200", "bob@example.org"), 0);    /* another day */
    assert_int_equal(delay(watch, "10.250.0.1", "bob@example.org"), 15000); /* and is let in */
    assert_int_equal(delay(watch, "10.250.0.1", "eve@example.org"), 0);
    now += 31 * 24 * HOUR;
    guess(watch, "10.1.0.1", "bob@example.org", 40);
    assert_true(delay(watch, "192.0.2.1", "bob@example.org") > 0); /* long ago */
}

/* An office behind one address, and one in it who guesses. */
static void a_shared_address_goes_on(void **state)
{
    struct watch *watch = *state;

    right(watch, "192.0.2.1", "bob@example.org");
    right(watch, "192.0.2.1", "eve@example.org");
    assert_int_equal(guess(watch, "192.0.2.1", "carol@example.org", 500), 0);
    assert_int_equal(delay(watch, "192.0.2.1", "carol@example.org"), 15000);
    assert_int_equal(delay(watch, "192.0.2.1", "dave@example.org"), 15000); /* unknown here */
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
    assert_int_equal(delay(watch, "192.0.2.1", "eve@example.org"), 0);
    /* Against one who is known: both wait, and the right one is let in. */
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 10), 0);
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 15000);
    assert_int_equal(delay(watch, "192.0.2.1", "eve@example.org"), 0);
}

/* The one who is guessed about logs in all the time: that frees the other of little. */
static void right_ones_make_up_for_few(void **state)
{
    struct watch *watch = *state;

    guess(watch, "192.0.2.1", "bob@example.org", 8);
    for (int i = 0; i < 100; i++)
        right(watch, "192.0.2.1", "bob@example.org");
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 8000);
    for (int i = 0; i < 4; i++) {
        now += 60;
        right(watch, "192.0.2.1", "bob@example.org");
    }
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
}

/* Whoever measures the wait learns nothing of who has an account; nor does spelling help. */
static void users_are_alike(void **state)
{
    struct watch *watch = *state;
    const struct guard_visit known = { "192.0.2.1", 7, SLICE("bob@example.org") };
    const struct guard_visit same = { "192.0.2.1", 7, SLICE("bob@EXAMPLE.org") };
    const struct guard_visit unknown = visit("203.0.113.1", "nobody@example.org");

    for (int i = 0; i < 12; i++) {
        struct guard_ban bans[GUARD_BANS];
        char password[32];

        assert_int_equal(guard_delay(watch->guard, &known), guard_delay(watch->guard, &unknown));
        snprintf(password, sizeof(password), "%d", i);
        guard_wrong(watch->guard, &known, guard_mark(watch->guard, &known, slice_of(password)),
                    bans);
        guard_wrong(watch->guard, &unknown, guard_mark(watch->guard, &unknown, slice_of(password)),
                    bans);
    }
    assert_int_equal(guard_delay(watch->guard, &same), 15000);
    assert_int_equal(delay(watch, "203.0.113.1", "NOBODY@Example.ORG"), 15000);
}

static void exempt_addresses(void **state)
{
    struct watch *watch = *state;

    assert_int_equal(guess(watch, "127.0.0.1", "bob@example.org", 1000), 0);
    assert_int_equal(delay(watch, "127.0.0.1", "bob@example.org"), 15000);
    assert_int_equal(delay(watch, "127.0.0.1", "eve@example.org"), 0);
    assert_int_equal(guess(watch, "unix", "bob@example.org", 100), 0);
    assert_int_equal(delay(watch, "unix", "bob@example.org"), 0);
}

static void it_outlives_a_restart(void **state)
{
    struct watch *watch = *state;

    right(watch, "198.51.100.1", "bob@example.org");
    guess(watch, "192.0.2.1", "bob@example.org", 19);
    guard_close(&watch->guard);
    open_guard(watch);
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 15000);
    assert_int_equal(delay(watch, "198.51.100.1", "bob@example.org"), 0);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 5), 1);
}

/* Two daemons. */
static void it_is_shared(void **state)
{
    struct watch *watch = *state, other = *watch;

    open_guard(&other);
    guess(watch, "192.0.2.1", "bob@example.org", 10);
    guess(&other, "192.0.2.1", "bob@example.org", 9);
    assert_int_equal(delay(&other, "192.0.2.1", "bob@example.org"), 15000);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 5), 1);
    guard_close(&other.guard);
}

static void a_pardon(void **state)
{
    struct watch *watch = *state;
    struct network network;

    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 20);
    assert_true(network_parse(SLICE("192.0.2.1"), &network));
    guard_pardon(watch->guard, &network);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 20);
}

/* A million addresses: the file does not grow over its size, and who is known stays so. */
static void the_file_is_bounded(void **state)
{
    struct watch *watch = *state;
    struct stat about;
    int forgotten = 0;

    for (int i = 0; i < 100; i++) {
        char user[32];

        snprintf(user, sizeof(user), "user%d@example.org", i);
        right(watch, "192.0.2.1", user);
    }
    for (int i = 0; i < 120000; i++) { /* with an address, a user and a pair each */
        char address[64], user[32];

        snprintf(user, sizeof(user), "other%d@example.org", i);
        snprintf(address, sizeof(address), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        wrong(watch, address, user, "x");
    }
    assert_int_equal(stat(watch->path, &about), 0);
    assert_true(about.st_size <= 512 + GUARD_SETS * GUARD_WAYS * 64);
    guess(watch, "192.0.2.1", "carol@example.org", 100);
    for (int i = 0; i < 100; i++) {
        char user[32];

        snprintf(user, sizeof(user), "user%d@example.org", i);
        forgotten += delay(watch, "192.0.2.1", user) > 0;
    }
    assert_int_equal(forgotten, 0);
}

/* What a crash or a bad disk made of the file: nothing worse than forgetting. */
static void a_damaged_file(void **state)
{
    struct watch *watch = *state;
    unsigned char noise[4096];
    int fd;

    guess(watch, "192.0.2.1", "bob@example.org", 10);
    fd = open(watch->path, O_WRONLY);
    assert_true(fd >= 0);
    for (int i = 0; i < 4096; i++) {
        random_bytes(noise, sizeof(noise));
        assert_int_equal(pwrite(fd, noise, sizeof(noise), 512 + i * 4096L), sizeof(noise));
    }
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 20);
    guard_close(&watch->guard);
    assert_int_equal(pwrite(fd, noise, 100, 0), 100);
    open_guard(watch);
    assert_int_equal(guess(watch, "192.0.2.1", "bob@example.org", 30), 20);
    close(fd);
}

static void a_clock_that_jumps(void **state)
{
    struct watch *watch = *state;

    guess(watch, "192.0.2.1", "bob@example.org", 10);
    right(watch, "198.51.100.1", "bob@example.org");
    now -= 400 * 24 * HOUR;
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 15000);
    assert_int_equal(delay(watch, "198.51.100.1", "bob@example.org"), 0);
    guess(watch, "192.0.2.1", "bob@example.org", 1);
    now += 12 * HOUR;
    assert_int_equal(delay(watch, "192.0.2.1", "bob@example.org"), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_wait_grows),
        TEST(one_old_password_is_one),
        TEST(an_old_password_over_scram),
        TEST(guesses_over_scram_count),
        TEST(another_user_for_each_proof),
        TEST(an_address_is_banned),
        TEST(one_password_for_many_users),
        TEST(networks_widen),
        TEST(known_clients_do_not_wait),
        TEST(a_shared_address_goes_on),
        TEST(right_ones_make_up_for_few),
        TEST(users_are_alike),
        TEST(exempt_addresses),
        TEST(it_outlives_a_restart),
        TEST(it_is_shared),
        TEST(a_pardon),
        TEST(the_file_is_bounded),
        TEST(a_damaged_file),
        TEST(a_clock_that_jumps),
    };

    crypto_init();
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
