/* Arenas: alignment, zeroes, and what a reset keeps. */
#include "common/mem.h"

#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <string.h>

static bool all_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void arena_memory_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = { 0, 1, 7, 16, 100, 2047, 2048, 2049, 70000, 3 };
    struct arena arena = { 0 };

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *memory = arena_alloc(&arena, sizes[i]);

            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            assert_true(all_zero(memory, sizes[i]));
            memset(memory, 0xAA, sizes[i]);
        }
        arena_reset(&arena);
    }
    arena_free(&arena);
    assert_null(arena.blocks);
}

static void arena_pieces_do_not_overlap(void **state)
{
    struct arena arena = { 0 };
    unsigned char *pieces[200];

    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        memset(pieces[i] = arena_alloc(&arena, i), (int)i, i);
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], i);
    arena_free(&arena);
}

static void arena_reset_reuses_its_first_block(void **state)
{
    struct arena arena = { 0 };
    void *first = arena_alloc(&arena, 10);

    arena_alloc(&arena, 100000);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 10), first);
    arena_free(&arena);
}

static void grow_keeps_what_was_there(void **state)
{
    size_t room = 0;
    int *numbers = NULL;

    for (int i = 0; i < 1000; i++) {
        numbers = mem_grow(numbers, &room, (size_t)i + 1, sizeof(*numbers));
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    assert_true(room >= 1000 && room <= 2048);
    free(numbers);
}

static void wipe_clears(void **state)
{
    unsigned char secret[] = "secret";

    mem_wipe(secret, sizeof(secret));
    assert_true(all_zero(secret, sizeof(secret)));
    mem_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned),
        cmocka_unit_test(arena_pieces_do_not_overlap),
        cmocka_unit_test(arena_reset_reuses_its_first_block),
        cmocka_unit_test(grow_keeps_what_was_there),
        cmocka_unit_test(wipe_clears),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
