/* test_report_address.c - where domains want their reports. */
#include "smtpd/report/report_address.h"

#include "tests/unit/message/exact.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *uris, *address, *domain; /* of the first one; NULL: there is none */
        uint64_t size_max;
        size_t count, others;
    } cases[] = {
        { "mailto:a@b.test", "a@b.test", "b.test", 0, 1, 0 },
        { "MAILTO:a@B.Test", "a@B.Test", "b.test", 0, 1, 0 },
        { " mailto:a@b.test , mailto:c@d.test", "a@b.test", "b.test", 0, 2, 0 },
        { "mailto:a@b.test!10m", "a@b.test", "b.test", 10 << 20, 1, 0 },
        { "mailto:a@b.test!5K", "a@b.test", "b.test", 5 << 10, 1, 0 },
        { "mailto:a@b.test!7", "a@b.test", "b.test", 7, 1, 0 },
        { "mailto:a@b.test!", "a@b.test", "b.test", 0, 1, 0 },
        { "mailto:a@b.test!m", "a@b.test", "b.test", 0, 1, 0 },
        { "mailto:a@b.test!99999999999999999999t", "a@b.test", "b.test", 0, 1, 0 },
        { "mailto:a@b.test!20000000t", "a@b.test", "b.test", 0, 1, 0 },
        { "mailto:a@b.test?subject=x!1k", "a@b.test", "b.test", 1 << 10, 1, 0 },
        { "mailto:a%2Cb%21c@b.test", "a,b!c@b.test", "b.test", 0, 0, 1 }, /* needs quotes */
        { "mailto:a%2Bc@b.test", "a+c@b.test", "b.test", 0, 1, 0 },
        { "mailto:a%2@b.test", "a%2@b.test", "b.test", 0, 1, 0 },
        { "mailto:a%0d%0aBcc%3a@b.test", NULL, NULL, 0, 0, 1 },
        { "https://b.test/report", NULL, NULL, 0, 0, 1 },
        { "https://b.test/,mailto:a@b.test", "a@b.test", "b.test", 0, 1, 1 },
        { "mailto:", NULL, NULL, 0, 0, 1 },
        { "mailto:postmaster", NULL, NULL, 0, 0, 1 },
        { "mailto:a@[192.0.2.1]", NULL, NULL, 0, 0, 1 },
        { "mailto:\xc3\xbc@b.test", NULL, NULL, 0, 0, 1 },
        { "", NULL, NULL, 0, 0, 0 },
        { "mailto:a@b.test,mailto:b@b.test,mailto:c@b.test,mailto:d@b.test,mailto:e@b.test,"
          "mailto:f@b.test,mailto:g@b.test",
          "a@b.test", "b.test", 0, REPORT_ADDRESSES, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice copy = exact(slice_of(cases[i].uris));
        struct report_address found[REPORT_ADDRESSES];
        size_t others;

        assert_int_equal(report_addresses(&arena, copy, found, &others), cases[i].count);
        assert_int_equal(others, cases[i].others);
        if (cases[i].count == 0)
            continue;
        assert_true(slice_equal(found[0].address, slice_of(cases[i].address)));
        assert_true(slice_equal(found[0].domain, slice_of(cases[i].domain)));
        assert_int_equal(found[0].size_max, cases[i].size_max);
    }
}

static void test_tls_records(void **state)
{
    static const struct {
        const char *text, *rua; /* NULL: no such record */
    } cases[] = {
        { "v=TLSRPTv1; rua=mailto:a@b.test", "mailto:a@b.test" },
        { "v=TLSRPTv1;rua=mailto:a@b.test,https://b.test/;", "mailto:a@b.test,https://b.test/" },
        { "v = TLSRPTv1 ; x=y; rua = mailto:a@b.test ", "mailto:a@b.test" },
        { "v=TLSRPTv1; rua=a=b; rua=c", "a=b" },
        { "v=TLSRPTv1", NULL },
        { "v=TLSRPTv1; rua=", NULL },
        { "v=TLSRPTv10; rua=mailto:a@b.test", NULL },
        { "v=tlsrptv1; rua=mailto:a@b.test", NULL },
        { "rua=mailto:a@b.test; v=TLSRPTv1", NULL },
        { "v=spf1 -all", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice copy = exact(slice_of(cases[i].text));
        struct slice rua;

        assert_int_equal(tls_report_record(copy, &rua), cases[i].rua != NULL);
        if (cases[i].rua != NULL)
            assert_true(slice_equal(rua, slice_of(cases[i].rua)));
    }
}

static void test_cut_anywhere(void **state)
{
    static const char text[] = "v=TLSRPTv1; rua=mailto:a%21b@b.test!10m,https://b.test/";

    for (size_t len = 0; len < sizeof(text); len++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice copy = exact(slice_make(text, len));
        struct report_address found[REPORT_ADDRESSES];
        struct slice rua;
        size_t others;

        if (tls_report_record(copy, &rua))
            report_addresses(&arena, rua, found, &others);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_tls_records),
        cmocka_unit_test(test_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
