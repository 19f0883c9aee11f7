/* test_mailbox.c - CREATE, DELETE, RENAME, LIST and its extensions, LSUB, STATUS. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

/* Every test has a fresh account. */
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

struct step {
    const char *input, *want;
};

static void play(const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EXPECT(&dialogue.a, steps[i].input, steps[i].want);
}

static void test_list(void **state)
{
    static const struct step steps[] = {
        { "a LIST \"\" \"\"\r\n", "* LIST (\\Noselect) \"/\" \"\"\na OK *\n" },
        { "a LIST \"\" INBOX\r\n", "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\na OK *\n" },
        { "a LIST \"\" inbox\r\n", "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\na OK *\n" },
        { "a LIST \"\" *\r\n", "* LIST (\\HasNoChildren \\Archive) \"/\" \"Archive\"\n"
                               "* LIST (\\HasNoChildren \\Drafts) \"/\" \"Drafts\"\n"
                               "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\n"
                               "* LIST (\\HasNoChildren \\Junk) \"/\" \"Junk\"\n"
                               "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"\n"
                               "* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"\na OK *\n" },
        { "a CREATE a/b/c\r\n", "a OK *\n" },
        { "a LIST \"\" a*\r\n",
          "* LIST (\\HasChildren) \"/\" \"a\"\n* LIST (\\HasChildren) \"/\" \"a/b\"\n"
          "* LIST (\\HasNoChildren) \"/\" \"a/b/c\"\na OK *\n" },
        { "a LIST a/ %\r\n", "* LIST (\\HasChildren) \"/\" \"a/b\"\na OK *\n" },
        { "a DELETE a\r\n", "a OK *\n" },
        { "a LIST \"\" a%\r\n", "* LIST (\\Noselect \\HasChildren) \"/\" \"a\"\na OK *\n" },
        { "a LIST \"\" (a a/b)\r\n", "* LIST (\\NonExistent \\HasChildren) \"/\" \"a\"\n"
                                     "* LIST (\\HasChildren) \"/\" \"a/b\"\na OK *\n" },
        { "a SELECT a\r\n", "a NO [NONEXISTENT] *\n" },
        { "a LIST \"\" nothing\r\n", "a OK *\n" },
        { "a LIST \"\"\r\n", "a BAD *\n" },
        { "a LIST \"\" a b\r\n", "a BAD *\n" },
        { "a LIST (NOPE) \"\" a\r\n", "a BAD *\n" },
        { "a LIST (RECURSIVEMATCH) \"\" a\r\n", "a BAD *\n" },
        { "a LIST \"\" a RETURN (NOPE)\r\n", "a BAD *\n" },
    };

    play(steps, COUNT_OF(steps));
}

static void test_list_extended(void **state)
{
    static const struct step steps[] = {
        { "a UNSUBSCRIBE INBOX\r\n", "a OK *\n" },
        { "a UNSUBSCRIBE Archive\r\n", "a OK *\n" },
        { "a UNSUBSCRIBE Drafts\r\n", "a OK *\n" },
        { "a UNSUBSCRIBE Junk\r\n", "a OK *\n" },
        { "a UNSUBSCRIBE Sent\r\n", "a OK *\n" },
        { "a CREATE x/y\r\n", "a OK *\n" },
        { "a UNSUBSCRIBE x\r\n", "a OK *\n" },
        { "a SUBSCRIBE x/y\r\n", "a OK *\n" },
        { "a SUBSCRIBE gone/there\r\n", "a OK *\n" },
        { "a LIST (SUBSCRIBED) \"\" *\r\n",
          "* LIST (\\HasNoChildren \\Subscribed \\Trash) \"/\" \"Trash\"\n"
          "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"gone/there\"\n"
          "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"x/y\"\na OK *\n" },
        { "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" x%\r\n",
          "* LIST (\\HasChildren) \"/\" \"x\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\na OK *\n" },
        { "a LIST \"\" gone%\r\n", "a OK *\n" },
        { "a LIST \"\" x/% RETURN (SUBSCRIBED CHILDREN)\r\n",
          "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"x/y\"\na OK *\n" },
        { "a LIST (SPECIAL-USE) \"\" (T% x)\r\n",
          "* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"\na OK *\n" },
        { "a LIST \"\" x* RETURN (STATUS (MESSAGES UIDNEXT))\r\n",
          "* LIST (\\HasChildren) \"/\" \"x\"\n* STATUS \"x\" (MESSAGES 0 UIDNEXT 1)\n"
          "* LIST (\\HasNoChildren) \"/\" \"x/y\"\n* STATUS \"x/y\" (MESSAGES 0 UIDNEXT 1)\n"
          "a OK *\n" },
        { "a LIST \"\" x RETURN ()\r\n", "* LIST (\\HasChildren) \"/\" \"x\"\na OK *\n" },
        { "a LIST () \"\" x\r\n", "* LIST (\\HasChildren) \"/\" \"x\"\na OK *\n" },
        { "a LSUB \"\" *\r\n",
          "* LSUB () \"/\" \"Trash\"\n* LSUB () \"/\" \"gone/there\"\n* LSUB () \"/\" \"x/y\"\n"
          "a OK *\n" },
        { "a LSUB \"\" %\r\n", "* LSUB () \"/\" \"Trash\"\n* LSUB (\\Noselect) \"/\" \"gone\"\n"
                               "* LSUB (\\Noselect) \"/\" \"x\"\na OK *\n" },
    };

    play(steps, COUNT_OF(steps));
}

static void test_names(void **state)
{
    static const struct step steps[] = {
        { "a CREATE {8+}\r\nquote\"d!\r\n", "a OK *\n" },
        { "a CREATE \"per%cent\"\r\n", "a OK *\n" },
        { "a CREATE \"star*back\\\\slash\"\r\n", "a OK *\n" },
        { "a CREATE \"&AOk-t&AOk-\"\r\n", "a OK *\n" },
        { "a CREATE \"sp ace/\"\r\n", "a OK *\n" },
        { "a LIST \"\" \"quote*\"\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"quote\\\"d!\"\na OK *\n" },
        { "a LIST \"\" \"per*\"\r\n", "* LIST (\\HasNoChildren) \"/\" \"per%cent\"\na OK *\n" },
        { "a LIST \"\" \"star*\"\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"star*back\\\\slash\"\na OK *\n" },
        { "a LIST \"\" \"&AOk-*\"\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"&AOk-t&AOk-\"\na OK *\n" },
        { "a LIST \"\" \"sp*\"\r\n", "* LIST (\\HasNoChildren) \"/\" \"sp ace\"\na OK *\n" },
        { "a CREATE \"\"\r\n", "a NO [CANNOT] *\n" },
        { "a CREATE \"a//b\"\r\n", "a NO [CANNOT] *\n" },
        { "a CREATE \"a&b\"\r\n", "a NO [CANNOT] *\n" },
        { "a ENABLE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\na OK *\n" },
        { "a LIST \"\" \"\xc3\xa9*\"\r\n",
          "* LIST (\\HasNoChildren) \"/\" \"\xc3\xa9t\xc3\xa9\"\na OK *\n" },
        { "a CREATE \"a&b\"\r\n", "a OK *\n" },
        { "a LIST \"\" \"a&*\"\r\n", "* LIST (\\HasNoChildren) \"/\" \"a&b\"\na OK *\n" },
        { "a CREATE \"\xc3\"\r\n", "a NO [CANNOT] *\n" },
    };

    play(steps, COUNT_OF(steps));
}

static void test_change(void **state)
{
    static const struct step steps[] = {
        { "a CREATE inbox\r\n", "a NO [ALREADYEXISTS] *\n" },
        { "a CREATE work\r\n", "a OK *\n" },
        { "a CREATE work\r\n", "a NO [ALREADYEXISTS] *\n" },
        { "a CREATE work/2026\r\n", "a OK *\n" },
        { "a RENAME work job\r\n", "a OK *\n" },
        { "a LIST \"\" job*\r\n",
          "* LIST (\\HasChildren) \"/\" \"job\"\n* LIST (\\HasNoChildren) \"/\" \"job/2026\"\n"
          "a OK *\n" },
        { "a RENAME work x\r\n", "a NO [NONEXISTENT] *\n" },
        { "a RENAME job INBOX\r\n", "a NO [ALREADYEXISTS] *\n" },
        { "a RENAME job job/sub\r\n", "a NO [CANNOT] *\n" },
        { "a DELETE nope\r\n", "a NO [NONEXISTENT] *\n" },
        { "a DELETE INBOX\r\n", "a NO [CANNOT] *\n" },
        { "a CREATE mine (USE (\\Archive))\r\n", "a NO [USEATTR] *\n" },
        { "a DELETE Archive\r\n", "a OK *\n" },
        { "a CREATE mine (USE (\\Archive))\r\n", "a OK *\n" },
        { "a LIST \"\" mine\r\n", "* LIST (\\HasNoChildren \\Archive) \"/\" \"mine\"\na OK *\n" },
        { "a CREATE x1 (USE (\\All))\r\n", "a NO [USEATTR] *\n" },
        { "a CREATE x2 (USE (\\Sent \\Junk))\r\n", "a NO [USEATTR] *\n" },
        { "a CREATE x3 (USE (Sent))\r\n", "a BAD *\n" },
        { "a CREATE x4 (NOPE)\r\n", "a BAD *\n" },
        { "a NAMESPACE\r\n", "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) "
                             "((\"Shared/\" \"/\"))\na OK *\n" },
    };

    play(steps, COUNT_OF(steps));
}

static void test_status(void **state)
{
    static const struct step steps[] = {
        { "a STATUS inbox (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE)\r\n",
          "* STATUS \"INBOX\" (MESSAGES 2 RECENT 2 UIDNEXT 3 UNSEEN 2 DELETED 0 SIZE 42)\n"
          "a OK *\n" },
        { "a STATUS INBOX (DELETED-STORAGE APPENDLIMIT)\r\n",
          "* STATUS \"INBOX\" (APPENDLIMIT 52428800 DELETED-STORAGE 0)\na OK *\n" },
        { "a STATUS INBOX (HIGHESTMODSEQ)\r\n", "* STATUS \"INBOX\" (HIGHESTMODSEQ *\na OK *\n" },
        { "a STATUS INBOX ()\r\n", "a BAD *\n" },
        { "a STATUS INBOX (NOPE)\r\n", "a BAD *\n" },
        { "a STATUS INBOX MESSAGES\r\n", "a BAD *\n" },
        { "a STATUS nope (MESSAGES)\r\n", "a NO [NONEXISTENT] *\n" },
    };

    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: one\r\n\r\n1\r\n\r\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", "Subject: two\r\n\r\n2\r\n\r\n");
    play(steps, COUNT_OF(steps));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list),   TEST(test_list_extended), TEST(test_names),
        TEST(test_change), TEST(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
