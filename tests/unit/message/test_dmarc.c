/* DMARC: records, whose message it is, alignment, and what is done. */
#include "message/proof/dmarc.h"

#include "tests/unit/message/exact.h"
#include "tests/unit/message/zone.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define NONE       DMARC_POLICY_NONE
#define QUARANTINE DMARC_POLICY_QUARANTINE
#define REJECT     DMARC_POLICY_REJECT

static void records(void **state)
{
    static const struct {
        const char *text;
        bool good;
        struct dmarc_record record;
    } cases[] = {
        { "v=DMARC1; p=reject", true, { REJECT, REJECT, .percent = 100, .interval_s = 86400 } },
        { "v=DMARC1;p=none;", true, { NONE, NONE, .percent = 100, .interval_s = 86400 } },
        { "V = DMARC1 ; P = Quarantine ; SP = NONE ; adkim=s;aspf=S;pct=20;ri=3600;fo=1:d:s",
          true,
          { QUARANTINE, NONE, true, true, 20, .interval_s = 3600, .failure_options = 7 } },
        { "v=DMARC1; p=none; sp=reject; adkim=x; aspf=r; pct=101; ri=-1; fo=0:x; new=tag; junk",
          true,
          { NONE, REJECT, .percent = 100, .interval_s = 86400 } },
        { "v=DMARC1; p=reject; p=none; pct=0; pct=5",
          true,
          { REJECT, REJECT, .percent = 0, .interval_s = 86400 } },
        { "v=DMARC1; rua=mailto:a@example.org; p=none; ruf=mailto:b@example.org!10m",
          true,
          { NONE, NONE, .percent = 100, .interval_s = 86400, .rua = SLICE("mailto:a@example.org"),
            .ruf = SLICE("mailto:b@example.org!10m") } },
        { "v=DMARC1; pct=50; p=none", true, { NONE, NONE, .percent = 50, .interval_s = 86400 } },
        /* section 6.6.3: no policy, but reports are wanted */
        { "v=DMARC1; rua=mailto:a@example.org",
          true,
          { NONE, NONE, .percent = 100, .interval_s = 86400,
            .rua = SLICE("mailto:a@example.org") } },
        { "v=DMARC1; p=reject; sp=strange; rua=mailto:a@example.org",
          true,
          { NONE, NONE, .percent = 100, .interval_s = 86400,
            .rua = SLICE("mailto:a@example.org") } },
        { .text = "v=DMARC1; rua=nonsense", .good = false },
        { .text = "v=DMARC1; p=reject; sp=strange", .good = false },
        { .text = "v=DMARC1; p=rejected", .good = false },
        { .text = "v=DMARC1; p=", .good = false },
        { .text = "v=DMARC1", .good = false },
        { .text = "v=DMARC1 p=reject", .good = false },
        { .text = "v=dmarc1; p=reject", .good = false },
        { .text = "v=DMARC2; p=reject", .good = false },
        { .text = "p=reject; v=DMARC1", .good = false },
        { .text = " v=DMARC1; p=reject", .good = false },
        { .text = "v=spf1 -all", .good = false },
        { .text = "", .good = false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));
        const struct dmarc_record *want = &cases[i].record;
        struct dmarc_record got;

        if ((dmarc_record_parse(text, &got) == PARSE_OK) != cases[i].good)
            fail_msg("%s", cases[i].text);
        if (!cases[i].good)
            continue;
        assert_int_equal(got.policy, want->policy);
        assert_int_equal(got.subdomain_policy, want->subdomain_policy);
        assert_int_equal(got.strict_dkim, want->strict_dkim);
        assert_int_equal(got.strict_spf, want->strict_spf);
        assert_int_equal(got.percent, want->percent);
        assert_int_equal(got.interval_s, want->interval_s);
        assert_int_equal(got.failure_options, want->failure_options);
        assert_true(slice_equal(got.rua, want->rua));
        assert_true(slice_equal(got.ruf, want->ruf));
    }
}

static void records_cut(void **state)
{
    static const char whole[] =
        "v=DMARC1; p=reject; sp=none; pct=50; rua=mailto:a@example.org;fo=1";

    for (size_t len = 0; len < sizeof(whole); len++) {
        AUTO(exact_free) struct slice text = exact(slice_make(whole, len));
        struct dmarc_record record;
        bool good = dmarc_record_parse(text, &record) == PARSE_OK;

        assert_int_equal(good, len >= 18 && (len < 23 || len >= 27)); /* "p=reject", "sp=none" */
    }
}

static void from_fields(void **state)
{
    static const struct {
        const char *header, *domain;
    } cases[] = {
        { "From: joe@Example.ORG\r\n", "example.org" },
        { "From: Joe <joe@example.org.>\r\n", "example.org" },
        { "from : \"ceo@bank.example\" <joe@example.org>\r\n", "example.org" },
        { "From: =?utf-8?q?ceo=40bank=2Eexample?= <joe@example.org>\r\n", "example.org" },
        { "From: joe@example.org (of bank.example)\r\n", "example.org" },
        { "From: joe@example.org,\r\n ann@EXAMPLE.org\r\n", "example.org" },
        { "From: joe@example.org, ceo@bank.example\r\n", "" },
        { "From: joe@example.org\r\nFrom: ceo@bank.example\r\n", "" },
        { "From: joe@example.org\r\nFrom: joe@example.org\r\n", "example.org" },
        { "From: us: joe@example.org, ann@example.org;\r\n", "example.org" },
        { "From: us: joe@example.org, ann@bank.example;\r\n", "" },
        { "From: nobody:;\r\n", "" },
        { "From: <>\r\n", "" },
        { "From: joe\r\n", "" },
        { "From:\r\n", "" },
        { "To: joe@example.org\r\n", "" },
        { "From: joe@[192.0.2.1]\r\n", "" },
        { "From: joe@exa mple.org\r\n", NULL }, /* whatever: a host name or nothing */
        { "From: joe@b\xC3\xBC"
          "cher.example\r\n",
          "xn--bcher-kva.example" },
        { "From: joe@B\xC3\x9C"
          "CHER.example\r\n",
          "xn--bcher-kva.example" },
        { "From: joe@xn--bcher-kva.example, ann@b\xC3\xBC"
          "cher.example\r\n",
          "xn--bcher-kva.example" },
        { "From: joe@b\xFF.example\r\n", "" },
        { "no field\r\nFrom: joe@example.org\r\n\r\n", "example.org" },
        { "From: joe@example.org\r\nno field\r\nFrom: ceo@bank.example\r\n\r\n", "" },
        { "From: joe@example.org\r\n\r\nFrom: ceo@bank.example\r\n", "example.org" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice header = exact(slice_of(cases[i].header));
        struct slice domain = dmarc_from(&arena, header);

        if (cases[i].domain != NULL && !slice_equal(domain, slice_of(cases[i].domain)))
            fail_msg("%s: " SLICE_FMT, cases[i].header, SLICE_ARG(domain));
    }
}

/* Whoever writes very many addresses gets no domain, rather than that of the first hundred. */
static void very_many_addresses(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf header = { 0 };

    buf_add_text(&header, "From: a@example.org");
    for (size_t i = 0; i < 200; i++)
        buf_add_text(&header, ", a@example.org");
    buf_add_text(&header, ", ceo@bank.example\r\n");
    assert_int_equal(dmarc_from(&arena, buf_slice(&header)).len, 0);
}

static void organisations(void **state)
{
    static const struct {
        const char *domain, *organisation;
    } cases[] = {
        { "example.com", "example.com" },
        { "a.b.Example.COM.", "example.com" },
        { "a.b.example.co.uk", "example.co.uk" },
        { "co.uk", "co.uk" },
        { "com", "com" },
        { "a.b.unknown-suffix", "b.unknown-suffix" },
        { "www.xn--bcher-kva.example", "xn--bcher-kva.example" },
        { "a.city.kawasaki.jp", "city.kawasaki.jp" }, /* an exception to "*.kawasaki.jp" */
        { "a.b.c.kawasaki.jp", "b.c.kawasaki.jp" },
        { "", "" },
        { ".", "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct slice organisation = dmarc_organisation(&arena, slice_of(cases[i].domain));

        if (!slice_equal(organisation, slice_of(cases[i].organisation)))
            fail_msg("%s: " SLICE_FMT, cases[i].domain, SLICE_ARG(organisation));
    }
}

static void fill(struct dns_table *table)
{
    zone_add(table, "_dmarc.example.com", DNS_TXT, "some other text");
    zone_add(table, "_dmarc.example.com", DNS_TXT, "v=DMARC1; p=reject; sp=quarantine");
    zone_add(table, "_dmarc.xn--bcher-kva.example", DNS_TXT, "v=DMARC1; p=reject");
    zone_add(table, "_dmarc.strict.example.com", DNS_TXT, "v=DMARC1; p=reject; adkim=s; aspf=s");
    zone_add(table, "_dmarc.half.example", DNS_TXT, "v=DMARC1; p=reject; pct=50");
    zone_add(table, "_dmarc.soft.example", DNS_TXT, "v=DMARC1; p=quarantine; pct=50");
    zone_add(table, "_dmarc.watch.example", DNS_TXT, "v=DMARC1; p=none; pct=0");
    zone_add(table, "_dmarc.two.example", DNS_TXT, "v=DMARC1; p=reject");
    zone_add(table, "_dmarc.two.example", DNS_TXT, "v=DMARC1; p=none");
    zone_add(table, "_dmarc.broken.example", DNS_TXT, "v=DMARC1; p=maybe");
    zone_add(table, "_dmarc.broken.example.com", DNS_TXT, "v=DMARC1; p=maybe");
    zone_state(table, "_dmarc.failing.example", DNS_TXT, DNS_FAILED);
    zone_state(table, "_dmarc.failing.example.com", DNS_TXT, DNS_FAILED);
    zone_state(table, "_dmarc.empty.example.com", DNS_TXT, DNS_NOTHING);
}

static void outcomes(void **state)
{
    static const struct {
        const char *from;
        enum spf_result spf;
        const char *spf_domain;
        enum dkim_result dkim;
        const char *dkim_domain;
        unsigned chance;
        enum dmarc_result result;
        const char *domain;
        enum dmarc_policy policy, disposition;
    } cases[] = {
        /* nothing passes; where the record is */
        { "example.com", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_FAIL, "example.com", REJECT,
          REJECT },
        { "EXAMPLE.com.", SPF_NONE, "", DKIM_NONE, "", 99, DMARC_FAIL, "EXAMPLE.com", REJECT,
          REJECT },
        { "a.b.example.com", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_FAIL, "example.com", QUARANTINE,
          QUARANTINE },
        { "empty.example.com", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_FAIL, "example.com",
          QUARANTINE, QUARANTINE },
        { "absent.example", SPF_PASS, "absent.example", DKIM_NONE, "", 0, DMARC_NONE,
          "absent.example", NONE, NONE },
        { "a.absent.example", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_NONE, "absent.example", NONE,
          NONE },
        { "", SPF_PASS, "example.com", DKIM_NONE, "", 0, DMARC_NONE, "", NONE, NONE },
        { "two.example", SPF_PASS, "two.example", DKIM_NONE, "", 0, DMARC_PERMERROR, "two.example",
          NONE, NONE },
        { "broken.example", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_PERMERROR, "broken.example", NONE,
          NONE },
        { "broken.example.com", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_PERMERROR,
          "broken.example.com", NONE, NONE },
        { "failing.example", SPF_PASS, "failing.example", DKIM_NONE, "", 0, DMARC_TEMPERROR,
          "failing.example", NONE, NONE },
        { "failing.example.com", SPF_NONE, "", DKIM_NONE, "", 0, DMARC_TEMPERROR,
          "failing.example.com", NONE, NONE },
        /* alignment */
        { "example.com", SPF_PASS, "example.com", DKIM_NONE, "", 0, DMARC_PASS, "example.com",
          REJECT, NONE },
        { "example.com", SPF_PASS, "Bounce.example.COM.", DKIM_NONE, "", 0, DMARC_PASS,
          "example.com", REJECT, NONE },
        { "a.example.com", SPF_NONE, "", DKIM_PASS, "b.example.com", 0, DMARC_PASS, "example.com",
          QUARANTINE, NONE },
        { "example.com", SPF_PASS, "example.org", DKIM_PASS, "example.net", 0, DMARC_FAIL,
          "example.com", REJECT, REJECT },
        { "example.com", SPF_PASS, "badexample.com", DKIM_PASS, "com", 0, DMARC_FAIL, "example.com",
          REJECT, REJECT },
        { "strict.example.com", SPF_PASS, "a.strict.example.com", DKIM_PASS, "example.com", 0,
          DMARC_FAIL, "strict.example.com", REJECT, REJECT },
        { "strict.example.com", SPF_PASS, "STRICT.example.com", DKIM_NONE, "", 0, DMARC_PASS,
          "strict.example.com", REJECT, NONE },
        { "strict.example.com", SPF_NONE, "", DKIM_PASS, "strict.example.com", 0, DMARC_PASS,
          "strict.example.com", REJECT, NONE },
        { "example.com", SPF_SOFTFAIL, "example.com", DKIM_POLICY, "example.com", 0, DMARC_FAIL,
          "example.com", REJECT, REJECT },
        { "xn--bcher-kva.example", SPF_NONE, "", DKIM_PASS,
          "a.b\xC3\xBC"
          "cher.example",
          0, DMARC_PASS, "xn--bcher-kva.example", REJECT, NONE },
        /* what might have passed */
        { "example.com", SPF_TEMPERROR, "example.com", DKIM_NONE, "", 0, DMARC_TEMPERROR,
          "example.com", REJECT, NONE },
        { "example.com", SPF_FAIL, "example.com", DKIM_TEMPERROR, "example.com", 0, DMARC_TEMPERROR,
          "example.com", REJECT, NONE },
        { "example.com", SPF_TEMPERROR, "example.com", DKIM_PASS, "example.com", 0, DMARC_PASS,
          "example.com", REJECT, NONE },
        { "example.com", SPF_TEMPERROR, "example.org", DKIM_TEMPERROR, "example.org", 0, DMARC_FAIL,
          "example.com", REJECT, REJECT },
        /* pct= */
        { "half.example", SPF_NONE, "", DKIM_NONE, "", 49, DMARC_FAIL, "half.example", REJECT,
          REJECT },
        { "half.example", SPF_NONE, "", DKIM_NONE, "", 50, DMARC_FAIL, "half.example", REJECT,
          QUARANTINE },
        { "soft.example", SPF_NONE, "", DKIM_NONE, "", 50, DMARC_FAIL, "soft.example", QUARANTINE,
          NONE },
        { "watch.example", SPF_NONE, "", DKIM_NONE, "", 50, DMARC_FAIL, "watch.example", NONE,
          NONE },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct spf_outcome spf = { .result = cases[i].spf };
        struct dkim_verdict dkim[] = {
            { .result = DKIM_FAIL, .domain = slice_of(cases[i].from) },
            { .result = cases[i].dkim, .domain = slice_of(cases[i].dkim_domain) },
        };
        struct dmarc_query query = {
            slice_of(cases[i].from), &spf,           slice_of(cases[i].spf_domain), dkim,
            COUNT_OF(dkim),          cases[i].chance
        };
        struct dmarc_outcome outcome;
        unsigned rounds = 0;

        fill(&table);
        for (; !dmarc_check(&arena, &table, &query, &outcome); rounds++)
            assert_true(zone_close(&table) > 0 && rounds < 3);
        if (outcome.result != cases[i].result || outcome.policy != cases[i].policy ||
            outcome.disposition != cases[i].disposition ||
            !slice_equal(outcome.domain, slice_of(cases[i].domain)))
            fail_msg("case %zu: %s, %s, %s, " SLICE_FMT, i, dmarc_result_name(outcome.result),
                     dmarc_policy_name(outcome.policy), dmarc_policy_name(outcome.disposition),
                     SLICE_ARG(outcome.domain));
        assert_int_equal(outcome.sampled_out,
                         outcome.result == DMARC_FAIL && outcome.policy != outcome.disposition);
        assert_int_equal(outcome.result == DMARC_PASS, outcome.spf_aligned || outcome.dkim_aligned);
    }
}

static void reports_to_others(void **state)
{
    static const struct {
        const char *about, *to;
        bool may;
        unsigned rounds; /* that ask the DNS */
    } cases[] = {
        { "example.com", "example.com", true, 0 },
        { "example.com", "reports.example.com", true, 0 },
        { "a.example.com", "example.com", true, 0 },
        { "example.com", "taker.example", true, 0 },
        { "example.org", "taker.example", false, 1 },
        { "example.net", "taker.example", false, 0 },
        { "failing.example", "taker.example", false, 0 },
        { "example.com", "", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        unsigned rounds = 0;
        bool may;

        zone_add(&table, "example.com._report._dmarc.taker.example", DNS_TXT, "v=DMARC1");
        zone_add(&table, "example.net._report._dmarc.taker.example", DNS_TXT, "v=spf1 -all");
        zone_state(&table, "failing.example._report._dmarc.taker.example", DNS_TXT, DNS_FAILED);
        for (; !dmarc_may_report(&arena, &table, slice_of(cases[i].about), slice_of(cases[i].to),
                                 &may);
             rounds++)
            assert_int_equal(zone_close(&table), 1);
        if (may != cases[i].may || rounds != cases[i].rounds)
            fail_msg("%s to %s: %d, %u rounds", cases[i].about, cases[i].to, may, rounds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),           cmocka_unit_test(records_cut),
        cmocka_unit_test(from_fields),       cmocka_unit_test(very_many_addresses),
        cmocka_unit_test(organisations),     cmocka_unit_test(outcomes),
        cmocka_unit_test(reports_to_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
