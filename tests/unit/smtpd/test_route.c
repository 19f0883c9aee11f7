/* test_route.c - from answers of the DNS to the addresses to try, without a name server. */
#include "common/buf.h"
#include "smtpd/remote/route.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

static const struct route_machine machine = { .hostname = "mx.example.test",
                                              .listens = "0.0.0.0:25 [::]:25",
                                              .has_ipv6 = true };

/* A zone in short. After the type "!": its lookups fail; "*": by DNSSEC. Data "-": there is none.
 */
struct record {
    const char *name, *type, *data;
    unsigned preference;
};

static struct slice rdata_of(struct arena *arena, const struct record *record)
{
    AUTO(buf_free) struct buf wire = { 0 };
    struct slice rest = slice_of(record->data), label;
    unsigned bytes[4];
    unsigned n;

    if (record->type[0] == 'M') {
        buf_add_byte(&wire, (char)(record->preference >> 8));
        buf_add_byte(&wire, (char)record->preference);
        while (slice_split(&rest, '.', &label)) {
            buf_add_byte(&wire, (char)label.len);
            buf_add_slice(&wire, label);
        }
        buf_add_byte(&wire, '\0');
    } else if (sscanf(record->data, "%u.%u.%u.%u", &bytes[0], &bytes[1], &bytes[2], &bytes[3]) ==
               4) {
        for (size_t i = 0; i < 4; i++)
            buf_add_byte(&wire, (char)bytes[i]);
    } else if (sscanf(record->data, "2001:db8::%x", &n) == 1) {
        const char head[15] = { 0x20, 0x01, 0x0d, (char)0xb8 };
        buf_add(&wire, head, sizeof(head));
        buf_add_byte(&wire, (char)n);
    }
    return slice_copy(arena, buf_slice(&wire));
}

static enum dns_type type_of(const char *text)
{
    return text[0] == 'M' ? DNS_MX : strncmp(text, "AAAA", 4) == 0 ? DNS_AAAA : DNS_A;
}

/* What the zone says of one question. */
static void answer(struct dns_table *table, const struct record *zone, struct dns_answer *missing)
{
    struct slice records[20];
    struct dns_answer found = { .name = missing->name,
                                .type = missing->type,
                                .state = DNS_NO_NAME,
                                .records = records,
                                .canonical = missing->name };

    for (; zone->name != NULL; zone++) {
        if (!slice_is(missing->name, zone->name))
            continue;
        if (found.state == DNS_NO_NAME)
            found.state = DNS_NOTHING;
        if (type_of(zone->type) != missing->type)
            continue;
        found.secure = strchr(zone->type, '*') != NULL;
        if (strchr(zone->type, '!') != NULL) {
            found.state = DNS_FAILED;
            found.reason = SLICE("no answer in time");
        } else if (zone->data[0] != '-') {
            found.state = DNS_FOUND;
            records[found.count++] = rdata_of(&table->arena, zone);
        }
    }
    dns_put(table, &found);
}

static void find(const struct route_question *question, const struct record *zone,
                 struct dns_table *table, struct route *route)
{
    unsigned rounds = 0;

    while (!route_find(question, table, route)) {
        assert_in_range(++rounds, 1, 2); /* MX, then all addresses at once */
        for (struct dns_answer *missing = table->first; missing != NULL; missing = missing->next)
            if (missing->state == DNS_MISSING)
                answer(table, zone, missing);
        assert_int_equal(table->n_missing, 0);
    }
}

static void print(const struct route *route, struct buf *out)
{
    for (size_t i = 0; i < route->n_targets; i++)
        buf_fmt(out, "%s%s", i > 0 ? " " : "", route->targets[i].address);
    if (route->state != ROUTE_FOUND)
        buf_add_text(out, route->status);
}

static const struct {
    const char *what, *domain;
    struct record zone[8];
    enum route_state state;
    const char *result; /* addresses, or the status */
} cases[] = {
    { "by preference",
      "far.test",
      { { "far.test", "MX", "b", 20 },
        { "far.test", "MX", "a", 10 },
        { "a", "A", "192.0.2.1", 0 },
        { "b", "A", "192.0.2.2", 0 } },
      ROUTE_FOUND,
      "192.0.2.1 192.0.2.2" },
    { "IPv6 first",
      "far.test",
      { { "far.test", "MX", "a", 10 },
        { "a", "A", "192.0.2.1", 0 },
        { "a", "AAAA", "2001:db8::1", 0 } },
      ROUTE_FOUND,
      "2001:db8::1 192.0.2.1" },
    { "no MX: the domain itself",
      "far.test",
      { { "far.test", "A", "192.0.2.1", 0 } },
      ROUTE_FOUND,
      "192.0.2.1" },
    { "null MX",
      "far.test",
      { { "far.test", "MX", "", 0 }, { "far.test", "A", "192.0.2.1", 0 } },
      ROUTE_FAILED,
      "5.1.10" },
    { "null MX among others is none",
      "far.test",
      { { "far.test", "MX", "", 0 }, { "far.test", "MX", "a", 10 }, { "a", "A", "192.0.2.1", 0 } },
      ROUTE_FOUND,
      "192.0.2.1" },
    { "no such domain", "far.test", { { "x", "A", "192.0.2.1", 0 } }, ROUTE_FAILED, "5.1.2" },
    { "nobody knows the MX", "far.test", { { "far.test", "MX!", "-", 0 } }, ROUTE_LATER, "4.4.3" },
    { "MX without address", "far.test", { { "far.test", "MX", "a", 10 } }, ROUTE_FAILED, "5.4.4" },
    { "nobody knows the address",
      "far.test",
      { { "far.test", "MX", "a", 10 }, { "a", "A!", "-", 0 } },
      ROUTE_LATER,
      "4.4.3" },
    { "the first has no known address",
      "far.test",
      { { "far.test", "MX", "a", 10 },
        { "a", "A!", "-", 0 },
        { "far.test", "MX", "b", 20 },
        { "b", "A", "192.0.2.2", 0 } },
      ROUTE_FOUND,
      "192.0.2.2" },
    { "we are the second",
      "far.test",
      { { "far.test", "MX", "a", 1 },
        { "far.test", "MX", "MX.Example.test", 2 },
        { "far.test", "MX", "c", 3 },
        { "a", "A", "192.0.2.1", 0 },
        { "mx.example.test", "A", "192.0.2.9", 0 },
        { "c", "A", "192.0.2.3", 0 } },
      ROUTE_FOUND,
      "192.0.2.1" },
    { "we are the first",
      "far.test",
      { { "far.test", "MX", "mx.example.test", 1 },
        { "far.test", "MX", "c", 3 },
        { "c", "A", "192.0.2.3", 0 } },
      ROUTE_FAILED,
      "5.4.6" },
    { "our address under another name",
      "far.test",
      { { "far.test", "A", "127.0.0.1", 0 } },
      ROUTE_FAILED,
      "5.4.6" },
    { "0.0.0.0", "far.test", { { "far.test", "A", "0.0.0.0", 0 } }, ROUTE_FAILED, "5.4.6" },
    { "damaged MX", "far.test", { { "far.test", "MX", "..", 1 } }, ROUTE_LATER, "4.4.3" },
    { "literal", "[192.0.2.1]", { { NULL, NULL, NULL, 0 } }, ROUTE_FOUND, "192.0.2.1" },
    { "IPv6 literal",
      "[ipv6:2001:db8:0::1]",
      { { NULL, NULL, NULL, 0 } },
      ROUTE_FOUND,
      "2001:db8::1" },
    { "literal of ours", "[127.0.0.1]", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.4.6" },
    { "bad literal", "[192.0.2]", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.1.2" },
    { "bad literal", "[2001:db8::1", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.1.2" },
    { "bad literal", "[]", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.1.2" },
    { "bad literal", "[IPv6:192.0.2.1]", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.1.2" },
    { "an address without brackets is a name",
      "192.0.2.1",
      { { NULL, NULL, NULL, 0 } },
      ROUTE_FAILED,
      "5.1.2" },
    { "no domain", "", { { NULL, NULL, NULL, 0 } }, ROUTE_FAILED, "5.1.2" },
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf result = { 0 };
        const struct route_question question = { .domain = cases[i].domain,
                                                 .port = 25,
                                                 .machine = &machine };
        struct dns_table table = { 0 };
        struct route route;

        find(&question, cases[i].zone, &table, &route);
        print(&route, &result);
        if (route.state != cases[i].state || !buf_is(&result, cases[i].result))
            fail_msg("%s: %s", cases[i].what, buf_text(&result));
        dns_table_free(&table);
    }
}

static const struct {
    enum route_families families;
    bool has_ipv6;
    const char *result;
} families[] = {
    { ROUTE_AUTO, true, "2001:db8::1 192.0.2.1" },
    { ROUTE_AUTO, false, "192.0.2.1" },
    { ROUTE_PREFER_4, true, "192.0.2.1 2001:db8::1" },
    { ROUTE_ONLY_4, true, "192.0.2.1" },
    { ROUTE_ONLY_6, false, "2001:db8::1" },
};

static void test_families(void **state)
{
    static const struct record zone[] = { { "far.test", "AAAA", "2001:db8::1", 0 },
                                          { "far.test", "A", "192.0.2.1", 0 },
                                          { NULL, NULL, NULL, 0 } };

    for (size_t i = 0; i < COUNT_OF(families); i++) {
        AUTO(buf_free) struct buf result = { 0 };
        const struct route_machine one = { .hostname = "mx.example.test",
                                           .listens = "",
                                           .families = families[i].families,
                                           .has_ipv6 = families[i].has_ipv6 };
        const struct route_question question = { "far.test", false, 25, 0, &one };
        struct dns_table table = { 0 };
        struct route route;

        find(&question, zone, &table, &route);
        print(&route, &result);
        assert_string_equal(buf_text(&result), families[i].result);
        dns_table_free(&table);
    }
}

/* Equals are asked in any order, but in one order for one seed. */
static void test_chance(void **state)
{
    static const struct record zone[] = { { "far.test", "MX", "a", 1 },
                                          { "a", "A", "192.0.2.1", 0 },
                                          { "far.test", "MX", "b", 1 },
                                          { "b", "A", "192.0.2.2", 0 },
                                          { NULL, NULL, NULL, 0 } };
    unsigned a_first = 0;

    for (uint64_t seed = 0; seed < 100; seed++) {
        const struct route_question question = { "far.test", false, 25, seed, &machine };
        struct dns_table table = { 0 };
        struct route route, again;

        find(&question, zone, &table, &route);
        assert_int_equal(route.n_targets, 2);
        a_first += strcmp(route.targets[0].address, "192.0.2.1") == 0;
        assert_true(route_find(&question, &table, &again));
        assert_string_equal(again.targets[0].address, route.targets[0].address);
        dns_table_free(&table);
    }
    assert_in_range(a_first, 20, 80);
}

/* Of very many the preferred ones are kept. */
static void test_many(void **state)
{
    struct record zone[20] = { { NULL, NULL, NULL, 0 } };
    const struct route_question question = { "far.test", false, 25, 7, &machine };
    char names[18][8];
    struct dns_table table = { 0 };
    struct route route;

    for (unsigned i = 0; i < 18; i++) {
        snprintf(names[i], sizeof(names[i]), "h%u", i);
        zone[i] = (struct record){ "far.test", "MX", names[i], 100 - i };
    }
    find(&question, zone, &table, &route);
    assert_int_equal(route.n_hosts, ROUTE_HOSTS_MAX);
    assert_int_equal(route.hosts[0].preference, 83);
    assert_int_equal(route.hosts[ROUTE_HOSTS_MAX - 1].preference, 92);
    dns_table_free(&table);
}

static void test_secure(void **state)
{
    static const struct record zone[] = {
        { "far.test", "MX*", "a", 1 }, { "a", "A*", "192.0.2.1", 0 }, { "a", "AAAA*", "-", 0 },
        { "far.test", "MX*", "b", 2 }, { "b", "A*", "192.0.2.2", 0 }, { "b", "AAAA", "-", 0 },
        { NULL, NULL, NULL, 0 }
    };
    const struct route_question question = { "far.test", false, 25, 7, &machine };
    struct dns_table table = { 0 };
    struct route route;

    find(&question, zone, &table, &route);
    assert_true(route.mx_secure);
    assert_true(route.hosts[0].secure);
    assert_false(route.hosts[1].secure);
    dns_table_free(&table);
}

/* A relay: no MX, and another port of this machine is another server. */
static void test_host(void **state)
{
    static const struct record zone[] = { { "relay.test", "MX", "a", 1 },
                                          { "relay.test", "A", "192.0.2.1", 0 },
                                          { "mx.example.test", "A", "127.0.0.1", 0 },
                                          { NULL, NULL, NULL, 0 } };
    static const struct {
        const char *host;
        uint16_t port;
        const char *result;
    } hosts[] = {
        { "relay.test", 25, "192.0.2.1" },    { "192.0.2.7", 25, "192.0.2.7" },
        { "2001:db8::7", 25, "2001:db8::7" }, { "[192.0.2.7]", 25, "192.0.2.7" },
        { "127.0.0.1", 25, "5.4.6" },         { "127.0.0.1", 10025, "127.0.0.1" },
        { "mx.example.test", 25, "5.4.6" },   { "mx.example.test", 10025, "127.0.0.1" },
    };

    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        AUTO(buf_free) struct buf result = { 0 };
        const struct route_question question = { hosts[i].host, true, hosts[i].port, 0, &machine };
        struct dns_table table = { 0 };
        struct route route;

        find(&question, zone, &table, &route);
        print(&route, &result);
        assert_string_equal(buf_text(&result), hosts[i].result);
        dns_table_free(&table);
    }
}

static const struct {
    const char *listens, *address;
    bool is_self;
} selves[] = {
    { "0.0.0.0:25", "127.9.9.9", true },
    { "0.0.0.0:25", "::1", true },
    { "[::]:25", "127.0.0.1", true },
    { "0.0.0.0:2525", "127.0.0.1", false },
    { "192.0.2.1:25", "192.0.2.1", true },
    { "192.0.2.1:25", "192.0.2.2", false },
    { "127.0.0.1:25", "127.0.0.2", false },
    { "127.0.0.1:25 192.0.2.2:25", "192.0.2.2", true },
    { "[2001:db8::1]:25", "2001:db8::1", true },
    { "", "127.0.0.1", false },
    { "0.0.0.0:25", "192.0.2.99", false },
    { "192.0.2.1:25", "0.0.0.0", true },
    { "nonsense", "127.0.0.1", false },
    { "x:25", "127.0.0.1", false },
    { "127.0.0.1:25", "::ffff:127.0.0.1", true },
};

static void test_self(void **state)
{
    struct route_machine one = { .hostname = "mx.example.test" };

    route_machine_look(&one);
    for (size_t i = 0; i < COUNT_OF(selves); i++) {
        one.listens = selves[i].listens;
        if (route_is_self(&one, selves[i].address, 25) != selves[i].is_self)
            fail_msg("%s %s", selves[i].listens, selves[i].address);
    }
    route_machine_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),  cmocka_unit_test(test_families),
        cmocka_unit_test(test_chance), cmocka_unit_test(test_many),
        cmocka_unit_test(test_secure), cmocka_unit_test(test_host),
        cmocka_unit_test(test_self),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
