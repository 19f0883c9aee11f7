/* test_tally.c - counts by day and domain, until they are reported. */
#include "storage/tally.h"

#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

static struct tally count_of(int64_t day, const char *domain, const char *key, uint64_t count)
{
    return (struct tally){ TALLY_DMARC, day, slice_of(domain), slice_of(key), count };
}

static void sums_up_until_dropped(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    const struct tally counts[] = {
        count_of(100, "a.test", "x", 2),
        count_of(100, "a.test", "y", 1),
        count_of(101, "a.test", "x", 5),
        count_of(100, "b.test", "x", 7),
    };
    struct tally_list list;
    struct error err;

    check_ok(tally_add(place->desk, counts, COUNT_OF(counts), &err), &err);
    check_ok(tally_add(place->desk, counts, 1, &err), &err);
    place_reopen(place);
    check_ok(tally_due(place->desk, &arena, 101, NULL, 10, &list, &err), &err);
    assert_int_equal(list.count, 2); /* the day that is not over stays */
    assert_true(slice_equal(list.items[0].domain, SLICE("a.test")));
    assert_int_equal(list.items[0].count, 5);
    check_ok(tally_read(place->desk, &arena, &counts[0], &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_true(slice_equal(list.items[0].key, SLICE("x")));
    assert_int_equal(list.items[0].count, 4);
    check_ok(tally_drop(place->desk, &counts[0], &err), &err);
    check_ok(tally_due(place->desk, &arena, 200, NULL, 10, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].day, 100);
    assert_true(slice_equal(list.items[0].domain, SLICE("b.test")));
}

/* What cannot be reported now does not stand before the others for ever. */
static void goes_on_where_it_was(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    const struct tally counts[] = {
        count_of(100, "a.test", "x", 1),
        count_of(100, "b.test", "x", 1),
        count_of(99, "c.test", "x", 1),
        { TALLY_TLS, 98, SLICE("a.test"), SLICE("x"), 1 },
    };
    static const char *const order[] = { "c.test", "a.test", "b.test", "a.test" };
    struct tally after;
    struct tally_list list;
    struct error err;

    check_ok(tally_add(place->desk, counts, COUNT_OF(counts), &err), &err);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        check_ok(tally_due(place->desk, &arena, 101, i > 0 ? &after : NULL, 1, &list, &err), &err);
        assert_int_equal(list.count, 1);
        assert_true(slice_is(list.items[0].domain, order[i]));
        after = list.items[0];
    }
    check_ok(tally_due(place->desk, &arena, 101, &after, 1, &list, &err), &err);
    assert_int_equal(list.count, 0);
}

/* A stranger who sends from ever new addresses fills no disk. */
static void has_a_limit(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct tally *counts = ARENA_ARRAY(&arena, struct tally, TALLY_KEYS_MAX + 5);
    struct tally_list list;
    struct error err;

    for (size_t i = 0; i < TALLY_KEYS_MAX + 5; i++) {
        AUTO(buf_free) struct buf key = { 0 };

        buf_add_number(&key, i);
        counts[i] = count_of(100, "a.test", slice_text(&arena, buf_slice(&key)), 1);
    }
    check_ok(tally_add(place->desk, counts, TALLY_KEYS_MAX + 5, &err), &err);
    check_ok(tally_add(place->desk, counts, 1, &err), &err); /* known ones still count */
    check_ok(tally_read(place->desk, &arena, &counts[0], &list, &err), &err);
    assert_int_equal(list.count, TALLY_KEYS_MAX);
    assert_int_equal(list.items[0].count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_up_until_dropped, place_open, place_close),
        cmocka_unit_test_setup_teardown(goes_on_where_it_was, place_open, place_close),
        cmocka_unit_test_setup_teardown(has_a_limit, place_open, place_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
