/* test_decode.c - transfer encodings, encoded words, charsets. */
#include "message/decode.h"

#include "common/codec.h"
#include "tests/unit/message/exact.h"

#include <time.h>

typedef void (*decoder)(struct slice text, struct buf *out);

struct decode_case {
    const char *name, *input, *want;
};

static void check_decoder(decoder decode, const struct decode_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(exact_free) struct slice input = exact(slice_of(cases[i].input));
        AUTO(buf_free) struct buf got = { 0 };

        decode(input, &got);
        check_text(cases[i].name, &got, cases[i].want);
        for (size_t len = 0; len < input.len; len++) {
            AUTO(exact_free) struct slice shorter = exact(slice_part(input, 0, len));

            buf_clear(&got);
            decode(shorter, &got);
        }
    }
}

static void test_quoted_printable(void **state)
{
    static const struct decode_case cases[] = {
        { "plain", "abc", "abc" },
        { "bytes", "na=C3=AFve", "na\xc3\xafve" },
        { "lower case", "=c3=af", "\xc3\xaf" },
        { "soft break", "ab=\r\ncd", "abcd" },
        { "soft break, blanks behind", "ab= \t\r\ncd", "abcd" },
        { "soft break of line feed", "ab=\ncd", "abcd" },
        { "soft break at the end", "ab=", "ab" },
        { "blanks before a line end", "ab  \t\r\ncd ", "ab\r\ncd" },
        { "blank that is meant", "ab=20\r\n", "ab \r\n" },
        { "no digits", "a=zzb", "a=zzb" },
        { "one digit", "a=4", "a=4" },
        { "equals sign", "a=3Db==3D", "a=b==" },
        { "empty lines", "\r\n\n\r\n", "\r\n\n\r\n" },
        /* RFC 2045 section 6.7 */
        { "example", "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
          "Now's the time for all folk to come to the aid of their country." },
    };

    check_decoder(quoted_printable_decode, cases, COUNT_OF(cases));
}

static void test_base64(void **state)
{
    static const struct decode_case cases[] = {
        { "plain", "YWJj", "abc" },
        { "padding", "YWI=", "ab" },
        { "two padding", "YQ==", "a" },
        { "no padding", "YWI", "ab" },
        { "lines", "YW\r\nJj\r\nZGU=\r\n", "abcde" },
        { "rubbish", "Y*W!J j", "abc" },
        { "footer", "YWI=\r\n-- \r\nlist footer", "ab" },
        { "padding in front", "=YWJj", "abc" },
        { "one character", "Y", "" },
        { "nothing", "", "" },
    };

    check_decoder(base64_body_decode, cases, COUNT_OF(cases));
}

static void test_transfer(void **state)
{
    AUTO(buf_free) struct buf got = { 0 };

    transfer_decode(SLICE("BASE64"), SLICE("YQ=="), &got);
    transfer_decode(SLICE("Quoted-Printable"), SLICE("=62"), &got);
    transfer_decode(SLICE("7bit"), SLICE("=63"), &got);
    transfer_decode(SLICE("x-unknown"), SLICE("d"), &got);
    check_text("all", &got, "ab=63d");
}

static void test_encoded_words(void **state)
{
    static const struct decode_case cases[] = {
        /* RFC 2047 section 8 */
        { "1", "=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>" },
        { "2", "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld J\xc3\xb8rn Simonsen" },
        { "3", "=?ISO-8859-1?Q?Andr=E9?= Pirard", "Andr\xc3\xa9 Pirard" },
        { "4",
          "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
          "    =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
          "If you can read this you understand the example." },
        { "5", "(=?ISO-8859-1?Q?a?=)", "(a)" },
        { "6", "(=?ISO-8859-1?Q?a?= b)", "(a b)" },
        { "7", "(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)" },
        { "8", "(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)" },
        { "9", "(=?ISO-8859-1?Q?a_b?=)", "(a b)" },
        { "10", "(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)" },
        { "hebrew", "(=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=)",
          "(\xd7\x9d\xd7\x95\xd7\x9c\xd7\xa9 \xd7\x9f\xd7\x91 "
          "\xd7\x99\xd7\x9c\xd7\x98\xd7\xa4\xd7\xa0)" },
        /* RFC 2231 section 5 */
        { "language", "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore" },
        { "cut inside a character", "=?utf-8?b?w6TD?= =?utf-8?b?tg==?=", "\xc3\xa4\xc3\xb6" },
        { "inside a word", "a=?utf-8?q?b?=c", "abc" },
        { "folded", "a\r\n b", "a b" },
        { "unknown charset, UTF-8", "=?x-none?q?=C3=A9?=", "\xc3\xa9" },
        { "unknown charset", "=?x-none?q?=E9?=", "\xc3\xa9" },
        { "bad bytes", "=?utf-8?q?a=FFb?=",
          "a\xef\xbf\xbd"
          "b" },
        { "8-bit text", "caf\xe9", "caf\xc3\xa9" },
        { "8-bit UTF-8", "caf\xc3\xa9", "caf\xc3\xa9" },
        { "no end", "=?utf-8?q?abc", "=?utf-8?q?abc" },
        { "unknown encoding", "=?utf-8?x?abc?=", "=?utf-8?x?abc?=" },
        { "no charset", "=??q?abc?=", "=??q?abc?=" },
        { "nothing in it", "a =?utf-8?q?_?= b", "a   b" },
        { "question marks", "=?=?=?", "=?=?=?" },
        { "nothing", "", "" },
    };

    check_decoder(header_decode, cases, COUNT_OF(cases));
}

/* Without an end, looking for one again and again would take hours here. */
static void test_hostile_words(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf got = { 0 };

    while (text.len < 4000000)
        buf_add_text(&text, "=?a?q?x");
    header_decode(buf_slice(&text), &got);
    assert_int_equal(got.len, text.len);
}

/* Many charsets by turns, each of which glibc would load and forget again: 20 s without care. */
static void test_hostile_charsets(void **state)
{
    static const char *const names[] = { "koi8-r",     "big5",   "windows-1251",
                                         "iso-8859-5", "euc-jp", "iso-2022-jp",
                                         "gb18030",    "ibm866", "windows-1255" };
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf got = { 0 };
    clock_t start = clock();

    for (size_t i = 0; i < 9000; i++)
        buf_fmt(&text, "=?%s?q?a?= ", names[i % COUNT_OF(names)]);
    header_decode(buf_slice(&text), &got);
    assert_int_equal(got.len, 9000);
    assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
}

/* Every charset in the table must be one that this machine has. */
static void test_charsets_are_there(void **state)
{
    static const char *const names[] = {
        "iso-8859-2",    "iso-8859-3",       "iso-8859-4",   "iso-8859-5",     "iso-8859-6",
        "iso-8859-7",    "iso-8859-8",       "iso-8859-9",   "iso-8859-10",    "iso-8859-11",
        "iso-8859-13",   "iso-8859-14",      "iso-8859-15",  "iso-8859-16",    "windows-1250",
        "windows-1251",  "windows-1252",     "windows-1253", "windows-1254",   "windows-1255",
        "windows-1256",  "windows-1257",     "windows-1258", "koi8-r",         "koi8-u",
        "big5",          "big5-hkscs",       "gb18030",      "euc-jp",         "euc-tw",
        "iso-2022-jp",   "iso-2022-kr",      "iso-2022-cn",  "tis-620",        "viscii",
        "utf-7",         "utf-16",           "utf-16be",     "utf-16le",       "utf-32",
        "macintosh",     "ibm437",           "ibm850",       "ibm852",         "ibm866",
        "iso-8859-6-i",  "windows-874",      "gbk",          "ks_c_5601-1987", "shift_jis",
        "iso-2022-jp-1", "unicode-1-1-utf-7"
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (!charset_known(slice_of(names[i])))
            fail_msg("%s", names[i]);
}

static void test_charsets(void **state)
{
    static const struct {
        const char *charset, *bytes, *want; /* NULL: not known */
    } cases[] = {
        { "utf-8", "\xc3\xa9", "\xc3\xa9" },
        { "UTF8", "\xe9", "\xef\xbf\xbd" },
        { "us-ascii", "abc", "abc" },
        { "iso-8859-1", "\xe9", "\xc3\xa9" },
        { "iso-8859-15", "\xa4", "\xe2\x82\xac" },
        { "windows-1251", "\xcf", "\xd0\x9f" },
        { "koi8-r", "\xf0", "\xd0\x9f" },
        { "iso-2022-jp", "\x1b$B$\"\x1b(B", "\xe3\x81\x82" },
        { "shift_jis", "\x82\xa0", "\xe3\x81\x82" },
        { "gb2312", "\xc4\xe3", "\xe4\xbd\xa0" },
        { "euc-kr", "\xb0\xa1", "\xea\xb0\x80" },
        { "utf-7", "+AOk-", "\xc3\xa9" },
        { "shift_jis", "a\x82", "a\xef\xbf\xbd" },
        { "koi8-r", "", "" },
        { "x-none", "a", NULL },
        { "", "a", NULL },
        { "utf-16//IGNORE", "a", NULL },
        { "a very long name of a charset that nobody has ever heard of", "a", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice bytes = exact(slice_of(cases[i].bytes));
        AUTO(buf_free) struct buf got = { 0 };

        assert_true(charset_known(slice_of(cases[i].charset)) == (cases[i].want != NULL));
        if (charset_to_utf8(slice_of(cases[i].charset), bytes, &got) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].charset);
        check_text(cases[i].charset, &got, cases[i].want != NULL ? cases[i].want : "");
    }
}

/* Any bytes in any charset become valid UTF-8. */
static void test_charsets_any_bytes(void **state)
{
    static const char *const names[] = { "utf-8",  "iso-8859-1", "utf-7", "iso-2022-jp",
                                         "gb2312", "utf-16",     "big5",  "iso-2022-kr",
                                         "x-none", "ucs-4" };
    char bytes[512];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 167 + i / 256);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO(buf_free) struct buf got = { 0 };

        text_to_utf8(slice_of(names[i]), slice_make(bytes, sizeof(bytes)), &got);
        if (!utf8_valid(buf_slice(&got)))
            fail_msg("%s", names[i]);
    }
}

static void test_header_encode(void **state)
{
    static const char *const texts[] = {
        "plain text",
        "\xc3\xa4\xc3\xb6\xc3\xbc",
        "=?utf-8?q?not?=",
        "a\r\nBcc: b",
        "\xc3",
        "\xd0\x9e\xd1\x87\xd0\xb5\xd0\xbd\xd1\x8c "
        "\xd0\xb4\xd0\xbb\xd0\xb8\xd0\xbd\xd0\xbd\xd1\x8b\xd0\xb9 "
        "\xd1\x82\xd0\xb5\xd0\xba\xd1\x81\xd1\x82, "
        "\xd0\xba\xd0\xbe\xd1\x82\xd0\xbe\xd1\x80\xd1\x8b\xd0\xb9",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(buf_free) struct buf encoded = { 0 };
        AUTO(buf_free) struct buf decoded = { 0 };
        struct slice rest, line;

        header_encode(slice_of(texts[i]), &encoded);
        rest = buf_slice(&encoded);
        for (bool first = true; slice_split(&rest, '\n', &line); first = false) {
            assert_true(first || line.data[0] == ' ');
            assert_true(slice_trim(line).len <= 75);
        }
        header_decode(buf_slice(&encoded), &decoded);
        if (utf8_valid(slice_of(texts[i])))
            check_text("round trip", &decoded, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoted_printable),   cmocka_unit_test(test_base64),
        cmocka_unit_test(test_transfer),           cmocka_unit_test(test_encoded_words),
        cmocka_unit_test(test_hostile_words),      cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_hostile_charsets),   cmocka_unit_test(test_charsets_are_there),
        cmocka_unit_test(test_charsets_any_bytes), cmocka_unit_test(test_header_encode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
