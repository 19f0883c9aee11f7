/* test_dsn.c - the text of reports: RFC 3464, and RFC 6533 where addresses are not ASCII. */
#include "smtpd/dsn.h"
#include "tests/unit/support/check.h"

/* SLICE() for constants. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

#define DAY_MS (24 * 3600 * 1000ll)

static struct queue_try refused = { .at_ms = 2000,
                                    .host = TEXT("mx.far.test"),
                                    .tls = TEXT("TLS1.3"),
                                    .status = TEXT("5.1.1"),
                                    .reply = TEXT("550 5.1.1 no \xc3\xbcser\r\nX: y"),
                                    .answered = true };
static struct queue_try silent = { .at_ms = 3000,
                                   .host = TEXT("mx.far.test"),
                                   .status = TEXT("4.4.1"),
                                   .reply = TEXT("connection refused") };

struct sample {
    struct queue_recipient recipients[4];
    const struct queue_recipient *list[4];
    struct queue_message message;
    struct bounce bounce;
    struct dsn dsn;
};

static void begin(struct sample *sample, enum bounce_class class, size_t count)
{
    *sample = (struct sample){ 0 };
    for (size_t i = 0; i < count; i++)
        sample->list[i] = &sample->recipients[i];
    sample->message =
        (struct queue_message){ .sender = SLICE("bob@example.test"), .arrived_ms = 1000 };
    sample->bounce = (struct bounce){ class, sample->list, count };
    sample->dsn = (struct dsn){
        .hostname = SLICE("mx.test"),
        .message = &sample->message,
        .bounce = &sample->bounce,
        .returned = SLICE("Message-ID: <a@b>\r\nSubject: =?utf-8?q?h=69?=\r\n\r\n"),
        .id = 0xabc,
        .now_ms = 5000,
        .give_up_ms = 5 * DAY_MS,
    };
}

static struct queue_recipient recipient(const char *address, enum queue_report report,
                                        struct queue_try *last)
{
    return (struct queue_recipient){
        .address = slice_of(address),
        .original = slice_of(address),
        .report = report,
        .last_try_ms = last != NULL ? last->at_ms : 0,
        .log = last,
        .n_log = last != NULL ? 1 : 0,
    };
}

static void has(const struct buf *text, const char *needle)
{
    AUTO(buf_free) struct buf copy = { 0 };

    buf_add_slice(&copy, buf_slice(text));
    if (strstr(buf_text(&copy), needle) == NULL)
        fail_msg("no \"%s\" in\n%s", needle, buf_text(&copy));
}

static void has_not(const struct buf *text, const char *needle)
{
    AUTO(buf_free) struct buf copy = { 0 };

    buf_add_slice(&copy, buf_slice(text));
    if (strstr(buf_text(&copy), needle) != NULL)
        fail_msg("\"%s\" in\n%s", needle, buf_text(&copy));
}

static void several_failures(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct sample sample;

    begin(&sample, BOUNCE_FAILURE, 2);
    sample.message.envid = SLICE("QQ+3D31");
    sample.message.client = SLICE("out.example ([192.0.2.1])");
    sample.recipients[0] = recipient("x@far.test", REPORT_FAILED, &refused);
    sample.recipients[0].orcpt = SLICE("rfc822;Bob+2Btag@list.test");
    sample.recipients[1] = recipient("y@far.test", REPORT_FAILED, &silent);
    dsn_print(&sample.dsn, &text);

    has(&text, "Subject: Your message could not be delivered\r\n");
    has(&text, "Auto-Submitted: auto-replied\r\n");
    has(&text, "References: <a@b>\r\n");
    has(&text, "report-type=delivery-status");
    has(&text, "Content-Type: message/delivery-status\r\n\r\n"
               "Original-Envelope-Id: QQ=31\r\n"
               "Reporting-MTA: dns; mx.test\r\n"
               "Received-From-MTA: dns; out.example ([192.0.2.1])\r\n"
               "Arrival-Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n"
               "\r\n"
               "Original-Recipient: rfc822; Bob+tag@list.test\r\n"
               "Final-Recipient: rfc822; x@far.test\r\n"
               "Action: failed\r\n"
               "Status: 5.1.1\r\n"
               "Remote-MTA: dns; mx.far.test\r\n"
               "Diagnostic-Code: smtp; 550 5.1.1 no ??ser  X: y\r\n"
               "Last-Attempt-Date: Thu, 1 Jan 1970 00:00:02 +0000\r\n"
               "\r\n"
               "Final-Recipient: rfc822; y@far.test\r\n"
               "Action: failed\r\n"
               "Status: 4.4.1\r\n"
               "Remote-MTA: dns; mx.far.test\r\n"
               "Last-Attempt-Date: Thu, 1 Jan 1970 00:00:03 +0000\r\n"
               "\r\n--=_");
    has(&text, "There is no such address.");
    has(&text, "mx.far.test answered: 550 5.1.1");
    has(&text, "Reason: connection refused");
    has(&text, "Its subject was: hi\r\n");
    has(&text, "Content-Type: text/rfc822-headers\r\n");
    assert_true(slice_is_ascii(buf_slice(&text)));
}

static void delays(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct sample sample;

    begin(&sample, BOUNCE_DELAY, 1);
    sample.recipients[0] = recipient("x@far.test", REPORT_DELAYED, &silent);
    sample.recipients[0].waited_ms = 4 * DAY_MS - 5000;
    dsn_print(&sample.dsn, &text);
    has(&text, "Subject: Your message is delayed\r\n");
    has(&text, "You need not send it again");
    has(&text, "Action: delayed\r\nStatus: 4.4.1\r\n");
    has(&text, "Will-Retry-Until: Fri, 2 Jan 1970 00:00:10 +0000\r\n");

    /* A server that will not serve us today says so with a code for ever. */
    buf_clear(&text);
    sample.recipients[0] = recipient("x@far.test", REPORT_DELAYED, &refused);
    dsn_print(&sample.dsn, &text);
    has(&text, "Action: delayed\r\nStatus: 4.1.1\r\n");
}

static void successes(void **state)
{
    static const struct {
        enum queue_report report;
        const char *subject, *action;
    } cases[] = {
        { REPORT_DELIVERED, "Your message was delivered", "delivered" },
        { REPORT_RELAYED, "Your message was passed on", "relayed" },
        { REPORT_EXPANDED, "Your message was passed on", "expanded" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf text = { 0 };
        AUTO(buf_free) struct buf want = { 0 };
        struct sample sample;

        begin(&sample, BOUNCE_SUCCESS, 1);
        sample.recipients[0] = recipient("list@example.test", cases[i].report, NULL);
        dsn_print(&sample.dsn, &text);
        buf_fmt(&want, "Action: %s\r\nStatus: 2.0.0\r\n", cases[i].action);
        has(&text, buf_text(&want));
        has(&text, cases[i].subject);
        has_not(&text, "Last-Attempt-Date");
    }
}

static void utf8_addresses(void **state)
{
    AUTO(buf_free) struct buf global = { 0 };
    AUTO(buf_free) struct buf plain = { 0 };
    struct sample sample;

    begin(&sample, BOUNCE_FAILURE, 2);
    sample.message.utf8 = true;
    sample.dsn.returned_is_full = true;
    sample.recipients[0] = recipient("j\xc3\xbcrgen@b\xc3\xbc.test", REPORT_FAILED, &refused);
    sample.recipients[0].orcpt = SLICE("utf-8;\\x{FC}@x.test");
    sample.recipients[1] = recipient("y@far.test", REPORT_FAILED, &refused);
    sample.recipients[1].orcpt = SLICE("utf-8;\\x{zz}@x.test"); /* copied as it is */
    assert_true(dsn_needs_utf8(&sample.dsn));
    dsn_print(&sample.dsn, &global);
    has(&global, "Content-Type: message/global-delivery-status\r\n"
                 "Content-Transfer-Encoding: 8bit\r\n\r\n");
    has(&global, "Original-Recipient: utf-8; \xc3\xbc@x.test\r\n"
                 "Final-Recipient: utf-8; j\xc3\xbcrgen@b\xc3\xbc.test\r\n");
    has(&global, "Original-Recipient: utf-8; \\x{zz}@x.test\r\n"
                 "Final-Recipient: rfc822; y@far.test\r\n");
    has(&global, "Diagnostic-Code: smtp; 550 5.1.1 no \xc3\xbcser");
    has(&global, "Content-Type: message/global\r\n");

    /* The same for a sender whose message came without SMTPUTF8: an alias has led there. */
    sample.message.utf8 = false;
    assert_false(dsn_needs_utf8(&sample.dsn));
    dsn_print(&sample.dsn, &plain);
    assert_true(slice_is_ascii(buf_slice(&plain)));
    has(&plain, "Content-Type: message/delivery-status\r\n\r\n");
    has(&plain, "Original-Recipient: utf-8; \\x{FC}@x.test\r\n"
                "Final-Recipient: utf-8; j\\x{FC}rgen@b\\x{FC}.test\r\n");
    has(&plain, "Content-Type: message/rfc822\r\n");
}

static void utf8_is_not_used_in_vain(void **state)
{
    struct sample sample;

    begin(&sample, BOUNCE_FAILURE, 1);
    sample.message.utf8 = true;
    sample.recipients[0] = recipient("y@far.test", REPORT_FAILED, &refused);
    assert_false(dsn_needs_utf8(&sample.dsn));
    sample.dsn.returned = SLICE("Subject: \xc3\xbc\r\n\r\n");
    assert_true(dsn_needs_utf8(&sample.dsn));
    sample.dsn.returned = SLICE("Subject: x\r\n\r\n\xc3\xbc\r\n");
    assert_false(dsn_needs_utf8(&sample.dsn));
    sample.message.sender = SLICE("\xc3\xbc@x.test");
    assert_true(dsn_needs_utf8(&sample.dsn));
}

static void hostile_texts_stay_on_their_line(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct sample sample;
    struct queue_try last = { .host = SLICE("h\r\nX-Evil: 1"),
                              .status = SLICE("5.1.1\r\nX-Evil: 2"),
                              .reply = SLICE("no\r\n\r\nX-Evil: 3"),
                              .answered = true };

    begin(&sample, BOUNCE_FAILURE, 1);
    sample.message.envid = SLICE("+0D+0AX-Evil:+204");
    sample.dsn.returned = SLICE("Message-ID: <a@b>\r\n X-Evil: 5>\r\n\r\n");
    sample.recipients[0] = recipient("y@far.test", REPORT_FAILED, &last);
    sample.recipients[0].orcpt = SLICE("rfc822;x+0D+0AX-Evil:+206");
    dsn_print(&sample.dsn, &text);
    has_not(&text, "\nX-Evil");
    has_not(&text, "References");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_failures),
        cmocka_unit_test(delays),
        cmocka_unit_test(successes),
        cmocka_unit_test(utf8_addresses),
        cmocka_unit_test(utf8_is_not_used_in_vain),
        cmocka_unit_test(hostile_texts_stay_on_their_line),
    };

    return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
