/* Errors: kinds, context in front, no overrun. */
#include "common/error.h"

#include "tests/unit/support/check.h"

#include <errno.h>
#include <string.h>

static void context_goes_in_front(void **state)
{
    struct error err;

    assert_false(error_set(&err, ERROR_NOT_FOUND, "no mailbox %d", 7));
    assert_false(error_wrap(&err, "opening account %s", "bob"));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_string_equal(err.text, "opening account bob: no mailbox 7");
    assert_false(error_wrap(&err, "%s again", err.text)); /* its own text as an argument */
    assert_string_equal(err.text, "opening account bob: no mailbox 7 again: "
                                  "opening account bob: no mailbox 7");
}

static void system_errors_have_kinds(void **state)
{
    static const struct {
        int code;
        enum error_kind kind;
    } cases[] = {
        { ENOENT, ERROR_NOT_FOUND }, { EEXIST, ERROR_EXISTS },     { ENOSPC, ERROR_TEMPORARY },
        { EMFILE, ERROR_TEMPORARY }, { EACCES, ERROR_DENIED },     { EIO, ERROR_INTERNAL },
        { EDQUOT, ERROR_TEMPORARY }, { 0x7FFFFF, ERROR_INTERNAL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err;

        errno = cases[i].code;
        assert_false(error_errno(&err, "writing %s", "x"));
        assert_int_equal(err.kind, cases[i].kind);
        assert_int_equal(strncmp(err.text, "writing x: ", 11), 0);
        assert_true(strlen(err.text) > 11);
    }
}

static void long_texts_lose_their_end(void **state)
{
    struct error err;

    error_set(&err, ERROR_INTERNAL, "%0500d", 1);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    error_wrap(&err, "%0230d", 2);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    error_wrap(&err, "%0500d", 3);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void kinds_have_names(void **state)
{
    for (int kind = ERROR_NONE; kind <= ERROR_INTERNAL; kind++)
        for (int other = ERROR_NONE; other < kind; other++)
            assert_string_not_equal(error_kind_name((enum error_kind)kind),
                                    error_kind_name((enum error_kind)other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(system_errors_have_kinds),
        cmocka_unit_test(long_texts_lose_their_end),
        cmocka_unit_test(kinds_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
