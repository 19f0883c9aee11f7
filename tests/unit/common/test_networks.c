/* test_networks.c - lists of networks. */
#include "common/networks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    const char *list, *address;
    bool want;
} cases[] = {
    { "127.0.0.0/8", "127.255.0.1", true },
    { "127.0.0.0/8", "128.0.0.1", false },
    { "127.0.0.0/8 ::1", "::1", true },
    { "127.0.0.0/8 ::1", "::2", false },
    { "192.0.2.7", "192.0.2.7", true },
    { "192.0.2.7", "192.0.2.6", false },
    { "192.0.2.6/31", "192.0.2.7", true },
    { "192.0.2.6/31", "192.0.2.8", false },
    { "192.0.2.7/31", "192.0.2.6", true }, /* bits past the length do not count */
    { "0.0.0.0/0", "203.0.113.9", true },
    { "0.0.0.0/0", "2001:db8::1", false },
    { "::/0", "2001:db8::1", true },
    { "2001:db8::/33", "2001:db8:7fff::1", true },
    { "2001:db8::/33", "2001:db8:8000::1", false },
    { "192.0.2.0/24", "::ffff:192.0.2.1", true },
    { "::ffff:192.0.2.0/120", "192.0.2.1", true },
    { "", "192.0.2.1", false },
    { "  10.0.0.0/8   192.0.2.0/24  ", "192.0.2.1", true },
    { "10.0.0.0/8", "unix", false },
    { "10.0.0.0/8", "", false },
    { "nonsense 10.0.0.0/8", "10.1.1.1", true },
};

static void test_contains(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (networks_contain(slice_of(cases[i].list), cases[i].address) != cases[i].want)
            fail_msg("%s in %s", cases[i].address, cases[i].list);
}

static void test_refused(void **state)
{
    static const char *const lists[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0/8",  "::/129",
                                         "x",           "/8",        "1.2.3.4/-1" };
    struct error err;

    assert_true(networks_check(slice_of(" 10.0.0.0/8  ::1 "), &err));
    assert_true(networks_check(slice_of(""), &err));
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct network network;

        assert_false(networks_check(slice_of(lists[i]), &err));
        assert_false(network_parse(slice_of(lists[i]), &network));
    }
}

static const struct {
    const char *address;
    unsigned v4, v6;
    const char *want; /* NULL: no address */
} around[] = {
    { "192.0.2.77", 32, 64, "192.0.2.77" },
    { "192.0.2.77", 24, 48, "192.0.2.0/24" },
    { "192.0.2.77", 25, 48, "192.0.2.0/25" },
    { "192.0.2.177", 25, 48, "192.0.2.128/25" },
    { "192.0.2.77", 0, 0, "0.0.0.0/0" },
    { "::ffff:192.0.2.77", 24, 48, "192.0.2.0/24" },
    { "2001:db8:1:2:3:4:5:6", 32, 64, "2001:db8:1:2::/64" },
    { "2001:db8:1:2:3:4:5:6", 24, 48, "2001:db8:1::/48" },
    { "2001:db8:1:2:3:4:5:6", 24, 128, "2001:db8:1:2:3:4:5:6" },
    { "2001:db8:1:2:3:4:5:6", 24, 0, "::/0" },
    { "unix", 24, 48, NULL },
    { "", 24, 48, NULL },
    { "192.0.2.1/24", 24, 48, NULL },
};

static void test_around(void **state)
{
    for (size_t i = 0; i < COUNT_OF(around); i++) {
        struct network network, again;
        char text[NETWORK_TEXT];
        bool ok = network_of(around[i].address, around[i].v4, around[i].v6, &network);

        assert_int_equal(ok, around[i].want != NULL);
        if (!ok)
            continue;
        network_print(&network, text);
        assert_string_equal(text, around[i].want);
        assert_true(network_parse(slice_of(text), &again));
        assert_memory_equal(&network, &again, sizeof(network));
        assert_true(network_contains(&network, around[i].address));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contains),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
