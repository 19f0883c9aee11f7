/* test_tls_report.c - the JSON of a TLS report (the example of RFC 8460 appendix B, in spirit). */
#include "smtpd/report/tls_report.h"

#include "tests/unit/support/check.h"

#include <jansson.h>

static json_t *print(const struct tally *counts, size_t n_counts)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct tally_list list = { (struct tally *)counts, n_counts };
    struct tls_report report = { SLICE("far.test"),
                                 SLICE("our.test"),
                                 SLICE("postmaster@our.test"),
                                 SLICE("tls1"),
                                 20000,
                                 &list };
    json_t *object;

    tls_report_print(&report, &text);
    object = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(object);
    return object;
}

static void check_text(json_t *object, const char *a, const char *b, const char *wanted)
{
    object = json_object_get(object, a);
    if (b != NULL)
        object = json_object_get(object, b);
    assert_non_null(json_string_value(object));
    assert_string_equal(json_string_value(object), wanted);
}

static void check_number(json_t *object, const char *a, const char *b, long long wanted)
{
    object = json_object_get(object, a);
    if (b != NULL)
        object = json_object_get(object, b);
    assert_int_equal(json_integer_value(object), wanted);
}

static void test_groups_by_policy(void **state)
{
    static const struct tally counts[] = {
        { TALLY_TLS, 20000, SLICE("far.test"),
          SLICE(
              "sts\tmode: enforce\nmx: *.far.test\tcertificate-expired\tmx1.far.test\t192.0.2.1\t"),
          3 },
        { TALLY_TLS, 20000, SLICE("far.test"), SLICE("sts\tmode: enforce\nmx: *.far.test\t\t\t\t"),
          50 },
        { TALLY_TLS, 20000, SLICE("far.test"), SLICE("sts\tmode: testing\t\t\t\t"), 7 },
        { TALLY_TLS, 20000, SLICE("far.test"),
          SLICE("tlsa\t3 1 1 ab\tvalidation-failure\tmx\xff.test\t\tx509"), 1 },
    };
    json_t *report = print(counts, COUNT_OF(counts)), *all, *one, *failure;

    check_text(report, "organization-name", NULL, "our.test");
    check_text(report, "contact-info", NULL, "postmaster@our.test");
    check_text(report, "report-id", NULL, "tls1");
    check_text(report, "date-range", "start-datetime", "2024-10-04T00:00:00Z");
    check_text(report, "date-range", "end-datetime", "2024-10-04T23:59:59Z");
    all = json_object_get(report, "policies");
    assert_int_equal(json_array_size(all), 3);
    one = json_array_get(all, 0);
    check_text(one, "policy", "policy-type", "sts");
    check_text(one, "policy", "policy-domain", "far.test");
    check_number(one, "summary", "total-successful-session-count", 50);
    check_number(one, "summary", "total-failure-session-count", 3);
    failure = json_array_get(json_object_get(one, "failure-details"), 0);
    check_text(failure, "result-type", NULL, "certificate-expired");
    check_text(failure, "receiving-mx-hostname", NULL, "mx1.far.test");
    check_text(failure, "receiving-ip", NULL, "192.0.2.1");
    check_number(failure, "failed-session-count", NULL, 3);
    assert_null(json_object_get(failure, "failure-reason-code"));
    one = json_array_get(all, 1);
    check_number(one, "summary", "total-successful-session-count", 7);
    assert_null(json_object_get(one, "failure-details"));
    failure = json_array_get(json_object_get(json_array_get(all, 2), "failure-details"), 0);
    check_text(failure, "receiving-mx-hostname", NULL, "?"); /* no UTF-8 */
    check_text(failure, "failure-reason-code", NULL, "x509");
    json_decref(report);
}

static void test_nothing_counted(void **state)
{
    json_t *report = print(NULL, 0);

    assert_int_equal(json_array_size(json_object_get(report, "policies")), 0);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_by_policy),
        cmocka_unit_test(test_nothing_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
