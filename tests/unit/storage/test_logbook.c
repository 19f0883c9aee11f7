/* test_logbook.c - bans and logins in logins.db: replaced, ended, folded, bounded. */
#include "storage/logbook.h"

#include "common/clock.h"
#include "storage/ban_set.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define HOUR_MS (60 * 60 * 1000)
#define YEAR_MS (UINT64_C(365) * 24 * HOUR_MS)

static struct logbook *open_logbook(struct place *place)
{
    struct logbook *logbook = NULL;
    struct error err = { 0 };

    check_ok(logbook_open(place->store, false, &logbook, &err), &err);
    return logbook;
}

static void put_ban(struct logbook *logbook, const char *network, int64_t until_ms, bool automatic)
{
    struct ban ban = { .since_ms = 1, .until_ms = until_ms, .automatic = automatic };
    struct error err = { 0 };

    assert_true(network_parse(slice_of(network), &ban.network));
    network_trim(&ban.network);
    ban.reason = SLICE("a reason");
    check_ok(logbook_ban(logbook, &ban, &err), &err);
}

static size_t list_bans(struct logbook *logbook, struct arena *arena, struct ban_list *list)
{
    struct error err = { 0 };

    check_ok(logbook_bans(logbook, arena, list, &err), &err);
    return list->count;
}

static void bans(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(logbook_close) struct logbook *logbook = open_logbook(*state);
    int64_t later_ms = time_ms() + HOUR_MS;
    struct error err = { 0 };
    struct network network;
    struct ban_list list;

    put_ban(logbook, "192.0.2.0/24", 0, false);
    put_ban(logbook, "192.0.2.0/24", later_ms, true); /* an operator's stays */
    put_ban(logbook, "198.51.100.1", later_ms, true);
    put_ban(logbook, "198.51.100.1", 0, false); /* and takes the place of the guard's */
    put_ban(logbook, "2001:db8::/48", later_ms, true);
    put_ban(logbook, "203.0.113.1", time_ms() - 1, true); /* has ended */
    assert_int_equal(list_bans(logbook, &arena, &list), 3);
    for (size_t i = 0; i < 3; i++) {
        bool is_v6 = list.items[i].network.bytes[0] == 0x20;

        assert_int_equal(list.items[i].automatic, is_v6);
        assert_int_equal(list.items[i].until_ms, is_v6 ? later_ms : 0);
        assert_true(slice_is(list.items[i].reason, "a reason"));
    }
    assert_true(network_parse(SLICE("192.0.2.0/24"), &network));
    check_ok(logbook_unban(logbook, &network, &err), &err);
    assert_false(logbook_unban(logbook, &network, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_int_equal(list_bans(logbook, &arena, &list), 2);
}

static void bans_are_bounded(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(logbook_close) struct logbook *logbook = open_logbook(*state);
    int64_t now = time_ms();
    struct ban_list list;
    char text[NETWORK_TEXT];

    put_ban(logbook, "192.0.2.1", now + HOUR_MS, false);
    for (int i = 0; i < LOGBOOK_AUTOMATIC_MAX + 199; i++) {
        snprintf(text, sizeof(text), "10.%d.%d.1", i >> 8, i & 255);
        put_ban(logbook, text, now + HOUR_MS + i, true);
    }
    assert_int_equal(list_bans(logbook, &arena, &list), LOGBOOK_AUTOMATIC_MAX + 1);
    network_print(&list.items[0].network, text);
    assert_string_equal(text, "10.0.199.1"); /* those that end first are gone */
}

static const struct {
    const char *address;
    int64_t at_ms;
    enum banned want;
} looks[] = {
    { "192.0.2.77", 10, BANNED_BY_OPERATOR },
    { "192.0.3.77", 10, BANNED_NOT },
    { "::ffff:192.0.2.77", 10, BANNED_BY_OPERATOR },
    { "198.51.100.1", 10, BANNED_AUTOMATICALLY },
    { "198.51.100.1", 1000, BANNED_NOT }, /* it has ended */
    { "198.51.100.2", 10, BANNED_NOT },
    { "192.0.2.9", 10, BANNED_BY_OPERATOR }, /* of two the worse */
    { "2001:db8:0:1::7", 10, BANNED_AUTOMATICALLY },
    { "2001:db8:0:2::7", 10, BANNED_NOT },
    { "unix", 10, BANNED_NOT },
};

static void in_memory(void **state)
{
    static const struct {
        const char *network;
        int64_t until_ms;
        bool automatic;
    } rows[] = { { "192.0.2.0/24", 0, false },
                 { "198.51.100.1", 1000, true },
                 { "192.0.2.9", 1000, true },
                 { "2001:db8:0:1::/64", 1000, true } };
    struct ban items[COUNT_OF(rows)] = { 0 };
    const struct ban_list list = { items, COUNT_OF(rows) };
    struct ban_set *set;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(network_parse(slice_of(rows[i].network), &items[i].network));
        items[i].until_ms = rows[i].until_ms;
        items[i].automatic = rows[i].automatic;
    }
    set = ban_set_new(&list);
    for (size_t i = 0; i < COUNT_OF(looks); i++)
        if (ban_set_find(set, looks[i].address, looks[i].at_ms) != looks[i].want)
            fail_msg("%s at %d", looks[i].address, (int)looks[i].at_ms);
    assert_int_equal(ban_set_find(NULL, "192.0.2.1", 10), BANNED_NOT);
    ban_set_free(&set);
}

static void add_login(struct logbook *logbook, uint64_t account, const char *address,
                      const char *reason, int64_t at_ms)
{
    const struct login_record record = {
        .account = account,
        .protocol = SLICE("imap"),
        .address = slice_of(address),
        .method = SLICE("PLAIN"),
        .reason = slice_of(reason),
        .first_ms = at_ms,
        .last_ms = at_ms,
        .count = 1,
    };
    struct error err = { 0 };

    check_ok(logbook_add(logbook, &record, 1, YEAR_MS, &err), &err);
}

static void logins_are_folded(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(logbook_close) struct logbook *logbook = open_logbook(*state);
    struct login_records logins;
    struct error err = { 0 };
    int64_t now = time_ms();

    for (int i = 0; i < 10; i++)
        add_login(logbook, 7, "192.0.2.1", "", now + i);
    add_login(logbook, 7, "192.0.2.1", "wrong password", now + 20);
    add_login(logbook, 8, "192.0.2.1", "", now);
    check_ok(logbook_logins(logbook, 7, &arena, &logins, &err), &err);
    assert_int_equal(logins.count, 2);
    assert_true(slice_is(logins.items[0].reason, "wrong password")); /* the latest first */
    assert_int_equal(logins.items[1].count, 10);
    assert_int_equal(logins.items[1].first_ms, now);
    assert_int_equal(logins.items[1].last_ms, now + 9);
    check_ok(logbook_forget(logbook, 7, &err), &err);
    check_ok(logbook_logins(logbook, 7, &arena, &logins, &err), &err);
    assert_int_equal(logins.count, 0);
    check_ok(logbook_logins(logbook, 8, &arena, &logins, &err), &err);
    assert_int_equal(logins.count, 1);
}

static void logins_are_bounded(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(logbook_close) struct logbook *logbook = open_logbook(*state);
    struct login_records logins;
    struct error err = { 0 };
    int64_t now = time_ms();
    size_t right = 0;
    char address[32];

    add_login(logbook, 7, "203.0.113.1", "", now - (int64_t)YEAR_MS - HOUR_MS); /* too long ago */
    for (int i = 0; i < 300; i++) {
        snprintf(address, sizeof(address), "10.0.%d.%d", i >> 8, i & 255);
        add_login(logbook, 7, address, "", now + i);
        add_login(logbook, 7, address, "wrong password", now + 1000 + i);
    }
    check_ok(logbook_logins(logbook, 7, &arena, &logins, &err), &err);
    assert_int_equal(logins.count, LOGBOOK_RIGHT + LOGBOOK_WRONG);
    for (size_t i = 0; i < logins.count; i++) {
        right += logins.items[i].reason.len == 0;
        assert_true(logins.items[i].last_ms >= now + 200); /* the latest */
    }
    assert_int_equal(right, LOGBOOK_RIGHT);
}

static void a_damaged_file(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct logbook *logbook = open_logbook(place);
    struct ban_list list;
    char path[128], noise[4096];
    int fd;

    put_ban(logbook, "192.0.2.1", 0, false);
    logbook_close(&logbook);
    snprintf(path, sizeof(path), "%s/logins.db", place->path);
    fd = open(path, O_WRONLY | O_TRUNC);
    memset(noise, 'x', sizeof(noise));
    assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
    close(fd);
    logbook = open_logbook(place);
    assert_int_equal(list_bans(logbook, &arena, &list), 0);
    put_ban(logbook, "192.0.2.1", 0, false);
    assert_int_equal(list_bans(logbook, &arena, &list), 1);
    logbook_close(&logbook);
    snprintf(path, sizeof(path), "%s/logins.db.damaged", place->path);
    assert_int_equal(access(path, F_OK), 0);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),    WITH_PLACE(bans),
        WITH_PLACE(bans_are_bounded),   WITH_PLACE(logins_are_folded),
        WITH_PLACE(logins_are_bounded), WITH_PLACE(a_damaged_file),
    };

    return cmocka_run_group_tests_name("logbook", tests, NULL, NULL);
}
