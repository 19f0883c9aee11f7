/* test_rev2.c - what ENABLE IMAP4rev2 (RFC 9051) and ENABLE UIDONLY (RFC 9586) change, and that
 * nothing of it comes before. */
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

static void test_enable(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE X-GOOD-IDEA\r\n", "* ENABLED\na OK *\n");
    EXPECT(&dialogue.a, "b ENABLE x imap4rev2 SORT\r\n", "* ENABLED IMAP4rev2\nb OK *\n");
    EXPECT(&dialogue.a, "c ENABLE\r\n", "c BAD *\n");
    EXPECT(&dialogue.a, "d ENABLE \r\n", "d BAD *\n");
    EXPECT(&dialogue.a, "e ENABLE (IMAP4rev2)\r\n", "e BAD *\n");
}

static void test_select(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE IMAP4rev2\r\n", "* ENABLED IMAP4rev2\na OK *\n");
    EXPECT(&dialogue.a, "b SELECT INBOX\r\n",
           "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
           "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] *\n"
           "* 3 EXISTS\n* LIST () \"/\" \"INBOX\"\n* OK [UIDVALIDITY *\n* OK [UIDNEXT 4] *\n"
           "* OK [MAILBOXID (*\n* OK [URLMECH INTERNAL] *\n* OK [HIGHESTMODSEQ *\nb OK "
           "[READ-WRITE] *\n");
    EXPECT(&dialogue.a, "c EXAMINE inbox\r\n",
           "* OK [CLOSED] *\n* FLAGS *\n* OK [PERMANENTFLAGS ()] *\n* 3 EXISTS\n"
           "* LIST () \"/\" \"INBOX\" (\"OLDNAME\" (\"inbox\"))\n...\nc OK [READ-ONLY] *\n");
    EXPECT(&dialogue.a, "d SELECT nope\r\n", "* OK [CLOSED] *\nd NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.a, "e SELECT Archive\r\n",
           "...\n* LIST (\\Archive) \"/\" \"Archive\"\n...\ne OK *\n");
}

/* No \Recent, and UID beside all flags. */
static void test_news(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE IMAP4rev2\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "b SELECT INBOX\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.a, "c FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\nc OK *\n");
    EXPECT(&dialogue.a, "d STORE 1 FLAGS \\Flagged\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Flagged))\nd OK *\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    EXPECT(&dialogue.a, "e NOOP\r\n", "* 4 EXISTS\ne OK *\n");
    EXPECT(&dialogue.b, "e SELECT INBOX\r\ne STORE 2 +FLAGS.SILENT \\Seen\r\n",
           "...\n* 4 EXISTS\n* 0 RECENT\n...\ne OK *\ne OK *\n");
    EXPECT(&dialogue.a, "f NOOP\r\n", "* 2 FETCH (UID 2 FLAGS (\\Seen))\nf OK *\n");
    EXPECT(&dialogue.b, "f NOOP\r\n", "f OK *\n");
}

/* Enabled while a mailbox is selected: what was \Recent is not any more. */
static void test_enable_late(void **state)
{
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "b FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS (\\Recent))\nb OK *\n");
    EXPECT(&dialogue.a, "c ENABLE IMAP4rev2\r\n", "...\nc OK *\n");
    EXPECT(&dialogue.a, "d FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\nd OK *\n");
}

static void test_names(void **state)
{
    EXPECT(&dialogue.a, "a CREATE \"\xc3\xa4\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "b CREATE &AOQ-\r\n", "b OK *\n");
    EXPECT(&dialogue.a, "c LIST \"\" &AOQ-\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"&AOQ-\"\nc OK *\n");
    EXPECT(&dialogue.a, "d ENABLE IMAP4rev2\r\n", "...\nd OK *\n");
    EXPECT(&dialogue.a, "e LIST \"\" \"\xc3\xa4\"\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"\xc3\xa4\"\ne OK *\n");
    EXPECT(&dialogue.a, "f STATUS \"\xc3\xa4\" (MESSAGES SIZE DELETED)\r\n",
           "* STATUS \"\xc3\xa4\" (MESSAGES 0 DELETED 0 SIZE 0)\nf OK *\n");
    EXPECT(&dialogue.a, "g CREATE \"\xc3\"\r\n", "g NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "h CREATE &AOQ-\r\n", "h OK *\n"); /* that is a name as any other */
}

static void test_charset(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE IMAP4rev2\r\na SELECT INBOX\r\n", "...\na OK *\n...\na OK *\n");
    EXPECT(&dialogue.a, "b SEARCH CHARSET UTF-8 SUBJECT \"\xc3\xa4\"\r\n", "...\nb OK *\n");
    EXPECT(&dialogue.a, "c ENABLE UTF8=ACCEPT\r\n", "...\nc OK *\n");
    EXPECT(&dialogue.a, "d SEARCH CHARSET UTF-8 SUBJECT \"\xc3\xa4\"\r\n", "d BAD *\n");
}

static void enable_uidonly(void)
{
    EXPECT(&dialogue.a, "0 ENABLE UIDONLY\r\n", "* ENABLED UIDONLY\n0 OK *\n");
    EXPECT(&dialogue.a, "0 SELECT INBOX\r\n",
           "* FLAGS *\n* OK [PERMANENTFLAGS *\n* 3 EXISTS\n* 3 RECENT\n* OK [UIDVALIDITY *\n...\n"
           "0 OK *\n");
}

static void test_uid_required(void **state)
{
    static const char *const refused[] = {
        "FETCH 1 FLAGS",       "FETCH * UID",
        "SEARCH ALL",          "SEARCH UID 1",
        "STORE 1 FLAGS ()",    "COPY 1 INBOX",
        "MOVE 1 INBOX",        "FETCH $ UID",
        "UID SEARCH 1",        "UID SEARCH NOT (SEEN 1:2)",
        "UID SEARCH OR ALL *",
    };

    enable_uidonly();
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        AUTO(buf_free) struct buf line = { 0 };

        buf_fmt(&line, "a %s\r\n", refused[i]);
        EXPECT(&dialogue.a, buf_text(&line), "a BAD [UIDREQUIRED] *\n");
    }
    EXPECT(&dialogue.a, "b UID SEARCH RETURN (SAVE) UID 2\r\n", "b OK *\n");
    EXPECT(&dialogue.a, "c UID SEARCH $\r\n", "* SEARCH 2\nc OK *\n");
    EXPECT(&dialogue.a, "d UID FETCH $ FLAGS\r\n", "* 2 UIDFETCH (FLAGS (\\Recent))\nd OK *\n");
    EXPECT(&dialogue.a, "e UNSELECT\r\ne FETCH 1 FLAGS\r\n", "e OK *\ne BAD Not *\n");
}

static void test_uidfetch(void **state)
{
    enable_uidonly();
    EXPECT(&dialogue.a, "a UID STORE 1 +FLAGS \\Deleted\r\n",
           "* 1 UIDFETCH (FLAGS (\\Deleted \\Recent))\na OK *\n");
    EXPECT(&dialogue.a, "b EXPUNGE\r\n", "* VANISHED 1\nb OK *\n");
    EXPECT(&dialogue.a, "c UID FETCH 1:* (UID RFC822.SIZE)\r\n",
           "* 2 UIDFETCH (UID 2 RFC822.SIZE 25)\n* 3 UIDFETCH (UID 3 RFC822.SIZE 25)\nc OK *\n");
    EXPECT(&dialogue.a, "d UID FETCH 3 BODY[TEXT]\r\n",
           "* 3 UIDFETCH (BODY[TEXT] {7}\nworld\n FLAGS (\\Seen \\Recent))\nd OK *\n");
    EXPECT(&dialogue.b, "d SELECT INBOX\r\nd STORE 1 FLAGS \\Deleted\r\n",
           "...\nd OK *\n...\nd OK *\n");
    EXPECT(&dialogue.a, "e NOOP\r\n", "* 2 UIDFETCH (FLAGS (\\Deleted \\Recent))\ne OK *\n");
    EXPECT(&dialogue.b, "e EXPUNGE\r\n", "* 1 EXPUNGE\ne OK *\n");
    EXPECT(&dialogue.a, "f UID SEARCH ALL\r\n", "* SEARCH 2 3\n* VANISHED 2\nf OK *\n");
    EXPECT(&dialogue.a, "g UID MOVE 3 INBOX\r\n",
           "* OK [COPYUID *\n* VANISHED 3\n* 1 EXISTS\n* 1 RECENT\ng OK *\n");
}

/* RFC 9586 section 3.5: beside CONDSTORE and QRESYNC. */
static void test_uidonly_resync(void **state)
{
    enable_uidonly();
    EXPECT(&dialogue.a, "a ENABLE QRESYNC\r\n",
           "* ENABLED QRESYNC\n* OK [HIGHESTMODSEQ *\na OK *\n");
    EXPECT(&dialogue.a, "b SELECT INBOX (QRESYNC (1 1 1:3 (1 1)))\r\n", "b BAD [UIDREQUIRED] *\n");
    EXPECT(&dialogue.a, "c UID STORE 2 FLAGS.SILENT \\Seen\r\n",
           "* 2 UIDFETCH (MODSEQ (*\nc OK *\n");
    EXPECT(&dialogue.a, "d UID STORE 2 (UNCHANGEDSINCE 1) FLAGS ()\r\n", "d OK [MODIFIED 2] *\n");
    EXPECT(&dialogue.a, "e UID FETCH 2 FLAGS (CHANGEDSINCE 1)\r\n",
           "* 2 UIDFETCH (FLAGS (\\Seen \\Recent) MODSEQ (*\ne OK *\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_enable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_select, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_enable_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_charset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uid_required, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uidfetch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_uidonly_resync, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
