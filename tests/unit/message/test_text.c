/* test_text.c - text for searching: decoded, folded, found. */
#include "message/text.h"

#include "tests/unit/message/exact.h"

#include <unistr.h>

static void test_walk(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf all = { 0 };
    struct slice message =
        SLICE("Subject: not this\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
              "Content-Type: text/plain; charset=iso-8859-1\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9\r\n--b\r\n"
              "Content-Type: image/png\r\n\r\nnot this\r\n--b\r\nContent-Type: text/html\r\n"
              "Content-Transfer-Encoding: base64\r\n\r\nPGI+Yg==\r\n--b\r\n"
              "Content-Type: message/rfc822\r\n\r\nSubject: "
              "=?utf-8?q?=C3=A4?=\r\n\r\ninside\r\n--b--\r\n");
    struct text_walk walk;

    text_walk_start(&walk, message, mime_parse(&arena, message));
    while (text_walk_next(&walk, &text)) {
        buf_add_slice(&all, buf_slice(&text));
        buf_add_byte(&all, '|');
    }
    check_text("walk", &all, "caf\xc3\xa9|b|Subject: \xc3\xa4\r\ninside|");
    assert_false(text_walk_next(&walk, &text));
}

/* Attachments are found by their names. */
static void test_names(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf all = { 0 };
    struct slice message =
        SLICE("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
              "Content-Type: image/png; name=\"=?utf-8?q?=C3=A4.png?=\"\r\n"
              "Content-Disposition: attachment; filename*0*=utf-8''%C3%B6;\r\n"
              " filename*1=\"-two.png\"\r\n\r\nnot this\r\n--b\r\n"
              "Content-Disposition: inline; filename=a.txt\r\n\r\ntext\r\n--b\r\n"
              "Content-Type: image/png\r\nContent-Disposition: inline; size=3\r\n\r\nnot this\r\n"
              "--b--\r\n");
    struct text_walk walk;

    text_walk_start(&walk, message, mime_parse(&arena, message));
    while (text_walk_next(&walk, &text)) {
        buf_add_slice(&all, buf_slice(&text));
        buf_add_byte(&all, '|');
    }
    check_text("names", &all, "\xc3\xb6-two.png\r\n\xc3\xa4.png\r\n|a.txt\r\ntext|");
}

static void test_header(void **state)
{
    AUTO(buf_free) struct buf got = { 0 };

    text_of_header(SLICE("A: =?utf-8?q?b?=\r\n c\r\nD:e\r\n\r\nbody"), &got);
    check_text("header", &got, "A: b c\r\nD: e\r\n");
}

static const struct {
    const char *name, *text, *needle;
    bool want;
} cases[] = {
    { "same", "Hello, World", "World", true },
    { "case", "Hello, World", "hELLO", true },
    { "not there", "Hello, World", "word", false },
    { "empty needle", "Hello", "", true },
    { "empty text", "", "a", false },
    { "both empty", "", "", true },
    { "umlauts",
      "GR\xc3\x9c\xc3\x9f"
      "E",
      "gr\xc3\xbc", true },
    { "cyrillic", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd0\xbf\xd0\xa0\xd0\x98",
      true },
    { "greek sigma", "\xce\xa3\xcf\x83\xcf\x82", "\xcf\x82\xcf\x82\xcf\x82", true },
    { "decomposed text", "cafe\xcc\x81", "caf\xc3\xa9", true },
    { "decomposed needle", "caf\xc3\xa9", "CAFE\xcc\x81", true },
    { "ligature", "\xef\xac\x81nal", "final", true },
    { "bad UTF-8",
      "a\xff\xfe"
      "b",
      "A\xff\xfe"
      "B",
      true },
    { "cut character", "a\xc3", "\xc3\xa9", false },
};

static void test_contains(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));
        AUTO(exact_free) struct slice needle = exact(slice_of(cases[i].needle));
        AUTO(buf_free) struct buf folded = { 0 };

        text_fold(needle, &folded);
        if (text_contains(text, buf_slice(&folded)) != cases[i].want)
            fail_msg("%s", cases[i].name);
    }
}

/* Found wherever it lies, also across the windows in which a long text is folded. */
static void test_long(void **state)
{
    static const char needle[] = "Na\xc3\xafve \xd0\x9f";
    AUTO(buf_free) struct buf folded = { 0 };

    text_fold(slice_of(needle), &folded);
    for (size_t at = 8150; at < 8210; at++) {
        AUTO(buf_free) struct buf text = { 0 };

        while (text.len < at)
            buf_add_byte(&text, 'n');
        assert_false(text_contains(buf_slice(&text), buf_slice(&folded)));
        buf_add_text(&text, needle);
        assert_true(text_contains(buf_slice(&text), buf_slice(&folded)));
        buf_add_text(&text, "and more");
        assert_true(text_contains(buf_slice(&text), buf_slice(&folded)));
    }
}

/* Every needle is found where it is, whichever of its bytes is the rarest, and nowhere else. */
static void test_everywhere(void **state)
{
    const char text[] = "zQe? the Quick brown fOx-jumps over 13 lazy dogs, ok?eQz";
    const size_t len = sizeof(text) - 1;

    for (size_t at = 0; at < len; at++) {
        for (size_t n = 1; at + n <= len; n++) {
            AUTO(exact_free) struct slice whole = exact(slice_make(text, len));
            AUTO(exact_free) struct slice before = exact(slice_make(text, at + n - 1));
            AUTO(buf_free) struct buf folded = { 0 };
            ptrdiff_t first;

            text_fold(slice_make(text + at, n), &folded);
            assert_true(text_contains(whole, buf_slice(&folded)));
            /* In what ends one byte earlier only if it stands there a first time. */
            AUTO(buf_free) struct buf upper = { 0 };
            text_fold(before, &upper);
            first = slice_search(buf_slice(&upper), buf_slice(&folded));
            assert_int_equal(text_contains(before, buf_slice(&folded)), first >= 0);
        }
    }
}

/* Folding again changes nothing, which a wrong page would; and all of Unicode fits. */
static void test_fold_pages(void **state)
{
    for (uint32_t character = 0x80; character < 0x30000; character++) {
        AUTO(buf_free) struct buf text = { 0 };
        AUTO(buf_free) struct buf once = { 0 };
        AUTO(buf_free) struct buf twice = { 0 };
        uint8_t bytes[4];
        int len = u8_uctomb(bytes, character, sizeof(bytes));

        if (len <= 0)
            continue;
        buf_add(&text, bytes, (size_t)len);
        text_fold(buf_slice(&text), &once);
        text_fold(buf_slice(&once), &twice);
        assert_true(once.len > 0);
        if (!slice_equal(buf_slice(&once), buf_slice(&twice)))
            fail_msg("U+%04X", character);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),       cmocka_unit_test(test_header),
        cmocka_unit_test(test_contains),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_everywhere), cmocka_unit_test(test_names),
        cmocka_unit_test(test_fold_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
