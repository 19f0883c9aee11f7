/* Config files against a small table: what is taken, what is refused and in which words. */
#include "common/config.h"

#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample {
    char *name, *path, *password;
    bool on;
    uint64_t count, size, wait, colour;
};

#define KEY(section, name, type, field, fallback, min, max, choices)                               \
    {                                                                                              \
        section, name, type, offsetof(struct sample, field), fallback, min, max, choices, "Help."  \
    }

static const struct config_key keys[] = {
    KEY("one", "name", CONFIG_TEXT, name, "nobody", 0, 0, NULL),
    KEY("one", "path", CONFIG_TEXT, path, "", 0, 0, NULL),
    KEY("one", "enabled", CONFIG_BOOL, on, "yes", 0, 0, NULL),
    KEY("one", "password", CONFIG_SECRET, password, "", 0, 0, NULL),
    KEY("two", "count_max", CONFIG_NUMBER, count, "7", 1, 100, NULL),
    KEY("two", "size", CONFIG_SIZE, size, "64K", 1024, (uint64_t)2 << 30, NULL),
    KEY("two", "wait", CONFIG_DURATION, wait, "90s", 0, 86400000, NULL),
    KEY("two", "colour", CONFIG_CHOICE, colour, "red", 0, 0, "red|green|blue"),
};

/* Writes the text to a file and loads it; the file's name in errors becomes "F". */
static bool load_bytes(const char *text, size_t size, struct sample *sample, char error[300])
{
    char path[] = "/tmp/test_config_XXXXXX";
    int fd = mkstemp(path);
    struct error err = { 0 };
    size_t len = strlen(path);
    bool ok;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    ok = config_load(keys, COUNT_OF(keys), path, sample, &err);
    unlink(path);
    error[0] = '\0';
    if (!ok && strncmp(err.text, path, len) == 0)
        snprintf(error, 300, "F%s", err.text + len);
    return ok;
}

static bool load(const char *text, struct sample *sample, char error[300])
{
    return load_bytes(text, strlen(text), sample, error);
}

static void defaults(void **state)
{
    struct sample sample;
    struct error err;

    assert_true(config_load(keys, COUNT_OF(keys), NULL, &sample, &err));
    assert_string_equal(sample.name, "nobody");
    assert_string_equal(sample.path, "");
    assert_true(sample.on);
    assert_int_equal(sample.count, 7);
    assert_int_equal(sample.size, 65536);
    assert_int_equal(sample.wait, 90000);
    assert_int_equal(sample.colour, 0);
    config_free(keys, COUNT_OF(keys), &sample);
    config_free(keys, COUNT_OF(keys), &sample);
    assert_null(sample.name);
}

static void values(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
        uint64_t want;
    } cases[] = {
        { "[two]\ncount_max = 100\n", offsetof(struct sample, count), 100 },
        { "[two]\ncount_max=1", offsetof(struct sample, count), 1 },
        { "[two]\nsize = 5000\n", offsetof(struct sample, size), 5000 },
        { "[two]\nsize = 3k\n", offsetof(struct sample, size), 3072 },
        { "[two]\nsize = 2 M\n", offsetof(struct sample, size), 2 << 20 },
        { "[two]\nsize = 2G\n", offsetof(struct sample, size), (uint64_t)2 << 30 },
        { "[two]\nwait = 5\n", offsetof(struct sample, wait), 5000 },
        { "[two]\nwait = 5ms\n", offsetof(struct sample, wait), 5 },
        { "[two]\nwait = 5m\n", offsetof(struct sample, wait), 300000 },
        { "[two]\nwait = 1d\n", offsetof(struct sample, wait), 86400000 },
        { "[two]\nwait = 0\n", offsetof(struct sample, wait), 0 },
        { "[two]\ncolour = Blue\n", offsetof(struct sample, colour), 2 },
        { "; comment\n# too\n\n[one]\n[two]\n  count_max = 5 ; why\n\twait = 2h\n",
          offsetof(struct sample, wait), 7200000 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sample sample;
        char error[300];

        if (!load(cases[i].text, &sample, error))
            fail_msg("%s: %s", cases[i].text, error);
        assert_int_equal(*(uint64_t *)((char *)&sample + cases[i].offset), cases[i].want);
        config_free(keys, COUNT_OF(keys), &sample);
    }
}

static void words_for_yes_and_no(void **state)
{
    static const char *const words[] = { "no", "yes", "false", "true", "off", "ON", "0", "1" };

    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct sample sample;
        char text[50], error[300];

        snprintf(text, sizeof(text), "[one]\nenabled = %s\n", words[i]);
        assert_true(load(text, &sample, error));
        assert_int_equal(sample.on, i % 2 == 1);
        config_free(keys, COUNT_OF(keys), &sample);
    }
}

static void errors(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "[two]\n\ncount_mx = 1\n", "F:3: [two] count_mx: no such key; did you mean count_max?" },
        { "[two]\nenabled = 1\n", "F:2: [two] enabled: no such key; did you mean [one] enabled?" },
        { "[two]\nxyzzy = 1\n", "F:2: [two] xyzzy: no such key" },
        { "[tow]\nsize = 1\n", "F:2: [tow]: no such section" },
        { "[twoo]\nsize = 1\n", "F:2: [twoo]: no such section; did you mean [two]?" },
        { "count_max = 1\n", "F:1: []: no such section" },
        { "[two]\ncount_max = 101\n", "F:2: [two] count_max: out of range (1 to 100)" },
        { "[two]\ncount_max = 0\n", "F:2: [two] count_max: out of range (1 to 100)" },
        { "[two]\nsize = 1\n", "F:2: [two] size: out of range (1K to 2G)" },
        { "[two]\ncount_max = -1\n", "F:2: [two] count_max: \"-1\" is not a number" },
        { "[two]\ncount_max =\n", "F:2: [two] count_max: \"\" is not a number" },
        { "[two]\nsize = 99999999999999999999\n",
          "F:2: [two] size: \"99999999999999999999\" is not a size as in 500, 64K, 50M or 2G" },
        { "[two]\nsize = 99999999999G\n",
          "F:2: [two] size: \"99999999999G\" is not a size as in 500, 64K, 50M or 2G" },
        { "[two]\nwait = 5y\n",
          "F:2: [two] wait: \"5y\" is not a duration as in 500ms, 30s, 10m, 2h or 5d" },
        { "[two]\ncolour = pink\n", "F:2: [two] colour: \"pink\" is not one of red|green|blue" },
        { "[one]\nenabled = maybe\n", "F:2: [one] enabled: \"maybe\" is not yes or no" },
        { "[two]\nwait = 1\nwait = 2\n", "F:3: [two] wait: given twice" },
        { "[two]\nwait = 1\nwait += 2\n",
          "F:3: [two] wait: += is for a text that stands above with =" },
        { "[one]\nname += x\n", "F:2: [one] name: += is for a text that stands above with =" },
        { "[one]\nname =;x\n", "F:2: [one] name: a value cannot begin with ;" },
        { "[one]\nnam += x\n", "F:2: [one] nam: no such key; did you mean name?" },
        { "[two]\nnonsense\n[two]\nwait = y\n", "F:2: expected [section] or key = value" },
        { "[two\nwait = 1\n", "F:1: expected [section] or key = value" },
        { "[two]\nwait = x\nwait = y\n",
          "F:2: [two] wait: \"x\" is not a duration as in 500ms, 30s, 10m, 2h or 5d" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sample sample;
        char error[300];

        assert_false(load(cases[i].text, &sample, error));
        assert_string_equal(error, cases[i].error);
        assert_null(sample.name); /* nothing to free after a failure */
    }
}

static void long_lines_are_errors(void **state)
{
    struct sample sample;
    char text[5000], error[300];

    snprintf(text, sizeof(text), "[one]\nname = %04000d\n", 1);
    assert_false(load(text, &sample, error));
    assert_int_equal(strncmp(error, "F:2: line too long", 18), 0);
}

/* What stands behind it would not be seen. */
static void nul_in_line(void **state)
{
    static const char text[] = "[one]\nname = a\0b\n";
    struct sample sample;
    char error[300];

    assert_false(load_bytes(text, sizeof(text) - 1, &sample, error));
    assert_string_equal(error, "F:2: a line has a NUL in it");
}

static void added_texts(void **state)
{
    struct sample sample = { 0 };
    char error[300];

    assert_true(load("[one]\nname = a\nname += b  c\nname+=d\n", &sample, error));
    assert_string_equal(sample.name, "a b  c d");
    config_free(keys, COUNT_OF(keys), &sample);
    assert_true(load("[one]\nname =\nname += d\nname +=\n", &sample, error));
    assert_string_equal(sample.name, "d");
    config_free(keys, COUNT_OF(keys), &sample);
}

static void longest_line(void **state)
{
    AUTO(buf_free) struct buf first = { 0 }, second = { 0 };
    struct sample sample = { 0 }, again = { 0 };
    char error[300];

    buf_fmt(&first, "[one]\nname=%0*d\n", 200 - 7, 7); /* one digit more and it would be too long */
    assert_true(load(buf_text(&first), &sample, error));
    config_print(keys, COUNT_OF(keys), &sample, false, &second);
    assert_true(load(buf_text(&second), &again, error));
    assert_string_equal(again.name, sample.name);
    config_free(keys, COUNT_OF(keys), &sample);
    config_free(keys, COUNT_OF(keys), &again);
}

/* A long text is printed in lines that can be read again, with the blanks that it has. */
static void long_text(void **state)
{
    static const char *const words[] = { "01234  789", "0123 \t 789", "0123 \t789", "0123\t 789" };

    for (size_t w = 0; w < COUNT_OF(words); w++) {
        AUTO(buf_free) struct buf first = { 0 }, second = { 0 };
        struct sample sample = { 0 }, again = { 0 };
        char error[300];

        buf_add_text(&first, "[one]\nname = 0123456789\n");
        for (int i = 0; i < 50; i++)
            buf_fmt(&first, "name += %s\n", words[w]);
        assert_true(load(buf_text(&first), &sample, error));
        assert_int_equal(strlen(sample.name), 10 + 50 * (1 + strlen(words[w])));
        config_print(keys, COUNT_OF(keys), &sample, false, &second);
        assert_true(load(buf_text(&second), &again, error));
        assert_string_equal(again.name, sample.name);
        config_free(keys, COUNT_OF(keys), &sample);
        config_free(keys, COUNT_OF(keys), &again);
    }
}

static void missing_file(void **state)
{
    struct sample sample;
    struct error err;

    assert_false(config_load(keys, COUNT_OF(keys), "/nonexistent/x.conf", &sample, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static void the_output_is_a_config_file(void **state)
{
    AUTO(buf_free) struct buf first = { 0 };
    AUTO(buf_free) struct buf second = { 0 };
    struct sample sample;
    char error[300];

    assert_true(load("[one]\nname = bob builder\nenabled = no\n[two]\nsize = 1025\nwait = 1500ms\n"
                     "colour = green\n",
                     &sample, error));
    config_print(keys, COUNT_OF(keys), &sample, false, &first);
    config_free(keys, COUNT_OF(keys), &sample);
    assert_non_null(strstr(buf_text(&first), "\nname = bob builder\n"));
    assert_non_null(strstr(buf_text(&first), "\n; Default: 64K\nsize = 1025\n"));
    assert_non_null(strstr(buf_text(&first), "\nwait = 1500ms\n"));
    if (!load(buf_text(&first), &sample, error))
        fail_msg("%s", error);
    config_print(keys, COUNT_OF(keys), &sample, false, &second);
    config_free(keys, COUNT_OF(keys), &sample);
    assert_string_equal(buf_text(&first), buf_text(&second));
}

static void secrets_are_not_printed(void **state)
{
    static const struct {
        const char *text, *line, *member;
    } cases[] = {
        { "[one]\npassword = open sesame\n", "\n; password = set\n", "\"value\": \"set\"" },
        { "[one]\npassword =\n", "\n; password = unset\n", "\"value\": \"unset\"" },
        { "", "\n; password = unset\n", "\"value\": \"unset\"" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        struct sample sample;
        char error[300];

        assert_true(load(cases[i].text, &sample, error));
        assert_string_equal(sample.password, i == 0 ? "open sesame" : "");
        config_print(keys, COUNT_OF(keys), &sample, false, &out);
        assert_non_null(strstr(buf_text(&out), cases[i].line));
        config_print(keys, COUNT_OF(keys), &sample, true, &out);
        assert_non_null(strstr(buf_text(&out), cases[i].member));
        assert_null(strstr(buf_text(&out), "sesame"));
        config_free(keys, COUNT_OF(keys), &sample);
    }
}

static void json(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct sample sample;
    struct error err;

    assert_true(config_load(keys, COUNT_OF(keys), NULL, &sample, &err));
    config_print(keys, 2, &sample, true, &out);
    config_free(keys, COUNT_OF(keys), &sample);
    assert_string_equal(buf_text(&out),
                        "[\n  {\"section\": \"one\", \"key\": \"name\", \"value\": \"nobody\", "
                        "\"default\": \"nobody\", \"type\": \"text\", \"help\": \"Help.\"},\n"
                        "  {\"section\": \"one\", \"key\": \"path\", \"value\": \"\", "
                        "\"default\": \"\", \"type\": \"text\", \"help\": \"Help.\"}\n]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(words_for_yes_and_no),
        cmocka_unit_test(errors),
        cmocka_unit_test(long_lines_are_errors),
        cmocka_unit_test(nul_in_line),
        cmocka_unit_test(added_texts),
        cmocka_unit_test(long_text),
        cmocka_unit_test(longest_line),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(the_output_is_a_config_file),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
