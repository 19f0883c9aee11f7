/* test_search.c - SEARCH: every key of RFC 3501 section 6.4.4, charsets, RETURN (RFC 4731), "$"
 * (RFC 5182), MODSEQ (RFC 7162 section 3.1.5). */
#include "tests/unit/imapd/dialogue.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static struct dialogue dialogue;

#define A (&dialogue.a)
#define B (&dialogue.b)

static const char *const messages[] = {
    /* 1: appended with a date long ago */
    "Date: Mon, 7 Feb 1994 23:59:00 -0800\r\nFrom: Fred Foobar <foobar@Blurdybloop.example>\r\n"
    "To: mooch@owatagu.example\r\nCc: KB <kb@example.test>\r\nSubject: afternoon meeting\r\n"
    "Message-Id: <B27397-0100000@Blurdybloop.example>\r\nX-Empty:\r\n\r\n"
    "Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n",
    /* 2: encoded header and body */
    "Date: Tue, 8 Feb 1994 00:01:00 +0100\r\n"
    "From: =?UTF-8?Q?J=C3=BCrgen_Stra=C3=9Fe?= <juergen@example.test>\r\n"
    "To: bob@example.test\r\nBcc: secret@example.test\r\n"
    "Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= aus\r\n K=?UTF-8?B?w7ZsbiA=?=\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Sch=C3=B6ne Gr=C3=BC=C3=9Fe, und wei=\r\nter nichts.\r\n",
    /* 3: parts; no Date, no From */
    "Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "SGlkZGVuIFRyZWFzdXJl\r\n"
    "--b\r\nContent-Type: application/octet-stream\r\n\r\nbinarystuff\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: innermost\r\n\r\nnested text\r\n--b--\r\n",
    /* 4: unread, larger */
    "Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nFrom: a@example.test\r\nSubject: last\r\n\r\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r"
    "\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r"
    "\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r"
    "\n"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r"
    "\n",
};

static void append(const char *message, const char *date)
{
    AUTO(buf_free) struct buf input = { 0 };

    buf_fmt(&input, "p APPEND INBOX%s {%zu+}\r\n%s\r\n", date, strlen(message), message);
    EXPECT(A, buf_text(&input), "...\np OK *\n");
}

static int set_up(void **state)
{
    dialogue_open(&dialogue);
    dialogue_login(&dialogue, A);
    dialogue_login(&dialogue, B);
    append(messages[0], " \"07-Feb-1994 22:43:04 -0800\""); /* the 8th in UTC */
    append(messages[1], " \" 9-Feb-1994 00:00:00 +0000\"");
    append(messages[2], " \"10-Feb-1994 12:00:00 +0000\"");
    EXPECT(B, "s SELECT INBOX\r\n", "...\ns OK *\n"); /* 1 to 3 are not \Recent any more */
    append(messages[3], "");
    EXPECT(A, "s SELECT INBOX\r\n", "...\ns OK *\n");
    EXPECT(A, "s STORE 1 FLAGS (\\Seen \\Answered)\r\n", "...\ns OK *\n");
    EXPECT(A, "s STORE 2 FLAGS (\\Flagged \\Draft work)\r\n", "...\ns OK *\n");
    EXPECT(A, "s STORE 3 FLAGS (\\Deleted)\r\n", "...\ns OK *\n");
    return 0;
}

static int tear_down(void **state)
{
    rig_stop(A);
    rig_stop(B);
    dialogue_close(&dialogue);
    return 0;
}

static void check(const char *keys, const char *found)
{
    AUTO(buf_free) struct buf input = { 0 };
    AUTO(buf_free) struct buf want = { 0 };

    buf_fmt(&input, "a SEARCH %s\r\n", keys);
    buf_fmt(&want, "* SEARCH%s%s\na OK *\n", *found != '\0' ? " " : "", found);
    EXPECT(A, buf_text(&input), buf_text(&want));
}

struct search_case {
    const char *keys, *found;
};

static void check_all(const struct search_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(cases[i].keys, cases[i].found);
}

static void test_view_keys(void **state)
{
    static const struct search_case cases[] = {
        { "ALL", "1 2 3 4" },
        { "all", "1 2 3 4" },
        { "ANSWERED", "1" },
        { "UNANSWERED", "2 3 4" },
        { "DELETED", "3" },
        { "UNDELETED", "1 2 4" },
        { "DRAFT", "2" },
        { "UNDRAFT", "1 3 4" },
        { "FLAGGED", "2" },
        { "UNFLAGGED", "1 3 4" },
        { "SEEN", "1" },
        { "UNSEEN", "2 3 4" },
        { "KEYWORD work", "2" },
        { "KEYWORD WORK", "2" },
        { "KEYWORD nobody", "" },
        { "UNKEYWORD work", "1 3 4" },
        { "UNKEYWORD nobody", "1 2 3 4" },
        { "RECENT", "4" },
        { "OLD", "1 2 3" },
        { "NEW", "4" },
        { "BEFORE 9-Feb-1994", "1" },
        { "ON 8-Feb-1994", "1" },
        { "ON \"09-Feb-1994\"", "2" },
        { "SINCE 10-Feb-1994", "3 4" },
        { "SINCE 10-Feb-1994 BEFORE 11-Feb-1994", "3" },
        { "LARGER 448 SMALLER 450", "4" },
        { "LARGER 449 SMALLER 451", "" },
        { "SMALLER 1", "" },
        { "LARGER 0", "1 2 3 4" },
        { "2:3", "2 3" },
        { "*", "4" },
        { "3:*", "3 4" },
        { "4:*", "4" },
        { "1,3", "1 3" },
        { "UID 2:99", "2 3 4" },
        { "UID *", "4" },
        { "UID 99", "" },
        { "NOT 1", "2 3 4" },
        { "NOT NOT 1", "1" },
        { "OR 1 2", "1 2" },
        { "OR OR 1 2 3", "1 2 3" },
        { "OR (1 SEEN) (2 SEEN)", "1" },
        { "(1)", "1" },
        { "((1:3 UNSEEN)) UNDELETED", "2" },
        { "NOT (1:2)", "3 4" },
        { "SEEN UNSEEN", "" },
        { "YOUNGER 3600", "4" },
        { "OLDER 3600", "1 2 3" },
        { "YOUNGER 4294967295", "1 2 3 4" },
        { "OLDER 4294967295", "" },
    };

    check_all(cases, COUNT_OF(cases));
}

static void test_text_keys(void **state)
{
    static const struct search_case cases[] = {
        { "FROM fred", "1" },
        { "FROM \"Foobar <foobar@\"", "1" },
        { "FROM blurdybloop", "1" },
        { "FROM \"\"", "1 2 4" }, /* 3 has none */
        { "TO mooch", "1" },
        { "CC kb@example", "1" },
        { "CC bob", "" },
        { "BCC SECRET", "2" },
        { "SUBJECT meeting", "1" },
        { "SUBJECT AFTERNOON", "1" },
        { "SUBJECT ternoon", "1" },
        { "SUBJECT nothing", "" },
        { "SENTON 7-Feb-1994", "1" }, /* whatever the zone */
        { "SENTON 8-Feb-1994", "2" },
        { "SENTBEFORE 8-Feb-1994", "1" },
        { "SENTSINCE 8-Feb-1994", "2 4" },
        { "NOT SENTSINCE 8-Feb-1994", "1 3" },
        { "HEADER Message-Id b27397", "1" },
        { "HEADER message-id \"\"", "1" },
        { "HEADER X-Empty \"\"", "1" },
        { "HEADER X-Empty x", "" },
        { "HEADER X-None \"\"", "" },
        { "HEADER {7}\r\nSubject {4}\r\nlast", NULL },
        { "BODY \"3:30 TOMORROW\"", "1" },
        { "BODY meeting", "" }, /* that is in the header */
        { "TEXT meeting", "1" },
        { "TEXT \"Subject: afternoon\"", "1" },
        { "BODY \"hidden treasure\"", "3" },
        { "BODY binarystuff", "" }, /* no text part */
        { "BODY innermost", "3" },  /* the header of a message inside belongs to the body */
        { "BODY \"nested text\"", "3" },
        { "BODY \"und weiter nichts\"", "2" },
        { "BODY \"\"", "1 2 3 4" },
        { "TEXT \"\"", "1 2 3 4" },
        { "OR BODY tomorrow SUBJECT last", "1 4" },
        { "NOT BODY tomorrow", "2 3 4" },
        { "SUBJECT last BODY 9012", "4" },
        { "SEEN BODY tomorrow NOT SUBJECT last", "1" },
        { "OR SEEN HEADER Subject parts", "1 3" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (cases[i].found != NULL)
            check(cases[i].keys, cases[i].found);
    EXPECT(A, "a SEARCH HEADER {7}\r\nSubject {4+}\r\nlast\r\n", "+ *\n* SEARCH 4\na OK *\n");
}

static void test_charsets(void **state)
{
    static const struct search_case cases[] = {
        { "CHARSET UTF-8 SUBJECT {7+}\r\ngr\xc3\xbc\xc3\x9f"
          "e",
          "2" },
        { "CHARSET utf-8 SUBJECT {5+}\r\nK\xc3\x96LN", "2" },
        { "CHARSET ISO-8859-1 SUBJECT {5+}\r\ngr\xfc\xdf"
          "e",
          "2" },
        { "SUBJECT {5+}\r\nk\xc3\xb6ln", "2" }, /* without a charset: UTF-8 */
        { "CHARSET UTF-8 FROM {7+}\r\nJ\xc3\x9cRGEN", "2" },
        { "CHARSET UTF-8 BODY {7+}\r\nSCH\xc3\x96NE", "2" },
        { "CHARSET UTF-8 TEXT {5+}\r\nk\xc3\xb6ln", "2" },
        { "CHARSET UTF-8 BODY {5+}\r\nk\xc3\xb6ln", "" },
        { "CHARSET US-ASCII SUBJECT last", "4" },
        { "CHARSET \"UTF-8\" ALL", "1 2 3 4" },
    };

    check_all(cases, COUNT_OF(cases));
    EXPECT(A, "a SEARCH CHARSET X-NONE SUBJECT x\r\n", "a NO [BADCHARSET (*\n");
    EXPECT(A, "a SEARCH CHARSET\r\n", "a BAD *\n");
    EXPECT(A, "a SEARCH CHARSET UTF-8\r\n", "a BAD *\n");
    EXPECT(A, "a ENABLE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\na OK *\n");
    EXPECT(A, "a SEARCH CHARSET UTF-8 ALL\r\n", "a BAD *\n"); /* RFC 6855 section 3 */
    EXPECT(A, "a SEARCH SUBJECT \"K\xc3\x96LN\"\r\n", "* SEARCH 2\na OK *\n");
}

static void test_syntax(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        " NOPE",
        " ALL ",
        " (ALL",
        " ALL)",
        " ()",
        " NOT",
        " OR ALL",
        " OR ALL ",
        " SUBJECT",
        " SUBJECT (x)",
        " HEADER x",
        " KEYWORD",
        " KEYWORD \\Seen",
        " BEFORE 31-Feb",
        " BEFORE 32-Feb-1994",
        " BEFORE \"1-Feb-1994",
        " SINCE tomorrow",
        " LARGER x",
        " LARGER -1",
        " LARGER 9223372036854775808",
        " 0",
        " 5",
        " 1:5",
        " 1,",
        " UID",
        " UID x",
        " MODSEQ",
        " MODSEQ x",
        " MODSEQ \"/flags/\\\\Seen\" all",
        " MODSEQ \"/flags/\\\\Seen\" none 1",
        " MODSEQ \"/comment\" all 1",
        " OLDER",
        " OLDER 0",
        " YOUNGER -1",
        " YOUNGER 4294967296",
        " RETURN ALL",
        " RETURN (ALL ALL",
        " RETURN (NOPE) ALL",
        " RETURN (MIN )",
        " RETURN (MIN)",
        " RETURN (MIN)ALL",
        " RETURN (PARTIAL) ALL",
        " RETURN (PARTIAL 1) ALL",
        " RETURN (PARTIAL 0:1) ALL",
        " RETURN (PARTIAL 1:*) ALL",
        " RETURN (PARTIAL -1:1) ALL",
        " RETURN (PARTIAL 1:-1) ALL",
        " RETURN (PARTIAL 1:2 ALL) ALL",
        " RETURN (ALL PARTIAL 1:2) ALL",
        " RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(buf_free) struct buf input = { 0 };

        buf_fmt(&input, "a SEARCH%s\r\nb NOOP\r\n", bad[i]);
        EXPECT(A, buf_text(&input), "a BAD *\nb OK *\n");
    }
}

static void test_too_complex(void **state)
{
    AUTO(buf_free) struct buf deep = { 0 };
    AUTO(buf_free) struct buf wide = { 0 };

    buf_add_text(&deep, "a SEARCH ");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&deep, "NOT ");
    buf_add_text(&deep, "ALL\r\n");
    EXPECT(A, buf_text(&deep), "a BAD *\n");
    buf_add_text(&wide, "a SEARCH ALL");
    for (int i = 0; i < 6000; i++)
        buf_add_text(&wide, " ALL");
    buf_add_text(&wide, "\r\n");
    EXPECT(A, buf_text(&wide), "a BAD *\n");
}

static void test_return(void **state)
{
    static const struct {
        const char *input, *want;
    } cases[] = {
        { "A SEARCH RETURN (MIN COUNT) UNSEEN\r\n",
          "* ESEARCH (TAG \"A\") MIN 2 COUNT 3\nA OK *\n" },
        { "A SEARCH RETURN () UNSEEN\r\n", "* ESEARCH (TAG \"A\") ALL 2:4\nA OK *\n" },
        { "A SEARCH RETURN (ALL) OR 1 3:4\r\n", "* ESEARCH (TAG \"A\") ALL 1,3:4\nA OK *\n" },
        { "A UID SEARCH RETURN (MIN MAX ALL COUNT) ALL\r\n",
          "* ESEARCH (TAG \"A\") UID MIN 1 MAX 4 COUNT 4 ALL 1:4\nA OK *\n" },
        { "A SEARCH RETURN (MIN MAX) SEEN UNSEEN\r\n", "* ESEARCH (TAG \"A\")\nA OK *\n" },
        { "A SEARCH RETURN (COUNT) SEEN UNSEEN\r\n", "* ESEARCH (TAG \"A\") COUNT 0\nA OK *\n" },
        { "A SEARCH RETURN (ALL) SEEN UNSEEN\r\n", "* ESEARCH (TAG \"A\")\nA OK *\n" },
        { "A SEARCH RETURN (PARTIAL 1:2) ALL\r\n",
          "* ESEARCH (TAG \"A\") PARTIAL (1:2 1:2)\nA OK *\n" },
        { "A SEARCH RETURN (PARTIAL 3:2) ALL\r\n",
          "* ESEARCH (TAG \"A\") PARTIAL (3:2 2:3)\nA OK *\n" },
        { "A SEARCH RETURN (PARTIAL 3:9) NOT 2\r\n",
          "* ESEARCH (TAG \"A\") PARTIAL (3:9 4)\nA OK *\n" },
        { "A SEARCH RETURN (PARTIAL 5:9) ALL\r\n",
          "* ESEARCH (TAG \"A\") PARTIAL (5:9 NIL)\nA OK *\n" },
        { "A UID SEARCH RETURN (PARTIAL -1:-2) ALL\r\n",
          "* ESEARCH (TAG \"A\") UID PARTIAL (-1:-2 3:4)\nA OK *\n" },
        { "A SEARCH RETURN (PARTIAL -4294967295:-4 MAX COUNT) ALL\r\n",
          "* ESEARCH (TAG \"A\") MAX 4 COUNT 4 PARTIAL (-4294967295:-4 1)\nA OK *\n" },
        { "A SEARCH RETURN (partial -9:-9) ALL\r\n",
          "* ESEARCH (TAG \"A\") PARTIAL (-9:-9 NIL)\nA OK *\n" },
        { "A SEARCH RETURN (max) CHARSET UTF-8 ALL\r\n", "* ESEARCH (TAG \"A\") MAX 4\nA OK *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT(A, cases[i].input, cases[i].want);
}

static void test_saved(void **state)
{
    static const struct {
        const char *input, *want;
    } steps[] = {
        { "a FETCH $ UID\r\n", "a OK *\n" }, /* empty, and no error */
        { "a COPY $ Trash\r\n", "a OK *\n" },
        { "a SEARCH RETURN (SAVE) UNSEEN\r\n", "a OK *\n" }, /* no answer with SAVE alone */
        { "a FETCH $ UID\r\n",
          "* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 4 FETCH (UID 4)\na OK *\n" },
        { "a SEARCH $ FLAGGED\r\n", "* SEARCH 2\na OK *\n" },
        { "a UID SEARCH UID $ DELETED\r\n", "* SEARCH 3\na OK *\n" },
        { "a SEARCH NOT $\r\n", "* SEARCH 1\na OK *\n" },
        { "a SEARCH CHARSET UTF-8 (OR $ 1) SUBJECT meeting\r\n", "* SEARCH 1\na OK *\n" },
        { "a SEARCH 1\r\n", "* SEARCH 1\na OK *\n" },       /* without SAVE: stays */
        { "a SEARCH RETURN (SAVE) NOPE\r\n", "a BAD *\n" }, /* BAD: stays */
        { "a SEARCH RETURN (SAVE COUNT) $ NOT 2\r\n", "* ESEARCH (TAG \"a\") COUNT 2\na OK *\n" },
        { "a STORE $ +FLAGS.SILENT (\\Answered)\r\n", "a OK *\n" },
        { "a SEARCH ANSWERED\r\n", "* SEARCH 1 3 4\na OK *\n" },
        { "a SEARCH RETURN (SAVE MIN) ALL\r\n", "* ESEARCH (TAG \"a\") MIN 1\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1\na OK *\n" },
        { "a SEARCH RETURN (SAVE MIN MAX) ALL\r\n", "* ESEARCH (TAG \"a\") MIN 1 MAX 4\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 4\na OK *\n" },
        { "a SEARCH RETURN (SAVE MAX COUNT) ALL\r\n",
          "* ESEARCH (TAG \"a\") MAX 4 COUNT 4\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 2 3 4\na OK *\n" },
        /* RFC 9394 section 3.2, table 1 */
        { "a SEARCH RETURN (SAVE PARTIAL 2:3) ALL\r\n",
          "* ESEARCH (TAG \"a\") PARTIAL (2:3 2:3)\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 2 3\na OK *\n" },
        { "a SEARCH RETURN (SAVE PARTIAL 2:2 MIN) ALL\r\n",
          "* ESEARCH (TAG \"a\") MIN 1 PARTIAL (2:2 2)\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 2\na OK *\n" },
        { "a SEARCH RETURN (SAVE PARTIAL 2:2 MIN MAX) ALL\r\n",
          "* ESEARCH (TAG \"a\") MIN 1 MAX 4 PARTIAL (2:2 2)\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 2 4\na OK *\n" },
        { "a SEARCH RETURN (SAVE PARTIAL 9:9) ALL\r\n",
          "* ESEARCH (TAG \"a\") PARTIAL (9:9 NIL)\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH\na OK *\n" },
        { "a SEARCH RETURN (SAVE PARTIAL 1:1 COUNT) ALL\r\n",
          "* ESEARCH (TAG \"a\") COUNT 4 PARTIAL (1:1 1)\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 2 3 4\na OK *\n" },
        { "a UID EXPUNGE $\r\n", "* 3 EXPUNGE\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH 1 2 3\na OK *\n" }, /* what is expunged leaves it */
        { "a UID SEARCH $\r\n", "* SEARCH 1 2 4\na OK *\n" },
        { "a UID COPY $ Trash\r\n", "a OK [COPYUID *\n" },
        { "a SEARCH CHARSET X-NONE ALL\r\n", "a NO *\n" }, /* NO without SAVE: stays */
        { "a UID SEARCH $\r\n", "* SEARCH 1 2 4\na OK *\n" },
        { "a SEARCH RETURN (SAVE) CHARSET X-NONE ALL\r\n", "a NO *\n" }, /* NO with it: empty */
        { "a SEARCH $\r\n", "* SEARCH\na OK *\n" },
        { "a SEARCH RETURN (SAVE) ALL\r\n", "a OK *\n" },
        { "a SELECT INBOX\r\n", "...\na OK *\n" },
        { "a SEARCH $\r\n", "* SEARCH\na OK *\n" },
    };

    for (size_t i = 0; i < COUNT_OF(steps); i++)
        EXPECT(A, steps[i].input, steps[i].want);
}

/* MODSEQ: all, with RETURN (RFC 4731 section 3.2) and the old way. */
static void test_modseq(void **state)
{
    EXPECT(A, "a STORE 2 (UNCHANGEDSINCE 9999) +FLAGS.SILENT (\\Seen)\r\n", "...\na OK *\n");
    EXPECT(A, "a FETCH 1:4 MODSEQ\r\n",
           "* 1 FETCH (MODSEQ (6))\n* 2 FETCH (MODSEQ (9))\n* 3 FETCH (MODSEQ (8))\n"
           "* 4 FETCH (MODSEQ (5))\na OK *\n");
    EXPECT(A, "a SEARCH MODSEQ 6\r\n", "* SEARCH 1 2 3 (MODSEQ 9)\na OK *\n");
    EXPECT(A, "a SEARCH MODSEQ \"/flags/\\\\draft\" all 8\r\n",
           "* SEARCH 2 3 (MODSEQ 9)\na OK *\n");
    EXPECT(A, "a SEARCH MODSEQ 100\r\n", "* SEARCH\na OK *\n");
    EXPECT(A, "a SEARCH OR NOT MODSEQ 8 MODSEQ 9\r\n", "* SEARCH 1 2 4 (MODSEQ 9)\na OK *\n");
    EXPECT(A, "a SEARCH RETURN (MIN) MODSEQ 1\r\n",
           "* ESEARCH (TAG \"a\") MIN 1 MODSEQ 6\na OK *\n");
    EXPECT(A, "a SEARCH RETURN (MAX) MODSEQ 1\r\n",
           "* ESEARCH (TAG \"a\") MAX 4 MODSEQ 5\na OK *\n");
    EXPECT(A, "a SEARCH RETURN (MIN MAX) MODSEQ 1\r\n",
           "* ESEARCH (TAG \"a\") MIN 1 MAX 4 MODSEQ 6\na OK *\n");
    EXPECT(A, "a SEARCH RETURN (MIN COUNT) MODSEQ 1\r\n",
           "* ESEARCH (TAG \"a\") MIN 1 COUNT 4 MODSEQ 9\na OK *\n");
    EXPECT(A, "a SEARCH RETURN (COUNT) MODSEQ 99\r\n", "* ESEARCH (TAG \"a\") COUNT 0\na OK *\n");
}

/* MODSEQ is a command that enables CONDSTORE. */
static void test_modseq_enables(void **state)
{
    EXPECT(A, "a SEARCH MODSEQ 99\r\n", "* OK [HIGHESTMODSEQ *\n* SEARCH\na OK *\n");
    EXPECT(A, "a SEARCH MODSEQ 99\r\n", "* SEARCH\na OK *\n");
}

/* No EXPUNGE with SEARCH, nor with UID SEARCH that names message numbers (RFC 7162 3.2.10.2). */
static void test_expunge(void **state)
{
    EXPECT(B, "b EXPUNGE\r\n", "* 3 EXPUNGE\n...\nb OK *\n");
    EXPECT(A, "a SEARCH ALL\r\n", "* SEARCH 1 2 3 4\na OK *\n");
    EXPECT(A, "a SEARCH ALL\r\n", "* SEARCH 1 2 4\na OK *\n");
    EXPECT(A, "a UID SEARCH 1:4\r\n", "* SEARCH 1 2 4\na OK *\n");
    EXPECT(A, "a UID SEARCH UID 1:4\r\n", "* SEARCH 1 2 4\n* 3 EXPUNGE\na OK *\n");
    EXPECT(A, "a SEARCH ALL\r\n", "* SEARCH 1 2 3\na OK *\n");
}

/* Many messages are searched in slices, and found in order. */
static void test_slices(void **state)
{
    dialogue.settings.search_slice = 2;
    check("OR BODY 9012 OR SUBJECT parts ANSWERED", "1 3 4");
    check("BODY e", "1 2 3");
}

static unsigned turns;

static enum next count_turns(struct call *call)
{
    turns++;
    return imap_protocol.run(call);
}

/* Many keys that go over a large message do so in several turns, and remember what they found. */
static void test_turns(void **state)
{
    AUTO(buf_free) struct buf message = { 0 };
    AUTO(buf_free) struct buf command = { 0 };

    buf_add_text(&message, "Subject: large\r\n\r\n");
    while (message.len < 300000)
        buf_add_text(&message, "0123456789 0123456789 0123456789 0123456789 0123456789\r\n");
    rig_append(A, A->bob, "INBOX", buf_text(&message));
    EXPECT(A, "a NOOP\r\n", "...\na OK *\n");
    buf_add_text(&command, "a SEARCH * SUBJECT large");
    for (size_t i = 0; i < 100; i++)
        buf_fmt(&command, i % 2 == 0 ? " NOT TEXT no%zu" : " OR BODY no%zu TEXT 89", i);
    buf_add_text(&command, "\r\n");
    A->protocol.run = count_turns;
    EXPECT(A, buf_text(&command), "* SEARCH *\na OK *\n");
    assert_in_range(turns, 8, 30);
}

/* RETURN (UPDATE), RFC 5267 section 4.3: what other sessions do; in IDLE too. */
static void test_context(void **state)
{
    EXPECT(A, "u UID SEARCH RETURN (UPDATE) BODY tomorrow UNFLAGGED\r\n",
           "* ESEARCH (TAG \"u\") UID\nu OK *\n");
    EXPECT(A, "v SEARCH RETURN (UPDATE COUNT) DELETED\r\n",
           "* ESEARCH (TAG \"v\") COUNT 1\nv OK *\n");
    EXPECT(B, "b STORE 1 FLAGS.SILENT (\\Flagged)\r\n", "...\nb OK *\n");
    EXPECT(A, "a NOOP\r\n", "* 1 FETCH *\n* ESEARCH (TAG \"u\") UID REMOVEFROM (0 1)\na OK *\n");
    EXPECT(A, "a IDLE\r\n", "+ *\n");
    rig_append(A, A->bob, "INBOX", messages[0]);
    rig_event(A, WHY_NOTICE);
    EXPECT(A, NULL, "* 5 EXISTS\n* 2 RECENT\n* ESEARCH (TAG \"u\") UID ADDTO (0 5)\n");
}

/* A thousand messages at once, of which few may be looked at in one go: all of them are told. */
static void test_context_pieces(void **state)
{
    EXPECT(A, "u UID SEARCH RETURN (UPDATE) UNFLAGGED UID 5:*\r\n",
           "* ESEARCH (TAG \"u\") UID\nu OK *\n");
    for (int i = 0; i < 1100; i++)
        rig_append(A, A->bob, "INBOX", "Subject: many\r\n\r\nx\r\n");
    EXPECT(A, "a NOOP\r\n",
           "* 1104 EXISTS\n* 1101 RECENT\n* ESEARCH (TAG \"u\") UID ADDTO (0 5:504)\na OK *\n");
    EXPECT(A, "a NOOP\r\n", "* ESEARCH (TAG \"u\") UID ADDTO (0 505:1004)\na OK *\n");
    EXPECT(A, "a NOOP\r\n", "* ESEARCH (TAG \"u\") UID ADDTO (0 1005:1104)\na OK *\n");
    EXPECT(A, "a NOOP\r\n", "a OK *\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_view_keys), TEST(test_text_keys),      TEST(test_charsets),
        TEST(test_syntax),    TEST(test_too_complex),    TEST(test_return),
        TEST(test_saved),     TEST(test_modseq),         TEST(test_modseq_enables),
        TEST(test_expunge),   TEST(test_slices),         TEST(test_turns),
        TEST(test_context),   TEST(test_context_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
