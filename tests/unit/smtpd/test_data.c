/* test_data.c - dots, line ends and the end of data, at every way to cut the input in two. */
#include "smtpd/data.h"

#include "common/buf.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *input, *want;
    bool ends, bare;
    const char *want_fixed; /* with fix_newlines; NULL: the same as want */
    const char *rest;       /* what is left behind the end */
} cases[] = {
    { "empty message", ".\r\n", "", true, false, NULL, "" },
    { "one line", "a\r\n.\r\n", "a\r\n", true, false, NULL, "" },
    { "two lines and a command", "a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", true, false, NULL,
      "QUIT\r\n" },
    { "empty lines", "\r\n\r\n.\r\n", "\r\n\r\n", true, false, NULL, "" },
    { "stuffed dot", "..\r\n.\r\n", ".\r\n", true, false, NULL, "" },
    { "two stuffed dots", "...\r\n.\r\n", "..\r\n", true, false, NULL, "" },
    { "dot that was not stuffed", ".a\r\n.\r\n", "a\r\n", true, false, NULL, "" },
    { "dot inside a line", "a.\r\n.\r\n", "a.\r\n", true, false, NULL, "" },
    { "no end", "a\r\n.", "a\r\n", false, false, NULL, "" },
    { "no end, CR", "a\r\n.\r", "a\r\n", false, false, NULL, "" },
    { "bare LF", "a\nb\r\n.\r\n", "a\nb\r\n", true, true, "a\r\nb\r\n", "" },
    { "bare CR", "a\rb\r\n.\r\n", "a\rb\r\n", true, true, "a\r\nb\r\n", "" },
    { "smuggled LF . LF", "a\n.\nMAIL\r\n.\r\n", "a\n.\nMAIL\r\n", true, true, "a\r\n.\r\nMAIL\r\n",
      "" },
    { "smuggled LF . CRLF", "a\n.\r\nMAIL\r\n.\r\n", "a\n.\r\nMAIL\r\n", true, true,
      "a\r\n.\r\nMAIL\r\n", "" },
    { "smuggled CRLF . LF", "a\r\n.\nMAIL\r\n.\r\n", "a\r\n\nMAIL\r\n", true, true,
      "a\r\n\r\nMAIL\r\n", "" },
    { "smuggled CR . CR", "a\r.\rMAIL\r\n.\r\n", "a\r.\rMAIL\r\n", true, true, "a\r\n.\r\nMAIL\r\n",
      "" },
    { "smuggled CRLF . CR", "a\r\n.\rMAIL\r\n.\r\n", "a\r\n\rMAIL\r\n", true, true,
      "a\r\n\r\nMAIL\r\n", "" },
    { "smuggled CR . CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true, true, "a\r\n.\r\nb\r\n",
      "" },
    { "CR CR LF", "a\r\r\n.\r\n", "a\r\r\n", true, true, "a\r\n\r\n", "" },
    { "dot CR CR LF", ".\r\r\n.\r\n", "\r\r\n", true, true, "\r\n\r\n", "" },
    { "LF first", "\n.\r\n.\r\n", "\n.\r\n", true, true, "\r\n.\r\n", "" },
};

/* Feeds a heap copy of exactly these bytes; true when the end was found. */
static bool feed(struct data *data, const char *bytes, size_t len, struct buf *out,
                 struct buf *rest_out)
{
    char *exact = malloc(len + (len == 0));
    struct slice in = slice_make(memcpy(exact, bytes, len), len);
    struct slice piece;
    enum data_event event;

    while ((event = data_next(data, &in, &piece)) == DATA_BYTES)
        buf_add_slice(out, piece);
    buf_add_slice(rest_out, in);
    free(exact);
    return event == DATA_END;
}

static void check_cut(size_t i, size_t cut, bool fix)
{
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf rest = { 0 };
    struct data data = { .fix_newlines = fix };
    const char *input = cases[i].input;
    const char *want = fix && cases[i].want_fixed != NULL ? cases[i].want_fixed : cases[i].want;
    bool ended = feed(&data, input, cut, &out, &rest);

    if (ended)
        buf_add_text(&rest, input + cut);
    else
        ended = feed(&data, input + cut, strlen(input) - cut, &out, &rest);
    if (ended != cases[i].ends || data.bare_newline != (cases[i].bare && !fix) ||
        strcmp(buf_text(&out), want) != 0 || strcmp(buf_text(&rest), cases[i].rest) != 0)
        fail_msg("%s, cut at %zu, fix %d: got \"%s\"", cases[i].name, cut, fix, buf_text(&out));
}

static void test_cuts(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].input); cut++) {
            check_cut(i, cut, false);
            check_cut(i, cut, true);
        }
    }
}

static void test_byte_by_byte(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        AUTO(buf_free) struct buf rest = { 0 };
        struct data data = { 0 };
        const char *at = cases[i].input;

        while (*at != '\0' && !feed(&data, at, 1, &out, &rest))
            at++;
        assert_string_equal(buf_text(&out), cases[i].want);
        assert_int_equal(data.bare_newline, cases[i].bare);
    }
}

static void test_chunks_have_no_dots(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf rest = { 0 };
    struct data data = { .no_dots = true };

    assert_false(feed(&data, "..\r\n.\r\n\r", 8, &out, &rest));
    assert_string_equal(buf_text(&out), "..\r\n.\r\n");
    buf_add_slice(&out, data_finish(&data));
    assert_string_equal(buf_text(&out), "..\r\n.\r\n\r");
    assert_true(data.bare_newline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_chunks_have_no_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
