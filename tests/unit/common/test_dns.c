/* The table of DNS answers, names, and rdata whole and cut at every byte. */
#include "common/dns.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

#include <stdio.h>

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define NAME_253                                                                                   \
    LABEL_63 "." LABEL_63 "." LABEL_63                                                             \
             ".abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxy"

static struct slice one_record = { "\xC0\x00\x02\x01", 4 };

static void missing_is_asked_once(void **state)
{
    AUTO(dns_table_free) struct dns_table table = { 0 };
    const struct dns_answer *answer;
    struct dns_answer *put;

    assert_null(dns_get(&table, SLICE("Example.ORG"), DNS_A));
    assert_null(dns_get(&table, SLICE("example.org."), DNS_A));
    assert_int_equal(table.count, 1);
    assert_int_equal(table.n_missing, 1);
    put = dns_put(&table, &(struct dns_answer){ .name = SLICE("EXAMPLE.org."),
                                                .type = DNS_A,
                                                .state = DNS_FOUND,
                                                .secure = true,
                                                .ttl_s = 300,
                                                .records = &one_record,
                                                .count = 1 });
    assert_int_equal(table.count, 1);
    assert_int_equal(table.n_missing, 0);
    answer = dns_get(&table, SLICE("example.org"), DNS_A);
    assert_ptr_equal(answer, put);
    assert_int_equal(answer->state, DNS_FOUND);
    assert_true(answer->secure);
    assert_int_equal(answer->ttl_s, 300);
    assert_true(slice_equal(answer->records[0], one_record));
    assert_true(answer->records[0].data != one_record.data);
    assert_true(slice_is(answer->canonical, "example.org"));
    assert_null(dns_get(&table, SLICE("example.org"), DNS_AAAA));
}

static void put_replaces(void **state)
{
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct dns_answer answer = { .name = SLICE("a.example"), .type = DNS_A, .state = DNS_FAILED };
    struct slice many[DNS_RECORDS_MAX + 1];

    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = one_record;
    dns_put(&table, &answer);
    answer.state = DNS_FOUND; /* but nothing found: there are no such records */
    dns_put(&table, &answer);
    assert_int_equal(dns_get(&table, SLICE("a.example"), DNS_A)->state, DNS_NOTHING);
    answer.records = many;
    answer.count = COUNT_OF(many);
    answer.canonical = SLICE("b.example.");
    dns_put(&table, &answer);
    assert_int_equal(dns_get(&table, SLICE("a.example"), DNS_A)->count, DNS_RECORDS_MAX);
    assert_true(slice_is(dns_get(&table, SLICE("a.example"), DNS_A)->canonical, "b.example"));
    assert_int_equal(table.count, 1);
    assert_int_equal(table.n_missing, 0);
    dns_table_free(&table);
    assert_null(dns_get(&table, SLICE("a.example"), DNS_A));
}

static void past_the_maximum_it_failed(void **state)
{
    AUTO(dns_table_free) struct dns_table table = { .max = 2 };

    assert_null(dns_get(&table, SLICE("a.example"), DNS_A));
    assert_null(dns_get(&table, SLICE("b.example"), DNS_A));
    assert_int_equal(dns_get(&table, SLICE("c.example"), DNS_A)->state, DNS_FAILED);
    assert_true(dns_get(&table, SLICE("c.example"), DNS_A)->reason.len > 0);
    assert_null(dns_get(&table, SLICE("b.example"), DNS_A)); /* still only missing */
    assert_int_equal(table.n_missing, 2);
    dns_put(&table, &(struct dns_answer){
                        .name = SLICE("c.example"), .type = DNS_A, .state = DNS_NO_NAME });
    assert_int_equal(dns_get(&table, SLICE("c.example"), DNS_A)->state, DNS_NO_NAME);
}

static void the_usual_maximum(void **state)
{
    AUTO(dns_table_free) struct dns_table table = { 0 };
    char name[32];

    for (size_t i = 0; i < DNS_TABLE_MAX; i++) {
        snprintf(name, sizeof(name), "%zu.example", i);
        assert_null(dns_get(&table, slice_of(name), DNS_TXT));
    }
    assert_int_equal(dns_get(&table, SLICE("more.example"), DNS_TXT)->state, DNS_FAILED);
}

static void names(void **state)
{
    static const struct {
        struct slice name;
        bool valid;
    } cases[] = {
        { SLICE("a"), true },
        { SLICE("a.b."), true },
        { SLICE("_dmarc.x-y.example"), true },
        { SLICE("with space.example"), true }, /* SPF's macros make such */
        { SLICE("\xC3\xA4.example"), true },
        { SLICE(LABEL_63 ".example"), true },
        { SLICE(NAME_253), true },
        { SLICE(NAME_253 "."), true },
        { SLICE(""), false },
        { SLICE("."), false },
        { SLICE(".a"), false },
        { SLICE("a..b"), false },
        { SLICE("a.."), false },
        { SLICE(LABEL_63 "x.example"), false },
        { SLICE(NAME_253 "x"), false },
        { SLICE("a\\.example"), false },
        { SLICE("a\0b"), false },
        { SLICE("a\nb"), false },
        { SLICE("a\x7F"), false },
    };

    assert_int_equal(sizeof(NAME_253) - 1, 253);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(dns_table_free) struct dns_table table = { 0 };
        AUTO(exact_free) struct slice name = exact_copy(cases[i].name);
        const struct dns_answer *answer = dns_get(&table, name, DNS_A);

        if (cases[i].valid ? answer != NULL : answer == NULL || answer->state != DNS_NO_NAME)
            fail_msg("case %zu: " SLICE_FMT, i, SLICE_ARG(cases[i].name));
        assert_int_equal(table.count, cases[i].valid);
    }
}

static void texts(void **state)
{
    static const struct {
        struct slice rdata;
        const char *text; /* NULL: damaged */
    } cases[] = {
        { SLICE("\x03"
                "abc"),
          "abc" },
        { SLICE("\x03"
                "abc"
                "\x00"
                "\x02"
                "de"),
          "abcde" },
        { SLICE("\x00"), "" },
        { SLICE(""), NULL },
        { SLICE("\x04"
                "abc"),
          NULL },
        { SLICE("\x03"
                "abc"
                "\xFF"
                "d"),
          NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice rdata = exact_copy(cases[i].rdata);
        struct slice text;

        assert_int_equal(dns_text(&arena, rdata, &text), cases[i].text != NULL);
        if (cases[i].text != NULL)
            assert_true(slice_equal(text, slice_of(cases[i].text)));
    }
}

static void name_rdata(void **state)
{
    static const struct {
        struct slice rdata;
        const char *name; /* NULL: damaged */
    } cases[] = {
        { SLICE("\x00"), "" },
        { SLICE("\x01"
                "a"
                "\x07"
                "Example"
                "\x00"),
          "a.Example" },
        { SLICE("\x01"
                "a"
                "\x07"
                "Example"),
          NULL },
        { SLICE("\x01"
                "a"
                "\x00"
                "b"),
          NULL },
        { SLICE("\x01"
                "a"
                "\xC0\x0C"),
          NULL }, /* compressed */
        { SLICE("\x40" LABEL_63 "x"
                "\x00"),
          NULL },
        { SLICE("\x03"
                "a.b"
                "\x00"),
          NULL },
        { SLICE("\x03"
                "a\nb"
                "\x00"),
          NULL },
        { SLICE("\x03"
                "a\0b"
                "\x00"),
          NULL },
        { SLICE("\x3F" LABEL_63 "\x3F" LABEL_63 "\x3F" LABEL_63 "\x01"
                "a"
                "\x00"),
          LABEL_63 "." LABEL_63 "." LABEL_63 ".a" },
        { SLICE("\x3F" LABEL_63 "\x3F" LABEL_63 "\x3F" LABEL_63 "\x3F" LABEL_63 "\x00"), NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free) struct slice rdata = exact_copy(cases[i].rdata);
        struct slice name;

        if (dns_name(&arena, rdata, &name) != (cases[i].name != NULL))
            fail_msg("case %zu", i);
        if (cases[i].name != NULL)
            assert_true(slice_equal(name, slice_of(cases[i].name)));
    }
}

static void mx_rdata_cut(void **state)
{
    static const char whole[] = "\x01\x02\x02mx\x07"
                                "example";

    for (size_t len = 0; len <= sizeof(whole); len++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(exact_free)
        struct slice rdata = exact_copy(slice_make(whole, MIN(len, sizeof(whole))));
        unsigned preference;
        struct slice host;
        bool good = dns_mx(&arena, rdata, &preference, &host);

        assert_int_equal(good, len == sizeof(whole));
        if (good) {
            assert_int_equal(preference, 258);
            assert_true(slice_is(host, "mx.example"));
        }
    }
}

static void null_mx(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    unsigned preference = 1;
    struct slice host;

    assert_true(dns_mx(&arena, SLICE("\0\0\0"), &preference, &host)); /* RFC 7505 */
    assert_int_equal(preference, 0);
    assert_int_equal(host.len, 0);
}

static void addresses(void **state)
{
    char text[46];

    assert_true(dns_address(one_record, text));
    assert_string_equal(text, "192.0.2.1");
    assert_true(dns_address(SLICE("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), text));
    assert_string_equal(text, "2001:db8::1");
    for (size_t len = 0; len < 18; len++)
        if (len != 4 && len != 16)
            assert_false(dns_address(slice_make("0123456789abcdefgh", len), text));
}

static void reverse_names(void **state)
{
    static const struct {
        const char *address, *zone, *name;
    } cases[] = {
        { "192.0.2.1", NULL, "1.2.0.192.in-addr.arpa" },
        { "192.0.2.1", "zen.example", "1.2.0.192.zen.example" },
        { "::ffff:192.0.2.1", NULL, "1.2.0.192.in-addr.arpa" },
        { "255.255.255.255", "", "255.255.255.255." },
        { "2001:db8::567:89ab", NULL, /* RFC 3596 section 2.5 has such */
          "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
        { "2001:db8::1", "z.example",
          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z.example" },
        { "", NULL, NULL },
        { "192.0.2", NULL, NULL },
        { "192.0.2.256", NULL, NULL },
        { "fe80::1%eth0", NULL, NULL },
        { "mx.example", NULL, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct slice name;

        assert_int_equal(dns_reverse_name(&arena, cases[i].address, cases[i].zone, &name),
                         cases[i].name != NULL);
        if (cases[i].name != NULL)
            assert_true(slice_equal(name, slice_of(cases[i].name)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_is_asked_once),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(past_the_maximum_it_failed),
        cmocka_unit_test(the_usual_maximum),
        cmocka_unit_test(names),
        cmocka_unit_test(texts),
        cmocka_unit_test(name_rdata),
        cmocka_unit_test(mx_rdata_cut),
        cmocka_unit_test(null_mx),
        cmocka_unit_test(addresses),
        cmocka_unit_test(reverse_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
