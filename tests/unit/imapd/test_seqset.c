/* test_seqset.c - sequence sets as written. */
#include "imapd/seqset.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static const struct {
    const char *input;
    const char *want; /* as seqset_print() writes it; NULL: refused */
    const char *rest;
} cases[] = {
    { "7", "7", "" },
    { "1:3,5", "1:3,5", "" },
    { "9:7", "7:9", "" },
    { "4:*", "4:*", "" },
    { "*:4", "4:*", "" },
    { "*", "*", "" },
    { "*:*", "*", "" },
    { "3,1", "1,3", "" },
    { "8:9,5:*,*,2,5:6", "*,2,5:*,5:6,8:9", "" },
    { "5:5", "5", "" },
    { "4294967295", "4294967295", "" },
    { "1 FLAGS", "1", " FLAGS" },
    { "$", "$", "" },
    { "4294967296", NULL, "" },
    { "99999999999999999999", NULL, "" },
    { "0", NULL, "" },
    { "01", NULL, "" },
    { "1,", NULL, "" },
    { ",1", NULL, "" },
    { "1:", NULL, "" },
    { ":1", NULL, "" },
    { "1:2:3", "1:2", ":3" },
    { "a", NULL, "" },
    { "", NULL, "" },
};

static void test_parse(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = strlen(cases[i].input);
        char *copy = memcpy(malloc(len > 0 ? len : 1), cases[i].input, len);
        struct arena arena = { 0 };
        struct slice rest = slice_make(copy, len);
        struct buf printed = { 0 };
        struct seqset set;
        enum parse got = seqset_parse(&arena, &rest, &set);

        if ((got == PARSE_OK) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].input);
        if (got == PARSE_OK) {
            seqset_print(&set, &printed);
            assert_string_equal(buf_text(&printed), cases[i].want);
            assert_true(slice_equal(rest, slice_of(cases[i].rest)));
            assert_int_equal(seqset_has_star(&set), strchr(cases[i].input, '*') != NULL);
        }
        buf_free(&printed);
        arena_free(&arena);
        free(copy);
    }
}

/* Ranges from last to first: each would go in front of all the others. */
static void test_many_backwards(void **state)
{
    const uint32_t count = 150000;
    struct arena arena = { 0 };
    struct buf text = { 0 };
    struct slice rest;
    struct seqset set;

    for (uint32_t i = count; i > 0; i--) {
        buf_add_number(&text, i * 2);
        buf_add_byte(&text, i > 1 ? ',' : ' ');
    }
    rest = buf_slice(&text);
    assert_int_equal(seqset_parse(&arena, &rest, &set), PARSE_OK);
    assert_int_equal(set.count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(set.ranges[i].lo, (i + 1) * 2);
    buf_free(&text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_many_backwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
