/* test_limit.c - MESSAGELIMIT and SAVELIMIT (RFC 9738), here 3 messages where a server has 1000 at
 * least; and the search keys UIDAFTER and UIDBEFORE. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

/* Messages 1 to 6, with the UIDs 1, 2, 4, 5, 6 and 8. */
static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 8; i++)
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: hello\r\n\r\nworld\r\n");
    dialogue_login(&dialogue, &dialogue.a);
    EXPECT(&dialogue.a, "0 SELECT INBOX\r\n0 STORE 3,7 +FLAGS.SILENT (\\Deleted)\r\n0 EXPUNGE\r\n",
           "...\n* 7 EXPUNGE\n* 3 EXPUNGE\n0 OK *\n");
    EXPECT(&dialogue.a, "0 SELECT INBOX\r\n", "...\n0 OK *\n");
    dialogue.settings.message_limit = dialogue.settings.save_limit = 3;
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

static void test_capability(void **state)
{
    dialogue.settings.save_limit = 2;
    rig_say(&dialogue.a, "a CAPABILITY\r\n");
    assert_non_null(strstr(rig_text(&dialogue.a), " MESSAGELIMIT=3 SAVELIMIT=2\r\n"));
    dialogue.settings.save_limit = 3;
    rig_say(&dialogue.a, "a CAPABILITY\r\n");
    assert_non_null(strstr(rig_text(&dialogue.a), " MESSAGELIMIT=3\r\n"));
}

/* From the highest to the lowest UID (section 3.1). */
static void test_fetch(void **state)
{
    EXPECT(&dialogue.a, "a FETCH 1:6 UID\r\n",
           "* 6 FETCH (UID 8)\n* 5 FETCH (UID 6)\n* 4 FETCH (UID 5)\n"
           "a OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "b UID FETCH 1:4 (UID)\r\n",
           "* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\n* 3 FETCH (UID 4)\nb OK FETCH completed\n");
    EXPECT(&dialogue.a, "c UID FETCH 1:3,5:6 (UID)\r\n",
           "* 5 FETCH (UID 6)\n* 4 FETCH (UID 5)\n* 2 FETCH (UID 2)\nc OK [MESSAGELIMIT 3 2] *\n");
    EXPECT(&dialogue.a, "d UID FETCH 1,5:* (UID)\r\n",
           "* 6 FETCH (UID 8)\n* 5 FETCH (UID 6)\n* 4 FETCH (UID 5)\nd OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "e UID FETCH 1:* (UID) (PARTIAL -1:-3)\r\n",
           "* 4 FETCH (UID 5)\n* 5 FETCH (UID 6)\n* 6 FETCH (UID 8)\ne OK FETCH completed\n");
    EXPECT(&dialogue.a, "f UID FETCH 1:* (UID) (PARTIAL -1:-4)\r\n", "f NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "g FETCH 1:* BODY[TEXT]\r\n",
           "* 6 FETCH (BODY[TEXT] {7}\nworld\n FLAGS (\\Seen))\n"
           "* 5 FETCH (BODY[TEXT] {7}\nworld\n FLAGS (\\Seen))\n"
           "* 4 FETCH (BODY[TEXT] {7}\nworld\n FLAGS (\\Seen))\ng OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "h SEARCH SEEN\r\n", "* SEARCH 4 5 6\nh OK [MESSAGELIMIT 3 5] *\n");
}

/* What is asked for by part is never cut. */
static void test_fetch_nothing(void **state)
{
    EXPECT(&dialogue.a, "a UID FETCH 3,7 (UID)\r\n", "a OK FETCH completed\n");
    EXPECT(&dialogue.a, "b FETCH 7 UID\r\n", "b BAD *\n");
    EXPECT(&dialogue.a, "c UID SEARCH RETURN (SAVE) UID 1:2\r\n", "c OK SEARCH completed\n");
    EXPECT(&dialogue.a, "d FETCH $ UID\r\n",
           "* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\nd OK FETCH completed\n");
}

/* Another code keeps the tagged OK. */
static void test_other_code(void **state)
{
    dialogue_login(&dialogue, &dialogue.b);
    EXPECT(&dialogue.b, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.b,
           "b UID STORE 6 +FLAGS.SILENT (\\Deleted)\r\n"
           "b UID EXPUNGE 6\r\n",
           "b OK *\n* 5 EXPUNGE\nb OK *\n");
    rig_stop(&dialogue.b);
    EXPECT(&dialogue.a, "d COPY 5 Sent\r\n", "* 5 EXPUNGE\nd NO [EXPUNGEISSUED] *\n");
    EXPECT(&dialogue.a, "e UID STORE 1:* (UNCHANGEDSINCE 1) +FLAGS (\\Seen)\r\n",
           "* OK [HIGHESTMODSEQ *\n* NO [MESSAGELIMIT 3 4] *\ne OK [MODIFIED 4:5,8] *\n");
}

static void test_search(void **state)
{
    EXPECT(&dialogue.a, "a SEARCH UNDELETED\r\n", "* SEARCH 4 5 6\na OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "b UID SEARCH UID 1:5 UNDELETED\r\n",
           "* SEARCH 2 4 5\nb OK [MESSAGELIMIT 3 2] *\n");
    EXPECT(&dialogue.a, "c UID SEARCH (UID 1:5 UNDELETED) 1:3\r\n",
           "* SEARCH 1 2 4\nc OK SEARCH completed\n");
    EXPECT(&dialogue.a, "d UID SEARCH OR UID 1:2 DELETED\r\n",
           "* SEARCH\nd OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "e UID SEARCH TEXT world UIDBEFORE 5\r\n",
           "* SEARCH 1 2 4\ne OK SEARCH completed\n");
    EXPECT(&dialogue.a, "f UID SEARCH RETURN (SAVE) SINCE 1-Jan-1994 UIDAFTER 1\r\n",
           "f OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "g UID SEARCH $\r\n", "* SEARCH 5 6 8\ng OK SEARCH completed\n");
    EXPECT(&dialogue.a, "h SEARCH RETURN (COUNT UPDATE) ALL\r\n",
           "* ESEARCH (TAG \"h\") COUNT 3\n* NO [NOUPDATE \"h\"] *\nh OK [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "i CANCELUPDATE \"h\"\r\n", "i BAD *\n");
    EXPECT(&dialogue.a, "j UID SEARCH UNDELETED (UID 1:2 FUZZY (UID 2:8))\r\n",
           "* SEARCH 2\nj OK SEARCH completed\n");
}

static void test_keys(void **state)
{
    static const struct {
        const char *keys, *found;
        bool limited; /* to 4 messages to look at */
    } cases[] = {
        { "UIDAFTER 4", " 5 6 8", false },
        { "uidafter 3", " 4 5 6 8", false },
        { "UIDAFTER 8", "", false },
        { "UIDAFTER 4294967295", "", false },
        { "UIDBEFORE 1", "", false },
        { "UIDBEFORE 5", " 1 2 4", false },
        { "UIDBEFORE 4294967295", " 1 2 4 5 6 8", true },
        { "UIDBEFORE 6 UIDAFTER 2", " 4 5", false },
        { "NOT UIDAFTER 2", " 1 2", true },
        { "OR UIDBEFORE 2 UIDAFTER 6", " 1 8", true },
    };
    static const char *const wrong[] = { "UIDAFTER",     "UIDAFTER 0",   "UIDAFTER *",
                                         "UIDAFTER 1:2", "UIDAFTER 1,2", "UIDBEFORE 4294967296",
                                         "UIDBEFORE -1", "UIDBEFORE $",  "UIDAFTER  1" };

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(cases); i++) {
            AUTO(buf_free) struct buf said = { 0 };
            AUTO(buf_free) struct buf answer = { 0 };

            dialogue.settings.message_limit = 6 - round * 2; /* the second time they narrow */
            buf_fmt(&said, "a UID SEARCH %s\r\n", cases[i].keys);
            buf_fmt(&answer, "* SEARCH%s\na OK SEARCH completed\n", cases[i].found);
            if (round == 0 || !cases[i].limited)
                EXPECT(&dialogue.a, buf_text(&said), buf_text(&answer));
        }
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(buf_free) struct buf said = { 0 };

        buf_fmt(&said, "a UID SEARCH %s\r\n", wrong[i]);
        EXPECT(&dialogue.a, buf_text(&said), "a BAD *\n");
    }
}

static void test_store(void **state)
{
    EXPECT(&dialogue.a, "a UID STORE 1:6 +FLAGS (\\Seen)\r\n",
           "* 5 FETCH (UID 6 FLAGS (\\Seen))\n* 4 FETCH (UID 5 FLAGS (\\Seen))\n"
           "* 3 FETCH (UID 4 FLAGS (\\Seen))\na OK [MESSAGELIMIT 3 4] *\n");
    EXPECT(&dialogue.a, "b UID STORE 1:3 +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Seen))\n* 2 FETCH (UID 2 FLAGS (\\Seen))\n"
           "b OK STORE completed\n");
}

static void test_copy(void **state)
{
    EXPECT(&dialogue.a, "a UID COPY 1:* Sent\r\n", "a NO [MESSAGELIMIT 3 5] *\n");
    EXPECT(&dialogue.a, "b STATUS Sent (MESSAGES)\r\n", "* STATUS \"Sent\" (MESSAGES 0)\nb OK *\n");
    EXPECT(&dialogue.a, "c COPY 1:3 Sent\r\n", "c OK [COPYUID *\n");
    dialogue.settings.save_limit = 2;
    EXPECT(&dialogue.a, "d UID COPY 1:4 Sent\r\n", "d NO [MESSAGELIMIT 2 2] *\n");
    EXPECT(&dialogue.a, "e UID MOVE 1:5 Sent\r\n",
           "* OK [COPYUID *\n* 4 EXPUNGE\n* 3 EXPUNGE\n* 2 EXPUNGE\ne OK [MESSAGELIMIT 3 2] *\n");
    EXPECT(&dialogue.a, "f UID MOVE 1:5 Sent\r\n",
           "* OK [COPYUID *\n* 1 EXPUNGE\nf OK MOVE completed\n");
}

/* HIGHESTMODSEQ is the code of the OK. */
static void test_move_condstore(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE CONDSTORE\r\n",
           "* ENABLED CONDSTORE\n* OK [HIGHESTMODSEQ *\na OK *\n");
    EXPECT(&dialogue.a, "b MOVE 1:* Sent\r\n",
           "* OK [COPYUID *\n* 6 EXPUNGE\n* 5 EXPUNGE\n* 4 EXPUNGE\n"
           "* NO [MESSAGELIMIT 3 5] *\nb OK [HIGHESTMODSEQ *\n");
}

static void test_append(void **state)
{
    static const char four[] = "a APPEND Sent {4+}\r\n\r\nx\n {4+}\r\n\r\nx\n {4+}\r\n\r\nx\n"
                               " {4+}\r\n\r\nx\n\r\n";

    EXPECT(&dialogue.a, four, "a NO [MESSAGELIMIT 3] *\n");
    EXPECT_BYTEWISE(&dialogue.a, four, "a NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "b STATUS Sent (MESSAGES)\r\n", "* STATUS \"Sent\" (MESSAGES 0)\nb OK *\n");
    EXPECT(&dialogue.a,
           "c APPEND Sent CATENATE (URL \"/INBOX/;UID=1\") CATENATE (URL \"/INBOX/;UID=1\") "
           "CATENATE (URL \"/INBOX/;UID=1\") CATENATE (URL \"/INBOX/;UID=1\")\r\n",
           "c NO [MESSAGELIMIT 3] *\n");
    dialogue.settings.save_limit = 4;
    dialogue.settings.message_limit = 1000;
    EXPECT(&dialogue.a, four, "a OK [APPENDUID *\n");
}

/* What is announced is what one APPEND may add, down to the last message. */
static void test_append_announced(void **state)
{
    AUTO(buf_free) struct buf command = { 0 };

    dialogue.settings.message_limit = 10000000;
    dialogue.settings.save_limit = 1000000;
    EXPECT(&dialogue.a, "a CAPABILITY\r\n", "* CAPABILITY *\na OK *\n");
    assert_non_null(strstr(rig_text(&dialogue.a), " SAVELIMIT=10000\r\n"));
    buf_add_text(&command, "b APPEND Sent");
    for (int i = 0; i < 10000; i++)
        buf_add_text(&command, " {1+}\r\nx");
    buf_add_text(&command, "\r\n");
    EXPECT(&dialogue.a, buf_text(&command), "b OK [APPENDUID *\n");
    buf_truncate(&command, command.len - 2);
    buf_add_text(&command, " {1+}\r\nx\r\n");
    EXPECT(&dialogue.a, buf_text(&command), "b NO [MESSAGELIMIT 10000] *\n");
    EXPECT(&dialogue.a, "c STATUS Sent (MESSAGES)\r\n",
           "* STATUS \"Sent\" (MESSAGES 10000)\nc OK *\n");
}

/* Only \Deleted ones count, and only by UID. */
static void test_expunge(void **state)
{
    dialogue.settings.message_limit = 6;
    EXPECT(&dialogue.a, "a STORE 1:4,6 +FLAGS.SILENT (\\Deleted)\r\n", "a OK STORE *\n");
    dialogue.settings.message_limit = 3;
    EXPECT(&dialogue.a, "b UID EXPUNGE 2:6\r\n",
           "* 4 EXPUNGE\n* 3 EXPUNGE\n* 2 EXPUNGE\nb OK EXPUNGE completed\n");
    dialogue.settings.message_limit = 1;
    EXPECT(&dialogue.a, "c UID EXPUNGE 1:*\r\n", "* 3 EXPUNGE\nc OK [MESSAGELIMIT 1 8] *\n");
    EXPECT(&dialogue.a, "d UID EXPUNGE 1:*\r\n", "* 1 EXPUNGE\nd OK EXPUNGE completed\n");
    EXPECT(&dialogue.a, "e STATUS INBOX (MESSAGES UNSEEN)\r\n",
           "* STATUS \"INBOX\" (MESSAGES 1 UNSEEN 1)\ne OK *\n");
}

static void test_expunge_all(void **state)
{
    dialogue.settings.message_limit = 6;
    EXPECT(&dialogue.a, "a STORE 1:6 +FLAGS.SILENT (\\Deleted)\r\n", "a OK STORE *\n");
    dialogue.settings.message_limit = 1;
    EXPECT(&dialogue.a, "b EXPUNGE\r\n",
           "* 6 EXPUNGE\n* 5 EXPUNGE\n* 4 EXPUNGE\n* 3 EXPUNGE\n* 2 EXPUNGE\n* 1 EXPUNGE\n"
           "b OK EXPUNGE completed\n");
}

static void test_sort(void **state)
{
    EXPECT(&dialogue.a, "a UID SEARCH RETURN (SAVE) UID 1\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "b SORT (SUBJECT) UTF-8 ALL\r\n", "b NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "c UID SEARCH $\r\n", "* SEARCH 1\nc OK *\n");
    EXPECT(&dialogue.a, "d SORT RETURN (SAVE) (SUBJECT) UTF-8 ALL\r\n",
           "d NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "e UID SEARCH $\r\n", "* SEARCH\ne OK *\n");
    EXPECT(&dialogue.a, "f UID SORT (ARRIVAL) UTF-8 UID 5:8\r\n",
           "* SORT 5 6 8\nf OK SORT completed\n");
    EXPECT(&dialogue.a, "g THREAD REFERENCES UTF-8 ALL\r\n", "g NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "h UID THREAD ORDEREDSUBJECT UTF-8 UID 5:8\r\n", "* THREAD *\nh OK *\n");
}

/* All mailboxes count together. */
static void test_esearch(void **state)
{
    EXPECT(&dialogue.a, "a ESEARCH RETURN (COUNT) ALL\r\n", "a NO [MESSAGELIMIT 3] *\n");
    EXPECT(&dialogue.a, "b ESEARCH RETURN (COUNT) UID 1:4\r\n", "* ESEARCH *\nb OK *\n");
    EXPECT(&dialogue.a, "c COPY 1 Sent\r\nc ESEARCH IN (personal) RETURN (COUNT) UID 1:2\r\n",
           "c OK *\n* ESEARCH *\n* ESEARCH *\nc OK *\n");
    EXPECT(&dialogue.a, "d ESEARCH IN (personal) RETURN (COUNT) UID 1:4\r\n",
           "* ESEARCH *\nd NO [MESSAGELIMIT 3] *\n");
}

/* The limit of a command is not told of the next. */
static void test_forgotten(void **state)
{
    EXPECT(&dialogue.a, "a UID MOVE 1:* Nowhere\r\n", "a NO [TRYCREATE] *\n");
    EXPECT(&dialogue.a, "b UID FETCH 1:* (BINARY.PEEK[9])\r\n", "...\nb *\n");
    EXPECT(&dialogue.a, "c NOOP\r\n", "c OK NOOP *\n");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_capability),
        TEST(test_fetch),
        TEST(test_fetch_nothing),
        TEST(test_other_code),
        TEST(test_search),
        TEST(test_keys),
        TEST(test_store),
        TEST(test_copy),
        TEST(test_move_condstore),
        TEST(test_append),
        TEST(test_append_announced),
        TEST(test_expunge),
        TEST(test_expunge_all),
        TEST(test_sort),
        TEST(test_esearch),
        TEST(test_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
