/* test_xtext.c - xtext and the three forms of utf-8 addresses. */
#include "message/xtext.h"
#include "tests/unit/message/exact.h"
#include "tests/unit/support/check.h"

static void xtext(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        const char *plain;
    } cases[] = {
        { "Bob@example.org", true, "Bob@example.org" },
        { "a+2Bb", true, "a+b" },
        { "a+3Db+20c", true, "a=b c" },
        { "+0D+0A", true, "\r\n" },
        { "a+b", false, "a+b" },
        { "a+2", false, "a+2" },
        { "a+", false, "a+" },
        { "a+2b", false, "a+2b" }, /* upper case only */
        { "a=b", false, "a=b" },
        { "a b", false, "a b" },
        { "", false, "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf plain = { 0 };
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));

        xtext_decode(text, &plain);
        if (xtext_is_valid(text) != cases[i].valid || strcmp(buf_text(&plain), cases[i].plain) != 0)
            fail_msg("%s: %s", cases[i].text, buf_text(&plain));
    }
}

static void utf8_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *plain; /* NULL: not valid, or nothing to decode */
        bool valid;
    } cases[] = {
        { "bob@example.org", "bob@example.org", true },
        { "\\x{FC}@example.org", "ü@example.org", true },
        { "\\x{fc}\\x{5C}\\x{2B}\\x{3D}\\x{20}@x", "ü\\+= @x", true },
        { "\\x{20AC}\\x{1F600}@x", "€😀@x", true },
        { "\\x{10FFFF}", "\xf4\x8f\xbf\xbf", true },
        { "ü@bücher.example", "ü@bücher.example", true },
        { "a+b=c@x", "a+b=c@x", true },
        { "\\x{0D}\\x{0A}", NULL, true }, /* no line ends out of it */
        { "\\x{41}", NULL, false },       /* a letter stands for itself */
        { "\\x{00}", NULL, false },
        { "\\x{D800}", NULL, false },
        { "\\x{110000}", NULL, false },
        { "\\x{1234567}", NULL, false },
        { "\\x{C}", NULL, false },
        { "\\x{}", NULL, false },
        { "\\x{FC", NULL, false },
        { "\\x{", NULL, false },
        { "\\", NULL, false },
        { "\xfc@x", NULL, false },
        { "a b", NULL, false },
        { "", NULL, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf plain = { 0 };
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));
        bool decoded = utf8_address_decode(text, &plain);

        if (utf8_address_is_valid(text) != cases[i].valid || decoded != (cases[i].plain != NULL) ||
            strcmp(buf_text(&plain), decoded ? cases[i].plain : "") != 0)
            fail_msg("%s: %s", cases[i].text, buf_text(&plain));
    }
}

static void encoding(void **state)
{
    static const char *const addresses[] = { "bob@example.org", "ü+a=b\\c d@bücher.example",
                                             "€😀\xf4\x8f\xbf\xbf@x" };

    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        AUTO(buf_free) struct buf encoded = { 0 };
        AUTO(buf_free) struct buf plain = { 0 };

        utf8_address_encode(slice_of(addresses[i]), &encoded);
        for (size_t j = 0; j < encoded.len; j++)
            assert_true(encoded.data[j] > ' ' && encoded.data[j] < 0x7f);
        assert_true(utf8_address_decode(buf_slice(&encoded), &plain));
        assert_string_equal(buf_text(&plain), addresses[i]);
    }
    AUTO(buf_free) struct buf broken = { 0 };
    utf8_address_encode(SLICE("a\xff\xc3"), &broken);
    assert_string_equal(buf_text(&broken), "a??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xtext),
        cmocka_unit_test(utf8_addresses),
        cmocka_unit_test(encoding),
    };

    return cmocka_run_group_tests_name("xtext", tests, NULL, NULL);
}
