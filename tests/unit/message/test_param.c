/* test_param.c - parameters of MIME fields. */
#include "message/param.h"

#include "tests/unit/message/exact.h"

static const struct {
    const char *name, *input;
    const char *want; /* "token|name=value|..." */
} cases[] = {
    { "none", "text", "text" },
    { "plain", "text; charset=utf-8", "text|charset=utf-8" },
    { "quoted", "x; name=\"a b; c\\\"d\"; y=z", "x|name=a b; c\"d|y=z" },
    { "no blanks", "x;a=b;c=d", "x|a=b|c=d" },
    { "blanks", " x ; a = b ; c = \"d\" ", "x|a=b|c=d" },
    /* RFC 2045 section 5.1 */
    { "comment", "text; charset=us-ascii (Plain text)", "text|charset=us-ascii" },
    { "comments", "(a)x(b);(c)a(d)=(e)b (f);c=d", "x|a=b|c=d" },
    /* RFC 2231 section 3, 4, 4.1 */
    { "continued", "x; URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore\"",
      "x|URL=ftp://cs.utk.edu/pub/moore" },
    { "extended", "x; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
      "x|title=This is ***fun***" },
    { "both",
      "x; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
      " title*2=\"isn't it!\"",
      "x|title=This is even more ***fun*** isn't it!" },
    { "out of order", "x; a*1=c; a*0=b", "x|a=bc" },
    { "gap", "x; a*0=b; a*2=d", "x|a=b" },
    { "no start", "x; a*1=b", "x" },
    { "given twice", "x; a*0=b; a*0=c; a*1=d", "x|a=bd" },
    { "latin 1", "x; a*=iso-8859-1''na%EFve", "x|a=na\xc3\xafve" },
    { "cut inside a character", "x; a*0*=utf-8''%C3; a*1*=%AF", "x|a=\xc3\xaf" },
    { "no charset", "x; a*=plain%20text", "x|a=plain text" },
    { "bad percent", "x; a*=utf-8''%zz%4", "x|a=%zz%4" },
    { "extended wins", "x; a=old; a*=utf-8''new", "x|a=new" },
    { "encoded word", "x; name=\"=?utf-8?q?na=C3=AFve?=\"", "x|name=na\xc3\xafve" },
    { "boundary is no encoded word", "x; boundary=\"=?utf-8?q?a?=\"", "x|boundary==?utf-8?q?a?=" },
    /* wrong */
    { "blanks in a value", "x; name=my file.txt; a=b", "x|name=my file.txt|a=b" },
    { "brackets in a value", "x; name=a(1).txt", "x|name=a(1).txt" },
    { "no end of quotes", "x; a=\"b; c=d", "x|a=b; c=d" },
    { "no value", "x; a=; b=c", "x|a=|b=c" },
    { "no name", "x; =a; b=c", "x|b=c" },
    { "no equals sign", "x; a; b=c", "x|b=c" },
    { "semicolons", ";;;a=b;;", "|a=b" },
    { "same name twice", "x; a=b; A=c", "x|a=b" },
    { "huge number", "x; a*99999999999999999999=b; c=d", "x|a*99999999999999999999=b|c=d" },
    { "nothing", "", "" },
};

static void parse_and_print(struct slice text, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(exact_free) struct slice input = exact(text);
    struct slice rest = input;
    struct mime_param *params;
    size_t count;

    buf_add_slice(out, param_token(&rest));
    params_parse(&arena, rest, &params, &count);
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(out, '|');
        buf_add_slice(out, params[i].name);
        buf_add_byte(out, '=');
        buf_add_slice(out, params[i].value);
    }
}

static void test_params(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf got = { 0 };

        parse_and_print(slice_of(cases[i].input), &got);
        check_text(cases[i].name, &got, cases[i].want);
    }
}

static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].input); len++) {
            AUTO(buf_free) struct buf got = { 0 };

            parse_and_print(slice_make(cases[i].input, len), &got);
        }
}

static void test_limit(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct mime_param *params;
    size_t count;

    for (int i = 0; i < 10000; i++)
        buf_fmt(&text, "; a%d=\"b\"", i);
    params_parse(&arena, buf_slice(&text), &params, &count);
    assert_int_equal(count, PARAMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
