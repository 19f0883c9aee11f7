/* test_fetch.c - FETCH (RFC 3501 section 6.4.5): every item, macros, partials, what sets \Seen, and
 * the modifiers of RFC 7162. */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/imapd/parts.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

#define A (&dialogue.a)
#define B (&dialogue.b)

#define SIMPLE "From: a@example.test\r\nSubject: hello\r\n\r\nworld\r\n"

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, A);
    dialogue_login(&dialogue, B);
    EXPECT(B, "p APPEND INBOX \"17-Jul-1996 02:44:25 -0700\" {47+}\r\n" SIMPLE "\r\n", "p OK *\n");
    rig_append(A, dialogue.a.bob, "INBOX", PARTS_MESSAGE);
    rig_append(A, dialogue.a.bob, "INBOX", "Subject: third\r\n\r\n");
    EXPECT(B, "s SELECT INBOX\r\n", "...\ns OK *\n");
    EXPECT(B, "s UNSELECT\r\n", "s OK *\n");
    EXPECT(A, "s SELECT INBOX\r\n", "...\ns OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    rig_stop(B);
    dialogue_close(&dialogue);
    return 0;
}

#define ENVELOPE                                                                                   \
    "ENVELOPE (NIL \"hello\" ((NIL NIL \"a\" \"example.test\")) ((NIL NIL \"a\" "                  \
    "\"example.test\"))"                                                                           \
    " ((NIL NIL \"a\" \"example.test\")) NIL NIL NIL NIL NIL)"
#define FAST "FLAGS () INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE 47"
#define BODY "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 7 1"

static void test_items(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "a FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\na OK *\n" },
        { "a fetch 1 (uid)\r\n", "* 1 FETCH (UID 1)\na OK *\n" },
        { "a FETCH 1 FAST\r\n", "* 1 FETCH (" FAST ")\na OK *\n" },
        { "a FETCH 1 ALL\r\n", "* 1 FETCH (" FAST " " ENVELOPE ")\na OK *\n" },
        { "a FETCH 1 full\r\n", "* 1 FETCH (" FAST " " ENVELOPE " BODY " BODY "))\na OK *\n" },
        { "a FETCH 1 BODYSTRUCTURE\r\n",
          "* 1 FETCH (BODYSTRUCTURE " BODY " NIL NIL NIL NIL))\na OK *\n" },
        { "a FETCH 1 BODY\r\n", "* 1 FETCH (BODY " BODY "))\na OK *\n" },
        { "a FETCH 1,3 RFC822.SIZE\r\n",
          "* 1 FETCH (RFC822.SIZE 47)\n* 3 FETCH (RFC822.SIZE 18)\na OK *\n" },
        { "a UID FETCH 3:* FLAGS\r\n", "* 3 FETCH (FLAGS () UID 3)\na OK *\n" },
        { "a UID FETCH 99:* FLAGS\r\n", "* 3 FETCH (FLAGS () UID 3)\na OK *\n" },
        { "a UID FETCH 99 FLAGS\r\n", "a OK *\n" },
        { "a UID FETCH 1 (UID FLAGS)\r\n", "* 1 FETCH (UID 1 FLAGS ())\na OK *\n" },
        { "a FETCH 1 BODY.PEEK[TEXT]\r\n", "* 1 FETCH (BODY[TEXT] {7}\nworld\n)\na OK *\n" },
        { "a FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]\r\n",
          "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}\nSubject: hello\n\n)\na OK *\n" },
        { "a FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (\"Subject\")]\r\n",
          "* 1 FETCH (BODY[HEADER.FIELDS.NOT (Subject)] {24}\nFrom: a@example.test\n\n)\na OK "
          "*\n" },
        { "a FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])\r\n",
          "* 1 FETCH (" ENVELOPE
          " BODY[HEADER.FIELDS (SUBJECT)] {18}\nSubject: hello\n\n)\na OK *\n" },
        { "a FETCH 3 BODY.PEEK[TEXT]\r\n", "* 3 FETCH (BODY[TEXT] {0}\n)\na OK *\n" },
        { "a FETCH 1 RFC822.HEADER\r\n",
          "* 1 FETCH (RFC822.HEADER {40}\nFrom: a@example.test\nSubject: hello\n\n)\na OK *\n" },
        { "a FETCH 1 BODY.PEEK[1]\r\n", "* 1 FETCH (BODY[1] {7}\nworld\n)\na OK *\n" },
        { "a FETCH 1 BODY.PEEK[2]\r\n", "* 1 FETCH (BODY[2] NIL)\na OK *\n" },
        { "a FETCH 2 BODY.PEEK[4.2.2.1]\r\n",
          "* 2 FETCH (BODY[4.2.2.1] {13}\nplain 4.2.2.1)\na OK *\n" },
        { "a FETCH 2 (BODY.PEEK[4.1.MIME] BODY.PEEK[4.2.HEADER])\r\n",
          "* 2 FETCH (BODY[4.1.MIME] {61}\nContent-Type: image/gif\nContent-ID: "
          "<pixel@example.test>\n\n BODY[4.2.HEADER] {66}\nSubject: inner four\n"
          "Content-Type: multipart/mixed; boundary=c\n\n)\na OK *\n" },
        { "a FETCH 2 BODY.PEEK[3.HEADER.FIELDS (Subject)]\r\n",
          "* 2 FETCH (BODY[3.HEADER.FIELDS (Subject)] {24}\nSubject: inner three\n\n)\na OK *\n" },
        { "a FETCH 1:3 FLAGS\r\n",
          "* 1 FETCH (FLAGS ())\n* 2 FETCH (FLAGS ())\n* 3 FETCH (FLAGS ())\na OK *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        EXPECT(A, cases[i].input, cases[i].want);
        EXPECT_BYTEWISE(A, cases[i].input, cases[i].want);
    }
}

static void test_partial(void **state)
{
    static const struct {
        const char *section, *want;
    } cases[] = {
        { "[]<0.4>", "[]<0> {4}\nFrom" },
        { "[]<40.100>", "[]<40> {7}\nworld\n" }, /* "truncated" at the end */
        { "[]<47.1>", "[]<47> {0}\n" },          /* "an empty string" behind it */
        { "[]<4294967295.4294967295>", "[]<4294967295> {0}\n" },
        { "[TEXT]<1.3>", "[TEXT]<1> {3}\norl" },
        { "[HEADER]<6.1>", "[HEADER]<6> {1}\na" },
        { "[HEADER.FIELDS (SUBJECT)]<9.5>", "[HEADER.FIELDS (SUBJECT)]<9> {5}\nhello" },
        { "[1]<3.99>", "[1]<3> {4}\nld\n" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&input, "a FETCH 1 BODY.PEEK%s\r\n", cases[i].section);
        buf_fmt(&want, "* 1 FETCH (BODY%s)\na OK *\n", cases[i].want);
        EXPECT(A, buf_text(&input), buf_text(&want));
    }
}

static void test_seen(void **state)
{
    static const struct {
        const char *input, *want;
    } steps[] = {
        { "a FETCH 1 BODY.PEEK[]<0.1>\r\n", "* 1 FETCH (BODY[]<0> {1}\nF)\na OK *\n" },
        { "a FETCH 1 RFC822.HEADER\r\n", "...\na OK *\n" },
        { "a FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\na OK *\n" },
        { "a FETCH 1 BODY[]<0.1>\r\n", "* 1 FETCH (BODY[]<0> {1}\nF FLAGS (\\Seen))\na OK *\n" },
        { "a FETCH 1 BODY[]<0.1>\r\n", "* 1 FETCH (BODY[]<0> {1}\nF)\na OK *\n" }, /* no news */
        { "a STORE 1 -FLAGS.SILENT (\\Seen)\r\n", "a OK *\n" },
        { "a FETCH 1 (FLAGS BODY[TEXT])\r\n",
          "* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {7}\nworld\n)\na OK *\n" },
        { "a STORE 1 -FLAGS.SILENT (\\Seen)\r\n", "a OK *\n" },
        { "a UID FETCH 1 RFC822.TEXT\r\n",
          "* 1 FETCH (RFC822.TEXT {7}\nworld\n UID 1 FLAGS (\\Seen))\na OK *\n" },
        { "a STORE 1 -FLAGS.SILENT (\\Seen)\r\n", "a OK *\n" },
        { "a FETCH 1 RFC822\r\n",
          "* 1 FETCH (RFC822 {47}\nFrom: a@example.test\nSubject: hello\n\nworld\n FLAGS "
          "(\\Seen))\na OK *\n" },
        { "a EXAMINE INBOX\r\n", "...\na OK *\n" },
        { "a FETCH 3 BODY[]<0.1>\r\n", "* 3 FETCH (BODY[]<0> {1}\nS)\na OK *\n" },
        { "a FETCH 3 FLAGS\r\n", "* 3 FETCH (FLAGS ())\na OK *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(steps); i++)
        EXPECT(A, steps[i].input, steps[i].want);
}

static void test_syntax(void **state)
{
    static const char *const bad[] = {
        "",
        " 1",
        " 1 ",
        " x FLAGS",
        " 0 FLAGS",
        " 4 FLAGS",
        " 1:4 FLAGS",
        " 1 ()",
        " 1 (FLAGS",
        " 1 FLAGS)",
        " 1 FLAGS UID",
        " 1 (FLAGS  UID)",
        " 1 (FAST)",
        " 1 NOPE",
        " 1 FLAGS[]",
        " 1 BODY.PEEK",
        " 1 BODY[",
        " 1 BODY[NOPE]",
        " 1 BODY[MIME]",
        " 1 BODY[]<0>",
        " 1 BODY[]<0.0>",
        " 1 RFC822[]",
        " 1 FLAGS ()",
        " 1 FLAGS (NOPE)",
        " 1 FLAGS (CHANGEDSINCE)",
        " 1 FLAGS (CHANGEDSINCE x)",
        " 1 FLAGS (CHANGEDSINCE 1",
        " 1 FLAGS (CHANGEDSINCE 1) x",
        " 1 FLAGS (CHANGEDSINCE 1 VANISHED)", /* needs UID and ENABLE QRESYNC */
        " 1 FLAGS (VANISHED)",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(buf_free) struct buf input = { 0 };

        buf_fmt(&input, "a FETCH%s\r\n", bad[i]);
        EXPECT(A, buf_text(&input), "a BAD *\n");
    }
    EXPECT(A, "a UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n", "a BAD *\n");
    EXPECT(A, "a ENABLE QRESYNC\r\n", "...\na OK *\n");
    EXPECT(A, "a UID FETCH 1 FLAGS (VANISHED)\r\n", "a BAD *\n");
    EXPECT(A, "a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n", "a BAD *\n");
}

static void test_too_many_items(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };

    buf_add_text(&input, "a FETCH 1 (UID");
    for (int i = 0; i < FLAG_LIST_MAX + 200; i++)
        buf_add_text(&input, " UID");
    buf_add_text(&input, ")\r\n");
    EXPECT(A, buf_text(&input), "a BAD *\n");
}

static unsigned long long modseq_of(const char *line)
{
    const char *at = strstr(line, "MODSEQ (");

    assert_non_null(at);
    return strtoull(at + strlen("MODSEQ ("), NULL, 10);
}

/* \Seen is set for some messages at a time, with one modseq for each lot. */
static void test_seen_by_lots(void **state)
{
    unsigned long long modseqs[3];

    dialogue.settings.change_slice = 2;
    EXPECT(A, "a FETCH 1:3 (MODSEQ BODY[TEXT]<0.1>)\r\n", "...\na OK *\n");
    const char *line = rig_text(A);
    for (int i = 0; i < 3; i++, line++) {
        line = strstr(line, "FETCH (MODSEQ");
        assert_non_null(line);
        modseqs[i] = modseq_of(line);
    }
    assert_int_equal(modseqs[1], modseqs[0]);
    assert_int_equal(modseqs[2], modseqs[0] + 1);
    EXPECT(A, "b SEARCH UNSEEN\r\n", "* SEARCH\nb OK *\n");
    EXPECT(A, "c STORE 1:3 -FLAGS.SILENT (\\Seen)\r\n", "...\nc OK *\n");
    EXPECT(A, "d FETCH 3 BODY[TEXT]\r\n", "...\nd OK *\n"); /* the last lot */
    EXPECT(A, "e SEARCH UNSEEN\r\n", "* SEARCH 1 2\ne OK *\n");
}

/* RFC 7162 section 3.1.4.1: only what changed, with MODSEQ; only that becomes \Seen. */
static void test_changed_since(void **state)
{
    unsigned long long modseq;
    AUTO(buf_free) struct buf input = { 0 };

    EXPECT(A, "a STATUS INBOX (HIGHESTMODSEQ)\r\n", "...\n* STATUS *\na OK *\n");
    modseq = strtoull(strstr(rig_text(A), "(HIGHESTMODSEQ ") + 15, NULL, 10);
    EXPECT(A, "b STORE 2 +FLAGS.SILENT (\\Flagged)\r\n", "* 2 FETCH (UID 2 MODSEQ (*\nb OK *\n");
    buf_fmt(&input, "c FETCH 1:* FLAGS (CHANGEDSINCE %llu)\r\n", modseq);
    EXPECT(A, buf_text(&input), "* 2 FETCH (FLAGS (\\Flagged) MODSEQ (*\nc OK *\n");
    buf_clear(&input);
    buf_fmt(&input, "d FETCH 1:* BODY[]<0.1> (CHANGEDSINCE %llu)\r\n", modseq);
    EXPECT(A, buf_text(&input), "* 2 FETCH (BODY[]<0> {1}\nF MODSEQ (*\nd OK *\n");
    EXPECT(A, "e FETCH 1:* FLAGS\r\n",
           "* 1 FETCH (FLAGS ())\n* 2 FETCH (FLAGS (\\Flagged \\Seen))\n"
           "* 3 FETCH (FLAGS ())\ne OK *\n");
}

/* RFC 9394 sections 3.3 and 3.4: the page is cut before CHANGEDSINCE looks. */
static void test_pages(void **state)
{
    EXPECT(A, "a STORE 2 +FLAGS.SILENT (\\Flagged)\r\n", "a OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (PARTIAL 1:2)\r\n",
           "* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\na OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (PARTIAL -1:-2)\r\n",
           "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\na OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (PARTIAL 9:3)\r\n", "* 3 FETCH (UID 3)\na OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (PARTIAL 4:9)\r\n", "a OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (PARTIAL 2:3 CHANGEDSINCE 0)\r\n",
           "* OK [HIGHESTMODSEQ *\n* 2 FETCH (*\n* 3 FETCH (*\na OK *\n");
    EXPECT(A, "a UID FETCH 1:* UID (CHANGEDSINCE 9999 PARTIAL 2:3)\r\n", "a OK *\n");
    EXPECT(A, "a UID FETCH 1 UID (PARTIAL 0:1)\r\n", "a BAD *\n");
    EXPECT(A, "a UID FETCH 1 UID (PARTIAL 1:1 PARTIAL 1:1)\r\n", "a BAD *\n");
    EXPECT(A, "a FETCH 1 UID (PARTIAL 1:1)\r\n", "a BAD *\n");
}

static void test_modseq_enables(void **state)
{
    EXPECT(A, "a FETCH 1 MODSEQ\r\n", "* OK [HIGHESTMODSEQ *\n* 1 FETCH (MODSEQ (*\na OK *\n");
    EXPECT(A, "b FETCH 1 MODSEQ\r\n", "* 1 FETCH (MODSEQ (*\nb OK *\n");
    EXPECT(A, "c FETCH 1 FLAGS\r\n", "* 1 FETCH (FLAGS ())\nc OK *\n");
}

/* RFC 7162 section 3.2.6: UIDs beyond the view's last too, but not what the client still has. */
static void test_vanished(void **state)
{
    EXPECT(A, "a ENABLE QRESYNC\r\n", "* ENABLED QRESYNC\n...\na OK *\n");
    for (int i = 0; i < 2; i++)
        rig_append(A, dialogue.a.bob, "INBOX", SIMPLE);
    EXPECT(B, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(B, "b STORE 2,4:5 +FLAGS.SILENT (\\Deleted)\r\n", "b OK *\n");
    EXPECT(B, "c UID EXPUNGE 2,4:5\r\n", "...\nc OK *\n");
    EXPECT(A, "b UID FETCH 1:10 FLAGS (CHANGEDSINCE 1 VANISHED)\r\n",
           "* VANISHED (EARLIER) 4:5\n* 1 FETCH (*\n* 2 FETCH (*\n* 3 FETCH (*\n"
           "* VANISHED 2\n...\nb OK *\n");
    EXPECT(A, "c SELECT INBOX\r\n", "...\nc OK *\n");
    EXPECT(A, "d UID FETCH 1:10 UID (CHANGEDSINCE 1 VANISHED)\r\n",
           "* VANISHED (EARLIER) 2,4:5\n* 1 FETCH (*\n* 2 FETCH (*\nd OK *\n");
    EXPECT(A, "e UID FETCH 3:4 UID (VANISHED CHANGEDSINCE 99)\r\n", "e OK *\n");
    EXPECT(A, "f UID FETCH 3:4 UID (VANISHED CHANGEDSINCE 1)\r\n",
           "* VANISHED (EARLIER) 4\n* 2 FETCH (*\nf OK *\n");
}

/* Bytes of a message that is gone stay for a while: the client may not know it is gone. */
static void test_gone(void **state)
{
    EXPECT(B, "a SELECT INBOX\r\n", "...\na OK *\n");
    EXPECT(B, "b STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "b OK *\n");
    EXPECT(B, "c EXPUNGE\r\n", "* 1 EXPUNGE\nc OK *\n");
    EXPECT(A, "a FETCH 1 (BODY BODY[TEXT])\r\n",
           "* 1 FETCH (BODY " BODY ") BODY[TEXT] {7}\nworld\n)\na OK *\n");
    EXPECT(A, "b FETCH 2 UID\r\n", "* 2 FETCH (UID 2)\nb OK *\n");
    EXPECT(A, "c NOOP\r\n", "* 1 EXPUNGE\nc OK *\n");
    EXPECT(A, "d FETCH 1 UID\r\n", "* 1 FETCH (UID 2)\nd OK *\n");
}

/* More than one reply holds, of many messages and of one. */
static void test_long(void **state)
{
    AUTO(buf_free) struct buf big = { 0 };
    AUTO(buf_free) struct buf want = { 0 };
    const char *text;

    buf_add_text(&big, "Subject: big\r\n\r\n");
    while (big.len < 700000)
        buf_add_text(&big, "0123456789 0123456789 0123456789 0123456789 0123456789\r\n");
    for (int i = 0; i < 2; i++)
        rig_append(A, dialogue.a.bob, "INBOX", buf_text(&big));
    EXPECT(A, "a NOOP\r\n", "* 5 EXISTS\n...\na OK *\n");
    rig_say(A, "b FETCH 4:5 (BODY.PEEK[] UID)\r\n");
    for (int i = 4; i <= 5; i++)
        buf_fmt(&want, "* %d FETCH (BODY[] {%zu}\r\n%s UID %d)\r\n", i, big.len, buf_text(&big), i);
    buf_add_text(&want, "b OK FETCH completed\r\n");
    text = rig_text(A);
    assert_int_equal(strlen(text), want.len);
    assert_memory_equal(text, want.data, want.len);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_seen_by_lots),  TEST(test_items),  TEST(test_partial),
        TEST(test_seen),          TEST(test_syntax), TEST(test_too_many_items),
        TEST(test_changed_since), TEST(test_pages),  TEST(test_modseq_enables),
        TEST(test_vanished),      TEST(test_gone),   TEST(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
