/* test_sts.c - policies of MTA-STS that survive a restart. */
#include "storage/sts.h"

#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

static struct sts_entry entry_of(const char *domain, const char *id, int64_t fetched_ms,
                                 int64_t expires_ms)
{
    return (struct sts_entry){ slice_of(domain), slice_of(id), SLICE("version: STSv1\n"),
                               fetched_ms, expires_ms };
}

static void put(struct place *place, struct sts_entry entry)
{
    struct error err;

    check_ok(sts_put(place->desk, &entry, &err), &err);
}

static size_t count_at(struct place *place, int64_t now_ms)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct sts_list list;
    struct error err;

    check_ok(sts_all(place->desk, &arena, now_ms, &list, &err), &err);
    return list.count;
}

static void is_kept_until_it_expires(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct sts_list list;
    struct error err;

    put(place, entry_of("b.test", "1", 1000, 5000));
    put(place, entry_of("a.test", "1", 1000, 9000));
    put(place, entry_of("b.test", "2", 2000, 6000)); /* in place of the first */
    place_reopen(place);
    check_ok(sts_all(place->desk, &arena, 3000, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_true(slice_equal(list.items[0].domain, SLICE("a.test")));
    assert_true(slice_equal(list.items[1].domain, SLICE("b.test")));
    assert_true(slice_equal(list.items[1].id, SLICE("2")));
    assert_true(slice_equal(list.items[1].text, SLICE("version: STSv1\n")));
    assert_int_equal(list.items[1].fetched_ms, 2000);
    assert_int_equal(list.items[1].expires_ms, 6000);
    assert_int_equal(count_at(place, 5999), 2);
    assert_int_equal(count_at(place, 6000), 1);
    put(place, entry_of("c.test", "1", 7000, 20000)); /* b.test is forgotten with it */
    assert_int_equal(count_at(place, 3000), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_kept_until_it_expires, place_open, place_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
