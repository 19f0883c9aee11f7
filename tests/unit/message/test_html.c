/* test_html.c - HTML as text. */
#include "message/html.h"

#include "tests/unit/message/exact.h"

static const struct {
    const char *html, *want;
} cases[] = {
    { "", "" },
    { "plain", "plain" },
    { "  two \r\n\t words ", "two words" },
    { "<p>one</p><p>two</p>", "one two" },
    { "wo<b>rd</b>s", "words" },
    { "a<br>b<br/>c<BR />d", "a b c d" },
    { "<a href=\"x>y\">link</a>", "link" },
    { "<a title=don't>it</a> isn't", "it isn't" },
    { "<a b=\"never closed>text", "text" },
    { "<a b= 'c>d' e>f", "f" },
    { "1 < 2 <3 and <", "1 < 2 <3 and <" },
    { "</>x</ y>", "</>x</ y>" },
    { "a<!-- <b> c -->d", "ad" },
    { "a<!-->b<!--->c", "abc" },
    { "a<!-- for ever", "a" },
    { "<!DOCTYPE html><?xml version='1.0'?>a", "a" },
    { "<style>p { color: red }</style>a<script>if (a<b) c()</SCRIPT >b", "a b" },
    { "<script>never closed </scrip", "" },
    { "<style/>x</style>y", "y" },
    { "a<b", "a" },
    { "caf&eacute; &lt;b&gt; &amp;&#233;&#xE9;&#Xe9 &apos;",
      "caf\xc3\xa9 <b> &\xc3\xa9\xc3\xa9\xc3\xa9 '" },
    { "&Eacute;&eacute;", "\xc3\x89\xc3\xa9" },
    { "&nosuch; &amp &; &#; &#x; &#xg; &", "&nosuch; &amp &; &#; &#x; &#xg; &" },
    { "&#0;&#xd800;&#x110000;&#99999999999999999999;",
      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "&#150;&#x80;&#x1f389;", "\xe2\x80\x93\xe2\x82\xac\xf0\x9f\x8e\x89" },
    { "a&#32;&#10; b&nbsp;c", "a b\xc2\xa0"
                              "c" },
    { "&thetasym;&thetasymx;", "\xcf\x91&thetasymx;" },
    { "<td>1</td><td>2</td>", "1 2" },
    { "x<o:p></o:p>y", "x y" },
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice html = exact(slice_of(cases[i].html));
        AUTO(buf_free) struct buf got = { 0 };

        html_to_text(html, &got);
        check_text(cases[i].html, &got, cases[i].want);
    }
}

/* Cut at every byte it neither reads beyond its end nor says more than the whole. */
static void test_cut(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t len = 0; len < strlen(cases[i].html); len++) {
            AUTO(exact_free) struct slice html = exact(slice_make(cases[i].html, len));
            AUTO(buf_free) struct buf got = { 0 };

            html_to_text(html, &got);
            assert_true(got.len <= len);
        }
    }
}

static void repeat(const char *text, size_t times, struct buf *out)
{
    while (times-- > 0)
        buf_add_text(out, text);
}

/* Each of these would take minutes if it were looked at again and again. */
static void test_linear(void **state)
{
    static const char *const hostile[] = { "<a b=\"", "<a b='\" ", "<!-", "<script>",
                                           "&#",      "= ",        "<" };

    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        AUTO(buf_free) struct buf html = { 0 };
        AUTO(buf_free) struct buf text = { 0 };

        repeat(hostile[i], 1 << 20, &html);
        html_to_text(buf_slice(&html), &text);
        assert_true(text.len <= html.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_linear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
