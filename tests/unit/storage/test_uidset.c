/* test_uidset.c - sets of UIDs: by table, and against a plain array of truths. */
#include "storage/uidset.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static const struct {
    const char *name;
    struct {
        char op; /* '+' or '-' */
        uint32_t lo, hi;
    } steps[6];
    const char *want;
} cases[] = {
    { "empty", { { 0 } }, "" },
    { "one", { { '+', 7, 7 } }, "7" },
    { "a range", { { '+', 3, 9 } }, "3:9" },
    { "neighbours join at the end", { { '+', 1, 1 }, { '+', 2, 2 }, { '+', 3, 3 } }, "1:3" },
    { "neighbours join in front", { { '+', 5, 5 }, { '+', 4, 4 } }, "4:5" },
    { "apart", { { '+', 5, 5 }, { '+', 1, 1 }, { '+', 3, 3 } }, "1,3,5" },
    { "a gap is filled", { { '+', 1, 2 }, { '+', 4, 5 }, { '+', 3, 3 } }, "1:5" },
    { "one swallows all", { { '+', 2, 2 }, { '+', 4, 4 }, { '+', 6, 6 }, { '+', 1, 9 } }, "1:9" },
    { "twice is once", { { '+', 4, 8 }, { '+', 5, 6 } }, "4:8" },
    { "overlap at the end", { { '+', 4, 8 }, { '+', 6, 12 } }, "4:12" },
    { "overlap in front", { { '+', 4, 8 }, { '+', 2, 5 } }, "2:8" },
    { "the greatest", { { '+', UINT32_MAX, UINT32_MAX }, { '+', 1, 1 } }, "1,4294967295" },
    { "up to the greatest", { { '+', 9, 9 }, { '+', 5, UINT32_MAX } }, "5:4294967295" },
    { "remove the middle", { { '+', 1, 9 }, { '-', 4, 6 } }, "1:3,7:9" },
    { "remove an end", { { '+', 1, 9 }, { '-', 7, 12 } }, "1:6" },
    { "remove across ranges",
      { { '+', 1, 3 }, { '+', 5, 7 }, { '+', 9, 11 }, { '-', 3, 9 } },
      "1:2,10:11" },
    { "remove all", { { '+', 1, 3 }, { '+', 5, 7 }, { '-', 1, UINT32_MAX } }, "" },
    { "remove what is not there", { { '+', 1, 3 }, { '-', 4, 6 } }, "1:3" },
    { "remove from nothing", { { '-', 4, 6 } }, "" },
};

static void change_and_print(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(uidset_free) struct uidset set = { 0 };
        AUTO(buf_free) struct buf printed = { 0 };

        for (size_t s = 0; cases[i].steps[s].op != 0; s++) {
            if (cases[i].steps[s].op == '+')
                uidset_add(&set, cases[i].steps[s].lo, cases[i].steps[s].hi);
            else
                uidset_remove(&set, cases[i].steps[s].lo, cases[i].steps[s].hi);
        }
        uidset_print(&set, &printed);
        if (!buf_is(&printed, cases[i].want))
            fail_msg("%s: %s instead of %s", cases[i].name, buf_text(&printed), cases[i].want);
    }
}

#define UNIVERSE 64

static void compare(const struct uidset *set, const bool *truth)
{
    uint64_t size = 0;
    uint32_t last = 0;

    for (uint32_t uid = 1; uid < UNIVERSE; uid++) {
        assert_int_equal(uidset_has(set, uid), truth[uid]);
        size += truth[uid];
        last = truth[uid] ? uid : last;
    }
    assert_int_equal(uidset_size(set), size);
    assert_int_equal(uidset_last(set), last);
    for (size_t i = 1; i < set->count; i++)
        assert_true(set->ranges[i].lo > set->ranges[i - 1].hi + 1);
}

static void behave_like_truths(void **state)
{
    unsigned seed = 1;

    for (unsigned round = 0; round < 200; round++) {
        AUTO(uidset_free) struct uidset set = { 0 };
        AUTO(uidset_free) struct uidset copy = { 0 };
        bool truth[UNIVERSE] = { false };

        for (unsigned step = 0; step < 30; step++) {
            uint32_t lo = 1 + (uint32_t)rand_r(&seed) % (UNIVERSE - 1);
            uint32_t more = (uint32_t)rand_r(&seed) % 6, hi = MIN(lo + more, UNIVERSE - 1);
            bool add = rand_r(&seed) % 3 != 0;

            if (add)
                uidset_add(&set, lo, hi);
            else
                uidset_remove(&set, lo, hi);
            for (uint32_t uid = lo; uid <= hi; uid++)
                truth[uid] = add;
            compare(&set, truth);
        }
        uidset_add(&copy, 1, 3);
        uidset_copy(&copy, &set);
        compare(&copy, truth);
        uidset_clear(&copy);
        assert_int_equal(uidset_size(&copy), 0);
    }
}

static void subtract(void **state)
{
    static const struct {
        struct uid_range from[3], what[3];
        size_t n_from, n_what;
        const char *want;
    } rows[] = {
        { { { 1, 9 } }, { { 0 } }, 1, 0, "1:9" },
        { { { 1, 9 } }, { { 1, 9 } }, 1, 1, "" },
        { { { 1, 9 } }, { { 3, 4 }, { 6, 6 }, { 9, 12 } }, 1, 3, "1:2,5,7:8" },
        { { { 2, 4 }, { 6, 8 }, { 10, 12 } }, { { 1, 2 }, { 4, 11 } }, 3, 2, "3,12" },
        { { { 2, 4 }, { 6, 8 } }, { { 5, 5 }, { 9, 9 } }, 2, 2, "2:4,6:8" },
        { { { 1, 2 }, { UINT32_MAX - 1, UINT32_MAX } }, { { 2, UINT32_MAX } }, 2, 1, "1" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(uidset_free) struct uidset set = { 0 };
        AUTO(uidset_free) struct uidset what = { 0 };
        AUTO(buf_free) struct buf text = { 0 };

        for (size_t k = 0; k < rows[i].n_from; k++)
            uidset_add(&set, rows[i].from[k].lo, rows[i].from[k].hi);
        for (size_t k = 0; k < rows[i].n_what; k++)
            uidset_add(&what, rows[i].what[k].lo, rows[i].what[k].hi);
        uidset_subtract(&set, &what);
        uidset_print(&set, &text);
        assert_string_equal(buf_text(&text), rows[i].want);
    }
}

static void intersect_like_truths(void **state)
{
    unsigned seed = 2;

    for (unsigned round = 0; round < 500; round++) {
        struct uidset sets[2] = { { 0 }, { 0 } }, both = { 0 };

        for (unsigned i = 0; i < 20; i++) {
            uint32_t lo = 1 + (uint32_t)rand_r(&seed) % (UNIVERSE - 1);

            uidset_add(&sets[i % 2], lo, lo + (uint32_t)rand_r(&seed) % 6);
        }
        uidset_intersect(&sets[0], &sets[1], &both);
        for (uint32_t uid = 1; uid < UNIVERSE + 10; uid++)
            assert_int_equal(uidset_has(&both, uid),
                             uidset_has(&sets[0], uid) && uidset_has(&sets[1], uid));
        uidset_free(&sets[0]);
        uidset_free(&sets[1]);
        uidset_free(&both);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_and_print),
        cmocka_unit_test(behave_like_truths),
        cmocka_unit_test(subtract),
        cmocka_unit_test(intersect_like_truths),
    };

    return cmocka_run_group_tests_name("uidset", tests, NULL, NULL);
}
