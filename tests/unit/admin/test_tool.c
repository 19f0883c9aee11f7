/* test_tool.c - taking options and arguments off a command line, and reading numbers. */
#include "admin/tool.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

enum { ARGS_MAX = 8 };

static const struct {
    const char *name;
    char *args[ARGS_MAX]; /* argv[0] first */
    bool flag;            /* --stdin */
    const char *option;   /* the value of --name */
    const char *first;    /* argument, NULL: tool_argument() says no */
    const char *error;    /* part of the text; NULL: tool_end() is content */
} cases[] = {
    { "one argument", { "p", "a@b" }, false, NULL, "a@b", NULL },
    { "option before", { "p", "--name", "N", "a@b" }, false, "N", "a@b", NULL },
    { "option behind", { "p", "a@b", "--name", "N" }, false, "N", "a@b", NULL },
    { "option with =", { "p", "a@b", "--name=N" }, false, "N", "a@b", NULL },
    { "empty value", { "p", "a@b", "--name=" }, false, "", "a@b", NULL },
    { "option twice", { "p", "a@b", "--name=N", "--name=M" }, false, "N", "a@b", "--name=M" },
    { "flag", { "p", "--stdin", "a@b" }, true, NULL, "a@b", NULL },
    { "longer option", { "p", "a@b", "--names", "N" }, false, NULL, "a@b", "unknown option" },
    { "value missing", { "p", "a@b", "--name" }, false, NULL, NULL, "--name needs a value" },
    { "nothing", { "p" }, false, NULL, NULL, "ADDRESS is missing" },
    { "unknown in front", { "p", "-x", "a@b" }, false, NULL, NULL, "unknown option -x" },
    { "too many", { "p", "a@b", "c@d" }, false, NULL, "a@b", "one argument too many: c@d" },
    { "dash", { "p", "-" }, false, NULL, "-", NULL },
    { "catch-all", { "p", "*@b" }, false, NULL, "*@b", NULL },
};

static int count_args(char *const *args)
{
    int count = 0;

    while (count < ARGS_MAX && args[count] != NULL)
        count++;
    return count;
}

static void take_from_command_line(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *args[ARGS_MAX];
        const char *option = NULL;
        struct slice first = { 0 };
        struct tool tool;

        memcpy(args, cases[i].args, sizeof(args));
        tool_init(&tool, count_args(args), args);
        assert_int_equal(tool_flag(&tool, "--stdin"), cases[i].flag);
        bool ok = tool_option(&tool, "--name", &option) &&
                  tool_argument(&tool, "ADDRESS", &first) && tool_end(&tool);

        if (ok != (cases[i].error == NULL))
            fail_msg("%s: %s", cases[i].name, ok ? "was taken" : tool.err.text);
        if (!ok && strstr(tool.err.text, cases[i].error) == NULL)
            fail_msg("%s: says %s", cases[i].name, tool.err.text);
        if (cases[i].option != NULL)
            assert_string_equal(option, cases[i].option);
        if (cases[i].first != NULL)
            assert_true(slice_equal(first, slice_of(cases[i].first)));
    }
}

static const struct {
    const char *text;
    bool ok;
    uint64_t want;
} numbers[] = {
    { "0", true, 0 },
    { "17", true, 17 },
    { "1K", true, 1024 },
    { "5m", true, 5ull << 20 },
    { "10G", true, 10ull << 30 },
    { "2T", true, 2ull << 40 },
    { "9223372036854775807", true, INT64_MAX },
    { "9223372036854775808", false, 0 },
    { "8388608T", false, 0 },
    { "8388607T", true, 8388607ull << 40 },
    { "", false, 0 },
    { "K", false, 0 },
    { "-1", false, 0 },
    { "1.5G", false, 0 },
    { "1 G", false, 0 },
    { "1KB", false, 0 },
};

static void read_numbers(void **state)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct tool tool = { 0 };
        uint64_t number;
        bool ok = tool_number(&tool, "--bytes", numbers[i].text, &number);

        if (ok != numbers[i].ok || (ok && number != numbers[i].want))
            fail_msg("\"%s\" is read wrongly", numbers[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_from_command_line),
        cmocka_unit_test(read_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
