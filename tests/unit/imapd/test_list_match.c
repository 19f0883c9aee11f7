/* test_list_match.c - patterns of LIST against names. */
#include "imapd/list_match.h"
#include "storage/account.h"
#include "tests/unit/support/check.h"

static const struct {
    const char *pattern, *name;
    bool want;
} cases[] = {
    { "*", "a/b", true },
    { "*", "", true },
    { "%", "a", true },
    { "%", "a/b", false },
    { "%/%", "a/b", true },
    { "%/%", "a/b/c", false },
    { "a*", "a", true },
    { "a*", "ab/c", true },
    { "a%", "ab", true },
    { "a%", "ab/c", false },
    { "*c", "a/b/c", true },
    { "%c", "a/c", false },
    { "a/%", "a/b", true },
    { "a/%", "a", false },
    { "a/*", "a", false },
    { "*b*", "abc", true },
    { "*%*", "x/y", true },
    { "%*%", "x/y", true },
    { "", "", true },
    { "", "a", false },
    { "a", "A", false },
    { "inbox", "INBOX", true },
    { "InBox/x", "INBOX/x", true },
    { "inbox/X", "INBOX/x", false },
    { "in%", "INBOX", true },
    { "inboxes", "INBOXES", false },
    { "a/b/", "a/b", false },
    { "*/b/%", "a/b/c", true },
    { "%b%/c", "abc/c", true },
    { "%b%/c", "a/bc/c", false },
};

static void test_match(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (list_match(slice_of(cases[i].pattern), slice_of(cases[i].name)) != cases[i].want)
            fail_msg("%s on %s", cases[i].pattern, cases[i].name);
}

/* What makes a backtracking matcher take for ever. */
static void test_hostile(void **state)
{
    char pattern[1000], name[MAILBOX_NAME_MAX];

    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = 'b';
    assert_false(list_match(slice_make(pattern, sizeof(pattern)), slice_make(name, sizeof(name))));
    assert_true(
        list_match(slice_make(pattern, sizeof(pattern) - 1), slice_make(name, sizeof(name))));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_match),
                                        cmocka_unit_test(test_hostile) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
