/* test_name.c - names of mailboxes: their one form (RFC 9051 section 5.1, RFC 5198), what the
 * client hears when it wrote another one (section 6.3.9.7), and the answers to what cannot be done
 * with a name. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

static struct dialogue dialogue;

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, &dialogue.a);
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

#define A_NFC "\xc3\xa4"  /* U+00E4 */
#define A_NFD "a\xcc\x88" /* "a", U+0308 */

static void test_normalized(void **state)
{
    EXPECT(&dialogue.a, "a ENABLE IMAP4rev2\r\n", "* ENABLED IMAP4rev2\na OK *\n");
    EXPECT(&dialogue.a, "A005 CREATE \"" A_NFD "/\"\r\n",
           "* LIST () \"/\" \"" A_NFC "\" (\"OLDNAME\" (\"" A_NFD "\"))\nA005 OK *\n");
    EXPECT(&dialogue.a, "a CREATE \"" A_NFC "\"\r\n", "a NO [ALREADYEXISTS] *\n");
    EXPECT(&dialogue.a, "a CREATE \"" A_NFC "/x\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a STATUS \"" A_NFD "\" (MESSAGES)\r\n",
           "* STATUS \"" A_NFC "\" (MESSAGES 0)\na OK *\n");
    EXPECT(&dialogue.a, "a SELECT \"" A_NFD "\"\r\n",
           "...\n* LIST () \"/\" \"" A_NFC "\" (\"OLDNAME\" (\"" A_NFD "\"))\n...\na OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" \"" A_NFD "%\"\r\n",
           "* LIST (\\HasChildren) \"/\" \"" A_NFC "\"\na OK *\n");
    EXPECT(&dialogue.a, "a APPEND \"" A_NFD "\" {11+}\r\nA: b\r\n\r\nc\r\n\r\n",
           "* 1 EXISTS\n...\na OK [APPENDUID *\n");
    EXPECT(&dialogue.a, "a ESEARCH IN (subtree \"" A_NFD "\") ALL\r\n",
           "* ESEARCH (TAG \"a\" MAILBOX \"" A_NFC "\" *\na OK *\n");
    EXPECT(&dialogue.a, "a SUBSCRIBE \"" A_NFD "\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST (SUBSCRIBED) \"\" \"" A_NFC "\"\r\n",
           "* LIST (\\HasChildren \\Subscribed) \"/\" \"" A_NFC "\"\na OK *\n");
    EXPECT(&dialogue.a, "a UNSUBSCRIBE \"" A_NFD "\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST (SUBSCRIBED) \"\" \"" A_NFC "\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a RENAME \"" A_NFD "\" \"o\xcc\x88\"\r\n",
           "* LIST () \"/\" \"\xc3\xb6\" (\"OLDNAME\" (\"" A_NFD "\"))\na OK *\n");
    EXPECT(&dialogue.a, "a RENAME \"\xc3\xb6\" plain\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a CREATE \"" A_NFC "\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a DELETE \"" A_NFD "\"\r\n",
           "* LIST (\\NonExistent) \"/\" \"" A_NFC "\" (\"OLDNAME\" (\"" A_NFD "\"))\na OK *\n");
    EXPECT(&dialogue.a, "a CREATE inbox/x\r\n",
           "* LIST () \"/\" \"INBOX/x\" (\"OLDNAME\" (\"inbox/x\"))\na OK *\n");
}

/* IMAP4rev1 hears nothing of it; its names are the same. */
static void test_normalized_utf7(void **state)
{
    EXPECT(&dialogue.a, "a CREATE \"a&Awg-\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" \"&AOQ-\"\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"&AOQ-\"\na OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" \"a&Awg-\"\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"&AOQ-\"\na OK *\n");
    EXPECT(&dialogue.a, "a STATUS \"a&Awg-\" (UNSEEN)\r\n",
           "* STATUS \"&AOQ-\" (UNSEEN 0)\na OK *\n");
    EXPECT(&dialogue.a, "a DELETE \"a&Awg-\"\r\n", "a OK *\n");
    /* No other way to write the same, nothing cut off, no surrogates alone. */
    EXPECT(&dialogue.a, "a CREATE \"&AGEAYg-\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&AOQ\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&AOR-\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&AOQ-&AOQ-\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&2D0-\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&2D3eAA-\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a CREATE \"&ICg-\"\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE \"&IKk-\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a CREATE \"R&-D\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a ENABLE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\na OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" R*\r\n", "* LIST (\\HasNoChildren) \"/\" \"R&D\"\na OK *\n");
}

static void test_refused(void **state)
{
    EXPECT(&dialogue.a, "a DELETE inbox\r\n", "a NO [CANNOT] *\n");
    EXPECT(&dialogue.a, "a CREATE a/b\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a CREATE ab\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a DELETE a\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a DELETE a\r\n", "a NO [HASCHILDREN] *\n");
    EXPECT(&dialogue.a, "a LIST \"\" a/%\r\n", "* LIST (\\HasNoChildren) \"/\" \"a/b\"\na OK *\n");
    EXPECT(&dialogue.a, "a DELETE a/b\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a DELETE a\r\n", "a NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a COPY 1 nope\r\n", "a BAD *\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "A: b\r\n\r\nc\r\n");
    EXPECT(&dialogue.a, "a NOOP\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a COPY 1 nope\r\n", "a NO [TRYCREATE] *\n");
    EXPECT(&dialogue.a, "a UID MOVE 1 nope\r\n", "a NO [TRYCREATE] *\n");
    EXPECT(&dialogue.a, "a APPEND nope {3}\r\n", "a NO [TRYCREATE] *\n");
    EXPECT(&dialogue.a, "a RENAME nope x\r\n", "a NO [NONEXISTENT] *\n");
    EXPECT(&dialogue.a, "a RENAME ab Sent\r\n", "a NO [ALREADYEXISTS] *\n");
    EXPECT(&dialogue.a, "a RENAME ab \"\"\r\n", "a NO [CANNOT] *\n");
}

/* RFC 8457 section 3.2 */
static void test_important(void **state)
{
    EXPECT(&dialogue.a, "t1 CREATE \"Important Messages\" (USE (\\Important))\r\n", "t1 OK *\n");
    EXPECT(&dialogue.a, "t2 CREATE \"Imported Wine\"\r\n", "t2 OK *\n");
    EXPECT(&dialogue.a, "t1 LIST \"\" \"Imp*\"\r\n",
           "* LIST (\\HasNoChildren \\Important) \"/\" \"Important Messages\"\n"
           "* LIST (\\HasNoChildren) \"/\" \"Imported Wine\"\nt1 OK *\n");
    EXPECT(&dialogue.a, "t3 LIST (SPECIAL-USE) \"\" \"I*\"\r\n",
           "* LIST (\\HasNoChildren \\Important) \"/\" \"Important Messages\"\nt3 OK *\n");
    EXPECT(&dialogue.a, "t4 CREATE more (USE (\\Important))\r\n", "t4 NO [USEATTR] *\n");
    EXPECT(&dialogue.a, "t5 SETMETADATA \"Imported Wine\" (/private/specialuse NIL)\r\n",
           "t5 OK *\n");
    EXPECT(&dialogue.a, "t6 GETMETADATA \"Important Messages\" /private/specialuse\r\n",
           "* METADATA \"Important Messages\" (/private/specialuse \"\\\\Important\")\nt6 OK *\n");
}

/* A name and a UIDVALIDITY never mean other messages than they did (RFC 9051 section 2.3.1.1). */
static uint32_t uidvalidity(const char *name)
{
    char line[100];
    const char *at;

    snprintf(line, sizeof(line), "a STATUS %s (UIDVALIDITY)\r\n", name);
    rig_say(&dialogue.a, line);
    at = strstr(rig_text(&dialogue.a), "UIDVALIDITY ");
    assert_non_null(at);
    return (uint32_t)strtoul(at + strlen("UIDVALIDITY "), NULL, 10);
}

static void test_uidvalidity(void **state)
{
    uint32_t first, second, third;

    EXPECT(&dialogue.a, "a CREATE x\r\n", "a OK *\n");
    rig_append(&dialogue.a, dialogue.a.bob, "x", "A: b\r\n\r\nc\r\n");
    first = uidvalidity("x");
    EXPECT(&dialogue.a, "a DELETE x\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a CREATE x\r\n", "a OK *\n");
    second = uidvalidity("x");
    assert_true(second > first);
    /* A renamed mailbox keeps its UIDs; who comes after it under its name has others. */
    EXPECT(&dialogue.a, "a RENAME x y\r\n", "a OK *\n");
    assert_int_equal(uidvalidity("y"), second);
    EXPECT(&dialogue.a, "a CREATE x\r\n", "a OK *\n");
    third = uidvalidity("x");
    assert_true(third > second);
    EXPECT(&dialogue.a, "a DELETE y\r\na RENAME x y\r\n", "a OK *\na OK *\n");
    assert_int_equal(uidvalidity("y"), third);
}

/* RFC 9051 section 6.3.6: its messages go, it and what is below it stay. */
static void test_rename_inbox(void **state)
{
    uint32_t inbox = uidvalidity("INBOX");

    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "A: b\r\n\r\nc\r\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "A: b\r\n\r\nd\r\n");
    EXPECT(&dialogue.a, "a CREATE INBOX/sub\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a RENAME inbox old/mail\r\n", "* 2 EXPUNGE\n* 1 EXPUNGE\na OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" INBOX*\r\n",
           "* LIST (\\HasChildren) \"/\" \"INBOX\"\n* LIST (\\HasNoChildren) \"/\" \"INBOX/sub\"\n"
           "a OK *\n");
    EXPECT(&dialogue.a, "a STATUS old/mail (MESSAGES)\r\n",
           "* STATUS \"old/mail\" (MESSAGES 2)\na OK *\n");
    EXPECT(&dialogue.a, "a STATUS INBOX (MESSAGES UIDNEXT)\r\n",
           "* STATUS \"INBOX\" (MESSAGES 0 UIDNEXT 3)\na OK *\n");
    assert_int_equal(uidvalidity("INBOX"), inbox);
    assert_true(uidvalidity("old/mail") > inbox);
    EXPECT(&dialogue.a, "a RENAME INBOX old/mail\r\n", "a NO [ALREADYEXISTS] *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_normalized), TEST(test_normalized_utf7), TEST(test_refused),
        TEST(test_important),  TEST(test_uidvalidity),     TEST(test_rename_inbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
