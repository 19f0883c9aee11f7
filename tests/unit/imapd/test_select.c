/* test_select.c - SELECT and what goes on in a selected mailbox when another session changes it:
 * EXISTS, EXPUNGE, FETCH, VANISHED; IDLE; QRESYNC. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

#define MESSAGE "Subject: hello\r\n\r\nworld\r\n"

/* Three messages in INBOX, two sessions. */
static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 3; i++)
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    dialogue_login(&dialogue, &dialogue.a);
    dialogue_login(&dialogue, &dialogue.b);
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

static void test_select(void **state)
{
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n",
           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] *\n"
           "* 3 EXISTS\n* 3 RECENT\n* OK [UNSEEN 1] *\n* OK [UIDVALIDITY *\n* OK [UIDNEXT 4] *\n"
           "* OK [MAILBOXID (*\n* OK [URLMECH INTERNAL] *\n* OK [HIGHESTMODSEQ *\na OK "
           "[READ-WRITE] *\n");
    EXPECT(&dialogue.b, "a EXAMINE INBOX\r\n",
           "* FLAGS *\n* OK [PERMANENTFLAGS ()] *\n* 3 EXISTS\n* 0 RECENT\n...\n"
           "a OK [READ-ONLY] *\n");
    EXPECT(&dialogue.a, "b SELECT nope\r\n", "* OK [CLOSED] *\nb NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.a, "c FETCH 1 FLAGS\r\n", "c BAD *\n");
    EXPECT(&dialogue.a, "d SELECT INBOX (NOPE)\r\n", "d BAD *\n");
    EXPECT(&dialogue.a, "e SELECT INBOX (CONDSTORE)\r\n", "...\ne OK [READ-WRITE] *\n");
    EXPECT(&dialogue.a, "f UNSELECT\r\n", "f OK *\n");
    EXPECT(&dialogue.a, "g UNSELECT\r\n", "g BAD *\n");
}

/* One recent message belongs to one session only; EXAMINE claims nothing. */
static void test_recent(void **state)
{
    EXPECT(&dialogue.b, "a EXAMINE INBOX\r\n", "...\n* 3 RECENT\n...\na OK *\n");
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\n* 3 RECENT\n...\na OK *\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    EXPECT(&dialogue.a, "b NOOP\r\n", "* 4 EXISTS\n* 4 RECENT\nb OK *\n");
    EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\n* 4 EXISTS\n* 0 RECENT\n...\nb OK *\n");
}

static void select_both(void)
{
    EXPECT(&dialogue.a, "s SELECT INBOX\r\n", "...\ns OK *\n");
    EXPECT(&dialogue.b, "s SELECT INBOX\r\n", "...\ns OK *\n");
}

static void test_flags_by_other(void **state)
{
    select_both();
    EXPECT(&dialogue.a, "a STORE 2 +FLAGS (\\Seen work)\r\n",
           "* FLAGS *\n* 2 FETCH (FLAGS (\\Seen \\Recent work))\na OK *\n");
    EXPECT(&dialogue.b, "a NOOP\r\n",
           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\n"
           "* 2 FETCH (FLAGS (\\Seen work))\na OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n", "b OK *\n");
    EXPECT(&dialogue.a, "b NOOP\r\n", "b OK *\n");
}

/* RFC 3501 section 7.4.1: EXPUNGE is held back during FETCH, STORE and SEARCH. */
static void test_expunge_by_other(void **state)
{
    select_both();
    EXPECT(&dialogue.a, "a STORE 1,3 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "b EXPUNGE\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "a FETCH 2 FLAGS\r\n", "* 2 FETCH (FLAGS ())\na OK *\n");
    EXPECT(&dialogue.b, "b SEARCH UID 2\r\n", "* SEARCH 2\nb OK *\n");
    EXPECT(&dialogue.b, "c NOOP\r\n", "* 3 EXPUNGE\n* 1 EXPUNGE\nc OK *\n");
    EXPECT(&dialogue.b, "d FETCH 1 UID\r\n", "* 1 FETCH (UID 2)\nd OK *\n");
    EXPECT(&dialogue.b, "e FETCH 2 UID\r\n", "e BAD *\n");
}

static void test_uid_command_tells_expunge(void **state)
{
    select_both();
    EXPECT(&dialogue.a, "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "b EXPUNGE\r\n", "* 1 EXPUNGE\nb OK *\n");
    EXPECT(&dialogue.b, "a UID FETCH 2 FLAGS\r\n",
           "* 2 FETCH (FLAGS () UID 2)\n* 1 EXPUNGE\na OK *\n");
}

static void test_qresync_expunge(void **state)
{
    EXPECT(&dialogue.b, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\na OK *\n");
    select_both();
    EXPECT(&dialogue.a, "a STORE 1:2 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Deleted) MODSEQ (*\n"
           "* 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (*\nb OK *\n");
    EXPECT(&dialogue.a, "b EXPUNGE\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "c NOOP\r\n", "* VANISHED 1:2\nc OK *\n");
}

static void test_idle(void **state)
{
    select_both();
    EXPECT(&dialogue.b, "a IDLE\r\n", "+ *\n");
    assert_true(dialogue.b.waits_notice);
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    rig_event(&dialogue.b, WHY_NOTICE);
    assert_string_equal(rig_text(&dialogue.b), "* 4 EXISTS\r\n* 1 RECENT\r\n");
    assert_true(dialogue.b.waits_notice);
    rig_event(&dialogue.b, WHY_NOTICE);
    assert_string_equal(rig_text(&dialogue.b), "");
    EXPECT(&dialogue.b, "DO", "");
    EXPECT(&dialogue.b, "NE\r\nb NOOP\r\n", "a OK *\nb OK *\n");
    EXPECT(&dialogue.b, "c IDLE\r\nxyz\r\n", "+ *\nc BAD *\n");
    EXPECT(&dialogue.b, "d IDLE\r\n", "+ *\n");
    rig_event(&dialogue.b, WHY_TIMEOUT);
    assert_non_null(strstr(rig_text(&dialogue.b), "* BYE"));
}

static void test_idle_unselected(void **state)
{
    EXPECT(&dialogue.a, "a IDLE\r\n", "+ *\n");
    rig_event(&dialogue.a, WHY_NOTICE);
    assert_string_equal(rig_text(&dialogue.a), "");
    EXPECT(&dialogue.a, "done\r\n", "a OK *\n");
}

static void test_deleted_by_other(void **state)
{
    EXPECT(&dialogue.a, "a CREATE temp\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "b SELECT temp\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.b, "a SELECT temp\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "c DELETE temp\r\n", "* OK [CLOSED] *\nc OK *\n");
    EXPECT(&dialogue.a, "d NOOP\r\n", "d OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n", "b OK *\n* BYE [NONEXISTENT] *\n");
    assert_true(dialogue.b.closed);
}

static void test_close(void **state)
{
    select_both();
    EXPECT(&dialogue.a, "a STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "b CLOSE\r\n", "b OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n", "* 2 EXPUNGE\nb OK *\n");
    EXPECT(&dialogue.b, "c STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "c OK *\n");
    EXPECT(&dialogue.b, "d UNSELECT\r\n", "d OK *\n");
    EXPECT(&dialogue.b, "e STATUS INBOX (MESSAGES DELETED)\r\n",
           "* STATUS \"INBOX\" (MESSAGES 2 DELETED 1)\ne OK *\n");
    EXPECT(&dialogue.b, "f EXAMINE INBOX\r\n", "...\nf OK *\n");
    EXPECT(&dialogue.b, "g CLOSE\r\n", "g OK *\n");
    EXPECT(&dialogue.b, "h STATUS INBOX (MESSAGES)\r\n",
           "* STATUS \"INBOX\" (MESSAGES 2)\nh OK *\n");
}

/* Reads a number out of "[CODE n]" of the last answer. */
static unsigned long long code(struct rig *rig, const char *name)
{
    const char *at = strstr(rig_text(rig), name);

    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

static void test_qresync_select(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };
    unsigned long long uidvalidity, modseq;

    EXPECT(&dialogue.b, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\na OK *\n");
    EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
    uidvalidity = code(&dialogue.b, "[UIDVALIDITY ");
    modseq = code(&dialogue.b, "[HIGHESTMODSEQ ");
    EXPECT(&dialogue.b, "c UNSELECT\r\n", "c OK *\n");

    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "b STORE 3 +FLAGS.SILENT (\\Seen)\r\n", "b OK *\n");
    EXPECT(&dialogue.a, "c STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "c OK *\n");
    EXPECT(&dialogue.a, "d EXPUNGE\r\n", "* 1 EXPUNGE\nd OK *\n");

    buf_fmt(&input, "d SELECT INBOX (QRESYNC (%llu %llu))\r\n", uidvalidity, modseq);
    EXPECT(&dialogue.b, buf_text(&input),
           "...\n* VANISHED (EARLIER) 1\n* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (*\nd OK *\n");
    buf_clear(&input);
    buf_fmt(&input, "e SELECT INBOX (QRESYNC (%llu %llu 2:3))\r\n", uidvalidity, modseq);
    EXPECT(&dialogue.b, buf_text(&input),
           "...\n* OK [HIGHESTMODSEQ *\n* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (*\ne OK *\n");
    buf_clear(&input);
    buf_fmt(&input, "f SELECT INBOX (QRESYNC (%llu %llu 1:3 (1 2)))\r\n", uidvalidity, modseq);
    EXPECT(&dialogue.b, buf_text(&input),
           "...\n* OK [HIGHESTMODSEQ *\n* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (*\nf OK *\n");
    buf_clear(&input);
    buf_fmt(&input, "g SELECT INBOX (QRESYNC (%llu %llu))\r\n", uidvalidity + 1, modseq);
    EXPECT(&dialogue.b, buf_text(&input), "...\n* OK [HIGHESTMODSEQ *\ng OK *\n");
}

static void test_qresync_syntax(void **state)
{
    static const char *const bad[] = {
        "a SELECT INBOX (QRESYNC)\r\n",
        "a SELECT INBOX (QRESYNC (1))\r\n",
        "a SELECT INBOX (QRESYNC (0 1))\r\n",
        "a SELECT INBOX (QRESYNC (1 0))\r\n",
        "a SELECT INBOX (QRESYNC (1 1 *))\r\n",
        "a SELECT INBOX (QRESYNC (1 1 1:3 (1)))\r\n",
        "a SELECT INBOX (QRESYNC (1 1 $))\r\n",
        "a SELECT INBOX (QRESYNC (1 1 ))\r\n",
        "a SELECT INBOX ()\r\n",
        "a SELECT INBOX (CONDSTORE\r\n",
    };

    EXPECT(&dialogue.a, "a SELECT INBOX (QRESYNC (1 1))\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\na OK *\n");
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        EXPECT(&dialogue.a, bad[i], "a BAD *\n");
}

static void test_append(void **state)
{
    select_both();
    EXPECT_BYTEWISE(&dialogue.a, "a APPEND INBOX (\\Seen) {25+}\r\n" MESSAGE "\r\n",
                    "* 4 EXISTS\n* 4 RECENT\na OK [APPENDUID *\n");
    EXPECT(&dialogue.b, "a APPEND {5}\r\nINBOX {25}\r\n" MESSAGE "\r\n",
           "+ OK\n+ OK\n* 5 EXISTS\n* 1 RECENT\na OK [APPENDUID *\n");
    EXPECT(&dialogue.a, "b APPEND nope {25}\r\nc NOOP\r\n",
           "* 5 EXISTS\n* 4 RECENT\nb NO [TRYCREATE] *\nc OK *\n");
    EXPECT(&dialogue.a, "d APPEND nope {25+}\r\n" MESSAGE "\r\ne NOOP\r\n",
           "d NO [TRYCREATE] *\ne OK *\n");
    rig_say(&dialogue.a, "f APPEND INBOX {25+}\r\nSub");
    rig_event(&dialogue.a, WHY_ENDED);
    assert_true(dialogue.a.closed);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_select),
        TEST(test_recent),
        TEST(test_flags_by_other),
        TEST(test_expunge_by_other),
        TEST(test_qresync_expunge),
        TEST(test_uid_command_tells_expunge),
        TEST(test_idle),
        TEST(test_idle_unselected),
        TEST(test_deleted_by_other),
        TEST(test_close),
        TEST(test_qresync_select),
        TEST(test_qresync_syntax),
        TEST(test_append),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
