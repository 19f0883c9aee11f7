/* test_route.c - from MX records to the addresses to try, without a name server. */
#include "smtpd/remote/route.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static const struct settings settings = { .hostname = "mx.example.test",
                                          .smtp = "0.0.0.0:25 [::]:25",
                                          .remote_port = 25 };
static const struct settings elsewhere = { .hostname = "mx.example.test",
                                           .smtp = "127.0.0.1:2525",
                                           .remote_port = 25 };

#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct {
    struct slice rdata;
    bool good;
    const char *name;
} records[] = {
    { BYTES("\0\12\3mx1\3far\4test\0"), true, "mx1.far.test" },
    { BYTES("\0\12\0"), true, "" },
    { BYTES("\0\12"), false, "" },
    { BYTES(""), false, "" },
    { BYTES("\0\12\3mx1"), false, "" },
    { BYTES("\0\12\3mx"), false, "" },
    { BYTES("\0\12\3mx1\0x"), false, "" },
    { BYTES("\0\12\3m\0x\0"), false, "" },
    { BYTES("\0\12\300\14"), false, "" },
};

static void test_records(void **state)
{
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        struct route route = { .settings = &settings };
        struct slice rdata = records[i].rdata;
        char *exact = malloc(rdata.len + (rdata.len == 0));

        memcpy(exact, rdata.data, rdata.len);
        assert_int_equal(route_add_mx(&route, slice_make(exact, rdata.len), 0), records[i].good);
        assert_int_equal(route.n_hosts, records[i].good);
        if (records[i].good)
            assert_string_equal(route.hosts[0].name, records[i].name);
        free(exact);
    }
}

/* 255 bytes of labels would be a longer name than there may be. */
static void test_name_too_long(void **state)
{
    char wire[2 + 5 * 64 + 1] = { 0 };
    struct route route = { .settings = &settings };

    for (size_t i = 0; i < 5; i++) {
        wire[2 + i * 64] = 63;
        memset(wire + 3 + i * 64, 'a', 63);
    }
    assert_false(route_add_mx(&route, slice_make(wire, sizeof(wire)), 0));
}

static void test_null_mx(void **state)
{
    struct route route = { .settings = &settings };

    assert_true(route_add_mx(&route, SLICE("\0\0\0"), 0));
    assert_true(route_is_null(&route));
    assert_true(route_add_mx(&route, SLICE("\0\12\1a\0"), 0));
    assert_false(route_is_null(&route));
}

static void test_order(void **state)
{
    struct route route = { .settings = &settings };

    route_add_host(&route, "c", 20, 1);
    route_add_host(&route, "b", 10, 9);
    route_add_host(&route, "a", 10, 3);
    route_sort(&route);
    assert_string_equal(route.hosts[0].name, "a");
    assert_string_equal(route.hosts[1].name, "b");
    assert_string_equal(route.hosts[2].name, "c");
}

/* Of very many the preferred ones are kept. */
static void test_many_hosts(void **state)
{
    struct route route = { .settings = &settings };

    for (unsigned i = 0; i < 50; i++)
        route_add_host(&route, "far", 100 - i, 0);
    route_sort(&route);
    assert_int_equal(route.n_hosts, ROUTE_HOSTS_MAX);
    assert_int_equal(route.hosts[0].preference, 51);
    assert_int_equal(route.hosts[ROUTE_HOSTS_MAX - 1].preference, 60);
}

struct host {
    const char *name;
    unsigned preference;
    const char *address; /* four bytes, or NULL */
};

static const struct {
    const char *what;
    struct host hosts[4];
    const struct settings *settings;
    bool some_failed;
    enum route_state state;
    const char *result; /* addresses, or the status */
} routes[] = {
    { "two",
      { { "a", 1, "\306\63\144\1" }, { "b", 2, "\306\63\144\2" } },
      &settings,
      false,
      ROUTE_FOUND,
      "198.51.100.1 198.51.100.2 " },
    { "the first has none",
      { { "a", 1, NULL }, { "b", 2, "\306\63\144\2" } },
      &settings,
      true,
      ROUTE_FOUND,
      "198.51.100.2 " },
    { "we are the second",
      { { "a", 1, "\306\63\144\1" },
        { "MX.Example.test", 2, "\306\63\144\2" },
        { "c", 3, "\306\63\144\3" } },
      &settings,
      false,
      ROUTE_FOUND,
      "198.51.100.1 " },
    { "we are one of the equals",
      { { "a", 1, "\306\63\144\1" }, { "b", 2, "\306\63\144\2" }, { "mx.example.test", 2, NULL } },
      &settings,
      false,
      ROUTE_FOUND,
      "198.51.100.1 " },
    { "we are the first",
      { { "mx.example.test", 1, "\306\63\144\1" }, { "b", 2, "\306\63\144\2" } },
      &settings,
      false,
      ROUTE_FAILED,
      "5.4.6" },
    { "our address", { { "other", 1, "\177\0\0\1" } }, &settings, false, ROUTE_FAILED, "5.4.6" },
    { "our address, another port",
      { { "other", 1, "\177\0\0\1" } },
      &elsewhere,
      false,
      ROUTE_FOUND,
      "127.0.0.1 " },
    { "nobody has an address", { { "a", 1, NULL } }, &settings, false, ROUTE_FAILED, "5.4.4" },
    { "nobody knows", { { "a", 1, NULL } }, &settings, true, ROUTE_LATER, "4.4.3" },
};

static void test_targets(void **state)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        AUTO(buf_free) struct buf result = { 0 };
        struct route route = { .settings = routes[i].settings,
                               .some_failed = routes[i].some_failed };

        for (const struct host *host = routes[i].hosts; host->name != NULL; host++) {
            route_add_host(&route, host->name, host->preference, 0);
            if (host->address != NULL)
                route_add_address(&route.hosts[route.n_hosts - 1], slice_make(host->address, 4));
        }
        route_set_targets(&route);
        for (size_t k = 0; k < route.n_targets; k++)
            buf_fmt(&result, "%s ", route.targets[k].address);
        if (route.state != ROUTE_FOUND)
            buf_add_text(&result, route.status);
        if (route.state != routes[i].state || !buf_is(&result, routes[i].result))
            fail_msg("%s: %s", routes[i].what, buf_text(&result));
    }
}

static void test_addresses(void **state)
{
    static const char v6[16] = { 0x20, 0x01, 0x0d, (char)0xb8, [15] = 1 };
    struct route_host host = { 0 };

    route_add_address(&host, slice_make(v6, 15));
    assert_int_equal(host.n_addresses, 0);
    for (size_t i = 0; i < 2 * ROUTE_ADDRESS_MAX; i++)
        route_add_address(&host, slice_make(v6, 16));
    assert_int_equal(host.n_addresses, ROUTE_ADDRESS_MAX);
    assert_string_equal(host.addresses[0], "2001:db8::1");
}

static const struct {
    const char *domain, *address; /* NULL: no literal */
} literals[] = {
    { "[192.0.2.1]", "192.0.2.1" },
    { "[IPv6:2001:db8::1]", "2001:db8::1" },
    { "[ipv6:::1]", "::1" },
    { "[]", NULL },
    { "[", NULL },
    { "[192.0.2.1", NULL },
    { "[192.0.2]", NULL },
    { "[2001:db8::1]", NULL },
    { "[IPv6:192.0.2.1]", NULL },
    { "[x:y]", NULL },
};

static void test_literals(void **state)
{
    for (size_t i = 0; i < COUNT_OF(literals); i++) {
        struct route route = { .settings = &settings };

        assert_int_equal(route_add_literal(&route, literals[i].domain),
                         literals[i].address != NULL);
        if (literals[i].address != NULL)
            assert_string_equal(route.hosts[0].addresses[0], literals[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),    cmocka_unit_test(test_name_too_long),
        cmocka_unit_test(test_null_mx),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_many_hosts), cmocka_unit_test(test_targets),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
