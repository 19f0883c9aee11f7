/* test_args.c - the argument cursor, each reader with a table; input in exact-size copies. */
#include "imapd/args.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

/* A copy of just the right size, so that the sanitizer sees one byte too far. */
static struct args args_of(const char *input, char **copy_out, struct arena *arena)
{
    size_t len = strlen(input);

    *copy_out = malloc(len > 0 ? len : 1);
    memcpy(*copy_out, input, len);
    return (struct args){ .rest = slice_make(*copy_out, len), .arena = arena };
}

struct text_case {
    const char *input;
    const char *want; /* NULL: refused */
    const char *rest;
};

static void check_texts(const struct text_case *cases, size_t count,
                        bool (*read)(struct args *, struct slice *))
{
    for (size_t i = 0; i < count; i++) {
        struct arena arena = { 0 };
        struct slice got = { 0 };
        char *copy;
        struct args args = args_of(cases[i].input, &copy, &arena);
        bool ok = read(&args, &got);

        if (ok != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].input, ok ? "taken" : args.error);
        if (ok && !slice_equal(got, slice_of(cases[i].want)))
            fail_msg("%s: got " SLICE_FMT, cases[i].input, SLICE_ARG(got));
        if (ok && !slice_equal(args.rest, slice_of(cases[i].rest)))
            fail_msg("%s: rest " SLICE_FMT, cases[i].input, SLICE_ARG(args.rest));
        if (!ok)
            assert_non_null(args.error);
        arena_free(&arena);
        free(copy);
    }
}

static void test_astring(void **state)
{
    static const struct text_case cases[] = {
        { "abc def", "abc", " def" },
        { "a]b)", "a]b", ")" },
        { "\"\"", "", "" },
        { "\"a b\" c", "a b", " c" },
        { "\"a\\\"b\\\\c\"", "a\"b\\c", "" },
        { "\"a\\n\"", NULL, "" },
        { "\"a", NULL, "" },
        { "\"a\\", NULL, "" },
        { "\"", NULL, "" },
        { "\"a\rb\"", NULL, "" },
        { "{3}\r\na)b c", "a)b", " c" },
        { "{3+}\r\nabc", "abc", "" },
        { "{0}\r\n", "", "" },
        { "{4}\r\nabc", NULL, "" },
        { "{3}abc", NULL, "" },
        { "{x}\r\nabc", NULL, "" },
        { "{-1}\r\nabc", NULL, "" },
        { "{99999999999999999999}\r\na", NULL, "" },
        { "(abc)", NULL, "" },
        { "", NULL, "" },
        { "%", NULL, "" },
        { "\xc3\xa9", NULL, "" },
    };

    check_texts(cases, COUNT_OF(cases), args_astring);
}

static void test_atom(void **state)
{
    static const struct text_case cases[] = {
        { "FETCH 1", "FETCH", " 1" }, { "a]", "a", "]" },
        { "a+b", "a+b", "" },         { "", NULL, "" },
        { " a", NULL, "" },           { "\"a\"", NULL, "" },
        { "a\x7f", "a", "\x7f" },
    };

    check_texts(cases, COUNT_OF(cases), args_atom);
}

static void test_tag(void **state)
{
    static const struct text_case cases[] = {
        { "a1 NOOP", "a1", " NOOP" },
        { "+ x", NULL, "" },
        { "a+b", "a", "+b" },
        { "*", NULL, "" },
    };

    check_texts(cases, COUNT_OF(cases), args_tag);
}

static void test_mailbox(void **state)
{
    static const struct text_case cases[] = {
        { "inbox", "INBOX", "" },
        { "InBox/Sub", "INBOX/Sub", "" },
        { "inboxes", "inboxes", "" },
        { "\"a b/c\"", "a b/c", "" },
        { "\"&AOk-t&AOk-\"", "\xc3\xa9t\xc3\xa9", "" },
        { "\"&-\"", "&", "" },
        { "a&b", NULL, "" },
        { "\"&AGE-\"", NULL, "" },
        { "\"\xc3\xa9\"", NULL, "" },
        { "\"a\tb\"", NULL, "" },
        { "\"per%cent\"", "per%cent", "" },
        { "{8}\r\nquote\"d!", "quote\"d!", "" },
    };

    check_texts(cases, COUNT_OF(cases), args_mailbox);
}

static void test_mailbox_utf8(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "\"\xc3\xa9\"", "\xc3\xa9" },
        { "\"&AOk-\"", "&AOk-" },
        { "\"\xc3\"", NULL },
        { "inbox", "INBOX" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct slice name = { 0 };
        char *copy;
        struct args args = args_of(cases[i].input, &copy, &arena);

        args.utf8 = true;
        assert_int_equal(args_mailbox(&args, &name), cases[i].want != NULL);
        assert_int_equal(args.bad_name, cases[i].want == NULL);
        if (cases[i].want != NULL)
            assert_true(slice_equal(name, slice_of(cases[i].want)));
        arena_free(&arena);
        free(copy);
    }
}

static void test_list_mailbox(void **state)
{
    static const struct text_case cases[] = {
        { "*", "*", "" },       { "a/% x", "a/%", " x" }, { "\"\"", "", "" },
        { "\"a*\"", "a*", "" }, { "(", NULL, "" },        { "", NULL, "" },
    };

    check_texts(cases, COUNT_OF(cases), args_list_mailbox);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *input;
        bool ok, nz_ok;
        uint32_t want;
    } cases[] = {
        { "0", true, false, 0 },
        { "1 ", true, true, 1 },
        { "4294967295", true, true, UINT32_MAX },
        { "4294967296", false, false, 0 },
        { "", false, false, 0 },
        { "-1", false, false, 0 },
        { "+1", false, false, 0 },
        { "a", false, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *copy;
        struct args args = args_of(cases[i].input, &copy, NULL), again = args;
        uint32_t number = 0;

        assert_int_equal(args_number(&args, &number), cases[i].ok);
        if (cases[i].ok)
            assert_int_equal(number, cases[i].want);
        assert_int_equal(args_nz_number(&again, &number), cases[i].nz_ok);
        free(copy);
    }
}

static void test_number64(void **state)
{
    char *copy;
    struct args args = args_of("9223372036854775807", &copy, NULL);
    uint64_t number;

    assert_true(args_number64(&args, &number));
    assert_int_equal(number, INT64_MAX);
    free(copy);
    args = args_of("9223372036854775808", &copy, NULL);
    assert_false(args_number64(&args, &number));
    free(copy);
}

static void test_nstring(void **state)
{
    char *copy;
    struct args args = args_of("NIL \"NIL\" NILL", &copy, NULL);
    struct slice text;
    bool nil;

    assert_true(args_nstring(&args, &nil, &text) && nil && args_space(&args));
    assert_true(args_nstring(&args, &nil, &text) && !nil && slice_is(text, "NIL"));
    assert_true(args_space(&args));
    assert_false(args_nstring(&args, &nil, &text));
    free(copy);
}

static void test_flags(void **state)
{
    static const struct {
        const char *input;
        bool ok;
        uint64_t system;
        size_t n_keywords;
        bool recent;
    } cases[] = {
        { "()", true, 0, 0, false },
        { "(\\Seen)", true, MAIL_SEEN, 0, false },
        { "(\\seen \\DELETED $Forwarded x)", true, MAIL_SEEN | MAIL_DELETED, 2, false },
        { "(\\Recent)", true, 0, 0, true },
        { "(\\Foo)", false, 0, 0, false },
        { "(\\*)", false, 0, 0, false },
        { "(\\Seen", false, 0, 0, false },
        { "(\\Seen )", false, 0, 0, false },
        { "( \\Seen)", false, 0, 0, false },
        { "\\Seen", false, 0, 0, false },
        { "(\\)", false, 0, 0, false },
        { "", false, 0, 0, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena arena = { 0 };
        struct flag_list list;
        char *copy;
        struct args args = args_of(cases[i].input, &copy, &arena);

        if (args_flag_list(&args, &list) != cases[i].ok)
            fail_msg("%s", cases[i].input);
        if (cases[i].ok) {
            assert_int_equal(list.system, cases[i].system);
            assert_int_equal(list.n_keywords, cases[i].n_keywords);
            assert_int_equal(list.recent, cases[i].recent);
        }
        arena_free(&arena);
        free(copy);
    }
}

static void test_store_flags(void **state)
{
    struct arena arena = { 0 };
    struct flag_list list;
    char *copy;
    struct args args = args_of("\\Seen work", &copy, &arena);

    assert_true(args_store_flags(&args, &list) && args_end(&args));
    assert_int_equal(list.system, MAIL_SEEN);
    assert_int_equal(list.n_keywords, 1);
    arena_free(&arena);
    free(copy);
}

static void test_dates(void **state)
{
    static const struct {
        const char *input;
        bool ok;
    } days[] = {
        { "1-Feb-1994", true },     { "\"1-Feb-1994\"", true },  { "01-feb-1994", true },
        { "\"1-Feb-1994", false },  { "32-Feb-1994", false },    { "1-Foo-1994", false },
        { "", false },
    }, times[] = {
        { "\" 2-Mar-2026 10:00:00 +0000\"", true }, { "\"12-Mar-2026 10:00:00 -0130\"", true },
        { "\"12-Mar-2026\"", false },               { "12-Mar-2026 10:00:00 +0000", false },
        { "\"12-Mar-2026 25:00:00 +0000\"", false },
    };

    for (size_t i = 0; i < COUNT_OF(days); i++) {
        char *copy;
        struct args args = args_of(days[i].input, &copy, NULL);
        int64_t day;

        if ((args_date(&args, &day) && args_end(&args)) != days[i].ok)
            fail_msg("%s", days[i].input);
        if (days[i].ok)
            assert_int_equal(day, 8797);
        free(copy);
    }
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char *copy;
        struct args args = args_of(times[i].input, &copy, NULL);
        int64_t time;

        if (args_date_time(&args, &time) != times[i].ok)
            fail_msg("%s", times[i].input);
        free(copy);
    }
}

static void test_literal_at_end(void **state)
{
    static const struct {
        const char *line;
        enum parse want;
        uint64_t size;
        bool sync, binary;
        size_t start;
    } cases[] = {
        { "a LOGIN {5}", PARSE_OK, 5, true, false, 8 },
        { "a LOGIN {5+}", PARSE_OK, 5, false, false, 8 },
        { "a APPEND x ~{7}", PARSE_OK, 7, true, true, 11 },
        { "{0}", PARSE_OK, 0, true, false, 0 },
        { "a NOOP", PARSE_MORE, 0, false, false, 0 },
        { "", PARSE_MORE, 0, false, false, 0 },
        { "}", PARSE_MORE, 0, false, false, 0 },
        { "a {5} ", PARSE_MORE, 0, false, false, 0 },
        { "a {}", PARSE_BAD, 0, false, false, 0 },
        { "a {+}", PARSE_BAD, 0, false, false, 0 },
        { "a {5-}", PARSE_BAD, 0, false, false, 0 },
        { "a {99999999999999999999}", PARSE_BAD, 0, false, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct literal literal;
        size_t start = 0;

        if (literal_at_end(slice_of(cases[i].line), &literal, &start) != cases[i].want)
            fail_msg("%s", cases[i].line);
        if (cases[i].want != PARSE_OK)
            continue;
        assert_int_equal(literal.size, cases[i].size);
        assert_int_equal(literal.sync, cases[i].sync);
        assert_int_equal(literal.binary, cases[i].binary);
        assert_int_equal(start, cases[i].start);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_astring),
        cmocka_unit_test(test_atom),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_mailbox_utf8),
        cmocka_unit_test(test_list_mailbox),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_number64),
        cmocka_unit_test(test_nstring),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_store_flags),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_literal_at_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
