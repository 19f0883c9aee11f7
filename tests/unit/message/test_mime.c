/* test_mime.c - the tree of parts, its offsets, its bounds. */
#include "message/mime.h"

#include "tests/unit/message/exact.h"

/* A part is printed as type/subtype, a leaf with [its body], others with (their parts). */
static const struct {
    const char *name, *input, *want;
} cases[] = {
    { "no header", "\r\nbody", "text/plain[body]" },
    { "nothing", "", "text/plain[]" },
    { "plain", "Content-Type: text/html; charset=x\r\n\r\nbody\r\n", "text/html[body\r\n]" },
    { "bad type", "Content-Type: text\r\n\r\nbody", "text/plain[body]" },
    { "two parts",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\n"
      "Content-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n",
      "multipart/mixed(text/plain[one] text/html[two\r\n])" },
    { "bare line feeds", "Content-Type: multipart/x; boundary=\"b c\"\n\n--b c\n\none\n--b c--\n",
      "multipart/x(text/plain[one])" },
    { "padding", "Content-Type: multipart/x; boundary=b\r\n\r\n--b \t\r\n\r\none\r\n--b-- \r\n",
      "multipart/x(text/plain[one])" },
    { "longer line is no delimiter",
      "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\none\r\n--bc\r\ntwo\r\n--b--\r\n",
      "multipart/x(text/plain[one\r\n--bc\r\ntwo])" },
    { "not closed", "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\none\r\n",
      "multipart/x(text/plain[one\r\n])" },
    { "no boundary", "Content-Type: multipart/x\r\n\r\n--b\r\n\r\none\r\n",
      "text/plain[--b\r\n\r\none\r\n]" },
    { "no part", "Content-Type: multipart/x; boundary=b\r\n\r\none\r\n", "text/plain[one\r\n]" },
    { "only closed", "Content-Type: multipart/x; boundary=b\r\n\r\n--b--\r\n",
      "text/plain[--b--\r\n]" },
    { "empty parts", "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b--",
      "multipart/x(text/plain[] text/plain[])" },
    { "header runs into delimiter",
      "Content-Type: multipart/x; boundary=\"b:c\"\r\n\r\n--b:c\r\nContent-Type: text/html\r\n"
      "--b:c\r\n\r\ntwo\r\n--b:c--",
      "multipart/x(text/html[] text/plain[two])" },
    { "nested",
      "Content-Type: multipart/a; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/b; "
      "boundary=b\r\n"
      "\r\n--b\r\n\r\none\r\n--b--\r\nx\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
      "multipart/a(multipart/b(text/plain[one]) text/plain[two])" },
    { "inner not closed",
      "Content-Type: multipart/a; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/b; "
      "boundary=ab\r\n"
      "\r\n--ab\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
      "multipart/a(multipart/b(text/plain[one]) text/plain[two])" },
    { "same boundary inside",
      "Content-Type: multipart/a; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/b; "
      "boundary=a\r\n"
      "\r\n--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
      "multipart/a(multipart/b(text/plain[one]) text/plain[two])" },
    { "digest",
      "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\none\r\n--b--",
      "multipart/digest(message/rfc822(text/plain[one]))" },
    { "message", "Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\none",
      "message/rfc822(text/html[one])" },
    { "message/global", "Content-Type: message/global\r\n\r\n\r\none",
      "message/global(text/plain[one])" },
    { "empty message", "Content-Type: message/rfc822\r\n\r\n", "message/rfc822(text/plain[])" },
    { "encoded message",
      "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==\r\n",
      "message/rfc822[QTogYg==\r\n]" },
    { "report",
      "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: "
      "message/delivery-status"
      "\r\n\r\nA: b\r\n\r\n--b--\r\n",
      "multipart/report(message/delivery-status[A: b\r\n])" },
};

static void print_part(struct slice message, const struct mime_part *part, struct buf *out)
{
    buf_add_slice(out, part->type);
    buf_add_byte(out, '/');
    buf_add_slice(out, part->subtype);
    if (part->children == NULL) {
        buf_add_byte(out, '[');
        buf_add_slice(out, slice_part(message, part->body_at, part->body_len));
        buf_add_byte(out, ']');
        return;
    }
    for (const struct mime_part *child = part->children; child != NULL; child = child->next) {
        buf_add_byte(out, child == part->children ? '(' : ' ');
        print_part(message, child, out);
    }
    buf_add_byte(out, ')');
}

/* What holds for every tree, however broken the message. */
static void check_part(struct slice message, const struct mime_part *part, size_t depth)
{
    struct slice body = slice_part(message, part->body_at, part->body_len);
    uint64_t lines = 0;

    assert_true(depth <= MIME_DEPTH_MAX);
    assert_true(part->type.len > 0 && part->subtype.len > 0 && part->encoding.len > 0);
    assert_int_equal(part->header_at + part->header_len, part->body_at);
    assert_int_equal(body.len, part->body_len);
    for (size_t i = 0; i < body.len; i++)
        lines += body.data[i] == '\n';
    assert_int_equal(part->body_lines, lines);
    assert_true((part->children != NULL) == (part->is_multipart || part->is_message));
    for (const struct mime_part *child = part->children; child != NULL; child = child->next) {
        assert_ptr_equal(child->parent, part);
        assert_true(child->header_at >= part->body_at);
        /* a header without an empty line has a line end that belongs to the delimiter behind it */
        assert_true(child->body_at + child->body_len <= part->body_at + part->body_len + 2);
        check_part(message, child, depth + 1);
    }
}

static void parse_and_print(struct slice text, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(exact_free) struct slice message = exact(text);
    struct mime_part *root = mime_parse(&arena, message);

    check_part(message, root, 0);
    print_part(message, root, out);
}

static void test_trees(void **state)
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

static void test_fields(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice message = SLICE("content-type: TEXT/Plain; Charset=\"utf-8\"\r\n"
                                 "Content-Transfer-Encoding: Base64 (really)\r\n"
                                 "Content-Disposition: attachment;\r\n filename=\"a b\"\r\n"
                                 "Content-ID: <a@b>\r\nContent-Description: a\r\n b\r\n"
                                 "Content-MD5: Q2hlY2s=\r\nContent-Language: en, fr\r\n"
                                 "Content-Location: http://x/\r\nContent-ID: <second>\r\n\r\n");
    const struct mime_part *part = mime_parse(&arena, message);

    assert_true(slice_equal(part->type, SLICE("TEXT")));
    assert_true(slice_equal(mime_param(part, "charset"), SLICE("utf-8")));
    assert_true(slice_equal(part->encoding, SLICE("Base64")));
    assert_true(slice_equal(part->disposition, SLICE("attachment")));
    assert_int_equal(part->n_disposition_params, 1);
    assert_true(slice_equal(part->disposition_params[0].value, SLICE("a b")));
    assert_true(slice_equal(part->id, SLICE("<a@b>")));
    assert_true(slice_equal(part->description, SLICE("a b")));
    assert_true(slice_equal(part->md5, SLICE("Q2hlY2s=")));
    assert_true(slice_equal(part->language, SLICE("en, fr")));
    assert_true(slice_equal(part->location, SLICE("http://x/")));
    assert_int_equal(mime_param(part, "name").len, 0);
}

/* RFC 3501 section 6.4.5, the example. */
static const char sections_message[] =
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    "--a\r\n\r\n1\r\n"
    "--a\r\nContent-Type: application/octet-stream\r\n\r\n2\r\n"
    "--a\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "--b\r\n\r\n3.1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n"
    "--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    "--c\r\nContent-Type: image/gif\r\n\r\n4.1\r\n"
    "--c\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"
    "--d\r\n\r\n4.2.1\r\n"
    "--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n"
    "--e\r\n\r\n4.2.2.1\r\n--e\r\nContent-Type: text/richtext\r\n\r\n4.2.2.2\r\n--e--\r\n--d--\r\n"
    "--c\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\n4.3.1\r\n--c--\r\n"
    "--a--\r\n";

static bool find_text(struct slice message, const struct mime_part *root, const char *section,
                      struct slice *body_out)
{
    uint32_t path[10];
    size_t count = 0;
    struct slice rest = slice_of(section), number;
    const struct mime_part *part;

    while (slice_split(&rest, '.', &number)) {
        uint64_t value;

        assert_true(slice_number(number, UINT32_MAX, &value));
        path[count++] = (uint32_t)value;
    }
    part = mime_find(root, path, count);
    if (part != NULL)
        *body_out = slice_part(message, part->body_at, part->body_len);
    return part != NULL;
}

static void test_sections(void **state)
{
    static const char *const there[] = { "1",     "2",       "3.1",     "3.2",  "4.1",
                                         "4.2.1", "4.2.2.1", "4.2.2.2", "4.3.1" };
    static const char *const not_there[] = { "0",   "5",       "1.1",   "3.3",
                                             "3.0", "4.2.2.3", "4.3.2", "4.3.1.1" };
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice message = SLICE(sections_message);
    const struct mime_part *root = mime_parse(&arena, message);
    struct slice body;

    for (size_t i = 0; i < COUNT_OF(there); i++)
        if (!find_text(message, root, there[i], &body) || !slice_is(body, there[i]))
            fail_msg("%s", there[i]);
    for (size_t i = 0; i < COUNT_OF(not_there); i++)
        if (find_text(message, root, not_there[i], &body))
            fail_msg("%s", not_there[i]);
    assert_ptr_equal(mime_find(root, NULL, 0), root);
    assert_true(find_text(message, root, "4.2", &body));
    assert_true(slice_starts(body, "Content-Type: multipart/mixed; boundary=d"));
}

static void test_sections_of_single_part(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice plain = SLICE("A: b\r\n\r\nbody");
    struct slice message = SLICE("Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nbody");
    struct slice body;

    assert_true(find_text(plain, mime_parse(&arena, plain), "1", &body));
    assert_true(slice_is(body, "body"));
    assert_false(find_text(plain, mime_parse(&arena, plain), "2", &body));
    assert_false(find_text(plain, mime_parse(&arena, plain), "1.1", &body));
    assert_true(find_text(message, mime_parse(&arena, message), "1", &body));
    assert_true(slice_is(body, "A: b\r\n\r\nbody"));
    assert_true(find_text(message, mime_parse(&arena, message), "1.1", &body));
    assert_true(slice_is(body, "body"));
}

static size_t count_parts(const struct mime_part *part)
{
    size_t count = 1;

    for (const struct mime_part *child = part->children; child != NULL; child = child->next)
        count += count_parts(child);
    return count;
}

/* A hundred thousand of anything stays within the bounds, and takes no square of time. */
static void test_bounds(void **state)
{
    static const struct {
        const char *name, *start, *again;
    } hostile[] = {
        { "parts", "Content-Type: multipart/x; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n" },
        { "messages", "", "Content-Type: message/rfc822\r\n\r\n" },
        { "multiparts", "", "Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" },
        { "digests", "", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" },
        { "dashes", "Content-Type: multipart/x; boundary=b\r\n\r\n", "--\n" },
        { "fields", "", "Content-Type: a/b; c=d\r\n" },
        { "mbox lines", "", "From a\n" },
        { "folds", "A:", "\n " },
    };

    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf text = { 0 };
        const struct mime_part *root;

        buf_add_text(&text, hostile[i].start);
        for (int n = 0; n < 100000; n++)
            buf_add_text(&text, hostile[i].again);
        root = mime_parse(&arena, buf_slice(&text));
        check_part(buf_slice(&text), root, 0);
        if (count_parts(root) > MIME_PARTS_MAX)
            fail_msg("%s: %zu parts", hostile[i].name, count_parts(root));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_sections_of_single_part),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
