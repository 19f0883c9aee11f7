/* test_address.c - lists of addresses, right, obsolete and wrong. */
#include "message/address.h"

#include "tests/unit/message/exact.h"

/* An address is printed as name<route local|domain>, a group as name{ ... }. */
static const struct {
    const char *name, *input, *want;
} cases[] = {
    /* RFC 5322 appendix A.1 */
    { "plain", "John Doe <jdoe@machine.example>", "John Doe<jdoe|machine.example>" },
    { "bare", "jdoe@example.org", "<jdoe|example.org>" },
    { "quoted name", "\"Joe Q. Public\" <john.q.public@example.com>",
      "Joe Q. Public<john.q.public|example.com>" },
    { "list", "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
      "Mary Smith<mary|x.test><jdoe|example.org>Who?<one|y.test>" },
    { "escapes", "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
      "<boss|nil.test>Giant; \"Big\" Box<sysservices|example.net>" },
    { "group", "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
      "A Group{Ed Jones<c|a.test><joe|where.test>John<jdoe|one.test>}" },
    { "empty group", "Undisclosed recipients:;", "Undisclosed recipients{}" },
    /* RFC 5322 appendix A.5: white space and comments */
    { "comments", "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
      "Pete<pete|silly.test>" },
    { "group with comments",
      "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
      "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the "
      "group)",
      "A Group{Chris Jones<c|public.example><joe|example.org>John<jdoe|one.test>}" },
    { "empty group with comments",
      "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "Hidden recipients{}" },
    /* RFC 5322 appendix A.6: obsolete */
    { "unquoted dot", "Joe Q. Public <john.q.public@example.com>",
      "Joe Q. Public<john.q.public|example.com>" },
    { "route and empty elements",
      "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
      "Mary Smith<@node.test mary|example.net><jdoe|test.example>" },
    { "routes", "<@a , @b:c@d>", "<@a,@b c|d>" },
    { "blanks around dots", "john . doe @ machine . example", "<john.doe|machine.example>" },
    { "name in a comment", "joe@x.test (Joe)", "Joe<joe|x.test>" },
    { "nested comment", "joe@x.test (Joe (and) Co)", "Joe (and) Co<joe|x.test>" },
    { "quoted local part", "\"joe smith\"@x.test", "<joe smith|x.test>" },
    { "literal", "joe@[192.0.2.1]", "<joe|[192.0.2.1]>" },
    { "encoded word stays", "=?utf-8?q?J=C3=B6?= <j@x>", "=?utf-8?q?J=C3=B6?=<j|x>" },
    { "UTF-8", "J\xc3\xb6 <j\xc3\xb6@x.test>", "J\xc3\xb6<j\xc3\xb6|x.test>" },
    { "folded quoted name", "\"a\r\n b\" <c@d>", "a b<c|d>" },
    /* wrong */
    { "local user", "root", "<root|>" },
    { "several words", "Mary Smith", "Mary Smith<|>" },
    { "no comma", "<a@b> <c@d>", "<a|b><c|d>" },
    { "name without brackets", "Mary Smith mary@x.test", "Mary Smith<mary|x.test>" },
    { "no closing bracket", "Mary <mary@x.test, joe@y.test", "Mary<mary|x.test><joe|y.test>" },
    { "no closing quote", "\"Mary <mary@x.test>", "<Mary <mary@x.test>|>" },
    { "no closing comment", "a@b (c", "c<a|b>" },
    { "empty brackets", "Mary <>", "Mary<|>" },
    { "no local part", "<@x.test>", "<@x.test |>" },
    { "only a domain", "@x.test", "<|x.test>" },
    { "group in a group", "a:b:c@d;;", "a{}b{<c|d>}" },
    { "group without end", "a:b@c", "a{<b|c>}" },
    { "only commas", ",,,", "" },
    { "stray brackets", ">)]<a@b>", "<a|b>" },
    { "two at signs", "a@b@c", "<a|b><|c>" },
    { "nothing", "", "" },
    { "blanks", " \r\n ", "" },
};

static void print_list(const struct address_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct address *item = &list->items[i];

        buf_add_slice(out, item->name);
        switch (item->kind) {
        case ADDRESS_MAILBOX:
            buf_fmt(out, "<%.*s%s", SLICE_ARG(item->route), item->route.len > 0 ? " " : "");
            buf_fmt(out, "%.*s|%.*s>", SLICE_ARG(item->local), SLICE_ARG(item->domain));
            break;
        case ADDRESS_GROUP_START:
            buf_add_byte(out, '{');
            break;
        case ADDRESS_GROUP_END:
            buf_add_byte(out, '}');
            break;
        }
    }
}

static void parse_and_print(struct slice text, size_t max, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(exact_free) struct slice input = exact(text);
    struct address_list list;

    address_list_parse(&arena, input, max, &list);
    assert_true(list.count <= max);
    print_list(&list, out);
}

static void test_lists(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf got = { 0 };

        parse_and_print(slice_of(cases[i].input), 100, &got);
        check_text(cases[i].name, &got, cases[i].want);
    }
}

static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].input); len++) {
            AUTO(buf_free) struct buf got = { 0 };

            parse_and_print(slice_make(cases[i].input, len), 100, &got);
        }
}

/* A group that is cut off has its end within the limit. */
static void test_limit(void **state)
{
    static const struct {
        size_t max;
        const char *want;
    } limits[] = { { 0, "" },         { 1, "<a|b>" },         { 2, "<a|b>" },
                   { 3, "<a|b>g{}" }, { 4, "<a|b>g{<c|d>}" }, { 5, "<a|b>g{<c|d><e|f>}" } };

    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        AUTO(buf_free) struct buf got = { 0 };

        parse_and_print(SLICE("a@b, g: c@d, e@f;"), limits[i].max, &got);
        check_text("limit", &got, limits[i].want);
    }
}

/* Comments nest without recursion: depth costs no stack, and length no square. */
static void test_hostile(void **state)
{
    static const char *const patterns[] = { "(",  "\"", "<",  "a:", "@",  "a<",
                                            "\\", ".",  "a ", ",",  "(a)" };

    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        AUTO(buf_free) struct buf text = { 0 };
        AUTO(buf_free) struct buf got = { 0 };

        while (text.len < 1000000)
            buf_add_text(&text, patterns[i]);
        parse_and_print(buf_slice(&text), 1000, &got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
