/* Authentication-Results: what we write, and what is taken out that others wrote in our name. */
#include "message/proof/results.h"

#include "tests/unit/message/exact.h"
#include "tests/unit/support/check.h"

static const struct spf_outcome spf_pass = { .result = SPF_PASS, .reason = SLICE("mechanism a") };
static const struct spf_outcome spf_fail = { .result = SPF_FAIL,
                                             .reason = SLICE("mechanism -all") };

static void check_print(const struct results *results, const char *text)
{
    AUTO(buf_free) struct buf out = { 0 };

    results_print(results, &out);
    assert_string_equal(buf_text(&out), text);
}

static void nothing(void **state)
{
    check_print(&(struct results){ .authserv_id = SLICE("mx.example.org") },
                "mx.example.org; none");
}

static void everything(void **state)
{
    static const struct dkim_verdict dkim[] = {
        { .result = DKIM_PASS,
          .domain = SLICE("example.com"),
          .selector = SLICE("sel"),
          .identity = SLICE("@example.com"),
          .algorithm = SLICE("rsa-sha256"),
          .start = SLICE("a+b/cd==") },
        { .result = DKIM_FAIL,
          .domain = SLICE("example.com"),
          .selector = SLICE("s2"),
          .identity = SLICE("joe@a.example.com"),
          .algorithm = SLICE("ed25519-sha256"),
          .start = SLICE("abcdefgh"),
          .reason = "body hash did not verify" },
    };
    static const struct dmarc_outcome dmarc = { .result = DMARC_PASS,
                                                .policy = DMARC_POLICY_REJECT };
    static const struct arc_verdict arc = { .result = ARC_PASS, .sets = 2, .oldest_pass = 1 };
    struct results results = {
        .authserv_id = SLICE("mx.example.org"),
        .spf_helo = &spf_pass,
        .spf_sender = &spf_fail,
        .helo = SLICE("mail.example.com"),
        .sender = SLICE("joe@example.com"),
        .iprev = "pass",
        .address = "2001:db8::1",
        .dkim = dkim,
        .n_dkim = COUNT_OF(dkim),
        .dkim_checked = true,
        .dmarc = &dmarc,
        .from_domain = SLICE("example.com"),
        .arc = &arc,
    };

    check_print(&results, "mx.example.org;\r\n"
                          " iprev=pass policy.iprev=\"2001:db8::1\";\r\n"
                          " spf=pass smtp.helo=mail.example.com;\r\n"
                          " spf=fail reason=\"mechanism -all\" smtp.mailfrom=joe@example.com;\r\n"
                          " dkim=pass header.d=example.com header.s=sel header.a=rsa-sha256\r\n"
                          " header.b=\"a+b/cd==\";\r\n"
                          " dkim=fail reason=\"body hash did not verify\" header.d=example.com\r\n"
                          " header.i=joe@a.example.com header.s=s2 header.a=ed25519-sha256\r\n"
                          " header.b=abcdefgh;\r\n"
                          " dmarc=pass (p=reject) header.from=example.com;\r\n"
                          " arc=pass header.oldest-pass=1 smtp.remote-ip=\"2001:db8::1\"");
}

static void failures(void **state)
{
    static const struct dmarc_outcome dmarc = { .result = DMARC_FAIL,
                                                .policy = DMARC_POLICY_REJECT,
                                                .disposition = DMARC_POLICY_QUARANTINE };
    static const struct arc_verdict arc = { .result = ARC_FAIL, .reason = "cv=fail" };

    check_print(&(struct results){ .authserv_id = SLICE("mx.example.org"),
                                   .dkim_checked = true,
                                   .dmarc = &dmarc,
                                   .from_domain = SLICE("example.com"),
                                   .arc = &arc },
                "mx.example.org;\r\n"
                " dkim=none;\r\n"
                " dmarc=fail (p=reject) header.from=example.com policy.dmarc=quarantine;\r\n"
                " arc=fail reason=\"cv=fail\"");
}

static void null_sender(void **state)
{
    check_print(&(struct results){ .authserv_id = SLICE("mx.example.org"),
                                   .spf_sender = &spf_pass,
                                   .helo = SLICE("mail.example.com") },
                "mx.example.org;\r\n spf=pass smtp.helo=mail.example.com");
}

/* Whatever a client says stays one value. */
static void quoting(void **state)
{
    static const struct {
        const char *login, *value;
    } cases[] = {
        { "joe", "joe" },
        { "joe@example.org", "joe@example.org" },
        { "@example.org", "@example.org" },
        { "j.o'e+x@example.org", "j.o'e+x@example.org" },
        { "a b", "\"a b\"" },
        { "a;dkim=pass", "\"a;dkim=pass\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "a\r\nX: y", "\"a??X: y\"" },
        { "(a", "\"(a\"" },
        { "a@b@example.org", "\"a@b@example.org\"" },
        { "a..b@example.org", "\"a..b@example.org\"" },
        { "a@[192.0.2.1]", "\"a@[192.0.2.1]\"" },
        { "a@", "\"a@\"" },
        { "@", "\"@\"" },
        { "j\xC3\xB6@example.org", "\"j\xC3\xB6@example.org\"" },
        { "j\xF6@example.org", "\"j?@example.org\"" },
        { "a\x7F\xC2\x85z", "\"a??z\"" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice login = exact(slice_of(cases[i].login));
        AUTO(buf_free) struct buf want = { 0 };

        buf_fmt(&want, "mx.example.org;\r\n auth=pass smtp.auth=%s", cases[i].value);
        check_print(&(struct results){ .authserv_id = SLICE("mx.example.org"), .login = login },
                    buf_text(&want));
    }
}

static void long_values(void **state)
{
    AUTO(buf_free) struct buf sender = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct slice rest, line;

    while (sender.len < 5000)
        buf_add_text(&sender, "\"\\");
    results_print(&(struct results){ .authserv_id = SLICE("mx.example.org"),
                                     .spf_sender = &spf_fail,
                                     .sender = buf_slice(&sender) },
                  &out);
    for (rest = buf_slice(&out); slice_split(&rest, '\n', &line);)
        assert_true(line.len < 998);
}

/* --- removing --- */

static void forged(void **state)
{
    static const struct {
        const char *value; /* behind the field's name */
        bool removed;
    } cases[] = {
        { ": mx.example.org; dkim=pass\r\n", true },
        { ":mx.example.org;dkim=pass\r\n", true },
        { " \t: mx.example.org; none\r\n", true },
        { ": MX.Example.ORG; none\r\n", true },
        { ": mx.example.org 1; none\r\n", true },
        { ": mx.example.org(c)1(c); none\r\n", true },
        { ": mx.example.org\r\n", true },
        { ": mx.example.org", true },
        { ": mx.example.org.; none\r\n", true },
        { ":\r\n mx.example.org;\r\n none\r\n", true },
        { ": (a (nested \\) ; ) one) mx.example.org ; none\r\n", true },
        { ": \"mx.example.org\"; none\r\n", true },
        { ": \"mx.ex\\ample.org\" 1; none\r\n", true },
        { ": mx.(c)example.org; none\r\n", true },
        { ": mx.\r\n example.org; none\r\n", true },
        { ": =?utf-8?q?mx.example.org?=; none\r\n", true },
        { ": (mx.example.org; dkim=pass\r\n", true }, /* no telling how others read it */
        { ": \"mx.example.org; dkim=pass\r\n", true },
        { ": mx.example.com; dkim=pass\r\n", false },
        { ": mx.example.org1; none\r\n", false },
        { ": amx.example.org; none\r\n", false },
        { ": mx.example.organic; none\r\n", false },
        { ": (mx.example.org) mx.example.com; none\r\n", false },
        { ": mx.example.com; none (mx.example.org)\r\n", false },
        { ": mx.example.com; x=y reason=\"mx.example.org; none\"\r\n", false },
        { ": (unclosed; dkim=pass\r\n", false },
        { ":\r\n", false },
        { "-Not: mx.example.org; none\r\n", false },
        { " mx.example.org; none\r\n", false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf header = { 0 };
        AUTO(buf_free) struct buf out = { 0 };

        buf_fmt(&header, "authentication-RESULTS%s", cases[i].value);
        {
            AUTO(exact_free) struct slice text = exact(buf_slice(&header));
            size_t count = results_remove(text, SLICE("mx.example.org"), &out);

            if (count != cases[i].removed)
                fail_msg("%s", cases[i].value);
            assert_int_equal(out.len, 0);
        }
    }
}

static void among_others(void **state)
{
    static const char header[] = "Received: a\r\n"
                                 "Authentication-Results: mx.example.org;\r\n"
                                 "\tdkim=pass\r\n"
                                 "Authentication-Results: other.example; dkim=pass\r\n"
                                 "this is no field\r\n"
                                 "Authentication-Results: mx.example.org; none\r\n"
                                 "ARC-Authentication-Results: i=1; mx.example.org; none\r\n"
                                 "Subject: x\r\n"
                                 " Authentication-Results: mx.example.org; none\r\n"
                                 "\r\n";
    AUTO(buf_free) struct buf out = { 0 };

    buf_add_text(&out, "before");
    assert_int_equal(results_remove(slice_of(header), SLICE("MX.example.org."), &out), 2);
    assert_string_equal(buf_text(&out), "beforeReceived: a\r\n"
                                        "Authentication-Results: other.example; dkim=pass\r\n"
                                        "this is no field\r\n"
                                        "ARC-Authentication-Results: i=1; mx.example.org; none\r\n"
                                        "Subject: x\r\n"
                                        " Authentication-Results: mx.example.org; none\r\n"
                                        "\r\n");
    buf_clear(&out);
    assert_int_equal(results_remove(slice_of(header), SLICE("nobody.example"), &out), 0);
    assert_int_equal(results_remove(slice_of(header), SLICE(""), &out), 0);
    assert_int_equal(out.len, 0);
}

/* Cut at every byte: nothing but whole fields goes. */
static void removing_cut(void **state)
{
    static const char header[] =
        "A: b\r\nAuthentication-Results: (c) \"mx.example.org\" 1;\r\n none"
        "\r\n\r\n";

    for (size_t len = 0; len < sizeof(header); len++) {
        AUTO(exact_free) struct slice text = exact(slice_make(header, len));
        AUTO(buf_free) struct buf out = { 0 };
        size_t count = results_remove(text, SLICE("mx.example.org"), &out);

        assert_int_equal(count, len >= 6 + 43);
        if (count > 0)
            assert_true(slice_starts(buf_slice(&out), "A: b\r\n") && out.len <= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),      cmocka_unit_test(everything),
        cmocka_unit_test(failures),     cmocka_unit_test(null_sender),
        cmocka_unit_test(quoting),      cmocka_unit_test(long_values),
        cmocka_unit_test(forged),       cmocka_unit_test(among_others),
        cmocka_unit_test(removing_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
