/* test_pop3.c - whole POP3 sessions in memory: dialogues, limits, the update at QUIT. */
#include "pop3d/pop3.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <stdio.h>
#include <stdlib.h>

#define MAIL_1 "Subject: one\r\n\r\nfirst\r\n.dot\r\n..\r\nlast\r\n"
#define MAIL_2 "Subject: two\r\n\r\nno line end"

static struct pop3_service service_of(struct rig *rig)
{
    return (struct pop3_service){
        .login = rig->login, .tls_available = true, .plaintext = true, .failures_max = 3
    };
}

static void start(struct rig *rig, struct pop3_service *service)
{
    rig_start(rig, &pop3_protocol, service);
    assert_string_equal(rig_text(rig), "+OK Postane is ready\r\n");
}

static void log_in(struct rig *rig)
{
    rig_say(rig, "USER bob\r\nPASS secret\r\n");
    assert_non_null(strstr(rig_text(rig), " messages\r\n"));
}

static int open_store(void **state)
{
    struct rig *rig = NEW(struct rig);

    rig_open(rig);
    *state = rig;
    return 0;
}

static int close_store(void **state)
{
    struct rig *rig = *state;

    rig_close(rig);
    free(rig);
    return 0;
}

/* What a session with two messages in INBOX answers, whole and byte by byte. */
static const struct {
    const char *name, *say, *answer;
} dialogues[] = {
    { "STAT", "STAT\r\n", "+OK 2 66\r\n" },
    { "lower case", "stat\r\n", "+OK 2 66\r\n" },
    { "bare LF", "STAT\n", "+OK 2 66\r\n" },
    { "LIST", "LIST\r\n", "+OK Messages and their sizes:\r\n1 39\r\n2 27\r\n.\r\n" },
    { "LIST 2", "LIST 2\r\n", "+OK 2 27\r\n" },
    { "LIST 3", "LIST 3\r\n", "-ERR There is no such message\r\n" },
    { "LIST 0", "LIST 0\r\n", "-ERR There is no such message\r\n" },
    { "LIST x", "LIST x\r\n", "-ERR Which message? Give its number\r\n" },
    { "LIST -1", "LIST -1\r\n", "-ERR Which message? Give its number\r\n" },
    { "LIST huge", "LIST 99999999999999999999\r\n", "-ERR Which message? Give its number\r\n" },
    { "RETR, dots stuffed", "RETR 1\r\n",
      "+OK Here it is\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n...\r\nlast\r\n.\r\n" },
    { "RETR, no line end", "RETR 2\r\n",
      "+OK Here it is\r\nSubject: two\r\n\r\nno line end\r\n.\r\n" },
    { "TOP 0", "TOP 1 0\r\n", "+OK Here it is\r\nSubject: one\r\n\r\n.\r\n" },
    { "TOP 2", "TOP 1 2\r\n", "+OK Here it is\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n" },
    { "TOP more than there is", "TOP 2 99\r\n",
      "+OK Here it is\r\nSubject: two\r\n\r\nno line end\r\n.\r\n" },
    { "TOP without lines", "TOP 1\r\n", "-ERR How many lines?\r\n" },
    { "DELE and RSET", "DELE 1\r\nLIST 1\r\nDELE 1\r\nSTAT\r\nRSET\r\nSTAT\r\n",
      "+OK Marked; QUIT removes it\r\n-ERR There is no such message\r\n"
      "-ERR There is no such message\r\n+OK 1 27\r\n+OK No message is marked any more\r\n"
      "+OK 2 66\r\n" },
    { "NOOP", "NOOP\r\n", "+OK Nothing done\r\n" },
    { "NOOP with an argument", "NOOP x\r\n", "-ERR This command takes no argument\r\n" },
    { "unknown", "XYZZY\r\n", "-ERR I don't know that command\r\n" },
    { "empty line", "\r\n", "-ERR I don't know that command\r\n" },
    { "wrong phase", "PASS secret\r\n", "-ERR You are logged in\r\n" },
    { "LANG", "LANG\r\n", "+OK Languages:\r\nen English\r\ni-default English\r\n.\r\n" },
    { "LANG tr", "LANG tr\r\n", "-ERR I speak English only\r\n" },
};

static void check_dialogue(struct rig *rig, struct pop3_service *service, size_t i, bool split)
{
    AUTO(buf_free) struct buf answer = { 0 };

    start(rig, service);
    log_in(rig);
    if (split) {
        for (const char *c = dialogues[i].say; *c != '\0'; c++) {
            rig_say_bytes(rig, slice_make(c, 1));
            buf_add_text(&answer, rig_text(rig));
        }
    } else {
        rig_say(rig, dialogues[i].say);
        buf_add_text(&answer, rig_text(rig));
    }
    if (!buf_is(&answer, dialogues[i].answer))
        fail_msg("%s%s: got %s", dialogues[i].name, split ? " (split)" : "", buf_text(&answer));
    rig_stop(rig);
}

static void test_dialogues(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    rig_append(rig, rig->bob, "INBOX", MAIL_1);
    rig_append(rig, rig->bob, "INBOX", MAIL_2);
    for (size_t i = 0; i < COUNT_OF(dialogues); i++) {
        check_dialogue(rig, &service, i, false);
        check_dialogue(rig, &service, i, true);
    }
}

/* Nothing is removed without QUIT; with it, exactly what was marked. */
static void test_update(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    rig_append(rig, rig->bob, "INBOX", MAIL_1);
    rig_append(rig, rig->bob, "INBOX", MAIL_2);
    start(rig, &service);
    log_in(rig);
    rig_say(rig, "DELE 1\r\n");
    rig_event(rig, WHY_TIMEOUT);
    assert_true(rig->closed);
    rig_stop(rig);

    start(rig, &service);
    log_in(rig);
    rig_say(rig, "STAT\r\nDELE 1\r\nQUIT\r\n");
    assert_string_equal(rig_text(rig),
                        "+OK 2 66\r\n+OK Marked; QUIT removes it\r\n+OK Goodbye\r\n");
    assert_true(rig->closed);
    rig_stop(rig);

    start(rig, &service);
    log_in(rig);
    rig_say(rig, "STAT\r\n");
    assert_string_equal(rig_text(rig), "+OK 1 27\r\n");
    rig_stop(rig);
}

/* The view is that of the login, whatever other clients do meanwhile. */
static void test_view_is_fixed(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    rig_append(rig, rig->bob, "INBOX", MAIL_1);
    start(rig, &service);
    log_in(rig);
    rig_append(rig, rig->bob, "INBOX", MAIL_2);
    rig_say(rig, "STAT\r\nRETR 2\r\n");
    assert_string_equal(rig_text(rig), "+OK 1 39\r\n-ERR There is no such message\r\n");
    rig_stop(rig);
}

static void test_uidl(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);
    char first[256];

    rig_append(rig, rig->bob, "INBOX", MAIL_1);
    rig_append(rig, rig->bob, "INBOX", MAIL_2);
    start(rig, &service);
    log_in(rig);
    rig_say(rig, "UIDL\r\n");
    snprintf(first, sizeof(first), "%s", rig_text(rig));
    assert_int_equal(strlen(first), strlen("+OK Messages and their unique names:\r\n") +
                                        2 * strlen("1 \r\n") + 2 * 32 + strlen(".\r\n"));
    rig_stop(rig);
    start(rig, &service);
    log_in(rig);
    rig_say(rig, "UIDL\r\n");
    assert_string_equal(rig_text(rig), first);
    rig_stop(rig);
}

static void test_wrong_passwords(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    start(rig, &service);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(rig->closed);
        rig_say(rig, i == 1 ? "USER nobody\r\nPASS secret\r\n" : "USER bob\r\nPASS wrong\r\n");
        assert_string_equal(rig_text(rig), "+OK And the password?\r\n"
                                           "-ERR [AUTH] Wrong user or password\r\n");
    }
    assert_true(rig->closed);
    rig_stop(rig);
}

static void test_no_plaintext(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    service.plaintext = false;
    start(rig, &service);
    rig_say(rig, "USER bob\r\n");
    assert_non_null(strstr(rig_text(rig), "-ERR [AUTH] Use STLS first"));
    rig_say(rig, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n");
    assert_non_null(strstr(rig_text(rig), "-ERR [AUTH] Use STLS first"));
    rig_say(rig, "STLS\r\nNOOP\r\n");
    assert_string_equal(rig_text(rig), "+OK Begin TLS\r\n");
    rig_secure(rig);
    rig_say(rig, "STLS\r\n");
    assert_string_equal(rig_text(rig), "-ERR TLS is on already\r\n");
    rig_say(rig, "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n");
    assert_string_equal(rig_text(rig), "+OK 0 messages\r\n");
    rig_stop(rig);
}

static void test_sasl(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    start(rig, &service);
    rig_say(rig, "AUTH XYZZY\r\n");
    assert_string_equal(rig_text(rig), "-ERR I don't know this mechanism\r\n");
    rig_say(rig, "AUTH PLAIN !\r\n");
    assert_string_equal(rig_text(rig), "-ERR The response is not base64\r\n");
    rig_say(rig, "AUTH PLAIN\r\n");
    assert_string_equal(rig_text(rig), "+ \r\n");
    rig_say(rig, "*\r\n");
    assert_string_equal(rig_text(rig), "-ERR Given up\r\n");
    rig_say(rig, "AUTH LOGIN\r\n");
    rig_say(rig, "Ym9i\r\n");
    rig_say(rig, "c2VjcmV0\r\n");
    assert_string_equal(rig_text(rig), "+OK 0 messages\r\n");
    rig_stop(rig);
}

/* Naming a user is no proof: what comes after a SCRAM challenge must be the right answer to it. */
static void test_scram_needs_proof(void **state)
{
    static const char *const answers[] = {
        "", "AAAA", "Yz1iaXdzLHI9eCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9"
    };
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);

    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        AUTO(buf_free) struct buf answer = { 0 };

        start(rig, &service);
        rig_say(rig, "AUTH SCRAM-SHA-256 biwsbj1ib2Iscj1hYmNkZWZnaA==\r\n"); /* n,,n=bob,r=... */
        assert_non_null(strstr(rig_text(rig), "+ cj1hYmNkZWZna"));
        buf_fmt(&answer, "%s\r\n", answers[i]);
        rig_say(rig, buf_text(&answer));
        assert_non_null(strstr(rig_text(rig), "-ERR "));
        rig_say(rig, "STAT\r\n");
        assert_string_equal(rig_text(rig), "-ERR Log in first\r\n");
        rig_stop(rig);
    }
}

static void test_long_lines(void **state)
{
    struct rig *rig = *state;
    struct pop3_service service = service_of(rig);
    AUTO(buf_free) struct buf line = { 0 };

    for (size_t i = 0; i < 100000; i++)
        buf_add_byte(&line, 'x');
    start(rig, &service);
    rig_say_bytes(rig, buf_slice(&line));
    assert_string_equal(rig_text(rig), "");
    assert_int_equal(rig->call.in.len, 0);
    rig_say(rig, "yyy\r\nCAPA\r\n");
    assert_non_null(strstr(rig_text(rig), "-ERR This line is too long\r\n+OK What I can do:\r\n"));
    rig_say_bytes(rig, SLICE("NO\0OP\r\n"));
    assert_string_equal(rig_text(rig), "-ERR NUL has no place in a command\r\n");
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dialogues, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_update, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_view_is_fixed, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_uidl, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_wrong_passwords, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_no_plaintext, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_sasl, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_scram_needs_proof, open_store, close_store),
        cmocka_unit_test_setup_teardown(test_long_lines, open_store, close_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
