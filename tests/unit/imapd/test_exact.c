/* test_exact.c - what may be said when, and between commands: expunges and sequence numbers, saved
 * results, mod-sequences, COPY and MOVE to the same mailbox, numbers at their limits, literals of
 * commands that will not be done. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

#define MESSAGE "Subject: hello\r\n\r\nworld\r\n"

/* Four messages in INBOX, two sessions in it. */
static int set_up(void **state)
{
    dialogue_open(&dialogue);
    for (int i = 0; i < 4; i++)
        rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    dialogue_login(&dialogue, &dialogue.a);
    dialogue_login(&dialogue, &dialogue.b);
    EXPECT(&dialogue.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    dialogue_close(&dialogue);
    return 0;
}

/* RFC 9051 section 7.5.1: not while sequence numbers are spoken of. */
static void test_expunge_waits(void **state)
{
    EXPECT(&dialogue.b, "b STORE 2 +FLAGS.SILENT \\Deleted\r\nb EXPUNGE\r\n",
           "b OK *\n* 2 EXPUNGE\nb OK *\n");
    rig_append(&dialogue.a, dialogue.a.bob, "INBOX", MESSAGE);
    EXPECT(&dialogue.a, "a SEARCH SUBJECT hello\r\n",
           "* SEARCH 1 2 3 4\n* 5 EXISTS\n...\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH 3 UID\r\n", "* 3 FETCH (UID 3)\na OK *\n");
    EXPECT(&dialogue.a, "a STORE 3 +FLAGS.SILENT \\Flagged\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a SORT (ARRIVAL) UTF-8 ALL\r\n", "* SORT 1 *\na OK *\n");
    EXPECT(&dialogue.a, "a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n", "* THREAD *\na OK *\n");
    /* It names numbers, though it is a UID command (RFC 7162 section 3.2.10.2). */
    EXPECT(&dialogue.a, "a UID SEARCH 1:2\r\n", "* SEARCH 1\na OK *\n");
    EXPECT(&dialogue.a, "a UID FETCH 3 FLAGS\r\n",
           "* 3 FETCH (FLAGS (\\Flagged *\n* 2 EXPUNGE\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH 2 UID\r\n", "* 2 FETCH (UID 3)\na OK *\n");
}

/* RFC 5182 section 2.1: what is expunged leaves the saved result. */
static void test_saved(void **state)
{
    EXPECT(&dialogue.a, "a SEARCH RETURN (SAVE) 2:3\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a FETCH $ UID\r\n", "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\na OK *\n");
    EXPECT(&dialogue.a, "a STORE 2 +FLAGS.SILENT \\Deleted\r\na EXPUNGE\r\n",
           "a OK *\n* 2 EXPUNGE\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH $ UID\r\n", "* 2 FETCH (UID 3)\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH RETURN (COUNT) $\r\n", "* ESEARCH (TAG \"a\") COUNT 1\na OK *\n");
    /* A search that is refused as BAD leaves it, one that fails with NO empties it. */
    EXPECT(&dialogue.a, "a SEARCH RETURN (SAVE) 99\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH $ UID\r\n", "* 2 FETCH (UID 3)\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH RETURN (SAVE) CHARSET X-NOPE ALL\r\n", "a NO [BADCHARSET *\n");
    EXPECT(&dialogue.a, "a FETCH $ UID\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID MOVE $ Archive\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a SEARCH RETURN (SAVE) ALL\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a SELECT Archive\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a STORE $ +FLAGS \\Seen\r\n", "a OK *\n");
}

static void test_copy_to_itself(void **state)
{
    EXPECT(&dialogue.a, "a COPY 2:3 INBOX\r\n", "* 6 EXISTS\n* 6 RECENT\na OK [COPYUID *\n");
    EXPECT(&dialogue.a, "a UID SEARCH ALL\r\n", "* SEARCH 1 2 3 4 5 6\na OK *\n");
    EXPECT(&dialogue.a, "a MOVE 1,3 INBOX\r\n",
           "* OK [COPYUID *\n* 3 EXPUNGE\n* 1 EXPUNGE\n* 6 EXISTS\n* 6 RECENT\na OK *\n");
    EXPECT(&dialogue.a, "a UID SEARCH ALL\r\n", "* SEARCH 2 4 5 6 7 8\na OK *\n");
    EXPECT(&dialogue.b, "b NOOP\r\n", "* 3 EXPUNGE\n* 1 EXPUNGE\n* 6 EXISTS\n...\nb OK *\n");
}

/* The value after "HIGHESTMODSEQ ", or after "MODSEQ (". */
static unsigned long long number_after(const char *what)
{
    const char *at = strstr(rig_text(&dialogue.a), what);

    if (at == NULL)
        fail_msg("no %s in %s", what, rig_text(&dialogue.a));
    return strtoull(at + strlen(what), NULL, 10);
}

static unsigned long long highest(void)
{
    rig_say(&dialogue.a, "h STATUS INBOX (HIGHESTMODSEQ)\r\n");
    return number_after("HIGHESTMODSEQ ");
}

/* Whatever changes a mailbox gives it a higher mod-sequence, and what is told is never more than
 * that (RFC 7162 section 3.1, 3.2). */
static void test_modseq_grows(void **state)
{
    static const char *const commands[] = {
        "a STORE 1 +FLAGS \\Flagged\r\n",
        "a STORE 1 -FLAGS.SILENT (\\Flagged)\r\n",
        "a UID STORE 2 FLAGS (one two)\r\n",
        "a FETCH 3 BODY[]\r\n",
        "a COPY 1 INBOX\r\n",
        "a MOVE 1 Archive\r\n",
        "a APPEND INBOX {3+}\r\nA:b\r\n",
        "a STORE 1 +FLAGS \\Deleted\r\n",
        "a EXPUNGE\r\n",
        "a STORE 1 +FLAGS \\Deleted\r\n",
        "a UID EXPUNGE 1:*\r\n",
        "a REPLACE 1 INBOX {3+}\r\nA:c\r\n",
    };
    unsigned long long before, after;

    EXPECT(&dialogue.a, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\n...\na OK *\n");
    before = highest();
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        rig_say(&dialogue.a, commands[i]);
        if (strstr(rig_text(&dialogue.a), "a OK") == NULL)
            fail_msg("%s: %s", commands[i], rig_text(&dialogue.a));
        after = strstr(rig_text(&dialogue.a), "HIGHESTMODSEQ ") != NULL
                    ? number_after("HIGHESTMODSEQ ")
                    : 0;
        assert_in_range(after, 0, highest());
        after = highest();
        if (after <= before)
            fail_msg("%s: %llu, %llu", commands[i], before, after);
        before = after;
    }
    /* Nothing changes, nothing grows. */
    EXPECT(&dialogue.a, "a STORE 1 FLAGS.SILENT ()\r\na STORE 1 FLAGS.SILENT ()\r\n",
           "...\na OK *\n...\na OK *\n");
    before = highest();
    EXPECT(&dialogue.a, "a STORE 1 -FLAGS.SILENT \\Draft\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a EXPUNGE\r\n", "...\na OK *\n");
    assert_int_equal(highest(), before);
}

/* RFC 9051 section 9: number64, mod-sequences of 63 bits, 32 bits elsewhere, and no zero. */
static void test_numbers(void **state)
{
    EXPECT(&dialogue.a, "a SEARCH LARGER 4294967296\r\n", "* SEARCH\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH SMALLER 9223372036854775807\r\n", "* SEARCH 1 2 3 4\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH SMALLER 9223372036854775808\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH 1 BODY.PEEK[]<4294967296.4294967296>\r\n",
           "* 1 FETCH (BODY[]<4294967296> {0}\n)\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH 1 BODY.PEEK[]<21.9223372036854775807>\r\n",
           "* 1 FETCH (BODY[]<21> {4}\nld\n)\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH 1 BODY.PEEK[]<0.0>\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH 1 BODY.PEEK[]<0.9223372036854775808>\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH 0 UID\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH 01 UID\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a UID FETCH 4294967296 UID\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a UID FETCH 4294967295 UID\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID FETCH 4294967295:* UID\r\n", "* 4 FETCH (UID 4)\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH 5 UID\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH 3:9 UID\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a FETCH *:3 UID\r\n", "* 3 FETCH (UID 3)\n* 4 FETCH (UID 4)\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH ON 1-Feb-1994 ON \"01-Feb-1994\"\r\n", "* SEARCH\na OK *\n");
    EXPECT(&dialogue.a, "a SEARCH ON 30-Feb-1994\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a SEARCH ON 1-Feb-94\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a SEARCH ON \"1-Feb-1994\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a STORE 1 (UNCHANGEDSINCE 9223372036854775807) FLAGS.SILENT ()\r\n",
           "...\na OK *\n");
    EXPECT(&dialogue.a, "a STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS ()\r\n", "a BAD *\n");
}

/* "*" names nothing in an empty mailbox; by UID it is UIDNEXT. A client that is not up to date is
 * not told that it is wrong. */
static void test_empty(void **state)
{
    EXPECT(&dialogue.a, "a SELECT Archive\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a FETCH * UID\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a FETCH 1:* UID\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID FETCH * UID\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID FETCH 1:* (FLAGS)\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID SEARCH UID 1:*\r\n", "* SEARCH\na OK *\n");
    EXPECT(&dialogue.a, "a UID COPY 1:* INBOX\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID STORE 1:* +FLAGS \\Seen\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a UID EXPUNGE 1:*\r\n", "a OK *\n");
}

/* RFC 9051 section 7.1: PERMANENTFLAGS without \* when there can be no more keywords. */
static void test_keywords_full(void **state)
{
    AUTO(buf_free) struct buf line = { 0 };
    int made = 0;

    for (; made < 100; made++) {
        buf_clear(&line);
        buf_fmt(&line, "a STORE 1 +FLAGS.SILENT k%d\r\n", made);
        rig_say(&dialogue.a, buf_text(&line));
        if (strstr(rig_text(&dialogue.a), "a OK") == NULL)
            break;
        if (strstr(rig_text(&dialogue.a), "PERMANENTFLAGS") != NULL)
            assert_null(strstr(rig_text(&dialogue.a), "\\*"));
    }
    assert_in_range(made, 40, 64);
    assert_non_null(strstr(rig_text(&dialogue.a), "a NO [LIMIT]"));
    rig_say(&dialogue.a, "a SELECT INBOX\r\n");
    assert_non_null(strstr(rig_text(&dialogue.a), "PERMANENTFLAGS (\\Answered"));
    assert_null(strstr(rig_text(&dialogue.a), "\\*"));
}

/* A literal is not asked for when its command is not going to be done. */
static void test_literals(void **state)
{
    EXPECT(&dialogue.a, "a WHAT {1000000}\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a LOGIN {3}\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a LOGIN {3+}\r\nbob {6+}\r\nsecret\r\na NOOP\r\n", "a BAD *\na OK *\n");
    EXPECT(&dialogue.a, "{4}\r\n", "* BAD *\n");
    EXPECT(&dialogue.a, "a {4+}\r\nNOOP\r\na NOOP\r\n", "a BAD *\na OK *\n");
    EXPECT(&dialogue.a, "a UNSELECT\r\n", "a OK *\n");
    EXPECT(&dialogue.a, "a SEARCH TEXT {3}\r\n", "a BAD *\n");
    EXPECT(&dialogue.a, "a SELECT {5}\r\n", "+ *\n");
    EXPECT(&dialogue.a, "INBOX\r\n", "...\na OK *\n");
    EXPECT(&dialogue.a, "a ENABLE UIDONLY\r\n", "* ENABLED UIDONLY\na OK *\n");
    EXPECT(&dialogue.a, "a REPLACE 1 INBOX {900000}\r\n", "a BAD [UIDREQUIRED] *\n");
    EXPECT(&dialogue.a, "a SORT (DATE) UTF-8 TEXT {3}\r\n", "a BAD [UIDREQUIRED] *\n");
    EXPECT(&dialogue.a, "a THREAD REFERENCES UTF-8 ALL\r\n", "a BAD [UIDREQUIRED] *\n");
}

/* Commands that come in one piece are done one after the other (RFC 9051 section 5.5). */
static void test_pipeline(void **state)
{
    EXPECT(&dialogue.a,
           "1 STORE 2 +FLAGS.SILENT \\Deleted\r\n2 EXPUNGE\r\n3 FETCH 2 UID\r\n"
           "4 SEARCH UID 3\r\n5 UNSELECT\r\n6 FETCH 1 UID\r\n7 EXAMINE INBOX\r\n8 FETCH 2 UID\r\n",
           "1 OK *\n* 2 EXPUNGE\n2 OK *\n* 2 FETCH (UID 3)\n3 OK *\n* SEARCH 2\n4 OK *\n5 OK *\n"
           "6 BAD *\n...\n7 OK *\n* 2 FETCH (UID 3)\n8 OK *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_expunge_waits), TEST(test_saved),    TEST(test_copy_to_itself),
        TEST(test_modseq_grows),  TEST(test_numbers),  TEST(test_empty),
        TEST(test_keywords_full), TEST(test_literals), TEST(test_pipeline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
