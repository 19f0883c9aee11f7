/* test_output.c - how values look to people: nothing in them may steer a terminal. */
#include "admin/output.h"
#include "tests/unit/support/check.h"

static const struct {
    const char *json;
    enum column_form form;
    const char *want;
} cases[] = {
    { "\"bob\"", COLUMN_PLAIN, "bob" },
    { "\"a\\u001b[31mb\\nc\\u007f\"", COLUMN_PLAIN, "a?[31mb?c?" },
    { "\"\\u009b2J\\u0080\\u00a0\\u00e9\"", COLUMN_PLAIN, "?2J?\xc2\xa0\xc3\xa9" },
    { "\"gr\\u00fcn\"", COLUMN_PLAIN, "gr\xc3\xbcn" },
    { "12", COLUMN_PLAIN, "12" },
    { "true", COLUMN_PLAIN, "yes" },
    { "false", COLUMN_PLAIN, "no" },
    { "null", COLUMN_PLAIN, "-" },
    { "[\"a\", \"b\", 3]", COLUMN_PLAIN, "a b 3" },
    { "[]", COLUMN_PLAIN, "" },
    { "0", COLUMN_SIZE, "0 B" },
    { "1023", COLUMN_SIZE, "1023 B" },
    { "1536", COLUMN_SIZE, "1.5 KB" },
    { "157286400", COLUMN_SIZE, "150 MB" },
    { "9223372036854775807", COLUMN_SIZE, "8.0 EB" },
    { "0", COLUMN_LIMIT, "-" },
    { "1073741824", COLUMN_LIMIT, "1.0 GB" },
    { "0", COLUMN_TIME, "1970-01-01 00:00:00" },
    { "1795386089493", COLUMN_TIME, "2026-11-22 22:21:29" },
};

static void format_values(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);

        assert_non_null(value);
        output_format(value, cases[i].form, &out);
        if (!buf_is(&out, cases[i].want))
            fail_msg("%s looks like %s", cases[i].json, buf_text(&out));
        json_decref(value);
    }
}

static void texts_that_are_no_utf8(void **state)
{
    json_t *text = output_text(SLICE("a\xff"));
    json_t *nul = output_text(SLICE("a\0b"));
    json_t *empty = output_text((struct slice){ 0 });

    assert_string_equal(json_string_value(text), "\"a\\xff\"");
    assert_string_equal(json_string_value(nul), "\"a\\x00b\"");
    assert_string_equal(json_string_value(empty), "");
    json_decref(text);
    json_decref(nul);
    json_decref(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_values),
        cmocka_unit_test(texts_that_are_no_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
