/* test_append.c - APPEND (RFC 3501 section 6.3.11) with its literals (RFC 7888), APPENDUID (RFC
 * 4315), limits (RFC 7889, RFC 9208) and UTF8 data (RFC 6855). */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

static struct dialogue dialogue;

#define A (&dialogue.a)

#define MESSAGE "Subject: hello\r\n\r\nworld\r\n" /* 25 bytes */

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, A);
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    dialogue_close(&dialogue);
    return 0;
}

static void test_good(void **state)
{
    static const struct {
        const char *arguments, *fetched;
    } cases[] = {
        { "Trash {25+}\r\n" MESSAGE, "FLAGS (\\Recent) RFC822.SIZE 25" },
        { "trash2 {25+}\r\n" MESSAGE, NULL },
        { "Trash (\\Seen) {25+}\r\n" MESSAGE, "FLAGS (\\Seen \\Recent) RFC822.SIZE 25" },
        { "\"Trash\" () {25+}\r\n" MESSAGE, "FLAGS (\\Recent) RFC822.SIZE 25" },
        { "{5+}\r\nTrash (\\Draft work) \" 7-Feb-1994 21:52:25 -0800\" {25+}\r\n" MESSAGE,
          "FLAGS (\\Draft \\Recent work) RFC822.SIZE 25" },
        { "Trash UTF8 (~{25+}\r\n" MESSAGE ")", "FLAGS (\\Recent) RFC822.SIZE 25" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&input, "a APPEND %s\r\n", cases[i].arguments);
        EXPECT(A, buf_text(&input),
               cases[i].fetched != NULL ? "a OK [APPENDUID *\n" : "a NO [TRYCREATE] *\n");
        if (cases[i].fetched == NULL)
            continue;
        EXPECT(A, "b SELECT Trash\r\n", "...\nb OK *\n");
        buf_fmt(&want, "* 1 FETCH (%s)\nc OK *\n", cases[i].fetched);
        EXPECT(A, "c FETCH * (FLAGS RFC822.SIZE)\r\n", buf_text(&want));
        EXPECT(A, "d STORE 1 +FLAGS.SILENT (\\Deleted)\r\n", "d OK *\n");
        EXPECT(A, "e CLOSE\r\n", "e OK *\n");
    }
}

static void test_internaldate(void **state)
{
    EXPECT(A, "a APPEND Trash \"29-Feb-2024 23:30:00 +0100\" {25+}\r\n" MESSAGE "\r\n", "a OK *\n");
    EXPECT(A, "b SELECT Trash\r\n", "...\nb OK *\n");
    EXPECT(A, "c FETCH 1 (INTERNALDATE BODY[])\r\n",
           "* 1 FETCH (INTERNALDATE \"29-Feb-2024 22:30:00 +0000\" BODY[] {25}\n" MESSAGE
           " FLAGS (\\Seen \\Recent))\nc OK *\n");
}

/* Refused before the message is sent, or with its bytes passed over; the session goes on. */
static void test_bad(void **state)
{
    static const struct {
        const char *arguments, *want;
    } cases[] = {
        { "nope", "NO [TRYCREATE]" },
        { "Trash (\\Recent)", "BAD" },
        { "Trash (\\Nope)", "BAD" },
        { "Trash (\\Seen", "BAD" },
        { "Trash \\Seen", "BAD" },
        { "Trash \"yesterday\"", "BAD" },
        { "Trash \"30-Feb-2024 00:00:00 +0000\"", "BAD" },
        { "Trash \"29-Feb-2024 23:30:00\"", "BAD" },
        { "Trash (\\Seen) \"29-Feb-2024 23:30:00 +0100\" x", "BAD" },
        { "Trash (\\Seen) (\\Seen)", "BAD" },
        { "\"Tra&sh\"", "NO [CANNOT]" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&want, "a %s *\nb OK *\n", cases[i].want);
        buf_fmt(&input, "a APPEND %s {25}\r\nb NOOP\r\n", cases[i].arguments);
        EXPECT(A, buf_text(&input), buf_text(&want));
        buf_clear(&input);
        buf_fmt(&input, "a APPEND %s {25+}\r\n" MESSAGE "\r\nb NOOP\r\n", cases[i].arguments);
        EXPECT(A, buf_text(&input), buf_text(&want));
        EXPECT_BYTEWISE(A, buf_text(&input), buf_text(&want));
    }
    EXPECT(A, "a APPEND\r\n", "a BAD *\n");
    EXPECT(A, "a APPEND Trash\r\n", "a BAD *\n");
    EXPECT(A, "a APPEND Trash \"x\"\r\n", "a BAD *\n");
    EXPECT(A, "a APPEND Trash {25+}\r\n" MESSAGE " x\r\n", "a BAD *\n");
    EXPECT(A, "a APPEND Trash UTF8 (~{25+}\r\n" MESSAGE "\r\n", "a BAD *\n");
    EXPECT(A, "a APPEND Trash {0+}\r\n\r\n", "a NO *\n");
    EXPECT(A, "z STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 0)\nz OK *\n");
}

static void test_nul(void **state)
{
    static const char input[] = "a APPEND Trash {5+}\r\na: \0b\r\n";

    rig_say_bytes(A, slice_make(input, sizeof(input) - 1));
    assert_non_null(strstr(rig_text(A), "a NO "));
    EXPECT(A, "z STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 0)\nz OK *\n");
}

static void test_limit(void **state)
{
    dialogue.settings.literal = 24;
    EXPECT(A, "a APPEND Trash {25}\r\n", "a NO [TOOBIG] *\n");
    EXPECT(A, "b APPEND Trash {25+}\r\n" MESSAGE "\r\nc NOOP\r\n", "b NO [TOOBIG] *\nc OK *\n");
    dialogue.settings.literal = 25;
    EXPECT(A, "d APPEND Trash {25}\r\n", "+ *\n");
    EXPECT(A, MESSAGE "\r\n", "d OK [APPENDUID *\n");
}

/* RFC 3502: all or none. */
static void test_several(void **state)
{
    static const char input[] = "a APPEND Trash (\\Seen) {25+}\r\n" MESSAGE
                                " (\\Flagged work) \" 7-Feb-1994 22:43:04 -0800\" {25+}\r\n" MESSAGE
                                " {25+}\r\n" MESSAGE " UTF8 (~{25+}\r\n" MESSAGE ")\r\n";

    EXPECT(A, input, "a OK [APPENDUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:4] APPEND completed"));
    EXPECT_BYTEWISE(A, input, "a OK [APPENDUID *\n");
    EXPECT(A, "b SELECT Trash\r\n", "...\nb OK *\n");
    EXPECT(A, "c FETCH 1:4 FLAGS\r\n",
           "* 1 FETCH (FLAGS (\\Seen \\Recent))\n* 2 FETCH (FLAGS (\\Flagged \\Recent work))\n"
           "* 3 FETCH (FLAGS (\\Recent))\n* 4 FETCH (FLAGS (\\Recent))\nc OK *\n");
    EXPECT(A, "d FETCH 2 INTERNALDATE\r\n",
           "* 2 FETCH (INTERNALDATE \" 8-Feb-1994 06:43:04 +0000\")\nd OK *\n");
}

/* Whatever is wrong with one of them, none is stored, the rest is passed over, and the session goes
 * on. */
static void test_several_bad(void **state)
{
    static const struct {
        const char *rest, *want;
    } cases[] = {
        { " {0+}\r\n {25+}\r\n" MESSAGE "\r\n", "NO" },
        { " {0}\r\n", "NO" },
        { " (\\Recent) {25+}\r\n" MESSAGE "\r\n", "BAD" },
        { " (\\Seen {25}\r\n", "BAD" },
        { "{25+}\r\n" MESSAGE " {25+}\r\n" MESSAGE "\r\n", "BAD" },
        { " {25+}\r\n" MESSAGE " x\r\n", "BAD" },
        { " {25+}\r\n" MESSAGE " \r\n", "BAD" },
        { "  {25+}\r\n" MESSAGE "\r\n", "BAD" },
        { " UTF8 ({25+}\r\n" MESSAGE ")\r\n", "BAD" },
        { " UTF8 (~{25+}\r\n" MESSAGE "\r\n", "BAD" },
        { " {60000000}\r\n", "NO [TOOBIG]" },
        { " {52428776}\r\n", "NO [TOOBIG]" }, /* too big with what came before it */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&want, "a %s *\nb OK *\n", cases[i].want);
        buf_fmt(&input, "a APPEND Trash {25+}\r\n" MESSAGE "%sb NOOP\r\n", cases[i].rest);
        EXPECT(A, buf_text(&input), buf_text(&want));
        EXPECT_BYTEWISE(A, buf_text(&input), buf_text(&want));
    }
    EXPECT(A, "z STATUS Trash (MESSAGES UIDNEXT)\r\n",
           "* STATUS \"Trash\" (MESSAGES 0 UIDNEXT 1)\nz OK *\n");
}

static void test_too_many(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };

    buf_add_text(&input, "a APPEND Trash");
    for (int i = 0; i < 10000; i++)
        buf_add_text(&input, " {25+}\r\n" MESSAGE);
    buf_add_text(&input, "\r\n");
    EXPECT(A, buf_text(&input), "a OK [APPENDUID *\n");
    assert_non_null(strstr(rig_text(A), " 1:10000] "));
    buf_truncate(&input, input.len - 2);
    buf_add_text(&input, " {25+}\r\n" MESSAGE "\r\nb NOOP\r\n");
    EXPECT(A, buf_text(&input), "a NO [MESSAGELIMIT 10000] *\nb OK *\n");
    EXPECT(A, "z STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 10000)\nz OK *\n");
}

#define HEADER_1 "Subject: hello\r\n\r\n" /* 18 bytes */

/* RFC 4469: from text and from what is stored, relative to the selected mailbox or to the root. */
static void test_catenate(void **state)
{
    static const struct {
        const char *parts, *want; /* NULL: what is refused stands in want */
    } cases[] = {
        { "(URL /Trash/;UID=1)", "{25}\n" MESSAGE },
        { "(URL \"/Trash/;UID=1\")", "{25}\n" MESSAGE },
        { "(URL ;UID=1)", "{25}\n" MESSAGE },
        { "(URL /;UID=1)", "{25}\n" MESSAGE },
        { "(URL {12+}\r\n/Trash/;UID=)", NULL },
        { "(URL {13+}\r\n/Trash/;UID=1)", "{25}\n" MESSAGE },
        { "(URL /Trash/;UID=1/;SECTION=HEADER TEXT {4+}\r\nbye!)", "{22}\n" HEADER_1 "bye!" },
        { "(TEXT {6+}\r\na: b\r\n URL /Trash/;UID=1)", "{31}\na: b\r\n" MESSAGE },
        { "(text {6+}\r\na: b\r\n text {0+}\r\n TEXT ~{1+}\r\nx)", "{7}\na: b\r\nx" },
        { "(UTF8 (~{6+}\r\na: b\r\n) URL ;UID=1)", "{31}\na: b\r\n" MESSAGE },
        { "(URL ;UID=1/;SECTION=HEADER URL ;UID=1/;SECTION=TEXT/;PARTIAL=2.3)",
          "{21}\n" HEADER_1 "rld" },
        { "(URL ;UID=1/;PARTIAL=20)", "{5}\nrld\r\n" },
        { "(URL \";UID=1/;SECTION=HEADER.FIELDS%20%28Subject%29\")", "{18}\n" HEADER_1 },
        { "(URL ;UID=1/;SECTION=1)", "{7}\nworld\r\n" },
    };

    EXPECT(A, "a APPEND Trash {25+}\r\n" MESSAGE "\r\n", "a OK *\n");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };

        EXPECT(A, "b SELECT Trash\r\n", "...\nb OK *\n");
        buf_fmt(&input, "c APPEND Trash CATENATE %s\r\n", cases[i].parts);
        if (cases[i].want == NULL) {
            EXPECT(A, buf_text(&input), "c NO [BADURL *\n");
            continue;
        }
        EXPECT(A, buf_text(&input), "* 2 EXISTS\n...\nc OK [APPENDUID *\n");
        buf_fmt(&want, "* 2 FETCH (BODY[] %s)\nd OK *\n", cases[i].want);
        EXPECT(A, "d FETCH 2 (BODY.PEEK[])\r\n", buf_text(&want));
        EXPECT(A, "e STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "e OK *\n");
        EXPECT(A, "f CLOSE\r\n", "f OK *\n");
        EXPECT(A, "b SELECT Trash\r\n", "...\nb OK *\n");
        EXPECT_BYTEWISE(A, buf_text(&input), "* 2 EXISTS\n...\nc OK [APPENDUID *\n");
        EXPECT(A, "d FETCH 2 (BODY.PEEK[])\r\n", buf_text(&want));
        EXPECT(A, "e STORE 2 +FLAGS.SILENT (\\Deleted)\r\n", "e OK *\n");
        EXPECT(A, "f CLOSE\r\n", "f OK *\n");
    }
}

static void test_catenate_bad(void **state)
{
    static const struct {
        const char *parts, *want;
    } cases[] = {
        { "()", "BAD" },
        { "(URL)", "BAD" },
        { "(URL \"\")", "BAD" },
        { "(NOPE x)", "BAD" },
        { "(URL /Trash/;UID=1", "BAD" },
        { "(URL /Trash/;UID=1 )", "BAD" },
        { "(URL /Trash/;UID=1) x", "BAD" },
        { "(TEXT x)", "BAD" },
        { "(TEXT \"x\")", "BAD" },
        { "(TEXT {1+}\r\nx", "BAD" },
        { "(TEXT {1+}\r\nx{1+}\r\nx)", "BAD" },
        { "(UTF8 (~{1+}\r\nx)", "BAD" },
        { "(UTF8 ({1+}\r\nx))", "BAD" },
        { "(URL ~{1+}\r\nx)", "BAD" },
        { "(TEXT {0+}\r\n)", "NO An empty" },
        { "(URL /Trash/;UID=1/;SECTION=HEADER/;PARTIAL=18)", "NO An empty" },
        { "(URL /Trash/;UID=9)", "NO [BADURL \"/Trash/;UID=9\"]" },
        { "(URL /Nope/;UID=1)", "NO [BADURL \"/Nope/;UID=1\"]" },
        { "(URL /Trash;UIDVALIDITY=1/;UID=1)", "NO [BADURL \"/Trash;UIDVALIDITY=1/;UID=1\"]" },
        { "(URL /Trash/;UID=1/;SECTION=7)", "NO [BADURL \"/Trash/;UID=1/;SECTION=7\"]" },
        { "(URL /Trash/;UID=1/;SECTION=NOPE)", "NO [BADURL \"/Trash/;UID=1/;SECTION=NOPE\"]" },
        { "(URL imap://h/Trash/;UID=1)", "NO [BADURL \"imap://h/Trash/;UID=1\"]" },
        { "(URL /Trash/;UID=1;URLAUTH=anonymous)",
          "NO [BADURL \"/Trash/;UID=1;URLAUTH=anonymous\"]" },
        { "(URL \"/a]\\\"b c\")", "NO [BADURL \"/a%5D%22b%20c\"]" },
        { "(URL http://x TEXT {3+}\r\na\r\n)", "NO [BADURL \"http://x\"]" },
        { "(URL http://x TEXT {3}\r\n", "NO [BADURL \"http://x\"]" },
        { "(URL ;UID=1)", "NO [BADURL \";UID=1\"]" }, /* nothing is selected */
        { "(TEXT ~{1+}\r\nx TEXT {99999999}\r\n", "NO [TOOBIG]" },
        { "(TEXT {3}\r\n", "+ OK" },
    };

    EXPECT(A, "a APPEND Trash {25+}\r\n" MESSAGE "\r\n", "a OK *\n");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf input = { 0 };
        AUTO(buf_free) struct buf want = { 0 };
        const char *end = slice_starts(slice_of(cases[i].want), "+") ? "" : "c ";

        buf_fmt(&input, "c APPEND Trash CATENATE %s\r\n", cases[i].parts);
        if (strchr(cases[i].parts, '\0')[-1] == '\n')
            buf_truncate(&input, input.len - 2); /* the client waits there */
        buf_fmt(&want, "%s%s*\n", end, cases[i].want);
        EXPECT(A, buf_text(&input), buf_text(&want));
    }
    EXPECT(A, "abc)\r\n", "c OK *\n"); /* the last one */
    EXPECT(A, "z STATUS Trash (MESSAGES)\r\n", "* STATUS \"Trash\" (MESSAGES 2)\nz OK *\n");
}

/* More than one turn's work, and what does not fit. */
static void test_catenate_big(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };

    buf_add_text(&input, "a APPEND Trash {1000000+}\r\nSubject: x\r\n\r\n");
    while (input.len < 1000000 + strlen("a APPEND Trash {1000000+}\r\n"))
        buf_add_byte(&input, 'x');
    buf_add_text(&input, "\r\n");
    EXPECT(A, buf_text(&input), "a OK *\n");
    buf_clear(&input);
    buf_add_text(&input, "b APPEND Trash CATENATE (URL /Trash/;UID=1");
    for (int i = 0; i < 20; i++)
        buf_add_text(&input, " URL /Trash/;UID=1/;SECTION=1");
    buf_add_text(&input, ")\r\n");
    EXPECT(A, buf_text(&input), "b OK *\n");
    EXPECT(A, "c SELECT Trash\r\n", "...\nc OK *\n");
    EXPECT(A, "d FETCH 2 RFC822.SIZE\r\n", "* 2 FETCH (RFC822.SIZE 20999720)\nd OK *\n");
    dialogue.settings.literal = 20999719;
    EXPECT(A, buf_text(&input), "b NO [TOOBIG] *\n");
    dialogue.settings.literal = 20999720;
    EXPECT(A, buf_text(&input), "* 3 EXISTS\n* 3 RECENT\nb OK *\n");
}

/* RFC 7888 section 5: what is sent unasked ends at 4096 bytes; the rest is passed over. */
static void test_literal_minus(void **state)
{
    AUTO(buf_free) struct buf input = { 0 };

    EXPECT(A, "a CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 *\na OK *\n");
    assert_non_null(strstr(rig_text(A), " LITERAL+ "));
    dialogue.settings.literal_minus = true;
    EXPECT(A, "a CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 *\na OK *\n");
    assert_non_null(strstr(rig_text(A), " LITERAL- "));
    assert_null(strstr(rig_text(A), "LITERAL+"));
    for (size_t size = 4096; size <= 4097; size++) {
        buf_clear(&input);
        buf_fmt(&input, "b APPEND Trash {%zu+}\r\n", size);
        for (size_t i = 0; i < size; i++)
            buf_add_byte(&input, 'x');
        buf_add_text(&input, "\r\nc NOOP\r\n");
        EXPECT(A, buf_text(&input),
               size == 4096 ? "b OK [APPENDUID *\nc OK *\n" : "b BAD [TOOBIG] *\nc OK *\n");
    }
    EXPECT(A, "d APPEND Trash {4097}\r\n", "+ *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good),         TEST(test_internaldate), TEST(test_bad),
        TEST(test_nul),          TEST(test_limit),        TEST(test_several),
        TEST(test_several_bad),  TEST(test_too_many),     TEST(test_catenate),
        TEST(test_catenate_bad), TEST(test_catenate_big), TEST(test_literal_minus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
