/* test_notify.c - NOTIFY (RFC 5465) with large items, in IDLE, in every mode. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define BIG (600 * 1024) /* more than one reply */

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

static void put(const char *mailbox, const char *message)
{
    rig_append(&dialogue.a, dialogue.a.bob, mailbox, message);
}

static void hear(const char *pattern)
{
    dialogue.a.call.notice = (struct notice_topic){ 0 };
    rig_event(&dialogue.a, WHY_NOTICE);
    EXPECT(&dialogue.a, NULL, pattern);
}

/* The bytes come in turns, and nothing of another kind between them. */
static void check_big(const char *before)
{
    const char *text = rig_text(&dialogue.a), *at = strstr(text, before);
    size_t n = 0;

    assert_non_null(at);
    at = strstr(at, "}\r\n");
    assert_non_null(at);
    for (at += 3; at[n] == 'x' || at[n] == '\r' || at[n] == '\n'; n++)
        continue;
    assert_in_range(n, BIG, BIG + 10);
    assert_true(slice_starts(slice_of(at + n), ")\r\n"));
}

static char *big_message(void)
{
    char *message = calloc(1, BIG + 16);

    strcpy(message, "\r\n");
    memset(message + 2, 'x', BIG);
    strcat(message, "\r\n");
    return message;
}

static void test_big_item(void **state)
{
    char *message = big_message();

    EXPECT(&dialogue.a,
           "a SELECT INBOX\r\n"
           "b NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))\r\n",
           "...\na OK *\nb OK *\n");
    put("INBOX", message);
    put("INBOX", "Subject: a\r\n\r\nb\r\n");
    dialogue.a.call.notice = (struct notice_topic){ 0 };
    rig_event(&dialogue.a, WHY_NOTICE);
    check_big("* 2 EXISTS\r\n* 2 RECENT\r\n* 1 FETCH (BODY[] {");
    assert_non_null(strstr(rig_text(&dialogue.a), "* 2 FETCH (BODY[] {17}\r\n"));
    EXPECT(&dialogue.a, "c NOOP\r\n", "c OK *\n");
    free(message);
}

/* DONE may come while the bytes are on their way. */
static void test_big_item_in_idle(void **state)
{
    char *message = big_message();

    EXPECT(&dialogue.a,
           "a SELECT INBOX\r\n"
           "b NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))\r\n"
           "c IDLE\r\n",
           "...\nb OK *\n+ *\n");
    put("INBOX", message);
    dialogue.a.call.notice = (struct notice_topic){ 0 };
    buf_add_text(&dialogue.a.call.in, "DONE\r\nd NOOP\r\n");
    rig_event(&dialogue.a, WHY_NOTICE);
    check_big("* 1 EXISTS\r\n* 1 RECENT\r\n* 1 FETCH (BODY[] {");
    assert_non_null(strstr(rig_text(&dialogue.a), ")\r\nc OK "));
    assert_non_null(strstr(rig_text(&dialogue.a), "d OK "));
    free(message);
}

/* The session may end in the middle. */
static void test_end_in_big_item(void **state)
{
    struct call *call = &dialogue.a.call;
    char *message = big_message();

    EXPECT(&dialogue.a,
           "a SELECT INBOX\r\n"
           "b NOTIFY SET (SELECTED (MessageNew (BODY.PEEK[]) MessageExpunge))\r\n",
           "...\nb OK *\n");
    put("INBOX", message);
    call->notice = (struct notice_topic){ 0 };
    call->why = WHY_NOTICE;
    call->desk = dialogue.a.desk;
    assert_int_equal(dialogue.a.protocol.run(call), NEXT_AGAIN);
    free(message);
}

static void test_no_own_items(void **state)
{
    EXPECT(&dialogue.a,
           "a SELECT INBOX\r\n"
           "b NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))\r\n",
           "...\nb OK *\n");
    EXPECT(&dialogue.a, "c APPEND INBOX {17+}\r\nSubject: a\r\n\r\nb\r\n\r\n",
           "* 1 EXISTS\n* 1 RECENT\nc OK *\n");
    put("INBOX", "Subject: a\r\n\r\nb\r\n");
    EXPECT(&dialogue.a, "d NOOP\r\n", "* 2 EXISTS\n* 2 RECENT\nd OK *\n* 2 FETCH (UID 2)\n");
}

static void test_modes(void **state)
{
    EXPECT(&dialogue.a,
           "a ENABLE QRESYNC UIDONLY IMAP4rev2\r\na SELECT INBOX\r\n"
           "b NOTIFY SET (SELECTED (MessageNew (FLAGS) MessageExpunge FlagChange))"
           " (PERSONAL (MessageNew MessageExpunge FlagChange))\r\n",
           "...\nb OK *\n");
    put("INBOX", "Subject: a\r\n\r\nb\r\n");
    put("Sent", "Subject: a\r\n\r\nb\r\n");
    hear("* 1 EXISTS\n* STATUS \"Sent\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY *\n"
         "* 1 UIDFETCH (FLAGS () MODSEQ (2))\n");
    dialogue_login(&dialogue, &dialogue.b);
    EXPECT(&dialogue.b, "a SELECT INBOX\r\nb STORE 1 FLAGS (\\Deleted)\r\n", "...\nb OK *\n");
    hear("* 1 UIDFETCH (FLAGS (\\Deleted) MODSEQ (*\n");
    EXPECT(&dialogue.b, "c EXPUNGE\r\n", "...\nc OK *\n");
    hear("* VANISHED 1\n");
    rig_stop(&dialogue.b);
}

/* A notice that names a mailbox is a look at this one alone. */
static void test_topic(void **state)
{
    EXPECT(&dialogue.a, "b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))\r\n", "b OK *\n");
    put("Sent", "Subject: a\r\n\r\nb\r\n");
    put("Drafts", "Subject: a\r\n\r\nb\r\n");
    dialogue.a.call.notice = (struct notice_topic){ dialogue.a.bob, 1 };
    rig_event(&dialogue.a, WHY_NOTICE); /* INBOX, most likely: nothing */
    EXPECT(&dialogue.a, NULL, "");
    dialogue.a.call.notice = (struct notice_topic){ dialogue.a.eve, 0 }; /* not watched */
    rig_event(&dialogue.a, WHY_NOTICE);
    EXPECT(&dialogue.a, NULL, "");
    dialogue.a.call.notice = (struct notice_topic){ dialogue.a.bob, 12345 }; /* a new one */
    rig_event(&dialogue.a, WHY_NOTICE);
    EXPECT(&dialogue.a, NULL, "* STATUS \"Drafts\" *\n* STATUS \"Sent\" *\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_big_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_big_item_in_idle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_in_big_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_own_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_topic, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
