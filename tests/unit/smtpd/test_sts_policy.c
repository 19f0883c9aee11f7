/* test_sts_policy.c - MTA-STS records and policies (RFC 8461 section 3 and 4.1). */
#include "smtpd/remote/sts_policy.h"

#include "common/buf.h"
#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

static const struct {
    const char *text, *id; /* id NULL: it is none */
} records[] = {
    { "v=STSv1; id=20160831085700Z;", "20160831085700Z" }, /* section 3.1's own */
    { "v=STSv1;id=1", "1" },
    { "v=STSv1 ;\tid=abc ; ", "abc" },
    { "v=STSv1; x-y.z_1=anything !; id=1;", "1" },
    { "v=STSv1; id=1; id=2", "1" },
    { "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012" },
    { "v=STSv1; id=123456789012345678901234567890123", NULL },
    { "v=STSv1; id=", NULL },
    { "v=STSv1; id=1-2", NULL },
    { "v=STSv1; id = 1", NULL },
    { "v=STSv1; ID=1", NULL },
    { "v=STSv1;", NULL },
    { "v=STSv1", NULL },
    { "v=STSv1;; id=1", NULL },
    { "v=STSv1; word; id=1", NULL },
    { "v=STSv2; id=1", NULL },
    { "v=stsv1; id=1", NULL },
    { " v=STSv1; id=1", NULL },
    { "id=1; v=STSv1", NULL },
    { "v=TLSRPTv1; rua=mailto:a@example.com", NULL },
    { "", NULL },
};

static void test_records(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        AUTO(exact_free) struct slice text = exact_copy(slice_of(records[i].text));
        struct slice id;

        bool good = sts_record_parse(text, &id);
        if (good != (records[i].id != NULL) || (good && !slice_equal(id, slice_of(records[i].id))))
            fail_msg("%s", records[i].text);
    }
}

#define HEAD "version: STSv1\nmode: enforce\nmax_age: 60\n"

static const struct {
    const char *file, *mx; /* the last pattern; NULL: no policy */
    enum sts_mode mode;
    uint64_t max_age_s;
    size_t n_mx;
} policies[] = {
    { "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\n"
      "mx: backupmx.example.com\r\nmax_age: 604800\r\n",
      "backupmx.example.com", STS_ENFORCE, 604800, 3 },
    { "version: STSv1\nmode: testing\nmx: a.example\nmax_age: 0", "a.example", STS_TESTING, 0, 1 },
    { "max_age:1\nmx:\ta.example \nmode:enforce  \nversion:STSv1\n", "a.example", STS_ENFORCE, 1,
      1 },
    { "version: STSv1\nmode: none\nmax_age: 86400\n", "", STS_NONE, 86400, 0 },
    { HEAD "mx: *.a_b.example\n", "*.a_b.example", STS_ENFORCE, 60, 1 },
    { HEAD "mx: a\nmode: none\nmax_age: 7\nversion: 2\n", "a", STS_ENFORCE, 60, 1 },
    { HEAD "mx: a\nnew-field.1: what: ever \xc3\xa4\n", "a", STS_ENFORCE, 60, 1 },
    { HEAD "\n \r\nmx: a\n\n", "a", STS_ENFORCE, 60, 1 },
    { "version: STSv1\nmode: enforce\nmax_age: 9999999999\nmx: a\n", "a", STS_ENFORCE, 31557600,
      1 },
    { "version: STSv1\nmode: enforce\nmax_age: 99999999999\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmax_age: -1\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmax_age: 1 day\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv2\nmode: enforce\nmax_age: 1\nmx: a\n", NULL, 0, 0, 0 },
    { "mode: enforce\nmax_age: 1\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmode: strict\nmax_age: 1\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmax_age: 1\nmx: a\n", NULL, 0, 0, 0 },
    { "version: STSv1\nmode: enforce\nmx: a\n", NULL, 0, 0, 0 },
    { HEAD, NULL, 0, 0, 0 },
    { HEAD "mx: \n", NULL, 0, 0, 0 },
    { HEAD "mx: a..b\n", NULL, 0, 0, 0 },
    { HEAD "mx: a.\n", NULL, 0, 0, 0 },
    { HEAD "mx: a.*.b\n", NULL, 0, 0, 0 },
    { HEAD "mx: *\n", NULL, 0, 0, 0 },
    { HEAD "mx: *.\n", NULL, 0, 0, 0 },
    { HEAD "mx: a b\n", NULL, 0, 0, 0 },
    { HEAD "mx: a\nno colon\n", NULL, 0, 0, 0 },
    { HEAD "mx: a\n: nothing\n", NULL, 0, 0, 0 },
    { HEAD "mx: a\rmx: b\n", NULL, 0, 0, 0 },
    { "<html>not found</html>", NULL, 0, 0, 0 },
    { "", NULL, 0, 0, 0 },
};

static void check_policy(size_t i, const struct sts_policy *policy)
{
    assert_int_equal(policy->mode, policies[i].mode);
    assert_int_equal(policy->max_age_s, policies[i].max_age_s);
    assert_int_equal(policy->n_mx, policies[i].n_mx);
    if (policy->n_mx > 0)
        assert_true(slice_equal(policy->mx[policy->n_mx - 1], slice_of(policies[i].mx)));
}

static void test_policies(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        AUTO(exact_free) struct slice file = exact_copy(slice_of(policies[i].file));
        struct sts_policy policy;

        if (sts_policy_parse(file, &policy) != (policies[i].mx != NULL))
            fail_msg("policy %zu: %s", i, policies[i].file);
        if (policies[i].mx != NULL)
            check_policy(i, &policy);
    }
}

/* A file that was cut anywhere is read within its bounds. */
static void test_cut_policies(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        for (size_t len = 0; len < strlen(policies[i].file); len++) {
            AUTO(exact_free) struct slice file = exact_copy(slice_make(policies[i].file, len));
            struct sts_policy policy;
            (void)sts_policy_parse(file, &policy);
        }
}

static void test_limits(void **unused)
{
    AUTO(buf_free) struct buf file = { 0 };
    struct sts_policy policy;

    buf_add_text(&file, HEAD);
    for (size_t i = 0; i < STS_MX_MAX; i++)
        buf_fmt(&file, "mx: m%zu.example\n", i);
    assert_true(sts_policy_parse(buf_slice(&file), &policy));
    assert_int_equal(policy.n_mx, STS_MX_MAX);
    buf_add_text(&file, "mx: one-more.example\n");
    assert_false(sts_policy_parse(buf_slice(&file), &policy));

    buf_clear(&file);
    buf_add_text(&file, HEAD "mx: a\nx: ");
    while (file.len < STS_POLICY_MAX)
        buf_add_byte(&file, 'x');
    assert_true(sts_policy_parse(buf_slice(&file), &policy));
    buf_add_byte(&file, 'x');
    assert_false(sts_policy_parse(buf_slice(&file), &policy));
}

static const struct {
    const char *host;
    bool named;
} hosts[] = {
    { "mail.example.com", true },
    { "MAIL.Example.com", true },
    { "a.example.net", true },
    { "A.EXAMPLE.NET", true },
    { "example.net", false },
    { "a.b.example.net", false },
    { ".example.net", false },
    { "xexample.net", false },
    { "example.com", false },
    { "x.mail.example.com", false },
    { "mail.example.co", false },
    { "mail", false },
    { "", false },
    { "[192.0.2.1]", false },
};

static void test_hosts(void **unused)
{
    struct sts_policy policy;

    assert_true(sts_policy_parse(SLICE(HEAD "mx: mail.example.com\nmx: *.example.net\n"), &policy));
    for (size_t i = 0; i < COUNT_OF(hosts); i++)
        if (sts_policy_names(&policy, slice_of(hosts[i].host)) != hosts[i].named)
            fail_msg("%s", hosts[i].host);
}

static void test_types(void **unused)
{
    assert_true(sts_type_is_text(SLICE("text/plain")));
    assert_true(sts_type_is_text(SLICE("Text/Plain; charset=utf-8")));
    assert_true(sts_type_is_text(SLICE("text/plain ;x")));
    assert_false(sts_type_is_text(SLICE("text/html")));
    assert_false(sts_type_is_text(SLICE("text/plainer")));
    assert_false(sts_type_is_text(SLICE("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),      cmocka_unit_test(test_policies),
        cmocka_unit_test(test_cut_policies), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hosts),        cmocka_unit_test(test_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
