/* test_session.c - how commands are taken: literals, limits, states, logins, bad input. */
#include "common/codec.h"
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

static void start(void)
{
    rig_start(&dialogue.a, &imap_protocol, &dialogue.imap);
}

static void test_greeting(void **state)
{
    start();
    assert_non_null(
        strstr(rig_text(&dialogue.a), "* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ "));
    assert_non_null(strstr(rig_text(&dialogue.a), "AUTH=PLAIN"));
    EXPECT(&dialogue.a, "a CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 *\na OK *\n");
    EXPECT(&dialogue.a, "b logout\r\n", "* BYE *\nb OK *\n");
    assert_true(dialogue.a.closed);
    rig_stop(&dialogue.a);
}

static void test_clear_text(void **state)
{
    dialogue.settings.plaintext = false;
    start();
    assert_non_null(strstr(rig_text(&dialogue.a), " LOGINDISABLED"));
    assert_null(strstr(rig_text(&dialogue.a), "AUTH=PLAIN"));
    EXPECT(&dialogue.a, "a LOGIN bob@example.test secret\r\n", "a NO [PRIVACYREQUIRED] *\n");
    EXPECT(&dialogue.a, "b AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n", "b NO [PRIVACYREQUIRED] *\n");
    EXPECT(&dialogue.a, "c STARTTLS\r\n", "c BAD *\n");
    dialogue.a.call.tls_offered = true;
    EXPECT(&dialogue.a, "d STARTTLS\r\n", "d OK *\n");
    rig_secure(&dialogue.a);
    EXPECT(&dialogue.a, "e LOGIN bob@example.test secret\r\n", "e OK [CAPABILITY IMAP4rev1 *\n");
    EXPECT(&dialogue.a, "f STARTTLS\r\n", "f BAD *\n");
    rig_stop(&dialogue.a);
    dialogue.settings.plaintext = true;
}

static void test_login(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "a LOGIN bob@example.test secret\r\n", "a OK [CAPABILITY *\n" },
        { "a LOGIN bob secret\r\n", "a OK [CAPABILITY *\n" },
        { "a LOGIN \"bob@example.test\" \"secret\"\r\n", "a OK *\n" },
        { "a LOGIN {16}\r\nbob@example.test {6}\r\nsecret\r\n", "+ OK\n+ OK\na OK *\n" },
        { "a LOGIN {16+}\r\nbob@example.test {6+}\r\nsecret\r\n", "a OK *\n" },
        { "a LOGIN bob@example.test wrong\r\n", "a NO [AUTHENTICATIONFAILED] *\n" },
        { "a LOGIN nobody@example.test secret\r\n", "a NO [AUTHENTICATIONFAILED] *\n" },
        { "a LOGIN bob@example.test\r\n", "a BAD *\n" },
        { "a LOGIN\r\n", "a BAD *\n" },
        { "a LOGIN a b c\r\n", "a BAD *\n" },
        { "a AUTHENTICATE PLAIN AGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n", "a OK *\n" },
        { "a AUTHENTICATE PLAIN\r\nAGJvYkBleGFtcGxlLnRlc3QAc2VjcmV0\r\n", "+ \na OK *\n" },
        { "a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n", "+ \na BAD *\nb OK *\n" },
        { "a AUTHENTICATE PLAIN\r\n!!\r\nb NOOP\r\n", "+ \na BAD *\nb OK *\n" },
        { "a AUTHENTICATE PLAIN !!\r\n", "a BAD *\n" },
        { "a AUTHENTICATE NTLM\r\n", "a NO *\n" },
        { "a AUTHENTICATE LOGIN\r\nYm9i\r\nc2VjcmV0\r\n",
          "+ VXNlcm5hbWU6\n+ UGFzc3dvcmQ6\na OK *\n" },
        { "a SELECT INBOX\r\n", "a BAD *\n" },
        { "a FETCH 1 FLAGS\r\n", "a BAD *\n" },
        /* n,,n=bob,r=abcdefgh: naming a user is no proof */
        { "a AUTHENTICATE SCRAM-SHA-256 biwsbj1ib2Iscj1hYmNkZWZnaA==\r\n\r\nb SELECT INBOX\r\n",
          "+ *\na *\nb BAD *\n" },
        { "a AUTHENTICATE SCRAM-SHA-256 "
          "biwsbj1ib2Iscj1hYmNkZWZnaA=="
          "\r\nYz1iaXdzLHI9eCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9\r\n"
          "b SELECT INBOX\r\n",
          "+ *\na NO [AUTHENTICATIONFAILED] *\nb BAD *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        start();
        EXPECT(&dialogue.a, cases[i].input, cases[i].want);
        rig_stop(&dialogue.a);
        start();
        EXPECT_BYTEWISE(&dialogue.a, cases[i].input, cases[i].want);
        rig_stop(&dialogue.a);
    }
}

static void test_wrong_passwords(void **state)
{
    start();
    for (uint64_t i = 1; i < dialogue.settings.failures; i++)
        EXPECT(&dialogue.a, "a LOGIN bob x\r\n", "a NO [AUTHENTICATIONFAILED] *\n");
    EXPECT(&dialogue.a, "a LOGIN bob x\r\n", "a NO [AUTHENTICATIONFAILED] *\n* BYE *\n");
    assert_true(dialogue.a.closed);
    rig_stop(&dialogue.a);
}

static void test_syntax(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "\r\n", "* BAD *\n" },
        { "a\r\n", "a BAD *\n" },
        { "a \r\n", "a BAD *\n" },
        { "a NOPE\r\n", "a BAD *\n" },
        { "a NOOP x\r\n", "a BAD *\n" },
        { "a NOOP \r\n", "a BAD *\n" },
        { "+ NOOP\r\n", "* BAD *\n" },
        { "a  NOOP\r\n", "a BAD *\n" },
        { "a UID\r\n", "a BAD *\n" },
        { "a UID NOOP\r\n", "a BAD *\n" },
        { "a noop\n", "a OK *\n" },
        { "a NOOP\r\nb NOOP\r\n", "a OK *\nb OK *\n" },
        { "a LOGIN x y\r\n", "a BAD *\n" },
        { "a SELECT \"INBOX\r\nb NOOP\r\n", "a BAD *\nb OK *\n" },
        { "a SELECT \"IN\\BOX\"\r\n", "a BAD *\n" },
        { "a SELECT {5}x\r\n", "a BAD *\n" },
        { "a EXPUNGE\r\n", "a BAD *\n" },
        { "a ID NIL\r\n", "* ID (\"name\" \"Postane\" *\na OK *\n" },
        { "a ID (\"name\" \"x\" \"os\" NIL)\r\n", "* ID *\na OK *\n" },
        { "a ID (\"name\")\r\n", "a BAD *\n" },
        { "a ID ()\r\n", "* ID *\na OK *\n" },
        { "a ID\r\n", "a BAD *\n" },
        { "a ENABLE X-NONE\r\n", "* ENABLED\na OK *\n" },
        { "a ENABLE\r\n", "a BAD *\n" },
        { "a ENABLE QRESYNC UTF8=ACCEPT\r\n", "* ENABLED QRESYNC UTF8=ACCEPT\na OK *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        dialogue_login(&dialogue, &dialogue.a);
        EXPECT(&dialogue.a, cases[i].input, cases[i].want);
        EXPECT_BYTEWISE(&dialogue.a, cases[i].input, cases[i].want);
        assert_false(dialogue.a.closed);
        rig_stop(&dialogue.a);
    }
}

static void test_nul(void **state)
{
    dialogue_login(&dialogue, &dialogue.a);
    rig_say_bytes(&dialogue.a, SLICE("a NO\0OP\r\nb NOOP\r\n"));
    assert_non_null(strstr(rig_text(&dialogue.a), "a BAD"));
    assert_non_null(strstr(rig_text(&dialogue.a), "b OK"));
    rig_say_bytes(&dialogue.a, SLICE("c SELECT {3+}\r\na\0b\r\nd NOOP\r\n"));
    assert_non_null(strstr(rig_text(&dialogue.a), "c BAD"));
    assert_non_null(strstr(rig_text(&dialogue.a), "d OK"));
    rig_stop(&dialogue.a);
}

/* A line past the limit is answered at once; the session goes on behind it. */
static void test_long_line(void **state)
{
    static const size_t lengths[] = { 16384, 16385, 17000, 100000 };

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO(buf_free) struct buf line = { 0 };

        buf_add_text(&line, "a LOGIN ");
        while (line.len < lengths[i])
            buf_add_byte(&line, 'x');
        buf_add_text(&line, " {3+}\r\nabc\r\nb NOOP\r\n");
        start();
        EXPECT(&dialogue.a, buf_text(&line), "a BAD *\nb OK *\n");
        rig_stop(&dialogue.a);
        start();
        EXPECT_BYTEWISE(&dialogue.a, buf_text(&line), "a BAD *\nb OK *\n");
        rig_stop(&dialogue.a);
    }
}

/* It is not sent back, whole or in part. */
static void test_long_tag(void **state)
{
    static const size_t lengths[] = { 257, 20000 };

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        AUTO(buf_free) struct buf line = { 0 };

        while (line.len < lengths[i])
            buf_add_byte(&line, 'x');
        buf_add_text(&line, " NOOP\r\nb NOOP\r\n");
        start();
        EXPECT(&dialogue.a, buf_text(&line), "* BAD *\nb OK *\n");
        rig_stop(&dialogue.a);
    }
}

static void test_big_literal(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };

    start();
    EXPECT(&dialogue.a, "a LOGIN {1000000}\r\nb NOOP\r\n", "a NO [TOOBIG] *\nb OK *\n");
    buf_add_text(&text, "c LOGIN {20000+}\r\n");
    for (int i = 0; i < 20000; i++)
        buf_add_byte(&text, i % 50 == 0 ? '\n' : 'x');
    buf_add_text(&text, " {2+}\r\nab\r\nd NOOP\r\n");
    EXPECT(&dialogue.a, buf_text(&text), "c NO [TOOBIG] *\nd OK *\n");
    EXPECT_BYTEWISE(&dialogue.a, buf_text(&text), "c NO [TOOBIG] *\nd OK *\n");
    rig_stop(&dialogue.a);
}

static void test_too_many_errors(void **state)
{
    dialogue_login(&dialogue, &dialogue.a);
    for (int i = 0; i < 49; i++)
        EXPECT(&dialogue.a, "a NOPE\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a NOOP\r\n", "a OK *\n");
    for (int i = 0; i < 49; i++)
        EXPECT(&dialogue.a, "a NOPE\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a NOPE\r\n", "a BAD *\n* BYE *\n");
    assert_true(dialogue.a.closed);
    rig_stop(&dialogue.a);
}

static void test_events(void **state)
{
    static const enum why whys[] = { WHY_TIMEOUT, WHY_STOP };

    for (size_t i = 0; i < COUNT_OF(whys); i++) {
        dialogue_login(&dialogue, &dialogue.a);
        rig_event(&dialogue.a, whys[i]);
        assert_non_null(strstr(rig_text(&dialogue.a), "* BYE "));
        assert_true(dialogue.a.closed);
        rig_stop(&dialogue.a);
    }
    start();
    rig_say(&dialogue.a, "a AUTHENTICATE PLAIN\r\nAGJv");
    rig_event(&dialogue.a, WHY_ENDED);
    assert_true(dialogue.a.closed);
    rig_stop(&dialogue.a);
}

static unsigned turns;

static enum next count_turns(struct call *call)
{
    turns++;
    return imap_protocol.run(call);
}

/* Twelve megabytes are read for an answer of a few hundred bytes: not in one turn. */
static void test_fetch_turns(void **state)
{
    for (unsigned i = 0; i < 12; i++) {
        AUTO(buf_free) struct buf message = { 0 };

        buf_fmt(&message, "Subject: %u\r\n\r\n", i);
        while (message.len < 1 << 20)
            buf_add_text(&message, "0123456789 0123456789 0123456789 0123456789 0123456789\r\n");
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", buf_text(&message));
    }
    dialogue_login(&dialogue, &dialogue.a);
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    dialogue.a.protocol.run = count_turns;
    EXPECT(&dialogue.a, "a FETCH 1:* BODY.PEEK[9.9]\r\n",
           "* 1 FETCH (BODY[9.9] NIL)\n...\n* 12 FETCH (BODY[9.9] NIL)\na OK *\n");
    assert_in_range(turns, 3, 6);
    rig_stop(&dialogue.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),    cmocka_unit_test(test_clear_text),
        cmocka_unit_test(test_login),       cmocka_unit_test(test_wrong_passwords),
        cmocka_unit_test(test_syntax),      cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_line),   cmocka_unit_test(test_long_tag),
        cmocka_unit_test(test_big_literal), cmocka_unit_test(test_too_many_errors),
        cmocka_unit_test(test_events),      cmocka_unit_test(test_fetch_turns),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
