/* test_summary.c - ENVELOPE, BODY and BODYSTRUCTURE to the byte. */
#include "message/summary.h"

#include "tests/unit/message/exact.h"

#define NO_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

static const struct {
    const char *name, *header, *want;
} envelopes[] = {
    { "empty", "", NO_ENVELOPE },
    /* RFC 3501 section 8 */
    { "example",
      "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray "
      "<gray@cac.washington.edu>\r\n"
      "Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
      "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
      "Message-Id: <B27397-0100000@cac.washington.edu>\r\n",
      "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\""
      " ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
      " ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
      " ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))"
      " ((NIL NIL \"imap\" \"cac.washington.edu\"))"
      " ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\"))"
      " NIL NIL \"<B27397-0100000@cac.washington.edu>\")" },
    { "sender and reply-to", "From: a@b\r\nSender: c@d\r\nReply-To: e@f\r\n",
      "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\"))"
      " NIL NIL NIL NIL NIL)" },
    { "empty sender", "From: a@b\r\nSender: \r\nReply-To:\r\n",
      "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\"))"
      " NIL NIL NIL NIL NIL)" },
    { "group", "To: All: a@b;\r\n",
      "(NIL NIL NIL NIL NIL ((NIL NIL \"All\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL "
      "NIL NIL)" },
    { "group without a name", "To: :;\r\n",
      "(NIL NIL NIL NIL NIL ((NIL NIL \"\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
    { "halves", "To: root, <@x:y>, Mary Smith\r\n",
      "(NIL NIL NIL NIL NIL ((NIL NIL \"root\" \"MISSING_DOMAIN\")(NIL \"@x\" \"y\" "
      "\"MISSING_DOMAIN\")"
      "(\"Mary Smith\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")) NIL NIL NIL NIL)" },
    { "lists go on", "To: a@b\r\nCc: c@d\r\nTO: e@f\r\n",
      "(NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"e\" \"f\")) ((NIL NIL \"c\" \"d\"))"
      " NIL NIL NIL)" },
    { "first text counts", "Subject: a\r\nSubject: b\r\n",
      "(NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "quoting", "Subject: a \"b\" \\c\r\n",
      "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "unfolded", "Subject: a\r\n b\r\n", "(NIL \"a b\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "encoded words stay", "Subject: =?utf-8?q?a?=\r\n",
      "(NIL \"=?utf-8?q?a?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "8-bit", "Subject: caf\xc3\xa9\r\n",
      "(NIL {5}\r\ncaf\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "carriage return", "Subject: a\rb\r\n", "(NIL {3}\r\na\rb NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

static void test_envelopes(void **state)
{
    for (size_t i = 0; i < COUNT_OF(envelopes); i++) {
        AUTO(exact_free) struct slice message = exact(slice_of(envelopes[i].header));
        AUTO(summary_free) struct summary summary;

        summary_make(message, &summary);
        check_text(envelopes[i].name, &summary.envelope, envelopes[i].want);
    }
}

static const struct {
    const char *name, *message, *want, *want_body;
} structures[] = {
    { "empty", "",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0 NIL NIL NIL NIL)",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0)" },
    { "text", "Content-Type: TEXT/html; charset=utf-8\r\n\r\na\r\nb\r\n",
      "(\"TEXT\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7BIT\" 6 2 NIL NIL NIL NIL)",
      "(\"TEXT\" \"html\" (\"charset\" \"utf-8\") NIL NIL \"7BIT\" 6 2)" },
    { "text without charset", "Content-Type: text/plain; format=flowed\r\n\r\n",
      "(\"text\" \"plain\" (\"format\" \"flowed\" \"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0 "
      "NIL NIL NIL NIL)",
      "(\"text\" \"plain\" (\"format\" \"flowed\" \"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 "
      "0)" },
    { "everything",
      "Content-Type: image/png; name=\"a\\\"b\"\r\nContent-ID: <i>\r\nContent-Description: d\r\n"
      "Content-Transfer-Encoding: base64\r\nContent-MD5: m\r\nContent-Disposition: inline\r\n"
      "Content-Language: en, fr\r\nContent-Location: l\r\n\r\nYQ==",
      "(\"image\" \"png\" (\"name\" \"a\\\"b\") \"<i>\" \"d\" \"base64\" 4 \"m\" (\"inline\" NIL)"
      " (\"en\" \"fr\") \"l\")",
      "(\"image\" \"png\" (\"name\" \"a\\\"b\") \"<i>\" \"d\" \"base64\" 4)" },
    { "name that is not ASCII",
      "Content-Type: a/b\r\nContent-Disposition: attachment; "
      "filename*=utf-8''na%c3%afve%20x\r\n\r\n",
      "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 0 NIL (\"attachment\" (\"filename*\""
      " \"utf-8''na%C3%AFve%20x\")) NIL NIL)",
      "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 0)" },
    { "multipart",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
      "a/b\r\n"
      "\r\ntwo\r\n--b--\r\n",
      "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 0 NIL NIL NIL NIL)"
      "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 3 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL "
      "NIL)",
      "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 0)"
      "(\"a\" \"b\" NIL NIL NIL \"7BIT\" 3) \"mixed\")" },
    { "multipart without a part", "Content-Type: multipart/mixed; boundary=b\r\n\r\na\r\n",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 1 NIL NIL NIL NIL)",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 1)" },
    { "message", "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n",
      "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"
      " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 1 NIL NIL NIL NIL) 3 NIL "
      "NIL NIL NIL)",
      "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL)"
      " (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 3 1) 3)" },
    { "encoded message",
      "Content-Type: message/rfc822; name=n\r\nContent-Transfer-Encoding: "
      "base64\r\n\r\nQTogYg==\r\n",
      "(\"application\" \"octet-stream\" (\"name\" \"n\") NIL NIL \"base64\" 10 NIL NIL NIL NIL)",
      "(\"application\" \"octet-stream\" (\"name\" \"n\") NIL NIL \"base64\" 10)" },
};

static void test_structures(void **state)
{
    for (size_t i = 0; i < COUNT_OF(structures); i++) {
        AUTO(exact_free) struct slice message = exact(slice_of(structures[i].message));
        AUTO(summary_free) struct summary summary;

        summary_make(message, &summary);
        check_text(structures[i].name, &summary.body_structure, structures[i].want);
        check_text(structures[i].name, &summary.body, structures[i].want_body);
    }
}

static void test_nul_is_left_out(void **state)
{
    AUTO(summary_free) struct summary summary;

    summary_make(SLICE("Subject: a\0b\r\n"), &summary);
    check_text("NUL", &summary.envelope, "(NIL {2}\r\nab NIL NIL NIL NIL NIL NIL NIL NIL)");
}

static void test_numbers(void **state)
{
    AUTO(summary_free) struct summary summary;
    struct summary no_date;

    summary_make(SLICE("Date: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\nbody"), &summary);
    assert_int_equal(summary.sent_ms, INT64_C(1772445600000));
    assert_int_equal(summary.header_len, 40);
    summary_make(SLICE("Date: yesterday"), &no_date);
    assert_int_equal(no_date.sent_ms, 0);
    assert_int_equal(no_date.header_len, 15);
    summary_free(&no_date);
    assert_null(no_date.envelope.data);
}

static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(structures); i++)
        for (size_t len = 0; len < strlen(structures[i].message); len++) {
            AUTO(exact_free) struct slice message = exact(slice_make(structures[i].message, len));
            AUTO(summary_free) struct summary summary;

            summary_make(message, &summary);
            assert_true(summary.header_len <= len);
        }
}

static const struct {
    const char *name, *message, *want;
} previews[] = {
    { "none", "Subject: s\r\n\r\n", "" },
    { "plain", "\r\n\r\n  a\tb \r\n\r\nc\r\n", "a b c" },
    { "html", "Content-Type: text/html\r\n\r\n<style>p{}</style><p>a<p>b&lt;", "a b<" },
    { "the first of two",
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\n"
      "Content-Type: text/html\r\n\r\nhtml\r\n--b--\r\n",
      "plain" },
    { "the first is blank",
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n\r\n--b\r\n"
      "Content-Type: text/html\r\n\r\nhtml\r\n--b--\r\n",
      "html" },
    { "an attachment",
      "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\ntext\r\n", "" },
    { "no text", "Content-Type: application/pdf\r\n\r\ntext\r\n", "" },
    { "a message inside", "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\ntext\r\n", "" },
    { "bytes of no charset", "\r\n\r\na\xff\x01\x7f b\r\n", "a\xc3\xbf b" },
};

static void test_previews(void **state)
{
    for (size_t i = 0; i < COUNT_OF(previews); i++) {
        AUTO(exact_free) struct slice message = exact(slice_of(previews[i].message));
        AUTO(summary_free) struct summary summary;

        summary_make(message, &summary);
        check_text(previews[i].name, &summary.preview, previews[i].want);
    }
}

/* Characters are counted, not bytes. */
static void test_long_preview(void **state)
{
    AUTO(buf_free) struct buf message = { 0 };
    AUTO(summary_free) struct summary summary;

    buf_add_text(&message, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (size_t i = 0; i < 300; i++)
        buf_add_text(&message, i % 2 == 0 ? "\xe2\x82\xac" : "\r\n \t");
    summary_make(buf_slice(&message), &summary);
    assert_int_equal(summary.preview.len, 100 * 3 + 100);
}

/* However many addresses there are, in one field or in many, what is stored stays bounded. */
static void test_many_addresses(void **state)
{
    AUTO(buf_free) struct buf message = { 0 };
    AUTO(summary_free) struct summary summary;

    buf_add_text(&message, "To: ");
    for (int i = 0; i < 100000; i++)
        buf_add_text(&message, "a,");
    for (int i = 0; i < 100000; i++)
        buf_add_text(&message, "\r\nCc: a");
    summary_make(buf_slice(&message), &summary);
    assert_true(summary.envelope.len <
                2 * 2000 * strlen("(NIL NIL \"a\" \"MISSING_DOMAIN\")") + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelopes),       cmocka_unit_test(test_structures),
        cmocka_unit_test(test_nul_is_left_out), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_truncated),       cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_previews),        cmocka_unit_test(test_long_preview),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
