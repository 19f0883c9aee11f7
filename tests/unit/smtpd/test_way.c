/* test_way.c - the operator's routes. */
#include "smtpd/remote/way.h"
#include "tests/unit/support/check.h"

static const struct {
    const char *routes;
    bool good;
} lists[] = {
    { "", true },
    { "   ", true },
    { "a.test=direct b.test=discard  c.test=reject *=relay:mx.test:25", true },
    { "*=relay:[2001:db8::1]:587,verify,auth", true },
    { "*=relay:192.0.2.1:25,encrypt", true },
    { "a.test", false },
    { "=direct", false },
    { "a.test=", false },
    { "a.test=elsewhere", false },
    { "a.test=relay:", false },
    { "a.test=relay:host", false },
    { "a.test=relay:host:0", false },
    { "a.test=relay:host:65536", false },
    { "a.test=relay::25", false },
    { "a.test=relay:host:25,", true },
    { "a.test=relay:host:25,always", false },
    { "a.test=direct b.test=x", false },
    { "a.test=lmtp:host:24 b.test=lmtp:[::1]:24,verify c.test=lmtp:/run/lmtp", true },
    { "a.test=lmtp:host", false },
    { "a.test=lmtp:", false },
    { "a.test=lmtp:/run/lmtp,always", false },
    { "a.test=relay:/run/lmtp:25", false },
    { "a.test=lmtp:/"
      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
      "12345678901234567",
      false },
};

static void test_lists(void **state)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct error err = { 0 };

        if (ways_check(lists[i].routes, &err) != lists[i].good)
            fail_msg("%s: %s", lists[i].routes, err.text);
        assert_int_equal(err.kind, lists[i].good ? ERROR_NONE : ERROR_INVALID);
    }
}

static void test_find(void **state)
{
    const char *routes = "*=relay:smtp.isp.test:587,verify,auth old.test=discard no.test=reject "
                         "near.test=direct six.test=relay:[2001:db8::1]:25,encrypt";
    struct way way = way_find(routes, "anywhere.test");

    assert_int_equal(way.kind, WAY_RELAY);
    assert_string_equal(way.host, "smtp.isp.test");
    assert_int_equal(way.port, 587);
    assert_int_equal(way.tls, WAY_TLS_VERIFY);
    assert_true(way.auth);
    assert_int_equal(way_find(routes, "Old.test").kind, WAY_DISCARD);
    assert_int_equal(way_find(routes, "no.test").kind, WAY_REJECT);
    assert_int_equal(way_find(routes, "near.test").kind, WAY_DIRECT);
    way = way_find(routes, "six.test");
    assert_string_equal(way.host, "2001:db8::1");
    assert_int_equal(way.tls, WAY_TLS_ENCRYPT);
    assert_false(way.auth);
    assert_int_equal(way_find("", "any.test").kind, WAY_DIRECT);
    way = way_find("a.test=lmtp:/run/A,auth", "a.test");
    assert_int_equal(way.kind, WAY_RELAY);
    assert_true(way.lmtp && way.auth);
    assert_string_equal(way.host, "/run/A");
    assert_int_equal(way.port, 0);
    way = way_find("a.test=lmtp:host:24", "a.test");
    assert_true(way.lmtp);
    assert_int_equal(way.port, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_lists), cmocka_unit_test(test_find) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
