/* test_path.c - the mailboxes of SMTP commands. */
#include "message/address.h"

#include "tests/unit/message/exact.h"

static const struct {
    const char *name, *input;
    enum parse want;
    const char *want_path; /* local|domain|rest */
} cases[] = {
    { "plain", "<bob@example.test> SIZE=1", PARSE_OK, "bob|example.test| SIZE=1" },
    { "null", "<>", PARSE_OK, "|| null" },
    { "postmaster", "<Postmaster>", PARSE_OK, "Postmaster||" },
    { "route", "<@a.test,@b.test:bob@c.test>", PARSE_OK, "bob|c.test|" },
    { "quoted", "<\"bob \\\"x\\\"\"@a.test>", PARSE_OK, "bob \"x\"|a.test|" },
    { "quoted, with a bracket", "<\"a>b\"@c>", PARSE_OK, "a>b|c|" },
    { "literal", "<bob@[192.0.2.1]>", PARSE_OK, "bob|[192.0.2.1]|" },
    { "literal of IPv6", "<bob@[IPv6:2001:db8::1]>", PARSE_OK, "bob|[IPv6:2001:db8::1]|" },
    { "UTF-8", "<b\xc3\xb6@x\xc3\xb6.test>", PARSE_OK, "b\xc3\xb6|x\xc3\xb6.test| utf8" },
    { "plus", "<bob+tag=1@a>", PARSE_OK, "bob+tag=1|a|" },
    { "no end", "<bob@example.test", PARSE_MORE, "" },
    { "nothing", "", PARSE_MORE, "" },
    { "only a bracket", "<", PARSE_MORE, "" },
    { "no local end", "<bob", PARSE_MORE, "" },
    { "no route end", "<@a.test", PARSE_MORE, "" },
    { "no bracket", "bob@example.test", PARSE_BAD, "" },
    { "blank in front", "< bob@example.test>", PARSE_BAD, "" },
    { "two dots", "<a..b@c>", PARSE_BAD, "" },
    { "dot in front", "<.a@c>", PARSE_BAD, "" },
    { "dot behind", "<a.@c>", PARSE_BAD, "" },
    { "no domain", "<a@>", PARSE_BAD, "" },
    { "no local part", "<@c>", PARSE_BAD, "" },
    { "empty quoted", "<\"\"@c>", PARSE_BAD, "" },
    { "dot behind domain", "<a@c.>", PARSE_BAD, "" },
    { "empty label", "<a@c..d>", PARSE_BAD, "" },
    { "dash in front", "<a@-c>", PARSE_BAD, "" },
    { "bad literal", "<a@[192.0.2.256]>", PARSE_BAD, "" },
    { "empty literal", "<a@[]>", PARSE_BAD, "" },
    { "bad UTF-8", "<a\xff@c>", PARSE_BAD, "" },
    { "bad UTF-8 in the domain", "<a@c\xff>", PARSE_BAD, "" },
    { "control in quotes", "<\"a\001\"@c>", PARSE_BAD, "" },
    { "junk behind", "<a@b c>", PARSE_BAD, "" },
};

static void print_path(const struct path *path, struct slice rest, struct buf *out)
{
    buf_add_slice(out, path->local);
    buf_add_byte(out, '|');
    buf_add_slice(out, path->domain);
    buf_add_byte(out, '|');
    buf_add_slice(out, rest);
    buf_add_text(out, path->null ? " null" : "");
    buf_add_text(out, path->utf8 ? " utf8" : "");
}

static void test_paths(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice input = exact(slice_of(cases[i].input));
        AUTO(buf_free) struct buf got = { 0 };
        struct slice rest = input;
        struct path path;
        enum parse result = path_parse(&arena, &rest, &path);

        if (result != cases[i].want)
            fail_msg("%s: %d for %d", cases[i].name, result, cases[i].want);
        if (result == PARSE_OK)
            print_path(&path, rest, &got);
        check_text(cases[i].name, &got, cases[i].want_path);
    }
}

/* What is right in the end must never be wrong on the way. */
static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].input); len++) {
            AUTO(arena_free) struct arena arena = { 0 };
            AUTO(exact_free) struct slice input = exact(slice_make(cases[i].input, len));
            struct slice rest = input;
            struct path path;
            enum parse result = path_parse(&arena, &rest, &path);

            if (cases[i].want == PARSE_OK && result == PARSE_BAD)
                fail_msg("%s: bad at %zu", cases[i].name, len);
            if (cases[i].want == PARSE_MORE && result != PARSE_MORE)
                fail_msg("%s: %d at %zu", cases[i].name, result, len);
        }
}

static void test_lengths(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    char text[1000] = "<";
    struct slice rest;
    struct path path;

    memset(text + 1, 'a', 600);
    rest = slice_of(text);
    memcpy(text + 300, "@b>", 4);
    rest = slice_of(text);
    assert_int_equal(path_parse(&arena, &rest, &path), PARSE_BAD);
    memset(text + 1, 'a', 600);
    memcpy(text + 20, "@", 1);
    memcpy(text + 100, ">", 2);
    rest = slice_of(text);
    assert_int_equal(path_parse(&arena, &rest, &path), PARSE_BAD); /* a label of 79 */
    memset(text + 21, 'a', 600);
    rest = slice_of(text);
    assert_int_equal(path_parse(&arena, &rest, &path), PARSE_BAD);
}

static void test_bare(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } bare[] = {
        { "bob@example.test", true },
        { "\"a b\"@c", true },
        { "bob", false },
        { "bob@", false },
        { "@c", false },
        { "", false },
        { "<bob@c>", false },
        { "bob@c ", false },
        { "bob@c>", false },
        { "\"a", false },
        { "b\xc3\xb6@x.test", true },
    };

    for (size_t i = 0; i < COUNT_OF(bare); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice input = exact(slice_of(bare[i].text));
        struct path path;

        if (path_parse_bare(&arena, input, &path) != bare[i].want)
            fail_msg("%s", bare[i].text);
    }
}

static void test_print(void **state)
{
    static const struct {
        const char *local, *domain, *want;
    } prints[] = {
        { "bob", "a.test", "bob@a.test" },   { "bob x", "a.test", "\"bob x\"@a.test" },
        { "a\"\\", "b", "\"a\\\"\\\\\"@b" }, { ".a", "b", "\".a\"@b" },
        { "Postmaster", "", "Postmaster" },
    };

    for (size_t i = 0; i < COUNT_OF(prints); i++) {
        AUTO(buf_free) struct buf got = { 0 };

        path_print(slice_of(prints[i].local), slice_of(prints[i].domain), &got);
        check_text(prints[i].want, &got, prints[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_bare),
        cmocka_unit_test(test_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
