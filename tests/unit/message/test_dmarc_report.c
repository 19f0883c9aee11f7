/* test_dmarc_report.c - aggregate reports, as they come and as they should not. */
#include "message/proof/dmarc_report.h"

#include "tests/unit/message/exact.h"

static const char sample[] =
    "<?xml version=\"1.0\"?>\n<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">"
    "<report_metadata><org_name>Example &amp; Co</org_name><email>d@rep.example</email>"
    "<report_id>42</report_id><date_range><begin>1700000000</begin><end>1700086400</end>"
    "</date_range></report_metadata><policy_published><domain>example.org</domain>"
    "<adkim>r</adkim><aspf>s</aspf><p>reject</p><sp>none</sp><pct>100</pct></policy_published>"
    "<record><row><source_ip>192.0.2.1</source_ip><count>7</count><policy_evaluated>"
    "<disposition>none</disposition><dkim>pass</dkim><spf>fail</spf>"
    "<reason><type>forwarded</type><comment>c</comment></reason></policy_evaluated></row>"
    "<identifiers><header_from>example.org</header_from></identifiers><auth_results>"
    "<dkim><domain>example.org</domain><selector>r1</selector><result>pass</result></dkim>"
    "<dkim><domain>other.example</domain><result>fail</result></dkim>"
    "<spf><domain>bounce.example</domain><scope>helo</scope><result>softfail</result></spf></"
    "auth_results></record>"
    "<record><row><source_ip>2001:db8::1</source_ip><count>x</count></row></record></feedback>";

static bool parse(struct arena *arena, struct slice xml, struct dmarc_report *report)
{
    AUTO(exact_free) struct slice copy = exact(xml);
    struct error err;

    return dmarc_report_parse(arena, copy, report, &err);
}

static void check_sample(const struct dmarc_report *report)
{
    const struct dmarc_row *row = &report->rows[0];

    assert_true(slice_equal(report->organisation, SLICE("Example & Co")));
    assert_true(slice_equal(report->domain, SLICE("example.org")));
    assert_true(slice_equal(report->policy, SLICE("reject")));
    assert_int_equal(report->begin_s, 1700000000);
    assert_int_equal(report->n_rows, 2);
    assert_true(slice_equal(row->source, SLICE("192.0.2.1")));
    assert_int_equal(row->count, 7);
    assert_true(slice_equal(row->spf, SLICE("fail")));
    assert_true(slice_equal(row->dkim_domain, SLICE("example.org"))); /* the first */
    assert_true(slice_equal(row->reason, SLICE("forwarded")));
    assert_true(slice_equal(row->spf_scope, SLICE("helo")));
    assert_true(slice_equal(row->spf_result, SLICE("softfail")));
    assert_int_equal(report->rows[1].count, 0);
}

static void test_reads(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct dmarc_report report;

    assert_true(parse(&arena, slice_of(sample), &report));
    check_sample(&report);
}

static void test_reads_what_it_prints(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf xml = { 0 };
    struct dmarc_report report, again;

    assert_true(parse(&arena, slice_of(sample), &report));
    dmarc_report_print(&report, &xml);
    assert_true(parse(&arena, buf_slice(&xml), &again));
    check_sample(&again);
}

/* What strangers have called themselves is printed in a form that every reader takes. */
static void test_prints_any_bytes(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf xml = { 0 };
    struct dmarc_row row = { .envelope_from = SLICE("<&\"\xff\x01]]>"),
                             .header_from = SLICE("b\xc3\xbc.test") };
    struct dmarc_report report = { .domain = SLICE("a.test"), .rows = &row, .n_rows = 1 }, again;

    row.spf_domain = SLICE("a\xef\xbf\xbf"
                           "b\xef\xbf\xbd");
    dmarc_report_print(&report, &xml);
    assert_true(parse(&arena, buf_slice(&xml), &again));
    assert_true(slice_equal(again.rows[0].envelope_from, SLICE("<&\"? ]]>")));
    assert_true(slice_equal(again.rows[0].header_from, row.header_from));
    assert_true(slice_equal(again.rows[0].spf_domain, SLICE("a?b\xef\xbf\xbd")));
}

static void test_cut_anywhere(void **state)
{
    for (size_t len = 0; len < sizeof(sample) - 1; len++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct dmarc_report report;

        assert_false(parse(&arena, slice_make(sample, len), &report));
    }
}

static void test_refuses(void **state)
{
    static const char *const cases[] = {
        "",
        "not XML",
        "<feedback/>",
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><feedback>&b;</feedback>",
        ("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
         "</a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>"),
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct dmarc_report report;

        assert_false(parse(&arena, slice_of(cases[i]), &report));
    }
}

static void test_subject(void **state)
{
    assert_true(dmarc_report_subject(
        SLICE("Report Domain: example.org Submitter: rep.example Report-ID: <1>")));
    assert_true(dmarc_report_subject(SLICE("Report domain: example.org submitter: x")));
    assert_false(dmarc_report_subject(SLICE("Re: Report Domain: example.org Submitter: x")));
    assert_false(dmarc_report_subject(SLICE("Report Domain: example.org")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_reads_what_it_prints),
        cmocka_unit_test(test_prints_any_bytes),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_subject),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
