/* Codecs: both ways where there is a way back, and what must be refused. */
#include "common/codec.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

typedef bool decoder(struct slice, struct buf *);
typedef void encoder(struct slice, struct buf *);

static void check_refused(decoder *decode, const char *text)
{
    AUTO(exact_free) struct slice input = exact_copy(slice_of(text));
    AUTO(buf_free) struct buf out = { 0 };

    if (decode(input, &out))
        fail_msg("accepted: %s", text);
}

static void check_both_ways(encoder *encode, decoder *decode, struct slice plain,
                            const char *encoded)
{
    AUTO(exact_free) struct slice input = exact_copy(plain);
    AUTO(exact_free) struct slice back = exact_copy(slice_of(encoded));
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf decoded = { 0 };

    encode(input, &out);
    assert_string_equal(buf_text(&out), encoded);
    assert_true(decode(back, &decoded));
    assert_true(slice_equal(buf_slice(&decoded), plain));
}

static void base64(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        /* RFC 4648 section 10 */
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xFB\xEF\xFF", "++//" },
    };
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",  "Zh==",   "Zm9=", "Zg==Zg==",
        "Z===", "====", "Zm 9", "Zm9v\n", "Zm9_", "=Zg=",
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_both_ways(base64_encode, base64_decode, slice_of(cases[i].plain), cases[i].encoded);
    check_both_ways(base64_encode, base64_decode, SLICE("\0\0\0"), "AAAA");
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_refused(base64_decode, bad[i]);
}

static void hex(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };

    check_both_ways(hex_encode, hex_decode, SLICE("\x00\x7f\xff"), "007fff");
    assert_true(hex_decode(SLICE("Ab"), &out));
    assert_true(buf_is(&out, "\xAB"));
    check_refused(hex_decode, "a");
    check_refused(hex_decode, "0g");
    check_refused(hex_decode, " 0");
}

/* RFC 4648 section 10, in lower case and without padding. */
static void base32(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = { { "", "" },
                  { "f", "my" },
                  { "fo", "mzxq" },
                  { "foo", "mzxw6" },
                  { "foob", "mzxw6yq" },
                  { "fooba", "mzxw6ytb" },
                  { "foobar", "mzxw6ytboi" } };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf text = { 0 };

        base32_encode(slice_of(cases[i].plain), &text);
        assert_string_equal(buf_text(&text), cases[i].text);
    }
}

static void utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        { "", true },
        { "abc", true },
        { "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x93\xAE", true },
        { "\xF4\x8F\xBF\xBF", true },
        { "\xEF\xBF\xBF", true },
        { "\xF4\x90\x80\x80", false }, /* past U+10FFFF */
        { "\xED\xA0\x80", false },     /* a surrogate */
        { "\xC0\x80", false },         /* longer than need be */
        { "\xC1\xBF", false },
        { "\xE0\x9F\xBF", false },
        { "\xF0\x8F\xBF\xBF", false },
        { "\x80", false },
        { "\xC3", false },
        { "\xE2\x82", false },
        { "\xF0\x9F\x93", false },
        { "\xC3\x41", false },
        { "\xFF", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact_copy(slice_of(cases[i].text));

        assert_int_equal(utf8_valid(text), cases[i].valid);
    }
}

static void utf8_of_every_character(void **state)
{
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        AUTO(buf_free) struct buf out = { 0 };
        uint32_t again = 0;

        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        utf8_add(&out, code);
        assert_int_equal(utf8_next(buf_slice(&out), &again), out.len);
        assert_int_equal(again, code);
    }
}

static void utf7(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        { "", "" },
        { "INBOX", "INBOX" },
        { "a&b", "a&-b" },
        { "&", "&-" },
        { "\xC3\xA4&", "&AOQ-&-" },
        { "/", "/" },
        { "\t", "&AAk-" },
        { "\xC3\xBC\xC3\xBF", "&APwA,w-" },
        { "Entw\xC3\xBCrfe", "Entw&APw-rfe" },
        { "\xF0\x9F\x93\xAE", "&2D3c7g-" },
        /* RFC 3501 section 5.1.3: ~peter/mail/Taipei/Japanese */
        { "~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E",
          "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
    };
    static const char *const bad[] = {
        "&",
        "&A",
        "&AOQ",
        "a\xC3\xA4",
        "\t",
        "\x7f",               /* open, or not printable */
        "&Jjo!",              /* RFC 3501: no shift back */
        "&U,BTFw-&ZeVnLIqe-", /* RFC 3501: superfluous shift */
        "&AGE-",
        "&ACY-", /* "a" and "&" stand for themselves */
        "&AOR-", /* padding bits are not zero */
        "&AOQA-",
        "&AO-", /* a digit or a byte too many, or too few */
        "&2D0-",
        "&3O4-",
        "&2D0AQQ-", /* half a pair */
        "&A/w-",
        "&AOQ=-",
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_both_ways(utf7_encode, utf7_decode, slice_of(cases[i].plain), cases[i].encoded);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        check_refused(utf7_decode, bad[i]);
}

static void bad_utf8_becomes_the_replacement_character(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };

    utf7_encode(SLICE("a\xFF"), &out);
    assert_string_equal(buf_text(&out), "a&,,0-");
}

static void quoting(void **state)
{
    struct slice text = SLICE("a\"\\\n\x01\x7f\xC3\xA4\xFF\0");
    AUTO(buf_free) struct buf json = { 0 };
    AUTO(buf_free) struct buf quoted = { 0 };

    json_quote(text, &json);
    assert_string_equal(buf_text(&json),
                        "\"a\\\"\\\\\\n\\u0001\\u007f\xC3\xA4\xEF\xBF\xBD\\u0000\"");
    quoted_string(text, &quoted);
    assert_string_equal(buf_text(&quoted), "\"a\\x22\\x5c\\x0a\\x01\\x7f\xC3\xA4\\xff\\x00\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),
        cmocka_unit_test(hex),
        cmocka_unit_test(base32),
        cmocka_unit_test(utf8),
        cmocka_unit_test(utf8_of_every_character),
        cmocka_unit_test(utf7),
        cmocka_unit_test(bad_utf8_becomes_the_replacement_character),
        cmocka_unit_test(quoting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
