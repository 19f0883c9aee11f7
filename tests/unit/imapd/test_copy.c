/* test_copy.c - COPY, MOVE (RFC 6851), EXPUNGE, and the codes of UIDPLUS (RFC 4315) and RFC 7162.
 */
#include "storage/directory.h"
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

#define A (&dialogue.a)
#define B (&dialogue.b)

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 5; i++)
        rig_append(A, dialogue.a.bob, "INBOX", "Subject: hello\r\n\r\nworld\r\n");
    dialogue_login(&dialogue, A);
    dialogue_login(&dialogue, B);
    EXPECT(B, "s SELECT INBOX\r\n", "...\ns OK *\n");
    EXPECT(A, "s SELECT INBOX\r\n", "...\ns OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    rig_stop(B);
    dialogue_close(&dialogue);
    return 0;
}

static void test_copy(void **state)
{
    static const struct {
        const char *input, *want;
    } steps[] = {
        { "a STORE 2 +FLAGS.SILENT (\\Flagged work)\r\n", "...\na OK *\n" },
        { "a COPY 2:4 Trash\r\n", "a OK [COPYUID *\n" },
        { "a STATUS Trash (MESSAGES UIDNEXT)\r\n",
          "* STATUS \"Trash\" (MESSAGES 3 UIDNEXT 4)\na OK *\n" },
        { "a UID COPY 1,5:9 Trash\r\n", "a OK [COPYUID *\n" },
        { "a UID COPY 99 Trash\r\n", "a OK *\n" }, /* no such UID is no error */
        { "a COPY 1 nope\r\n", "a NO [TRYCREATE] *\n" },
        { "a COPY 6 Trash\r\n", "a BAD *\n" },
        { "a COPY 0 Trash\r\n", "a BAD *\n" },
        { "a COPY 1\r\n", "a BAD *\n" },
        { "a COPY 1 \r\n", "a BAD *\n" },
        { "a COPY 1 Trash x\r\n", "a BAD *\n" },
        { "a COPY 1 INBOX\r\n", "* 6 EXISTS\n* 1 RECENT\na OK [COPYUID *\n" },
        { "a EXAMINE Trash\r\n", "...\n* 5 EXISTS\n...\na OK *\n" },
        { "a FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS (\\Flagged \\Recent work))\na OK *\n" },
        { "a COPY 1 Archive\r\n", "a OK [COPYUID *\n" }, /* from a mailbox that is only read */
        { "a MOVE 1 Archive\r\n", "a NO [READ-ONLY] *\n" },
        { "a EXPUNGE\r\n", "a NO [READ-ONLY] *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(steps); i++)
        EXPECT(A, steps[i].input, steps[i].want);
}

/* "the n-th of one set is the n-th of the other" (RFC 4315 section 3). */
static void test_copyuid(void **state)
{
    EXPECT(A, "a COPY 3 Trash\r\n", "a OK [COPYUID *\n");
    EXPECT(A, "b UID COPY 5,1:2 Trash\r\n", "b OK [COPYUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:2,5 2:4] "));
}

static void test_move(void **state)
{
    EXPECT(A, "a MOVE 2,4 Trash\r\n",
           "* OK [COPYUID *\n* 4 EXPUNGE\n* 2 EXPUNGE\na OK MOVE completed\n");
    EXPECT(A, "b UID MOVE 3 Trash\r\n", "* OK [COPYUID *\n* 2 EXPUNGE\nb OK MOVE completed\n");
    EXPECT(A, "c UID MOVE 3 Trash\r\n", "c OK *\n");
    EXPECT(A, "d MOVE 1 nope\r\n", "d NO [TRYCREATE] *\n");
    EXPECT(A, "e STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 3)\ne OK *\n");
    EXPECT(A, "f MOVE 1 INBOX\r\n", /* within: a new UID */
           "* OK [COPYUID *\n* 1 EXPUNGE\n* 2 EXISTS\n* 1 RECENT\nf OK *\n");
    EXPECT(B, "a NOOP\r\n",
           "* 4 EXPUNGE\n* 3 EXPUNGE\n* 2 EXPUNGE\n* 1 EXPUNGE\n* 2 EXISTS\n* 1 RECENT\na OK *\n");
}

/* RFC 7162 section 3.2.7 to 3.2.9; RFC 6851 section 3.3. */
static void test_qresync(void **state)
{
    EXPECT(A, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\n...\na OK *\n");
    EXPECT(A, "b STORE 1:3 +FLAGS.SILENT (\\Deleted)\r\n", "...\nb OK *\n");
    EXPECT(A, "c UID EXPUNGE 3:4\r\n", "* VANISHED 3\nc OK [HIGHESTMODSEQ *\n");
    EXPECT(A, "d EXPUNGE\r\n", "* VANISHED 1:2\nd OK [HIGHESTMODSEQ *\n");
    EXPECT(A, "e EXPUNGE\r\n", "e OK EXPUNGE completed\n");
    EXPECT(A, "f MOVE 1 Trash\r\n", "* OK [COPYUID *\n* VANISHED 4\nf OK [HIGHESTMODSEQ *\n");
    EXPECT(A, "g STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "...\ng OK *\n");
    EXPECT(A, "h CLOSE\r\n", "h OK CLOSE completed\n"); /* section 3.2.8: no HIGHESTMODSEQ */
}

/* RFC 3501 section 7.4.1: each number is right when the ones before it are done. */
static void test_expunge(void **state)
{
    EXPECT(A, "a STORE 1,3:4 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(A, "b UID EXPUNGE 4:*\r\n", "* 4 EXPUNGE\nb OK *\n");
    EXPECT(A, "c EXPUNGE\r\n", "* 3 EXPUNGE\n* 1 EXPUNGE\nc OK *\n");
    EXPECT(A, "d UID FETCH 1:* UID\r\n", "* 1 FETCH (UID 2)\n* 2 FETCH (UID 5)\nd OK *\n");
    EXPECT(A, "e EXPUNGE 1\r\n", "e BAD *\n");
    EXPECT(A, "f UID EXPUNGE\r\n", "f BAD *\n");
    EXPECT(B, "a EXPUNGE\r\n", "* 4 EXPUNGE\n* 3 EXPUNGE\n* 1 EXPUNGE\na OK *\n");
}

/* Not copied, since somebody else has removed it: RFC 5530, EXPUNGEISSUED. */
static void test_gone(void **state)
{
    EXPECT(B, "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(B, "b EXPUNGE\r\n", "* 1 EXPUNGE\nb OK *\n");
    EXPECT(A, "a COPY 1 Trash\r\n", "* 1 EXPUNGE\na NO [EXPUNGEISSUED] *\n");
    EXPECT(A, "b STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 0)\nb OK *\n");
}

/* Two messages a turn: the same in the end, and the client hears how far it has come. */
static void test_turns(void **state)
{
    dialogue.settings.change_slice = 2;
    dialogue.settings.progress = 0;
    EXPECT(A, "a MOVE 1:5 Trash\r\n",
           "* OK [INPROGRESS (\"a\" 2 5)] *\n* OK [INPROGRESS (\"a\" 4 5)] *\n"
           "* OK [COPYUID *\n* 2 EXPUNGE\n* 1 EXPUNGE\n* 2 EXPUNGE\n* 1 EXPUNGE\n* 1 EXPUNGE\n"
           "a OK MOVE completed\n");
    assert_non_null(strstr(rig_text(A), " 1:5 1:5] "));
    EXPECT(A, "b SELECT Trash\r\n", "...\n* 5 EXISTS\n...\nb OK *\n");
    EXPECT(A, "c UID STORE 1:4 +FLAGS.SILENT (\\Deleted)\r\n",
           "* OK [INPROGRESS (\"c\" 2 4)] *\nc OK *\n");
    EXPECT(A, "d UID EXPUNGE 1:3,5:9\r\n",
           "* 2 EXPUNGE\n* 1 EXPUNGE\n* OK [INPROGRESS (\"d\" 2 4)] *\n* 1 EXPUNGE\nd OK *\n");
    EXPECT(A, "e STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "e OK *\n");
    EXPECT(A, "f EXPUNGE\r\n", "* 2 EXPUNGE\n* 1 EXPUNGE\nf OK *\n");
}

static void test_close_in_turns(void **state)
{
    dialogue.settings.change_slice = 1;
    EXPECT(A, "a STORE 1:4 +FLAGS.SILENT (\\Deleted)\r\n", "a OK *\n");
    EXPECT(A, "b CLOSE\r\n", "b OK *\n");
    EXPECT(B, "a NOOP\r\n", "* 4 EXPUNGE\n* 3 EXPUNGE\n* 2 EXPUNGE\n* 1 EXPUNGE\na OK *\n");
}

static void look_at_trash(struct rig *rig, const char *status)
{
    AUTO(buf_free) struct buf want = { 0 };

    buf_fmt(&want, "* STATUS \"Trash\" (%s)\nz OK *\n", status);
    EXPECT(rig, "z STATUS Trash (MESSAGES UIDNEXT)\r\n", buf_text(&want));
}

static void test_copy_in_turns(void **state)
{
    dialogue.settings.change_slice = 2;
    dialogue.settings.progress = 0;
    EXPECT(A, "a COPY 1:5 Trash\r\n",
           "* OK [INPROGRESS (\"a\" 2 5)] *\n* OK [INPROGRESS (\"a\" 4 5)] *\na OK [COPYUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:5 1:5] "));
    EXPECT(A, "b UID COPY 2:4 INBOX\r\n",
           "* OK [INPROGRESS (\"b\" 2 3)] *\n* 8 EXISTS\n* 3 RECENT\nb OK [COPYUID *\n");
    assert_non_null(strstr(rig_text(A), " 2:4 6:8] "));
    look_at_trash(A, "MESSAGES 5 UIDNEXT 6");
}

static void put_into_trash(struct rig *rig)
{
    rig_append(rig, rig->bob, "Trash", "Subject: between\r\n\r\nx\r\n");
}

static void expunge_another(struct rig *rig)
{
    if (rig->turns == 1)
        EXPECT(B, "x UID STORE 5 +FLAGS.SILENT (\\Deleted)\r\nx EXPUNGE\r\n",
               "x OK *\n* 5 EXPUNGE\nx OK *\n");
}

static void test_others_between_turns(void **state)
{
    dialogue.settings.change_slice = 2;
    A->between = put_into_trash;
    EXPECT(A, "a COPY 1:5 Trash\r\n", "a OK [COPYUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:5 1:2,4:5,7] "));
    A->between = expunge_another;
    EXPECT(A, "b COPY 1:5 Trash\r\n", "* 5 EXPUNGE\nb OK [COPYUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:4 8:11] "));
}

static void lower_quota(struct rig *rig)
{
    const struct account_limits limits = { .messages = 9 };
    struct error err;

    if (!account_set_limits(rig->desk, rig->bob, &limits, &err))
        fail_msg("%s", err.text);
}

static void delete_trash(struct rig *rig)
{
    if (rig->turns == 1)
        EXPECT(B, "x DELETE Trash\r\n", "x OK *\n");
}

static void hang_up(struct rig *rig)
{
    rig->closed = rig->turns == 2;
}

/* RFC 9051 section 6.4.7: all or none. */
static void test_copy_fails_between_turns(void **state)
{
    dialogue.settings.change_slice = 2;
    A->between = lower_quota;
    EXPECT(A, "a COPY 1:5 Trash\r\n", "a NO [OVERQUOTA] *\n");
    look_at_trash(A, "MESSAGES 0 UIDNEXT 5");
    A->between = delete_trash;
    EXPECT(A, "a COPY 1:3 Trash\r\n", "a NO [NONEXISTENT] *\n");
}

static void test_copy_is_cut_off(void **state)
{
    dialogue.settings.change_slice = 2;
    A->between = hang_up;
    EXPECT(A, "a COPY 1:5 Trash\r\n", "");
    look_at_trash(B, "MESSAGES 4 UIDNEXT 5");
    rig_stop(A);
    look_at_trash(B, "MESSAGES 0 UIDNEXT 5");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_copy),
        TEST(test_copyuid),
        TEST(test_move),
        TEST(test_qresync),
        TEST(test_expunge),
        TEST(test_gone),
        TEST(test_turns),
        TEST(test_close_in_turns),
        TEST(test_copy_in_turns),
        TEST(test_others_between_turns),
        TEST(test_copy_fails_between_turns),
        TEST(test_copy_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
