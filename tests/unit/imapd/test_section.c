/* test_section.c - section-spec and partial (RFC 3501 section 6.4.5): read, printed, and where
 * their bytes lie in the message that the RFC uses as its example. */
#include "imapd/section.h"
#include "tests/unit/imapd/parts.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A copy of just the right size, so that the sanitizer sees one byte too far. */
static bool parse(const char *input, struct arena *arena, char **copy_out, struct section *section)
{
    size_t len = strlen(input);

    *copy_out = malloc(len > 0 ? len : 1);
    memcpy(*copy_out, input, len);
    struct args args = { .rest = slice_make(*copy_out, len), .arena = arena };
    return section_parse(&args, section) && args_end(&args);
}

static void test_parse(void **state)
{
    static const struct {
        const char *input, *want; /* NULL: refused */
    } cases[] = {
        { "]", "BODY[]" },
        { "]<0.2048>", "BODY[]<0>" },
        { "TEXT]<5.1>", "BODY[TEXT]<5>" },
        { "text]", "BODY[TEXT]" },
        { "HEADER]", "BODY[HEADER]" },
        { "1]", "BODY[1]" },
        { "1.MIME]", "BODY[1.MIME]" },
        { "4.2.2.1]", "BODY[4.2.2.1]" },
        { "4.2.HEADER]", "BODY[4.2.HEADER]" },
        { "HEADER.FIELDS (DATE FROM)]", "BODY[HEADER.FIELDS (DATE FROM)]" },
        { "header.fields.not (\"DATE\")]<1.2>", "BODY[HEADER.FIELDS.NOT (DATE)]<1>" },
        { "3.HEADER.FIELDS (\"a b\")]", "BODY[3.HEADER.FIELDS (\"a b\")]" },
        { "HEADER.FIELDS ({4}\r\nDate)]", "BODY[HEADER.FIELDS (Date)]" },
        { "4294967295]<4294967295.4294967295>", "BODY[4294967295]<4294967295>" },
        { "", NULL },
        { "1", NULL },
        { "MIME]", NULL }, /* "MUST be prefixed by one or more part numbers" */
        { "0]", NULL },
        { "1.0]", NULL },
        { "1.]", NULL },
        { ".1]", NULL },
        { "1..2]", NULL },
        { "1TEXT]", NULL },
        { "TEXT.1]", NULL },
        { "4294967296]", NULL },
        { "NOPE]", NULL },
        { "HEADER.FIELDS]", NULL },
        { "HEADER.FIELDS ()]", NULL },
        { "HEADER.FIELDS (a b]", NULL },
        { "HEADER.FIELDS (a  b)]", NULL },
        { "HEADER.FIELDS (\"a]", NULL },
        { "HEADER (a)]", NULL },
        { "]<0.0>", NULL }, /* nz-number */
        { "]<0>", NULL },
        { "]<0.>", NULL },
        { "]<.1>", NULL },
        { "]<-1.1>", NULL },
        { "]<0.9223372036854775808>", NULL },
        { "]<0.1", NULL },
        { "]<0.1>x", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf printed = { 0 };
        struct section section;
        char *copy;
        bool ok = parse(cases[i].input, &arena, &copy, &section);

        if (ok != (cases[i].want != NULL))
            fail_msg("%s: %s", cases[i].input, ok ? "taken" : "refused");
        if (ok)
            section_print("BODY", &section, &printed);
        if (ok && strcmp(buf_text(&printed), cases[i].want) != 0)
            fail_msg("%s: got %s", cases[i].input, buf_text(&printed));
        free(copy);
    }
}

static void test_too_many(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf deep = { 0 };
    AUTO(buf_free) struct buf fields = { 0 };
    struct section section;
    char *copy;

    for (size_t i = 0; i <= COUNT_OF(section.path); i++)
        buf_add_text(&deep, "1.");
    buf_add_text(&deep, "TEXT]");
    assert_false(parse(buf_text(&deep), &arena, &copy, &section));
    free(copy);
    buf_add_text(&fields, "HEADER.FIELDS (");
    for (size_t i = 0; i < SECTION_FIELDS_MAX; i++)
        buf_add_text(&fields, "a ");
    buf_add_text(&fields, "b)]");
    assert_false(parse(buf_text(&fields), &arena, &copy, &section));
    free(copy);
}

static void test_find(void **state)
{
    static const struct {
        const char *spec, *want; /* NULL: there is none */
    } cases[] = {
        { "]", PARTS_MESSAGE },
        { "HEADER]", PARTS_HEADER },
        { "TEXT]", PARTS_TEXT },
        { "1]", "plain 1" },
        { "1.MIME]", "Content-Type: text/plain\r\n\r\n" },
        { "2]", "bytes 2" },
        { "3]", PARTS_3_HEADER PARTS_3_TEXT },
        { "3.MIME]", "Content-Type: message/rfc822\r\n\r\n" },
        { "3.HEADER]", PARTS_3_HEADER },
        { "3.TEXT]", PARTS_3_TEXT },
        { "3.1]", "plain 3.1" },
        { "3.1.MIME]", "\r\n" },
        { "3.2]", "bytes 3.2" },
        { "4]", PARTS_4 },
        { "4.1]", "gif 4.1" },
        { "4.1.MIME]", PARTS_4_1_MIME },
        { "4.2]", PARTS_4_2_HEADER PARTS_4_2_TEXT },
        { "4.2.HEADER]", PARTS_4_2_HEADER },
        { "4.2.TEXT]", PARTS_4_2_TEXT },
        { "4.2.1]", "plain 4.2.1" },
        { "4.2.2]", PARTS_4_2_2 },
        { "4.2.2.1]", PARTS_4_2_2_1 },
        { "4.2.2.2]", "rich 4.2.2.2" },
        { "5]", NULL },
        { "1.1.1]", NULL },
        { "4.3]", NULL },
        { "1.HEADER]", NULL }, /* only a message has one */
        { "4.TEXT]", NULL },
        { "4.2.2.1.1.1]", NULL },
    };
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice message = slice_of(PARTS_MESSAGE);
    const struct mime_part *root = mime_parse(&arena, message);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct section section;
        size_t at, len;
        char *copy;

        assert_true(parse(cases[i].spec, &arena, &copy, &section));
        if (section_find(&section, root, &at, &len) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].spec);
        if (cases[i].want != NULL &&
            !slice_equal(slice_part(message, at, len), slice_of(cases[i].want)))
            fail_msg("%s: got " SLICE_FMT, cases[i].spec, SLICE_ARG(slice_part(message, at, len)));
        free(copy);
    }
}

/* A part that is no multipart has one part: its body (RFC 3501 section 6.4.5). */
static void test_find_single(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice message = SLICE("Subject: s\r\n\r\nbody\r\n");
    const struct mime_part *root = mime_parse(&arena, message);
    struct section section = { .path = { 1 }, .depth = 1 };
    size_t at, len;

    assert_true(section_find(&section, root, &at, &len));
    assert_true(slice_equal(slice_part(message, at, len), SLICE("body\r\n")));
    section.path[0] = 2;
    assert_false(section_find(&section, root, &at, &len));
}

static void test_pick(void **state)
{
    static const struct {
        const char *spec, *want;
    } cases[] = {
        { "HEADER.FIELDS (SUBJECT)]", "Subject: outer\r\n\r\n" },
        { "HEADER.FIELDS (mime-version from)]",
          "From: Fred <fred@example.test>\r\nMIME-Version: 1.0\r\n\r\n" },
        { "HEADER.FIELDS (X-Folded)]", "X-Folded: one\r\n two\r\n\r\n" },
        { "HEADER.FIELDS (none)]", "\r\n" },
        { "HEADER.FIELDS (subj)]", "\r\n" },
        { "HEADER.FIELDS.NOT (From X-Folded Content-Type)]",
          "Subject: outer\r\nMIME-Version: 1.0\r\n\r\n" },
        { "HEADER.FIELDS.NOT (none)]", PARTS_HEADER },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf picked = { 0 };
        struct section section;
        char *copy;

        assert_true(parse(cases[i].spec, &arena, &copy, &section));
        section_pick(&section, SLICE(PARTS_HEADER), &picked);
        if (!slice_equal(buf_slice(&picked), slice_of(cases[i].want)))
            fail_msg("%s: got %s", cases[i].spec, buf_text(&picked));
        free(copy);
    }
}

/* Many names are looked up in another way than few. */
static void test_many_names(void **state)
{
    AUTO(buf_free) struct buf picked = { 0 };
    struct slice names[100];
    char texts[COUNT_OF(names)][8];
    struct section section = { .what = SECTION_FIELDS,
                               .fields = names,
                               .n_fields = COUNT_OF(names) };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(texts[i], sizeof(texts[i]), "X-%zu", COUNT_OF(names) - i);
        names[i] = slice_of(texts[i]);
    }
    section_pick(&section, SLICE("x-7: a\r\nX-0: b\r\nX-100: c\r\n\r\n"), &picked);
    assert_string_equal(buf_text(&picked), "x-7: a\r\nX-100: c\r\n\r\n");
    buf_clear(&picked);
    section.what = SECTION_FIELDS_NOT;
    section_pick(&section, SLICE("x-7: a\r\nX-0: b\r\nX-100: c\r\n\r\n"), &picked);
    assert_string_equal(buf_text(&picked), "X-0: b\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_names),  cmocka_unit_test(test_parse),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_find),
        cmocka_unit_test(test_find_single), cmocka_unit_test(test_pick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
