/* iprev: names of an address that lead back to it. */
#include "message/proof/iprev.h"

#include "tests/unit/message/zone.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

static struct iprev_outcome check(struct arena *arena, struct dns_table *table, const char *address)
{
    struct iprev_outcome outcome;

    while (!iprev_check(arena, table, address, &outcome))
        assert_true(zone_close(table) > 0);
    return outcome;
}

static void results(void **state)
{
    static const struct {
        const char *address;
        enum iprev_result result;
        const char *name; /* the first */
    } cases[] = {
        { "192.0.2.1", IPREV_PASS, "b.example" },
        { "::ffff:192.0.2.1", IPREV_PASS, "b.example" },
        { "2001:db8::1", IPREV_PASS, "six.example" },
        { "192.0.2.2", IPREV_FAIL, NULL },          /* the name is of another address */
        { "192.0.2.3", IPREV_PERMERROR, NULL },     /* no PTR */
        { "192.0.2.4", IPREV_TEMPERROR, NULL },     /* the PTR failed */
        { "192.0.2.5", IPREV_TEMPERROR, NULL },     /* the A failed */
        { "192.0.2.6", IPREV_PASS, "six.example" }, /* one A failed, another leads back */
        { "192.0.2.7", IPREV_FAIL, NULL },          /* damaged */
        { "", IPREV_PERMERROR, NULL },
        { "example.org", IPREV_PERMERROR, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct slice damaged = SLICE("\x05"
                                     "ab");
        struct iprev_outcome outcome;

        zone_add(&table, "1.2.0.192.in-addr.arpa", DNS_PTR, "a.example");
        zone_add(&table, "1.2.0.192.in-addr.arpa", DNS_PTR, "b.example");
        zone_add(&table, "b.example", DNS_A, "192.0.2.200");
        zone_add(&table, "b.example", DNS_A, "192.0.2.1");
        zone_add(&table, "2.2.0.192.in-addr.arpa", DNS_PTR, "b.example");
        zone_state(&table, "4.2.0.192.in-addr.arpa", DNS_PTR, DNS_FAILED);
        zone_add(&table, "5.2.0.192.in-addr.arpa", DNS_PTR, "failing.example");
        zone_state(&table, "failing.example", DNS_A, DNS_FAILED);
        zone_add(&table, "6.2.0.192.in-addr.arpa", DNS_PTR, "failing.example");
        zone_add(&table, "6.2.0.192.in-addr.arpa", DNS_PTR, "six.example");
        zone_add(&table, "six.example", DNS_A, "192.0.2.6");
        zone_add(&table, "six.example", DNS_AAAA, "2001:db8::1");
        zone_add(&table, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                 DNS_PTR, "six.example");
        dns_put(&table, &(struct dns_answer){ .name = SLICE("7.2.0.192.in-addr.arpa"),
                                              .type = DNS_PTR,
                                              .state = DNS_FOUND,
                                              .records = &damaged,
                                              .count = 1 });
        outcome = check(&arena, &table, cases[i].address);
        if (outcome.result != cases[i].result)
            fail_msg("%s: %s", cases[i].address, iprev_result_name(outcome.result));
        assert_int_equal(outcome.count, cases[i].name != NULL);
        if (cases[i].name != NULL)
            assert_true(slice_is(outcome.names[0], cases[i].name));
    }
}

/* Only the first ten names are looked up, and they are in one round. */
static void many_names(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct iprev_outcome outcome;
    char name[32];

    for (size_t i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "h%zu.example", i);
        zone_add(&table, "1.2.0.192.in-addr.arpa", DNS_PTR, name);
    }
    assert_false(iprev_check(&arena, &table, "192.0.2.1", &outcome));
    assert_int_equal(table.n_missing, IPREV_NAMES_MAX);
    zone_add(&table, "h19.example", DNS_A, "192.0.2.1");
    outcome = check(&arena, &table, "192.0.2.1");
    assert_int_equal(outcome.result, IPREV_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
