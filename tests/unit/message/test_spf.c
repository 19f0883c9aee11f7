/* SPF: what the published suites (tests/tools/spf_vectors.py) do not ask: terms and macros one by
 * one, hostile records, and how the check waits for the DNS. */
#include "message/proof/spf_private.h"

#include "tests/unit/message/exact.h"
#include "tests/unit/message/zone.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define CLIENT "192.0.2.1"

/* Asks until there is an outcome; what the zone does not have does not exist. Counts the rounds. */
static unsigned check_all(struct arena *arena, struct dns_table *table,
                          const struct spf_query *query, struct spf_outcome *outcome_out)
{
    unsigned rounds = 1;

    for (; !spf_check(arena, table, query, outcome_out); rounds++) {
        assert_true(rounds < 60);
        assert_true(zone_close(table) > 0);
    }
    return rounds;
}

static enum spf_result result_of(struct dns_table *table, const char *address)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct spf_query query = { address, SLICE("mx.example.org"), SLICE("joe@example.org"),
                               SLICE("mx.example.net"), 1700000000 };
    struct spf_outcome outcome;

    check_all(&arena, table, &query, &outcome);
    return outcome.result;
}

static void terms(void **state)
{
    static const struct {
        const char *text;
        enum parse parse; /* of the first term */
        enum spf_kind kind;
        enum spf_result result;
        const char *domain;
        unsigned prefix4, prefix6;
    } cases[] = {
        { "all", PARSE_OK, SPF_ALL, SPF_PASS, "", 32, 128 },
        { "  -ALL ", PARSE_OK, SPF_ALL, SPF_FAIL, "", 32, 128 },
        { "~a", PARSE_OK, SPF_A, SPF_SOFTFAIL, "", 32, 128 },
        { "?mx:%{d}/0//0", PARSE_OK, SPF_MX, SPF_NEUTRAL, "%{d}", 0, 0 },
        { "+a:x.example/24", PARSE_OK, SPF_A, SPF_PASS, "x.example", 24, 128 },
        { "a//64", PARSE_OK, SPF_A, SPF_PASS, "", 32, 64 },
        { "a:a/b.example/8//9", PARSE_OK, SPF_A, SPF_PASS, "a/b.example", 8, 9 },
        { "include:%{i}._spf.example.org", PARSE_OK, SPF_INCLUDE, SPF_PASS, "%{i}._spf.example.org",
          32, 128 },
        { "ip4:10.0.0.0/8", PARSE_OK, SPF_IP4, SPF_PASS, "", 8, 128 },
        { "ip6:2001:db8::/32", PARSE_OK, SPF_IP6, SPF_PASS, "", 32, 32 },
        { "ptr", PARSE_OK, SPF_PTR, SPF_PASS, "", 32, 128 },
        { "exists:%{p}", PARSE_OK, SPF_EXISTS, SPF_PASS, "%{p}", 32, 128 },
        { "redirect=x.example", PARSE_OK, SPF_REDIRECT, SPF_PASS, "x.example", 32, 128 },
        { "EXP=x.example.", PARSE_OK, SPF_EXP, SPF_PASS, "x.example.", 32, 128 },
        { "rr=anything/:=%{t}", PARSE_OK, SPF_OTHER, SPF_PASS, "anything/:=%{t}", 32, 128 },
        { "rr=", PARSE_OK, SPF_OTHER, SPF_PASS, "", 32, 128 },
        { "", PARSE_MORE, SPF_ALL, SPF_PASS, "", 0, 0 },
        { "   ", PARSE_MORE, SPF_ALL, SPF_PASS, "", 0, 0 },
        { .text = "-", .parse = PARSE_BAD },
        { .text = "--all", .parse = PARSE_BAD },
        { .text = "al", .parse = PARSE_BAD },
        { .text = "all/8", .parse = PARSE_BAD },
        { .text = "include", .parse = PARSE_BAD },
        { .text = "a:x.example/33", .parse = PARSE_BAD },
        { .text = "a:x.example//129", .parse = PARSE_BAD },
        { .text = "a:x.example/024", .parse = PARSE_BAD },
        { .text = "a:x.example/", .parse = PARSE_BAD },
        { .text = "a/99999999999999999999999", .parse = PARSE_BAD },
        { .text = "a24", .parse = PARSE_BAD },
        { .text = "ip4:1.2.3.4/", .parse = PARSE_BAD },
        { .text = "ip4:01.2.3.4", .parse = PARSE_BAD },
        { .text = "ip4/24", .parse = PARSE_BAD },
        { .text = "ip6:1.2.3.4", .parse = PARSE_BAD },
        { .text = "ip6:::1%lo", .parse = PARSE_BAD },
        { .text = "ip6:1111:2222:3333:4444:5555:6666:123.123.123.123x", .parse = PARSE_BAD },
        { .text = "exp=x", .parse = PARSE_BAD },
        { .text = "redirect=%{r}.example", .parse = PARSE_BAD },
        { .text = "x\ty=z", .parse = PARSE_BAD },
        { .text = "y=a\tb", .parse = PARSE_BAD },
        { .text = "y=\xC3\xA4", .parse = PARSE_BAD },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));
        struct slice rest = text;
        struct spf_term term;

        if (spf_term_next(&rest, &term) != cases[i].parse)
            fail_msg("%s", cases[i].text);
        if (cases[i].parse != PARSE_OK)
            continue;
        assert_int_equal(term.kind, cases[i].kind);
        assert_int_equal(term.result, cases[i].result);
        assert_true(slice_equal(term.domain, slice_of(cases[i].domain)));
        assert_int_equal(term.prefix4, cases[i].prefix4);
        assert_int_equal(term.prefix6, cases[i].prefix6);
    }
}

/* Whatever a record is cut to, it is read to its end or refused. */
static void terms_cut(void **state)
{
    static const char record[] = " a:%{ir}.x.example/24//64 -include:%{d2}._spf.x.example exp=x.y "
                                 "ip6:2001:db8::1/48 mx/8 redirect=%{l1r+-}.z.example ?all";

    for (size_t len = 0; len < sizeof(record); len++) {
        AUTO(exact_free) struct slice text = exact(slice_make(record, len));
        struct slice rest = text;
        struct spf_term term;
        enum parse parse;
        size_t count = 0;

        while ((parse = spf_term_next(&rest, &term)) == PARSE_OK)
            count++;
        assert_true(count <= 7);
        if (len == sizeof(record) - 1) {
            assert_int_equal(parse, PARSE_MORE);
            assert_int_equal(count, 7);
        }
    }
}

/* The examples of RFC 7208 section 7.4, and more. */
static void macros(void **state)
{
    static const struct {
        const char *text, *expanded; /* NULL: not valid */
    } cases[] = {
        { "%{s}", "strong-bad@email.example.com" },
        { "%{o}", "email.example.com" },
        { "%{d}", "email.example.com" },
        { "%{d4}", "email.example.com" },
        { "%{d3}", "email.example.com" },
        { "%{d2}", "example.com" },
        { "%{d1}", "com" },
        { "%{dr}", "com.example.email" },
        { "%{d2r}", "example.email" },
        { "%{d99999999999999999999r}", "com.example.email" },
        { "%{l}", "strong-bad" },
        { "%{l-}", "strong.bad" },
        { "%{lr}", "strong-bad" },
        { "%{lr-}", "bad.strong" },
        { "%{l1r-}", "strong" },
        { "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
        { "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
        { "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com" },
        { "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net" },
        { "%{S}", "strong-bad%40email.example.com" },
        { "%{h}%%%_%-%{h}", "mx.example.org% %20mx.example.org" },
        { "%{o/}", "email.example.com" },
        { "%{s.@}", NULL },
        { "%{s-.}", "strong.bad@email.example.com" },
        { "%{p}", "unknown" },
        { "%{d0}", NULL },
        { "%{d00}", NULL },
        { "%{x}", NULL },
        { "%{}", NULL },
        { "%{", NULL },
        { "%{d", NULL },
        { "%d", NULL },
        { "%", NULL },
        { "x.example%", NULL },
        { "%{c}", NULL },
        { "%{t}", NULL },
        { "%{dd}", NULL },
        { "%{d2r.x}", NULL },
        { "%{dr2}", NULL },
        { "%{d}.", NULL },
        { "%{d}com", NULL },
        { "a b.example", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        AUTO(exact_free) struct slice text = exact(slice_of(cases[i].text));
        struct spf_query query = { .address = "192.0.2.3", .helo = SLICE("mx.example.org") };
        struct spf_check check = {
            .arena = &arena,
            .table = &table,
            .query = &query,
            .client = { .len = 4, .text = "192.0.2.3" },
            .sender = SLICE("strong-bad@email.example.com"),
            .local = SLICE("strong-bad"),
            .domain = SLICE("email.example.com"),
        };
        struct slice name;

        if (spf_macro_valid(text, SPF_DOMAIN_SPEC) != (cases[i].expanded != NULL))
            fail_msg("%s", cases[i].text);
        if (cases[i].expanded == NULL)
            continue;
        zone_state(&table, "3.2.0.192.in-addr.arpa", DNS_PTR, DNS_NO_NAME);
        assert_true(spf_target(&check, text, SLICE("email.example.com"), &name));
        if (!slice_equal(name, slice_of(cases[i].expanded)))
            fail_msg("%s: " SLICE_FMT, cases[i].text, SLICE_ARG(name));
    }
}

/* Section 7.3: labels go from the left, until the rest fits; that there were very many costs
 * nothing. */
static void names_are_cut_from_the_left(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct spf_query query = { .helo = SLICE("abcdefgh") };
    struct spf_check check = { .arena = &arena, .query = &query };
    struct slice name;

    for (size_t i = 0; i < 100000; i++)
        buf_add_text(&text, "%{h}.");
    buf_add_text(&text, "example.org");
    assert_true(spf_target(&check, buf_slice(&text), SLICE("d"), &name));
    assert_true(name.len <= 253 && name.len > 253 - 9);
    assert_true(slice_starts(name, "abcdefgh.abcdefgh."));
    assert_true(slice_search(name, SLICE("abcdefgh.example.org")) > 0);
}

static void limits(void **state)
{
    static const struct {
        const char *record;
        enum spf_result result;
    } cases[] = {
        { "v=spf1 a a a a a a a a a a ?all", SPF_NEUTRAL },
        { "v=spf1 a a a a a a a a a a a ?all", SPF_PERMERROR },
        { "v=spf1 include:example.org ?all", SPF_PERMERROR },
        { "v=spf1 redirect=example.org", SPF_PERMERROR },
        { "v=spf1 -include:%{d} redirect=%{d}", SPF_PERMERROR },
        { "v=spf1 a:1.example a:2.example ?all", SPF_NEUTRAL },
        { "v=spf1 a:1.example a:2.example mx:3.example ?all", SPF_PERMERROR },
        { "v=spf1 a:1.example exists:1.example ptr ?all", SPF_PERMERROR },
        { "v=spf1 a:x..example a:y..example a:z..example ?all", SPF_NEUTRAL }, /* never asked */
        { "v=spf1 a a a a a a a a a exists:%{p}.example.org ?all", SPF_PERMERROR },
        { "v=spf1 a a a a a a a a exists:%{p}.%{p}.example.org ?all", SPF_NEUTRAL },
        { "v=spf1 mx:six.example ?all", SPF_NEUTRAL }, /* its hosts are no void lookups */
        { "v=spf1 mx:eleven.example ?all", SPF_PERMERROR },
        { "v=spf1 mx:first.example mx:eleven.example ?all", SPF_PASS },
        { "v=spf1 a:failing.example +all", SPF_TEMPERROR },
        { "v=spf1 +all a:failing.example", SPF_PASS },
        { "v=spf1 exp=failing.example -all", SPF_FAIL },
        { "v=spf1 include:failing.example +all", SPF_TEMPERROR },
        { "v=spf1 include:nothing.example +all", SPF_PERMERROR },
        { "v=spf1 mx:failing.example +all", SPF_TEMPERROR },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(dns_table_free) struct dns_table table = { 0 };
        char host[32];

        zone_add(&table, "example.org", DNS_TXT, cases[i].record);
        zone_add(&table, "example.org", DNS_A, "192.0.2.77");
        zone_add(&table, "first.example", DNS_MX, "client.example");
        zone_add(&table, "client.example", DNS_A, CLIENT);
        for (size_t j = 0; j < 11; j++) {
            snprintf(host, sizeof(host), "mx%zu.example", j);
            zone_add(&table, "eleven.example", DNS_MX, host);
            if (j < 6)
                zone_add(&table, "six.example", DNS_MX, host);
        }
        zone_state(&table, "failing.example", DNS_A, DNS_FAILED);
        zone_state(&table, "failing.example", DNS_TXT, DNS_FAILED);
        zone_state(&table, "failing.example", DNS_MX, DNS_FAILED);
        zone_state(&table, "nothing.example", DNS_TXT, DNS_NOTHING);
        if (result_of(&table, CLIENT) != cases[i].result)
            fail_msg("%s", cases[i].record);
    }
}

static void add_record(struct dns_table *table, const char *name, const char *first,
                       const char *again, size_t size)
{
    AUTO(buf_free) struct buf text = { 0 };

    buf_add_text(&text, first);
    while (text.len + strlen(again) <= size)
        buf_add_text(&text, again);
    zone_add(table, name, DNS_TXT, buf_text(&text));
}

static void giant_records(void **state)
{
    static const struct {
        const char *first, *again;
        size_t size;
        enum spf_result result;
    } cases[] = {
        { "v=spf1", " ip4:10.0.0.1", 16000, SPF_NEUTRAL },
        { "v=spf1", " ip4:10.0.0.1", 60000, SPF_PERMERROR },
        { "v=spf1", " a", 16000, SPF_PERMERROR },
        { "v=spf1 exists:", "%{s}%{p}%{ir}", 16000, SPF_PERMERROR },
        { "v=spf1 exists:", "%{s}%{p}%{ir}", 512, SPF_NEUTRAL },
        { "v=spf1 -all exp=", "%{S}", 16000, SPF_PERMERROR },
        { "v=spf1 -all exp=", "%{S}", 500, SPF_FAIL },
        { "v=spf1", "                ", 16000, SPF_NEUTRAL },
        { "v=spf1 x=", "%%", 16000, SPF_NEUTRAL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(dns_table_free) struct dns_table table = { 0 };

        add_record(&table, "example.org", cases[i].first, cases[i].again, cases[i].size);
        assert_int_equal(result_of(&table, CLIENT), cases[i].result);
    }
}

static void explanations(void **state)
{
    static const struct {
        const char *text, *helo, *explanation;
    } cases[] = {
        { "%{c} is not %{d}'s, says %{r} at %{t}", "h",
          "192.0.2.1 is not example.org's, says mx.example.net at 1700000000" },
        { "You said %{h}.", "a\r\nb\x80", "You said a??b?." },
        { "100%", "h", "" },
        { "\xC3\xA4", "h", "" },
        { "a\nb", "h", "" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct spf_query query = { CLIENT, slice_of(cases[i].helo), SLICE("joe@example.org"),
                                   SLICE("mx.example.net"), 1700000000 };
        struct spf_outcome outcome;

        zone_add(&table, "example.org", DNS_TXT, "v=spf1 exp=why.example.org -all");
        zone_add(&table, "why.example.org", DNS_TXT, cases[i].text);
        check_all(&arena, &table, &query, &outcome);
        assert_int_equal(outcome.result, SPF_FAIL);
        assert_true(slice_equal(outcome.explanation, slice_of(cases[i].explanation)));
        assert_true(slice_is(outcome.reason, "mechanism -all"));
        assert_true(slice_is(outcome.domain, "example.org"));
    }
}

static void long_explanations_are_none(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct spf_query query = { CLIENT, SLICE("h"), SLICE("joe@example.org"), SLICE("r"), 0 };
    struct spf_outcome outcome;

    zone_add(&table, "example.org", DNS_TXT, "v=spf1 exp=why.example.org -all");
    add_record(&table, "why.example.org", "", "%{s}", 1000);
    check_all(&arena, &table, &query, &outcome);
    assert_int_equal(outcome.result, SPF_FAIL);
    assert_int_equal(outcome.explanation.len, 0);
}

static void senders(void **state)
{
    static const struct {
        const char *address, *helo, *sender;
        enum spf_result result;
        const char *domain;
    } cases[] = {
        { CLIENT, "h.example", "joe@example.org", SPF_PASS, "example.org" },
        { CLIENT, "h.example", "joe@EXAMPLE.ORG.", SPF_PASS, "example.org" },
        { CLIENT, "example.org", "", SPF_PASS, "example.org" },
        { CLIENT, "h.example", "example.org", SPF_PASS, "example.org" },
        { CLIENT, "h.example", "\"a@b\"@example.org", SPF_PASS, "example.org" },
        { CLIENT, "h.example", "@example.org", SPF_PASS, "example.org" },
        { "::ffff:" CLIENT, "h.example", "joe@example.org", SPF_PASS, "example.org" },
        { "2001:db8::1", "h.example", "joe@example.org", SPF_PASS, "example.org" },
        { "2001:db8:8000::1", "h.example", "joe@example.org", SPF_FAIL, "example.org" },
        { "", "h.example", "joe@example.org", SPF_PERMERROR, "example.org" },
        { CLIENT, "[192.0.2.1]", "", SPF_NONE, "[192.0.2.1]" },
        { CLIENT, "", "", SPF_NONE, "" },
        { CLIENT, ".", "", SPF_NONE, "" },
        { CLIENT, "h.example", "@", SPF_NONE, "" },
        { CLIENT, "h.example", "joe@localhost", SPF_NONE, "localhost" },
        { CLIENT, "h.example",
          "joe@B\xC3\xBC"
          "cher.example",
          SPF_PASS, "xn--bcher-kva.example" },
        { CLIENT, "h.example", "joe@b\xFF.example", SPF_NONE, "" },
        { CLIENT, "h.example", "joe@elsewhere.example", SPF_NONE, "elsewhere.example" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct spf_query query = { cases[i].address, slice_of(cases[i].helo),
                                   slice_of(cases[i].sender), SLICE("r"), 0 };
        struct spf_outcome outcome;

        zone_add(&table, "xn--bcher-kva.example", DNS_TXT, "v=spf1 +all");
        zone_add(&table, "example.org", DNS_TXT, "some text");
        zone_add(&table, "example.org", DNS_TXT, "v=spf1 ip4:192.0.2.0/31 ip6:2001:db8::/33 -all");
        check_all(&arena, &table, &query, &outcome);
        if (outcome.result != cases[i].result || !slice_is(outcome.domain, cases[i].domain))
            fail_msg("case %zu: %s " SLICE_FMT, i, spf_result_name(outcome.result),
                     SLICE_ARG(outcome.domain));
    }
}

/* All hosts of an MX are asked for in one round. */
static void waiting_goes_by_rounds(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct spf_query query = { CLIENT, SLICE("h"), SLICE("joe@example.org"), SLICE("r"), 0 };
    struct spf_outcome outcome;

    assert_false(spf_check(&arena, &table, &query, &outcome));
    assert_int_equal(table.n_missing, 1);
    zone_add(&table, "example.org", DNS_TXT, "v=spf1 mx include:%{p}.example ?all");
    assert_false(spf_check(&arena, &table, &query, &outcome));
    assert_int_equal(table.n_missing, 1);
    for (const char *const *host =
             (const char *const[]){ "a.example", "b.example", "c.example", NULL };
         *host != NULL; host++)
        zone_add(&table, "example.org", DNS_MX, *host);
    assert_false(spf_check(&arena, &table, &query, &outcome));
    assert_int_equal(table.n_missing, 3);
    zone_close(&table);
    assert_false(spf_check(&arena, &table, &query, &outcome)); /* %{p} */
    assert_int_equal(table.n_missing, 1);
    assert_null(dns_get(&table, SLICE("1.2.0.192.in-addr.arpa"), DNS_PTR));
    zone_close(&table);
    assert_false(spf_check(&arena, &table, &query, &outcome));
    assert_null(dns_get(&table, SLICE("unknown.example"), DNS_TXT));
    zone_add(&table, "unknown.example", DNS_TXT, "v=spf1 +all");
    assert_true(spf_check(&arena, &table, &query, &outcome));
    assert_int_equal(outcome.result, SPF_PASS);
    assert_true(slice_is(outcome.reason, "mechanism include:%{p}.example"));
}

/* A table without room answers FAILED, and the check ends. */
static void a_full_table_is_a_temporary_error(void **state)
{
    AUTO(dns_table_free) struct dns_table table = { .max = 2 };

    zone_add(&table, "example.org", DNS_TXT, "v=spf1 a mx ptr +all");
    zone_add(&table, "example.org", DNS_A, "192.0.2.9");
    assert_int_equal(result_of(&table, CLIENT), SPF_TEMPERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms),
        cmocka_unit_test(terms_cut),
        cmocka_unit_test(macros),
        cmocka_unit_test(names_are_cut_from_the_left),
        cmocka_unit_test(limits),
        cmocka_unit_test(giant_records),
        cmocka_unit_test(explanations),
        cmocka_unit_test(long_explanations_are_none),
        cmocka_unit_test(senders),
        cmocka_unit_test(waiting_goes_by_rounds),
        cmocka_unit_test(a_full_table_is_a_temporary_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
