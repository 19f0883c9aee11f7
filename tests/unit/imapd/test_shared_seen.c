/* test_shared_seen.c - [imap] shared_seen = private: \Seen and \Recent of each user in a mailbox
 * that is shared. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define BOBS "\"Other Users/bob@example.test/INBOX\""
#define ADD  "APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n"

/* Session a is bob, the owner; b and c are eve. */
struct three {
    struct dialogue both;
    struct rig *a, *b, c;
};

static void open_three(struct three *three, const char *rights)
{
    char line[100];

    *three = (struct three){ 0 };
    dialogue_open(&three->both);
    three->both.settings.shared_seen = SHARED_SEEN_PRIVATE;
    three->a = &three->both.a;
    three->b = &three->both.b;
    three->c.store = three->a->store;
    three->c.desk = three->a->desk;
    dialogue_login(&three->both, three->a);
    rig_start(three->b, &imap_protocol, &three->both.imap);
    rig_start(&three->c, &imap_protocol, &three->both.imap);
    EXPECT(three->b, "0 LOGIN eve@example.test secret\r\n", "0 OK *\n");
    EXPECT(&three->c, "0 LOGIN eve@example.test secret\r\n", "0 OK *\n");
    snprintf(line, sizeof(line), "a SETACL INBOX eve@example.test %s\r\n", rights);
    EXPECT(three->a, line, "a OK *\n");
}

static void close_three(struct three *three)
{
    rig_stop(three->a);
    rig_stop(three->b);
    rig_stop(&three->c);
    buf_free(&three->c.answer);
    dialogue_close(&three->both);
}

static void test_seen(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsi");
    for (int i = 0; i < 3; i++)
        EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.a, "a SELECT INBOX\r\n", "...\na OK [READ-WRITE] *\n");
    EXPECT(three.b, "b SELECT " BOBS "\r\n", "...\nb OK [READ-WRITE] *\n");
    EXPECT(&three.c, "c SELECT " BOBS "\r\n", "...\nc OK [READ-WRITE] *\n");
    EXPECT(three.a, "a STORE 1 +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (FLAGS (\\Seen \\Recent))\na OK *\n");
    EXPECT(three.b, "b FETCH 2 BODY[]<0.1>\r\n",
           "* 2 FETCH (BODY[]<0> {1}\nS FLAGS (\\Seen \\Recent))\nb OK *\n");
    EXPECT(&three.c, "c NOOP\r\n", "* 2 FETCH (FLAGS (\\Seen))\nc OK *\n");
    EXPECT(three.a, "a NOOP\r\n", "a OK *\n");
    EXPECT(three.a, "a SEARCH SEEN\r\n", "* SEARCH 1\na OK *\n");
    EXPECT(three.b, "b SEARCH UNSEEN\r\n", "* SEARCH 1 3\nb OK *\n");
    EXPECT(three.a, "a STATUS INBOX (UNSEEN)\r\n", "* STATUS \"INBOX\" (UNSEEN 2)\na OK *\n");
    EXPECT(three.b, "b STORE 3 +FLAGS.SILENT (\\Seen)\r\n", "b OK *\n");
    EXPECT(three.b, "b STATUS " BOBS " (UNSEEN)\r\n", "* STATUS " BOBS " (UNSEEN 1)\nb OK *\n");
    EXPECT(three.b, "b LIST \"\" " BOBS " RETURN (STATUS (UNSEEN))\r\n",
           "* LIST *\n* STATUS " BOBS " (UNSEEN 1)\nb OK *\n");
    EXPECT(three.b, "b ESEARCH IN (mailboxes " BOBS ") RETURN (COUNT) SEEN\r\n",
           "* ESEARCH *\nb OK *\n");
    assert_non_null(strstr(rig_text(three.b), "COUNT 2\r\n"));
    EXPECT(&three.c, "c SELECT " BOBS "\r\n", "...\n* OK [UNSEEN 1] *\n...\nc OK [READ-WRITE] *\n");
    EXPECT(
        &three.c, "c FETCH 1:* FLAGS\r\n",
        "* 1 FETCH (FLAGS ())\n* 2 FETCH (FLAGS (\\Seen))\n* 3 FETCH (FLAGS (\\Seen))\nc OK *\n");
    EXPECT(three.a, "a SELECT INBOX\r\n", "...\n* OK [UNSEEN 2] *\n...\na OK *\n");
    close_three(&three);
}

/* Another user's \Seen is no news, not even where modseqs are told (RFC 7162 section 3.2). */
static void test_modseqs(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsw");
    EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.a, "a SELECT INBOX (CONDSTORE)\r\n", "...\n* OK [HIGHESTMODSEQ 3] *\na OK *\n");
    EXPECT(three.b, "b SELECT " BOBS " (CONDSTORE)\r\n", "...\n* OK [HIGHESTMODSEQ 3] *\nb OK *\n");
    EXPECT(&three.c, "c ENABLE QRESYNC\r\n", "...\nc OK *\n");
    EXPECT(three.b, "b STORE 1 +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (4))\nb OK *\n");
    EXPECT(three.a, "a NOOP\r\n", "a OK *\n");
    EXPECT(three.a, "a FETCH 1 MODSEQ\r\n", "* 1 FETCH (MODSEQ (2))\na OK *\n");
    EXPECT(three.a, "a STORE 1 (UNCHANGEDSINCE 2) +FLAGS (\\Seen)\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Seen \\Recent) MODSEQ (5))\na OK *\n");
    EXPECT(three.b, "b STORE 2 (UNCHANGEDSINCE 3) -FLAGS (\\Seen)\r\n", "...\nb OK *\n");
    EXPECT(three.b, "b STORE 1 (UNCHANGEDSINCE 3) -FLAGS (\\Seen)\r\n",
           "...\nb OK [MODIFIED 1] *\n");
    EXPECT(three.b, "b FETCH 1:* (FLAGS) (CHANGEDSINCE 3)\r\n",
           "* 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (5))\nb OK *\n");
    EXPECT(three.b, "b STORE 1 -FLAGS (\\Seen)\r\n",
           "* 1 FETCH (UID 1 FLAGS (\\Recent) MODSEQ (6))\nb OK *\n");
    EXPECT(three.a, "a SELECT INBOX (CONDSTORE)\r\n", "...\n* OK [HIGHESTMODSEQ 6] *\na OK *\n");
    EXPECT(three.a, "a FETCH 1 (FLAGS) (CHANGEDSINCE 5)\r\n", "a OK *\n");
    close_three(&three);
}

/* RFC 4314 section 5.2: \Seen is no shared flag, and its right makes no mailbox writable; but it
 * is still the right to change it. */
static void test_read_write(void **state)
{
    static const struct {
        const char *rights, *flags, *code, *stored;
    } cases[] = {
        { "lr", "()", "READ-ONLY", "b NO [NOPERM] *\n" },
        { "lrs", "(\\Seen)", "READ-ONLY", "* 1 FETCH (FLAGS (\\Seen \\Recent))\nb OK *\n" },
        { "lrt", "(\\Deleted)", "READ-WRITE", "b NO [NOPERM] *\n" },
        { "lri", "()", "READ-WRITE", "b NO [NOPERM] *\n" },
    };
    struct three three;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char answer[200];

        open_three(&three, cases[i].rights);
        EXPECT(three.a, "a " ADD, "a OK *\n");
        snprintf(answer, sizeof(answer), "...\n* OK [PERMANENTFLAGS %s] *\n...\nb OK [%s] *\n",
                 cases[i].flags, cases[i].code);
        EXPECT(three.b, "b SELECT " BOBS "\r\n", answer);
        dialogue_expect(three.b, "b STORE 1 +FLAGS (\\Seen)\r\n", cases[i].stored, false, __FILE__,
                        (int)i);
        EXPECT(three.b, "b FETCH 1 BODY[]<0.1>\r\n", "* 1 FETCH (BODY[]<0> {1}\nS)\nb OK *\n");
        close_three(&three);
    }
}

static void test_recent(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsi");
    EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.b, "b STATUS " BOBS " (RECENT)\r\n", "* STATUS " BOBS " (RECENT 1)\nb OK *\n");
    EXPECT(three.b, "b SELECT " BOBS "\r\n", "...\n* 1 RECENT\n...\nb OK *\n");
    EXPECT(&three.c, "c SELECT " BOBS "\r\n", "...\n* 0 RECENT\n...\nc OK *\n");
    EXPECT(three.a, "a STATUS INBOX (RECENT)\r\n", "* STATUS \"INBOX\" (RECENT 1)\na OK *\n");
    EXPECT(three.a, "a SELECT INBOX\r\n", "...\n* 1 RECENT\n...\na OK *\n");
    EXPECT(three.a, "a " ADD, "* 2 EXISTS\n* 2 RECENT\na OK *\n");
    EXPECT(&three.c, "c NOOP\r\n", "* 2 EXISTS\n* 1 RECENT\nc OK *\n");
    EXPECT(three.b, "b NOOP\r\n", "* 2 EXISTS\n* 1 RECENT\nb OK *\n");
    EXPECT(three.b, "b ESEARCH IN (mailboxes " BOBS ") RETURN (COUNT) RECENT\r\n",
           "* ESEARCH *\nb OK *\n");
    assert_non_null(strstr(rig_text(three.b), "COUNT 1\r\n"));
    close_three(&three);
}

/* What the reader has seen stays seen where it is copied to; who appends has seen what is his. */
static void test_copies(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsite");
    for (int i = 0; i < 3; i++)
        EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.a, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(three.a, "a STORE 1 +FLAGS.SILENT (\\Seen)\r\n", "a OK *\n");
    EXPECT(three.b, "b SELECT " BOBS "\r\n", "...\nb OK *\n");
    EXPECT(three.b, "b STORE 2 +FLAGS.SILENT (\\Seen)\r\n", "b OK *\n");
    EXPECT(three.b, "b COPY 1:3 INBOX\r\n", "b OK [COPYUID *\n");
    EXPECT(three.b, "b COPY 2 " BOBS "\r\n", "...\nb OK [COPYUID *\n");
    EXPECT(three.b, "b APPEND " BOBS " (\\Seen) {3+}\r\nx: \r\n", "...\nb OK *\n");
    EXPECT(three.b, "b SEARCH SEEN\r\n", "* SEARCH 2 4 5\nb OK *\n");
    EXPECT(three.a, "a SEARCH SEEN\r\n", "* SEARCH 1\n...\na OK *\n");
    EXPECT(three.a, "a SEARCH SEEN\r\n", "* SEARCH 1\na OK *\n");
    EXPECT(three.b, "b SELECT INBOX\r\n", "...\nb OK *\n");
    EXPECT(three.b, "b SEARCH SEEN\r\n", "* SEARCH 2\nb OK *\n");
    close_three(&three);
}

static void hear(struct rig *rig, const char *pattern)
{
    rig_event(rig, WHY_NOTICE);
    EXPECT(rig, NULL, pattern);
}

/* NOTIFY tells how many the user has not seen, and when that changes. */
static void test_notify(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsi");
    for (int i = 0; i < 3; i++)
        EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.a, "a SELECT INBOX\r\n", "...\na OK [READ-WRITE] *\n");
    EXPECT(three.b,
           "b NOTIFY SET STATUS (MAILBOXES " BOBS " (MessageNew MessageExpunge FlagChange))\r\n",
           "* STATUS " BOBS " (MESSAGES 3 UIDNEXT 4 UIDVALIDITY *\nb OK *\n");
    EXPECT(three.a, "a STORE 1 +FLAGS.SILENT (\\Seen)\r\n", "a OK *\n"); /* the owner has */
    hear(three.b, "");
    EXPECT(&three.c, "c SELECT " BOBS "\r\n", "...\nc OK [READ-WRITE] *\n");
    EXPECT(&three.c, "c STORE 1:2 +FLAGS.SILENT (\\Seen)\r\n", "c OK *\n");
    hear(three.b, "* STATUS " BOBS " (MESSAGES 3 UIDNEXT 4 UIDVALIDITY *\n");
    assert_non_null(strstr(rig_text(three.b), " UNSEEN 1)"));
    EXPECT(three.a, "a STORE 2:3 +FLAGS.SILENT (\\Seen)\r\n", "a OK *\n");
    hear(three.b, "");
    close_three(&three);
}

/* With `shared` there is one for all, whatever was private before. */
static void test_setting(void **state)
{
    struct three three;

    (void)state;
    open_three(&three, "lrsi");
    EXPECT(three.a, "a " ADD, "a OK *\n");
    EXPECT(three.b, "b SELECT " BOBS "\r\n", "...\nb OK *\n");
    EXPECT(three.b, "b STORE 1 +FLAGS.SILENT (\\Seen)\r\n", "b OK *\n");
    three.both.settings.shared_seen = SHARED_SEEN_SHARED;
    EXPECT(&three.c, "c SELECT " BOBS "\r\n", "...\n* OK [UNSEEN 1] *\n...\nc OK [READ-WRITE] *\n");
    EXPECT(&three.c, "c STORE 1 +FLAGS.SILENT (\\Seen)\r\n", "c OK *\n");
    EXPECT(three.a, "a STATUS INBOX (UNSEEN)\r\n", "* STATUS \"INBOX\" (UNSEEN 0)\na OK *\n");
    close_three(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen),   cmocka_unit_test(test_modseqs),
        cmocka_unit_test(test_recent), cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_copies), cmocka_unit_test(test_setting),
        cmocka_unit_test(test_notify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
