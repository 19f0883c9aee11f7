/* test_lines.c - the lines we add: trace lines, and what a submission lacks. */
#include "smtpd/submit.h"
#include "smtpd/trace.h"

#include "tests/unit/support/check.h"

#define MISSING_ALL                                                                                \
    "From: <bob@example.test>\r\n"                                                                 \
    "Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n"                                                     \
    "Message-ID: <3e8.0000000000000007@mx.test>\r\n"

static const struct {
    const char *name, *header, *want;
} submits[] = {
    { "nothing", "\r\n", MISSING_ALL "\r\n" },
    { "no header at all", "", MISSING_ALL "\r\n" },
    { "complete", "From: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n",
      "From: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n" },
    { "Bcc goes", "From: a\r\nBCC: secret@x\r\nDate: b\r\nMessage-Id: c\r\n\r\n",
      "From: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n" },
    { "folded Bcc and Resent-Bcc go",
      "Bcc: secret@x,\r\n\tmore@x\r\nFrom: a\r\nResent-Bcc: x\r\nDate: b\r\nMessage-Id: c\r\n\r\n",
      "From: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n" },
    { "Return-Path goes", "Return-Path: <x>\r\nFrom: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n",
      "From: a\r\nDate: b\r\nMessage-Id: c\r\n\r\n" },
    { "only the Message-ID is missing", "From: a\r\nDate: b\r\n\r\n",
      "From: a\r\nDate: b\r\nMessage-ID: <3e8.0000000000000007@mx.test>\r\n\r\n" },
};

static void test_submit(void **state)
{
    const struct submit_facts facts = {
        .hostname = SLICE("mx.test"), .sender = SLICE("bob@example.test"), .id = 7, .now_ms = 1000
    };

    for (size_t i = 0; i < COUNT_OF(submits); i++) {
        AUTO(buf_free) struct buf out = { 0 };

        submit_fix(slice_of(submits[i].header), &facts, &out);
        if (!buf_is(&out, submits[i].want))
            fail_msg("%s: %s", submits[i].name, buf_text(&out));
    }
}

static const struct {
    bool esmtp, lmtp, secure, authenticated, utf8;
    const char *want;
} protocols[] = {
    { false, false, false, false, false, "SMTP" },
    { true, false, false, false, false, "ESMTP" },
    { true, false, true, false, false, "ESMTPS" },
    { true, false, false, true, false, "ESMTPA" },
    { true, false, true, true, false, "ESMTPSA" },
    { true, false, false, false, true, "UTF8SMTP" },
    { true, false, true, true, true, "UTF8SMTPSA" },
    { true, true, false, false, false, "LMTP" },
    { true, true, true, false, true, "UTF8LMTPS" },
};

static void test_protocol_names(void **state)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        struct trace trace = { .esmtp = protocols[i].esmtp,
                               .lmtp = protocols[i].lmtp,
                               .secure = protocols[i].secure,
                               .authenticated = protocols[i].authenticated,
                               .utf8 = protocols[i].utf8 };

        trace_protocol(&trace, &out);
        assert_string_equal(buf_text(&out), protocols[i].want);
    }
}

static void test_received(void **state)
{
    AUTO(buf_free) struct buf out = { 0 };
    struct trace trace = { .helo = SLICE("evil\r\nX: (y)"),
                           .address = "2001:db8::1",
                           .hostname = SLICE("mx.test"),
                           .tls_name = "TLS1.3 AES",
                           .esmtp = true,
                           .secure = true,
                           .recipient = SLICE("bob@example.test"),
                           .id = 0xabc,
                           .now_ms = 1000 };

    trace_received(&trace, &out);
    assert_string_equal(buf_text(&out), "Received: from evil??X:??y? ([IPv6:2001:db8::1])\r\n"
                                        "\tby mx.test (Postane) with ESMTPS (TLS1.3 AES)\r\n"
                                        "\tid 0000000000000abc\r\n\tfor <bob@example.test>;\r\n"
                                        "\tThu, 1 Jan 1970 00:00:01 +0000\r\n");
    buf_clear(&out);
    trace.hide_client = true;
    trace.recipient = SLICE("a\n@b");
    trace_received(&trace, &out);
    assert_null(strstr(buf_text(&out), "2001"));
    assert_null(strstr(buf_text(&out), "for"));
}

static void test_delivered_before(void **state)
{
    const struct slice header = SLICE("Subject: x\r\nDelivered-To: Bob@example.test\r\n\r\n"
                                      "Delivered-To: eve@example.test\r\n");

    assert_true(trace_was_delivered_to(header, SLICE("bob@example.test")));
    assert_false(trace_was_delivered_to(header, SLICE("eve@example.test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_protocol_names),
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_delivered_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
