/* The log as another process sees it: standard error is a pipe for the length of a call. */
#include "common/log.h"

#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <unistd.h>

static const struct log imapd = { .daemon = "imapd", .session = 0x2a };
static const struct log whole = { .daemon = "smtpd" };

static struct {
    int saved, pipe[2];
    char text[8192];
} captured;

static void capture(void)
{
    assert_int_equal(pipe(captured.pipe), 0);
    captured.saved = dup(STDERR_FILENO);
    dup2(captured.pipe[1], STDERR_FILENO);
    close(captured.pipe[1]);
}

/* What was written since capture(), in one read: a line is one write. */
static const char *caught(void)
{
    ssize_t len;

    dup2(captured.saved, STDERR_FILENO); /* closes the pipe's last writing end */
    close(captured.saved);
    len = read(captured.pipe[0], captured.text, sizeof(captured.text) - 1);
    close(captured.pipe[0]);
    assert_true(len >= 0);
    captured.text[len] = '\0';
    return captured.text;
}

/* "2026-11-22T21:40:00.123Z " is 25 bytes. */
static const char *without_time(const char *line)
{
    assert_true(strlen(line) > 25);
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_int_equal(line[23], 'Z');
    return line + 25;
}

static void logfmt(void **state)
{
    log_setup(LOG_INFO, false);
    capture();
    log_info(&imapd, "login", F_STR("user", "bob"), F_NUM("ms", -12));
    assert_string_equal(without_time(caught()), "info imapd[2a] login user=\"bob\" ms=-12\n");

    capture();
    log_warn(&whole, "started");
    assert_string_equal(without_time(caught()), "warn smtpd started\n");
}

static void a_client_cannot_forge_a_line(void **state)
{
    struct slice evil = SLICE("b\r\n\"x\\ \x7f\0 \xC3\xA4 \xFF \xC2\x85");

    log_setup(LOG_INFO, false);
    capture();
    log_error(&whole, "bad", F_TEXT("user", evil));
    assert_string_equal(without_time(caught()),
                        "error smtpd bad user=\"b\\x0d\\x0a\\x22x\\x5c \\x7f\\x00 \xC3\xA4 \\xff "
                        "\\xc2\\x85\"\n");
}

static void json(void **state)
{
    log_setup(LOG_INFO, true);
    capture();
    log_info(&imapd, "login", F_STR("user", "b\"\n"), F_NUM("ms", 12));
    assert_string_equal(strchr(caught(), ',') + 1,
                        "\"level\":\"info\",\"daemon\":\"imapd\",\"session\":\"2a\","
                        "\"event\":\"login\",\"user\":\"b\\\"\\n\",\"ms\":12}\n");
}

static void levels(void **state)
{
    log_setup(LOG_WARN, false);
    assert_true(log_wants(LOG_ERROR));
    assert_true(log_wants(LOG_WARN));
    assert_false(log_wants(LOG_INFO));
    capture();
    log_info(&whole, "quiet");
    log_debug(&whole, "quieter");
    assert_string_equal(caught(), "");
}

/* A failure is an error where a person must act, a warning where it passes, else the client's. */
static void failures_by_kind(void **state)
{
    struct error err;

    log_setup(LOG_INFO, false);
    error_set(&err, ERROR_TEMPORARY, "disk full");
    capture();
    log_failure(&whole, &err);
    assert_string_equal(without_time(caught()),
                        "warn smtpd storage kind=\"temporary\" error=\"disk full\"\n");
    error_set(&err, ERROR_INTERNAL, "damaged");
    capture();
    log_failure(&whole, &err);
    assert_string_equal(without_time(caught()),
                        "error smtpd storage kind=\"internal\" error=\"damaged\"\n");
    error_set(&err, ERROR_OVER_QUOTA, "full");
    capture();
    log_failure(&whole, &err);
    assert_string_equal(caught(), "");
}

static void long_fields_are_cut(void **state)
{
    char text[4000];

    memset(text, '\n', sizeof(text)); /* the longest form: four bytes for one */
    log_setup(LOG_INFO, false);
    capture();
    log_info(&whole, "long", F_TEXT("text", slice_make(text, sizeof(text))));
    caught();
    assert_true(strlen(captured.text) <= 4096);
    assert_int_equal(captured.text[strlen(captured.text) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),
        cmocka_unit_test(a_client_cannot_forge_a_line),
        cmocka_unit_test(json),
        cmocka_unit_test(levels),
        cmocka_unit_test(failures_by_kind),
        cmocka_unit_test(long_fields_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
