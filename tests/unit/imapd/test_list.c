/* test_list.c - LIST as RFC 9051 section 6.3.9.8 and RFC 5258 section 5 show it, and when it is
 * much.
 */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

static struct dialogue dialogue;

/* An account with INBOX only, and nothing subscribed. */
static int set_up(void **state)
{
    static const char *const names[] = { "Archive", "Drafts", "Junk", "Sent", "Trash" };

    dialogue_open(&dialogue);
    dialogue_login(&dialogue, &dialogue.a);
    rig_say(&dialogue.a, "x UNSUBSCRIBE INBOX\r\n");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char line[100];

        snprintf(line, sizeof(line), "x DELETE %s\r\nx UNSUBSCRIBE %s\r\n", names[i], names[i]);
        EXPECT(&dialogue.a, line, "x OK *\nx OK *\n");
    }
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

static void say_for_each(const char *command, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char line[100];

        snprintf(line, sizeof(line), "x %s %s\r\n", command, names[i]);
        EXPECT(&dialogue.a, line, "x OK *\n");
    }
}

static void test_fruit(void **state)
{
    static const char *const mailboxes[] = { "Fruit/Apple", "Fruit/Banana", "Tofu",
                                             "Vegetable/Broccoli", "Vegetable/Corn" };
    static const char *const subscribed[] = { "INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable",
                                              "Vegetable/Broccoli" };

    say_for_each("CREATE", mailboxes, COUNT_OF(mailboxes));
    say_for_each("SUBSCRIBE", subscribed, COUNT_OF(subscribed));
    EXPECT(&dialogue.a, "A02 LIST (SUBSCRIBED) \"\" \"*\"\r\n",
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"Fruit/Banana\"\n"
           "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"Fruit/Peach\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"INBOX\"\n"
           "* LIST (\\HasChildren \\Subscribed) \"/\" \"Vegetable\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"Vegetable/Broccoli\"\nA02 OK *\n");
    EXPECT(&dialogue.a, "A03 LIST () \"\" \"%\" RETURN (CHILDREN)\r\n",
           "* LIST (\\HasChildren) \"/\" \"Fruit\"\n"
           "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\n"
           "* LIST (\\HasNoChildren) \"/\" \"Tofu\"\n"
           "* LIST (\\HasChildren) \"/\" \"Vegetable\"\nA03 OK *\n");
    EXPECT(&dialogue.a, "A06 LIST (REMOTE) \"\" \"*/%\" RETURN (SUBSCRIBED SUBSCRIBED)\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"Fruit/Apple\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"Fruit/Banana\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"Vegetable/Broccoli\"\n"
           "* LIST (\\HasNoChildren) \"/\" \"Vegetable/Corn\"\nA06 OK *\n");
    /* "Fruit" itself is not subscribed: no STATUS. */
    EXPECT(&dialogue.a,
           "A02 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (STATUS (MESSAGES))\r\n",
           "* LIST (\\HasChildren) \"/\" \"Fruit\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"INBOX\"\n"
           "* STATUS \"INBOX\" (MESSAGES 0)\n"
           "* LIST (\\HasChildren \\Subscribed) \"/\" \"Vegetable\" "
           "(\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "* STATUS \"Vegetable\" (MESSAGES 0)\nA02 OK *\n");
}

static void test_children(void **state)
{
    static const char *const mailboxes[] = {
        "foo2/bar1",   "foo2/bar2",  "baz2/bar2", "baz2/bar22",
        "baz2/bar222", "eps2/mamba", "qux2/bar2", "music/rock"
    };
    static const char *const subscribed[] = { "foo2/bar1",  "foo2/bar2",   "baz2/bar2",
                                              "baz2/bar22", "baz2/bar222", "eps2",
                                              "eps2/mamba", "qux2/bar2" };

    say_for_each("CREATE", mailboxes, COUNT_OF(mailboxes));
    say_for_each("SUBSCRIBE", subscribed, COUNT_OF(subscribed));
    EXPECT(&dialogue.a, "x DELETE qux2\r\n", "x OK *\n");
    EXPECT(&dialogue.a, "x DELETE music\r\n", "x OK *\n");
    /* Of baz2 and qux2 all that is subscribed is told for itself. */
    EXPECT(&dialogue.a, "D03 LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"\r\n",
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"baz2/bar2\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"baz2/bar22\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"baz2/bar222\"\n"
           "* LIST (\\HasChildren \\Subscribed) \"/\" \"eps2\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "* LIST (\\HasChildren) \"/\" \"foo2\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"foo2/bar2\"\n"
           "* LIST (\\HasNoChildren \\Subscribed) \"/\" \"qux2/bar2\"\nD03 OK *\n");
    EXPECT(&dialogue.a, "D04 LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"q%\"\r\n",
           "* LIST (\\NonExistent \\HasChildren) \"/\" \"qux2\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "D04 OK *\n");
    EXPECT(&dialogue.a, "a2 LIST () \"\" m%\r\n",
           "* LIST (\\NonExistent \\HasChildren) \"/\" \"music\"\na2 OK *\n");
    EXPECT(&dialogue.a, "a3 LIST \"\" m%\r\n",
           "* LIST (\\Noselect \\HasChildren) \"/\" \"music\"\na3 OK *\n");
    EXPECT(&dialogue.a, "e1 ENABLE IMAP4rev2\r\n", "* ENABLED IMAP4rev2\ne1 OK *\n");
    EXPECT(&dialogue.a, "a4 LIST \"\" m%\r\n",
           "* LIST (\\NonExistent \\HasChildren) \"/\" \"music\"\na4 OK *\n");
}

/* Example 9: what is subscribed below need not be there. */
static void test_gone_child(void **state)
{
    EXPECT(&dialogue.a, "x CREATE foo (USE (\\Sent))\r\n", "x OK *\n");
    EXPECT(&dialogue.a, "x SUBSCRIBE foo/bar\r\n", "x OK *\n");
    EXPECT(&dialogue.a, "a2 LIST (SUBSCRIBED) \"\" \"foo/*\"\r\n",
           "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" \"foo/bar\"\na2 OK *\n");
    EXPECT(&dialogue.a, "a3 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" foo RETURN (CHILDREN)\r\n",
           "* LIST (\\HasNoChildren \\Sent) \"/\" \"foo\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
           "a3 OK *\n");
    /* One below has the special use, another one is subscribed: none has both. */
    EXPECT(&dialogue.a, "x CREATE foo/junk (USE (\\Junk))\r\n", "x OK *\n");
    EXPECT(&dialogue.a, "a4 LIST (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) \"\" %\r\n", "a4 OK *\n");
    EXPECT(&dialogue.a, "x SUBSCRIBE foo/junk\r\n", "x OK *\n");
    EXPECT(&dialogue.a, "a5 LIST (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) \"\" %\r\n",
           "* LIST (\\HasChildren \\Sent) \"/\" \"foo\" "
           "(\"CHILDINFO\" (\"SUBSCRIBED\" \"SPECIAL-USE\"))\na5 OK *\n");
}

/* RFC 9051 section 6.3.9: a pattern that cannot match is no error. */
static void test_forgiven(void **state)
{
    EXPECT(&dialogue.a, "a LIST \"\" \"&\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST \"&!\" *\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" (\"&\" INB%)\r\n",
           "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\na OK *\n");
    EXPECT(&dialogue.a, "a LSUB \"\" \"&\"\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LSUB \"&\" *\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a LIST \"\" (\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a LIST \"\" \"&\" x\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a LIST (RECURSIVEMATCH REMOTE) \"\" *\r\n", "a BAD *\n");
}

/* Long names and a pattern that looks everywhere in them: other sessions have their turns. */
static void test_turns(void **state)
{
    AUTO(buf_free) struct buf line = { 0 };

    for (int i = 0; i < 20; i++) {
        buf_clear(&line);
        buf_fmt(&line, "x SUBSCRIBE n%02d", i);
        for (int k = 0; k < 900; k++)
            buf_add_byte(&line, 'a');
        buf_add_text(&line, "\r\n");
        EXPECT(&dialogue.a, buf_text(&line), "x OK *\n");
    }
    buf_clear(&line);
    buf_add_text(&line, "a LSUB \"\" ");
    for (int k = 0; k < 490; k++)
        buf_add_text(&line, "*a");
    buf_add_text(&line, "b\r\n");
    EXPECT(&dialogue.a, buf_text(&line), "a OK LSUB completed\n");
    assert_in_range(dialogue.a.turns, 4, 20);
    EXPECT(&dialogue.a, "a LSUB \"\" n%\r\n", "* LSUB () *\n...\na OK *\n");
    assert_in_range(dialogue.a.turns, 1, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_fruit), TEST(test_children),
                                        TEST(test_gone_child), TEST(test_forgiven),
                                        TEST(test_turns) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
