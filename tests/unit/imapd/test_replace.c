/* test_replace.c - REPLACE and UID REPLACE (RFC 8508). */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

#define A (&dialogue.a)
#define B (&dialogue.b)

#define MESSAGE "Subject: hello\r\n\r\nworld\r\n" /* 25 bytes */
#define DRAFT   " {25+}\r\n" MESSAGE "\r\n"

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, A);
    for (int i = 0; i < 4; i++)
        EXPECT(A, "a APPEND Drafts" DRAFT, "a OK *\n");
    EXPECT(A, "a SELECT Drafts\r\n", "...\na OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    dialogue_close(&dialogue);
    return 0;
}

static void test_good(void **state)
{
    EXPECT(A, "b REPLACE 2 Drafts (\\Seen) \"29-Feb-2024 23:30:00 +0100\"" DRAFT,
           "* OK [APPENDUID *\n* 5 EXISTS\n* 5 RECENT\n* 2 EXPUNGE\nb OK REPLACE completed\n");
    EXPECT(
        A, "c FETCH 1:* (UID FLAGS)\r\n",
        "* 1 FETCH (UID 1 FLAGS (\\Recent))\n* 2 FETCH (UID 3 FLAGS (\\Recent))\n"
        "* 3 FETCH (UID 4 FLAGS (\\Recent))\n* 4 FETCH (UID 5 FLAGS (\\Seen \\Recent))\nc OK *\n");
    EXPECT(A, "d FETCH 4 INTERNALDATE\r\n",
           "* 4 FETCH (INTERNALDATE \"29-Feb-2024 22:30:00 +0000\")\nd OK *\n");
    EXPECT_BYTEWISE(A, "b UID REPLACE 5 Drafts" DRAFT,
                    "* OK [APPENDUID *\n* 5 EXISTS\n* 5 RECENT\n* 4 EXPUNGE\nb OK *\n");
    EXPECT(A, "b UID REPLACE 1 Drafts CATENATE (TEXT {6+}\r\na: b\r\n URL /Drafts/;UID=1)\r\n",
           "* OK [APPENDUID *\n* 5 EXISTS\n* 5 RECENT\n* 1 EXPUNGE\nb OK *\n");
    EXPECT(A, "d FETCH * (UID RFC822.SIZE)\r\n", "* 4 FETCH (UID 7 RFC822.SIZE 31)\nd OK *\n");
}

/* A draft that was sent goes to another mailbox (section 3.4). */
static void test_elsewhere(void **state)
{
    EXPECT(A, "b UID REPLACE 4 Sent (\\Seen)" DRAFT,
           "* OK [APPENDUID *\n* 4 EXPUNGE\nb OK REPLACE completed\n");
    EXPECT(A, "c STATUS Sent (MESSAGES UNSEEN)\r\n",
           "* STATUS \"Sent\" (MESSAGES 1 UNSEEN 0)\nc OK *\n");
    EXPECT(A, "c NOOP\r\n", "c OK *\n");
    EXPECT(A, "d GETQUOTAROOT INBOX\r\n", "...\nd OK *\n");
}

static void test_bad(void **state)
{
    static const struct {
        const char *arguments, *want;
    } cases[] = {
        { "REPLACE", "BAD" },
        { "REPLACE 1", "BAD" },
        { "REPLACE 1 Drafts", "BAD" },
        { "REPLACE 1 Drafts x", "BAD" },
        { "REPLACE 0 Drafts", NULL },
        { "REPLACE 5 Drafts", NULL },
        { "REPLACE 1:2 Drafts", NULL },
        { "REPLACE * Drafts", NULL },
        { "REPLACE Drafts", NULL },
        { "UID REPLACE 0 Drafts", NULL },
        { "UID REPLACE 9 Drafts", "NO" },
        { "REPLACE 1 Nope", "NO [TRYCREATE]" },
        { "REPLACE 1 Drafts (\\Recent)", NULL },
        { "REPLACE 1 Drafts CATENATE (URL /Drafts/;UID=9)", "NO [BADURL \"/Drafts/;UID=9\"]" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };
        bool bare = i < 4 || strchr(cases[i].arguments, ')') != NULL;

        buf_fmt(&want, "b %s*\nc OK *\n", cases[i].want != NULL ? cases[i].want : "BAD");
        buf_fmt(&input, "b %s%sc NOOP\r\n", cases[i].arguments,
                bare && cases[i].want != NULL ? "\r\n" : DRAFT);
        EXPECT(A, buf_text(&input), buf_text(&want));
    }
    /* One message only (section 4.7). */
    EXPECT(A, "b REPLACE 1 Drafts {25+}\r\n" MESSAGE " {25+}\r\n" MESSAGE "\r\n", "b BAD *\n");
    EXPECT(A, "b REPLACE 1 Drafts {0}\r\n", "b NO *\n");
    EXPECT(A, "b REPLACE 1 Drafts {99999999}\r\n", "b NO [TOOBIG] *\n");
    EXPECT(A, "c STATUS Drafts (MESSAGES UIDNEXT)\r\n",
           "* STATUS \"Drafts\" (MESSAGES 4 UIDNEXT 5)\nc OK *\n");
    EXPECT(A, "d EXAMINE Drafts\r\n", "...\nd OK *\n");
    EXPECT(A, "e REPLACE 1 Drafts {25}\r\n", "e NO [READ-ONLY] *\n");
    EXPECT(A, "f UNSELECT\r\n", "f OK *\n");
    EXPECT(A, "g REPLACE 1 Drafts" DRAFT, "g BAD *\n");
    EXPECT(A, "g UID REPLACE 1 Drafts" DRAFT, "g BAD *\n");
}

/* Somebody else was faster: nothing is stored. */
static void test_gone(void **state)
{
    dialogue_login(&dialogue, B);
    EXPECT(B, "a SELECT Drafts\r\n", "...\na OK *\n");
    EXPECT(B, "b STORE 3 +FLAGS.SILENT (\\Deleted)\r\n", "b OK *\n");
    EXPECT(B, "c EXPUNGE\r\n", "* 3 EXPUNGE\nc OK *\n");
    EXPECT(A, "b REPLACE 3 Drafts" DRAFT, "* 3 EXPUNGE\nb NO [EXPUNGEISSUED] *\n");
    EXPECT(B, "d NOOP\r\n", "d OK *\n");
    EXPECT(A, "c REPLACE 3 Drafts" DRAFT,
           "* OK [APPENDUID *\n* 4 EXISTS\n* 4 RECENT\n* 3 EXPUNGE\nc OK *\n");
    EXPECT(B, "d NOOP\r\n", "* 3 EXPUNGE\n* 3 EXISTS\n* 0 RECENT\nd OK *\n");
    rig_stop(B);
}

/* Treated as UID EXPUNGE (section 4.5). */
static void test_qresync(void **state)
{
    EXPECT(A, "b ENABLE QRESYNC\r\n", "...\nb OK *\n");
    EXPECT(A, "c REPLACE 2 Drafts" DRAFT,
           "* OK [APPENDUID *\n* VANISHED 2\n* 4 EXISTS\n* 4 RECENT\n"
           "c OK [HIGHESTMODSEQ 6] REPLACE completed\n");
    EXPECT(A, "d UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)\r\n",
           "* VANISHED (EARLIER) 2\n* 4 FETCH (FLAGS (\\Recent) UID 5 MODSEQ (6))\nd OK *\n");
}

/* Only the difference counts (section 3.4). */
static void test_quota(void **state)
{
    struct quota quota;
    struct error err;
    struct account *account;

    assert_true(desk_account(dialogue.a.desk, dialogue.a.bob, &account, &err));
    assert_true(account_quota(account, &quota, &err));
    assert_int_equal(quota.messages, 4);
    assert_int_equal(quota.bytes, 100);
    EXPECT(A, "b REPLACE 2 Drafts {6+}\r\na: b\r\n\r\n", "...\nb OK *\n");
    assert_true(account_quota(account, &quota, &err));
    assert_int_equal(quota.messages, 4);
    assert_int_equal(quota.bytes, 81);
    EXPECT(A, "b REPLACE 2 Sent" DRAFT, "...\nb OK *\n");
    assert_true(account_quota(account, &quota, &err));
    assert_int_equal(quota.messages, 4);
    assert_int_equal(quota.bytes, 81);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good), TEST(test_elsewhere), TEST(test_bad),
        TEST(test_gone), TEST(test_qresync),   TEST(test_quota),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
