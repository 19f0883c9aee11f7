/* test_metadata.c - METADATA between two sessions, and server entries; QUOTA (RFC 5464, RFC 9208).
 * Syntax and single answers are in tests/wire. */
#include "storage/directory.h"
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, &dialogue.a);
    dialogue_login(&dialogue, &dialogue.b);
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

static void set_text(char **setting, const char *text)
{
    free(*setting);
    *setting = strdup(text);
}

/* RFC 5464 section 4.4.2: names only, to those that enabled it, of what others did. */
static void test_unsolicited(void **state)
{
    EXPECT(&dialogue.a, "1 SETMETADATA INBOX (/private/comment \"before\")\r\n", "1 OK *\n");
    EXPECT(&dialogue.a, "2 ENABLE METADATA\r\n", "* ENABLED METADATA\n2 OK *\n");
    EXPECT(&dialogue.a, "3 SETMETADATA INBOX (/private/comment \"own\")\r\n", "3 OK *\n");
    EXPECT(&dialogue.b, "1 SETMETADATA \"\" (/private/vendor/x/y \"z\")\r\n", "1 OK *\n");
    EXPECT(&dialogue.b, "2 SETMETADATA INBOX (/shared/comment \"x\" /private/comment NIL)\r\n",
           "2 OK *\n");
    EXPECT(&dialogue.a, "4 NOOP\r\n",
           "* METADATA \"\" /private/vendor/x/y\n"
           "* METADATA \"INBOX\" /private/comment /shared/comment\n4 OK *\n");
    EXPECT(&dialogue.a, "5 NOOP\r\n", "5 OK *\n");
    EXPECT(&dialogue.b, "3 NOOP\r\n", "3 OK *\n");
}

/* The others' change is told before the own one is made. */
static void test_unsolicited_before_own(void **state)
{
    EXPECT(&dialogue.a, "1 ENABLE METADATA-SERVER\r\n", "* ENABLED METADATA-SERVER\n1 OK *\n");
    EXPECT(&dialogue.b, "1 CREATE gone\r\n", "1 OK *\n");
    EXPECT(&dialogue.b, "2 SETMETADATA gone (/shared/comment \"x\")\r\n", "2 OK *\n");
    EXPECT(&dialogue.b, "3 DELETE gone\r\n", "3 OK *\n");
    EXPECT(&dialogue.b, "4 SETMETADATA Sent (/shared/comment \"x\")\r\n", "4 OK *\n");
    EXPECT(&dialogue.a, "2 SETMETADATA Sent (/shared/comment \"y\")\r\n",
           "* METADATA \"Sent\" /shared/comment\n2 OK *\n");
    EXPECT(&dialogue.a, "3 NOOP\r\n", "3 OK *\n");
}

static void test_server_entries(void **state)
{
    set_text(&dialogue.settings.admin, "mailto:postmaster@example.test");
    set_text(&dialogue.settings.comment, "Down on Sunday");
    EXPECT(&dialogue.a, "1 GETMETADATA \"\" (DEPTH 1) /shared\r\n",
           "* METADATA \"\" (/shared/admin \"mailto:postmaster@example.test\" /shared/comment "
           "\"Down on Sunday\")\n1 OK *\n");
    EXPECT(&dialogue.a, "2 SETMETADATA \"\" (/shared/admin \"x\")\r\n", "2 NO [NOPERM] *\n");
}

static void test_metadata_quota(void **state)
{
    struct account_limits limits = { .annotation_bytes = 10 };
    struct error err;

    assert_true(account_set_limits(dialogue.a.desk, dialogue.a.bob, &limits, &err));
    EXPECT(&dialogue.a, "1 SETMETADATA INBOX (/shared/comment \"x\")\r\n", "1 NO [OVERQUOTA] *\n");
    EXPECT(&dialogue.a, "2 SETMETADATA INBOX (/shared/comment NIL)\r\n", "2 OK *\n");
}

static void test_quota(void **state)
{
    struct account_limits limits = { .bytes = 102400, .messages = 7, .mailboxes = 6 };
    struct error err;

    EXPECT(&dialogue.a, "1 GETQUOTA \"\"\r\n", "* QUOTA \"\" (MAILBOX 6 10000)\n1 OK *\n");
    assert_true(account_set_limits(dialogue.a.desk, dialogue.a.bob, &limits, &err));
    EXPECT(&dialogue.a, "2 GETQUOTAROOT INBOX\r\n",
           "* QUOTAROOT \"INBOX\" \"\"\n"
           "* QUOTA \"\" (STORAGE 0 100 MESSAGE 0 7 MAILBOX 6 6)\n2 OK *\n");
    EXPECT(&dialogue.a, "3 CREATE seventh\r\n", "3 NO [OVERQUOTA] *\n");
    EXPECT(&dialogue.a, "4 GETQUOTA other\r\n", "4 NO [NONEXISTENT] *\n");
}

/* Who is named in [imap] operators sets limits; what is not named has none any more. */
static void test_operator(void **state)
{
    struct error err;
    uint64_t amy;

    if (!account_add(dialogue.a.desk, SLICE("amy@example.test"), SLICE(""), SLICE(""), SLICE(""),
                     &amy, &err))
        fail_msg("%s", err.text);
    EXPECT(&dialogue.a, "1 GETQUOTA amy@example.test\r\n", "1 NO [NONEXISTENT] *\n");
    set_text(&dialogue.settings.operators, "root@example.test bob@example.test");
    EXPECT(&dialogue.a, "2 SETQUOTA amy@example.test (STORAGE 5 MAILBOX 8)\r\n",
           "* QUOTA \"amy@example.test\" (STORAGE 0 5 MAILBOX 6 8)\n2 OK *\n");
    EXPECT(&dialogue.a, "3 SETQUOTA amy@example.test (MESSAGE 0)\r\n",
           "* QUOTA \"amy@example.test\" (MESSAGE 0 1 MAILBOX 6 10000)\n3 OK *\n");
    EXPECT(&dialogue.a, "4 SETQUOTA \"\" (STORAGE 9223372036854775807)\r\n",
           "* QUOTA \"\" (STORAGE 0 9007199254740991 MAILBOX 6 10000)\n4 OK *\n");
    EXPECT(&dialogue.a, "5 SETQUOTA nobody@example.test ()\r\n", "5 NO [NONEXISTENT] *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unsolicited),    TEST(test_unsolicited_before_own),
        TEST(test_server_entries), TEST(test_metadata_quota),
        TEST(test_quota),          TEST(test_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
