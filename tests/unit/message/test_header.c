/* test_header.c - fields, folding, and where a header ends. */
#include "message/header.h"

#include "tests/unit/message/exact.h"

static const struct {
    const char *name, *input;
    const char *want; /* "name=value|..." unfolded, "#" and what follows the header */
} cases[] = {
    { "two fields", "A: b\r\nC:d\r\n\r\nbody", "A=b|C=d|#body" },
    { "bare line feeds", "A: b\nC: d\n\nbody", "A=b|C=d|#body" },
    { "folded", "A: b\r\n c\r\n\td\r\n\r\n", "A=b c\td|#" },
    { "folded, the first line empty", "A:\r\n b\r\n\r\n", "A=b|#" },
    { "a line of blanks continues", "A: b\r\n  \r\n c\r\n\r\n", "A=b   c|#" },
    { "no body", "A: b\r\n", "A=b|#" },
    { "no line end", "A: b", "A=b|#" },
    { "nothing", "", "#" },
    { "only a body", "\r\nbody", "#body" },
    { "a line that is no field", "A: b\r\nbody text\r\n\r\nmore", "A=b|#body text\r\n\r\nmore" },
    { "blank before the colon", "Subject \t: x\r\n\r\n", "Subject=x|#" },
    { "blank inside the name", "Not a: field\r\n\r\n", "#Not a: field\r\n\r\n" },
    { "8-bit name", "A: b\r\n\xe9: c\r\n", "A=b|#\xe9: c\r\n" },
    { "no name", ": b\r\nA: c\r\n", "#: b\r\nA: c\r\n" },
    { "mbox line", "From bob Mon Mar  2 10:00:00 2026\r\nA: b\r\n\r\n", "A=b|#" },
    { "continuation of nothing", " x\r\nA: b\r\n\r\n", "A=b|#" },
    { "empty value", "A:\r\nB: \r\n\r\nc", "A=|B=|#c" },
    { "carriage return inside", "A: b\rc\r\n\r\n", "A=b\rc|#" },
    { "carriage return ends it all", "A: b\r", "A=b|#" },
    /* RFC 5322 appendix A.5 */
    { "obsolete",
      "From  : John Doe\r\nTo    : Mary Smith\r\n  \r\n          <mary@example.net>\r\n",
      "From=John Doe|To=Mary Smith            <mary@example.net>|#" },
};

static void print_header(struct slice message, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice rest = message;
    struct header_field field;

    while (header_next(&rest, &field)) {
        buf_add_slice(out, field.name);
        buf_add_byte(out, '=');
        buf_add_slice(out, header_unfold(&arena, field.value));
        buf_add_byte(out, '|');
    }
    buf_add_byte(out, '#');
    buf_add_slice(out, slice_from(message, header_length(message)));
}

static void test_fields(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice input = exact(slice_of(cases[i].input));
        AUTO(buf_free) struct buf got = { 0 };

        print_header(input, &got);
        check_text(cases[i].name, &got, cases[i].want);
    }
}

/* However short it is cut, the fields and the rest are the whole. */
static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].input); len++) {
            AUTO(exact_free) struct slice input = exact(slice_make(cases[i].input, len));
            AUTO(buf_free) struct buf got = { 0 };

            print_header(input, &got);
            assert_true(header_length(input) <= input.len);
        }
}

static void test_raw_is_all(void **state)
{
    struct slice message = SLICE("A: b\r\n c\r\nB:\r\n\r\nbody");
    struct slice rest = message;
    struct header_field field;

    assert_true(header_next(&rest, &field));
    assert_true(slice_equal(field.raw, SLICE("A: b\r\n c\r\n")));
    assert_true(header_next(&rest, &field));
    assert_true(slice_equal(field.raw, SLICE("B:\r\n")));
    assert_false(header_next(&rest, &field));
    assert_int_equal(header_end_length(rest), 2);
}

static void test_find(void **state)
{
    struct header_field field;

    assert_true(header_find(SLICE("A: 1\r\nSUBJECT: 2\r\nSubject: 3\r\n"), "Subject", &field));
    assert_true(slice_equal(slice_trim(field.value), SLICE("2")));
    assert_false(header_find(SLICE("A: 1\r\n\r\nSubject: 2\r\n"), "Subject", &field));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_raw_is_all),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
