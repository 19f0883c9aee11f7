/* Views of bytes: comparing, cutting, numbers. */
#include "common/slice.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

static void comparing(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal, equal_case;
        int order;
    } cases[] = {
        { "", "", true, true, 0 },
        { "abc", "abc", true, true, 0 },
        { "abc", "ABC", false, true, 1 },
        { "abc", "abd", false, false, -1 },
        { "ab", "abc", false, false, -1 },
        { "[", "{", false, false, -1 },
        { "\xC3\xA4", "\xC3\x84", false, false, 1 },
        { "", "a", false, false, -1 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice a = exact_copy(slice_of(cases[i].a));
        AUTO(exact_free) struct slice b = exact_copy(slice_of(cases[i].b));
        int order = slice_compare(a, b);

        assert_int_equal(slice_equal(a, b), cases[i].equal);
        assert_int_equal(slice_equal_case(a, b), cases[i].equal_case);
        assert_int_equal(slice_compare_case(a, b) == 0, cases[i].equal_case);
        assert_int_equal(slice_compare_case(b, a) == 0, cases[i].equal_case);
        assert_int_equal(slice_is(a, cases[i].b), cases[i].equal_case);
        assert_int_equal((order > 0) - (order < 0), cases[i].order);
        assert_int_equal(slice_compare(b, a) > 0, order < 0);
    }
    assert_true(slice_starts(SLICE("MAIL FROM:"), "mail from"));
    assert_false(slice_starts(SLICE("MAI"), "mail"));
    assert_true(slice_equal((struct slice){ 0 }, SLICE("")));
}

static void finding(void **state)
{
    struct slice text = SLICE("a,b,,c");
    struct slice nothing = { 0 };

    assert_int_equal(slice_find(text, ','), 1);
    assert_int_equal(slice_find_last(text, ','), 4);
    assert_int_equal(slice_find(text, 'x'), -1);
    assert_int_equal(slice_search(text, SLICE(",,")), 3);
    assert_int_equal(slice_search(text, SLICE(",,c")), 3);
    assert_int_equal(slice_search(text, SLICE(",,d")), -1);
    assert_int_equal(slice_search(SLICE("ab"), SLICE("abc")), -1);
    assert_int_equal(slice_search(text, nothing), 0);
    assert_int_equal(slice_find(nothing, 'a'), -1);
    assert_int_equal(slice_find_last(nothing, 'a'), -1);
    assert_int_equal(slice_search(nothing, text), -1);
}

static void cutting(void **state)
{
    struct slice text = SLICE("abcdef");

    assert_true(slice_equal(slice_from(text, 4), SLICE("ef")));
    assert_int_equal(slice_from(text, 7).len, 0);
    assert_true(slice_equal(slice_part(text, 1, 2), SLICE("bc")));
    assert_true(slice_equal(slice_part(text, 5, 100), SLICE("f")));
    assert_int_equal(slice_part(text, 100, 1).len, 0);
    assert_int_equal(slice_from((struct slice){ 0 }, 3).len, 0);
    assert_true(slice_equal(slice_trim(SLICE(" \t\r\n a b \n")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE(" \r\n")).len, 0);
}

static void splitting(void **state)
{
    static const char *const want[] = { "a", "", "bc", "d" };
    struct slice rest = SLICE("a,,bc,d"), part;
    size_t count = 0;

    while (slice_split(&rest, ',', &part)) {
        assert_true(count < COUNT_OF(want));
        assert_true(slice_is(part, want[count++]));
    }
    assert_int_equal(count, COUNT_OF(want));
    rest = SLICE(",");
    assert_true(slice_split(&rest, ',', &part));
    assert_int_equal(part.len, 0);
    assert_false(slice_split(&rest, ',', &part));
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool ok;
        uint64_t number;
    } cases[] = {
        { "0", 0, true, 0 },
        { "007", 10, true, 7 },
        { "4294967295", UINT32_MAX, true, UINT32_MAX },
        { "4294967296", UINT32_MAX, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "", 9, false, 0 },
        { "-1", 9, false, 0 },
        { "+1", 9, false, 0 },
        { " 1", 9, false, 0 },
        { "1 ", 9, false, 0 },
        { "0x1", 9, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact_copy(slice_of(cases[i].text));
        uint64_t number = 0;

        assert_int_equal(slice_number(text, cases[i].max, &number), cases[i].ok);
        assert_int_equal(number, cases[i].number);
    }
}

static void copying(void **state)
{
    struct arena arena = { 0 };
    struct slice copy = slice_copy(&arena, SLICE("a\0b"));
    char *text = slice_strdup((struct slice){ 0 });

    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_string_equal(slice_text(&arena, SLICE("word")), "word");
    assert_string_equal(text, "");
    free(text);
    arena_free(&arena);
}

static void ascii(void **state)
{
    char bytes[40];

    for (size_t len = 0; len <= sizeof(bytes); len++) {
        memset(bytes, 'a', sizeof(bytes));
        assert_int_equal(slice_ascii_length(slice_make(bytes, len)), len);
        for (size_t at = 0; at < len; at++) {
            bytes[at] = (char)0x80;
            assert_int_equal(slice_ascii_length(slice_make(bytes, len)), at);
            bytes[at] = 'a';
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(finding), cmocka_unit_test(cutting),
        cmocka_unit_test(splitting), cmocka_unit_test(numbers), cmocka_unit_test(copying),
        cmocka_unit_test(ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
