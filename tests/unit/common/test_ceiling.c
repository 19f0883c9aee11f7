/* test_ceiling.c - what is measured, what is held, and when there is too much. */
#include "common/ceiling.h"

#include "common/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MB ((size_t)1 << 20)

static void set(size_t bytes)
{
    struct error err;

    assert_true(ceiling_set(bytes, &err));
    assert_int_equal(ceiling_bytes(), bytes);
}

static void test_none(void **unused)
{
    struct held held = { 0 };

    set(0);
    assert_int_equal(ceiling_look(1000), CEILING_PLENTY);
    assert_true(ceiling_hold(&held, SIZE_MAX / 4));
    assert_int_equal(ceiling_held(), SIZE_MAX / 4);
    assert_true(ceiling_hold(&held, 0));
    assert_int_equal(ceiling_held(), 0);
}

static void test_half_may_be_held(void **unused)
{
    struct held first = { 0 }, second = { 0 };

    set((size_t)1 << 40);
    assert_true(ceiling_hold(&first, (size_t)1 << 38));
    assert_true(ceiling_hold(&second, (size_t)1 << 38));
    assert_false(ceiling_hold(&second, ((size_t)1 << 38) + 1));
    assert_int_equal(second.bytes, (size_t)1 << 38);
    assert_true(ceiling_hold(&first, 10)); /* less is always right */
    assert_true(ceiling_hold(&second, ((size_t)1 << 39) - 10));
    assert_false(ceiling_hold(&first, 11));
    assert_true(ceiling_hold(&first, 0));
    assert_true(ceiling_hold(&second, 0));
    assert_int_equal(ceiling_held(), 0);
}

/* The state follows what the process has. */
static void test_states(void **unused)
{
    struct held held = { 0 };
    uint64_t now = 1000;
    size_t before;

    set((size_t)1 << 40);
    assert_int_equal(ceiling_look(now), CEILING_PLENTY);
    before = ceiling_used();
    assert_true(before > 0);
    char *memory = mem_zero(64 * MB);
    memset(memory, 1, 64 * MB);
    assert_int_equal(ceiling_look(now += 100), CEILING_PLENTY);
    assert_true(ceiling_used() >= before + 60 * MB);

    set(ceiling_used());
    assert_int_equal(ceiling_look(now += 100), CEILING_SCARCE);
    assert_false(ceiling_hold(&held, 1));
    set(ceiling_used() / 13 *
        16); /* thirteen sixteenths: between three quarters and seven eighths */
    assert_int_equal(ceiling_look(now += 100), CEILING_TIGHT);
    assert_true(ceiling_hold(&held, 1));
    assert_true(ceiling_hold(&held, 0));
    set(ceiling_used() * 2);
    assert_int_equal(ceiling_look(now + 100), CEILING_PLENTY);
    free(memory);
    set(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_half_may_be_held),
        cmocka_unit_test(test_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
