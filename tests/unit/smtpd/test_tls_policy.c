/* test_tls_policy.c - what is demanded of TLS: a DNS filled by hand, and what follows from it. */
#include "smtpd/remote/tls_policy.h"

#include "tests/unit/support/check.h"

#include <stdio.h>

#define HASH    "0123456789abcdef0123456789abcdef"
#define EE      SLICE("\3\1\1" HASH)
#define TA      SLICE("\2\0\1" HASH)
#define PKIX    SLICE("\1\0\1" HASH)
#define STS_ID  SLICE("\x0fv=STSv1; id=42;")
#define SPF     SLICE("\x0bv=spf1 -all")
#define ADDRESS SLICE("\300\0\2\1")

struct entry {
    const char *name;
    enum dns_type type;
    enum dns_state state;
    bool secure;
    struct slice records[2];
    const char *canonical;
};

#define HOST_SECURE                                                                                \
    {                                                                                              \
        "mx.b.test", DNS_A, DNS_FOUND, true, { ADDRESS }, NULL                                     \
    }
#define HOST_INSECURE                                                                              \
    {                                                                                              \
        "mx.b.test", DNS_A, DNS_FOUND, false, { ADDRESS }, NULL                                    \
    }
#define HOST_V6_ONLY                                                                               \
    { "mx.b.test", DNS_A, DNS_NOTHING, true, { { 0 } }, NULL },                                    \
    {                                                                                              \
        "mx.b.test", DNS_AAAA, DNS_FOUND, true, { ADDRESS }, NULL                                  \
    }
#define TLSA(record)                                                                               \
    {                                                                                              \
        "_25._tcp.mx.b.test", DNS_TLSA, DNS_FOUND, true, { record }, NULL                          \
    }
#define TLSA_IS(state, secure)                                                                     \
    {                                                                                              \
        "_25._tcp.mx.b.test", DNS_TLSA, state, secure, { EE }, NULL                                \
    }
#define MX                                                                                         \
    {                                                                                              \
        "a.test", DNS_MX, DNS_FOUND, true, { SLICE("\0\12\2mx\1b\4test") }, NULL                   \
    }

enum sts { NO_STS, NONE, TESTING, ENFORCE, OTHER_HOSTS, OTHER_TESTING };

#define RULE(mode)  "version: STSv1\nmode: " mode "\nmax_age: 100\nmx: mx.b.test\n"
#define OTHER(mode) "version: STSv1\nmode: " mode "\nmax_age: 100\nmx: *.c.test\n"

static const char *const sts_texts[] = {
    [NONE] = RULE("none"),
    [TESTING] = RULE("testing"),
    [ENFORCE] = RULE("enforce"),
    [OTHER_HOSTS] = OTHER("enforce"),
    [OTHER_TESTING] = OTHER("testing"),
};

enum {
    BY_MX = 1,
    MX_SECURE = 2,
    REQUIRE = 4,
    OPTIONAL = 8,
    REPORT = 16,
    LITERAL = 32,
    NO_DANE = 64
};
#define SIGNED (BY_MX | MX_SECURE)

static const struct {
    const char *what;
    struct entry dns[5];
    unsigned query;
    enum tls_wish wish;
    enum sts sts;
    enum tls_step step;
    enum tls_level level;
    bool required, report_only;
    enum tls_source source;
    const char *name; /* SNI */
    const char *status;
} cases[] = {
    { "nothing published",
      { HOST_INSECURE },
      BY_MX,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "DANE-EE",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "DANE-TA",
      { HOST_SECURE, TLSA(TA), MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "IPv6 only",
      { HOST_V6_ONLY, TLSA(EE), MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "no MX: the domain is the host",
      { HOST_SECURE, TLSA(EE) },
      0,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "DANE comes before MTA-STS",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED,
      0,
      OTHER_HOSTS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "unusable records: TLS, unverified",
      { HOST_SECURE, TLSA(PKIX), MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "the MX is not signed",
      { HOST_SECURE, TLSA(EE) },
      BY_MX,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "the address is not signed",
      { HOST_INSECURE, TLSA(EE) },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "records that are not signed",
      { HOST_SECURE, TLSA_IS(DNS_FOUND, false) },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "no records",
      { HOST_SECURE, TLSA_IS(DNS_NO_NAME, true) },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "records that cannot be seen",
      { HOST_SECURE, TLSA_IS(DNS_FAILED, false) },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_TLSA,
      NULL,
      "4.7.5" },
    { "the same, and MTA-STS is no way out",
      { HOST_SECURE, TLSA_IS(DNS_FAILED, false) },
      SIGNED,
      0,
      ENFORCE,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_TLSA,
      NULL,
      "4.7.5" },
    { "the same, but TLS is optional",
      { HOST_SECURE, TLSA_IS(DNS_FAILED, false) },
      SIGNED | OPTIONAL,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "DANE is switched off",
      { HOST_SECURE, TLSA(EE) },
      SIGNED | NO_DANE,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "DANE, but TLS is optional",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED | OPTIONAL,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      false,
      true,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "the same, but the operator verifies",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED | OPTIONAL,
      TLS_WISH_VERIFY,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "an alias, records at its end",
      { { "mx.b.test", DNS_A, DNS_FOUND, true, { ADDRESS }, "end.c.test" },
        { "_25._tcp.end.c.test", DNS_TLSA, DNS_FOUND, true, { EE }, NULL },
        MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "end.c.test",
      NULL },
    { "an alias, records at its own name",
      { { "mx.b.test", DNS_A, DNS_FOUND, true, { ADDRESS }, "end.c.test" },
        { "_25._tcp.end.c.test", DNS_TLSA, DNS_NO_NAME, false, { { 0 } }, NULL },
        TLSA(EE),
        MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "a signed alias of an unsigned name",
      { { "mx.b.test", DNS_A, DNS_FOUND, false, { ADDRESS }, "end.c.test" },
        { "mx.b.test", DNS_CNAME, DNS_FOUND, true, { EE }, NULL },
        TLSA(EE),
        MX },
      SIGNED,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },

    { "MTA-STS enforce",
      { HOST_INSECURE },
      BY_MX,
      0,
      ENFORCE,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "MTA-STS testing",
      { HOST_INSECURE },
      BY_MX,
      0,
      TESTING,
      TLS_STEP_USE,
      TLS_TRUSTED,
      false,
      true,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "MTA-STS none",
      { HOST_INSECURE },
      BY_MX,
      0,
      NONE,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "MTA-STS names other hosts",
      { HOST_INSECURE },
      BY_MX,
      0,
      OTHER_HOSTS,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_STS,
      NULL,
      "4.7.5" },
    { "the same, as a test",
      { HOST_INSECURE },
      BY_MX,
      0,
      OTHER_TESTING,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "MTA-STS, but TLS is optional",
      { HOST_INSECURE },
      BY_MX | OPTIONAL,
      0,
      ENFORCE,
      TLS_STEP_USE,
      TLS_TRUSTED,
      false,
      true,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "other hosts, but TLS is optional",
      { HOST_INSECURE },
      BY_MX | OPTIONAL,
      0,
      OTHER_HOSTS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_STS,
      "mx.b.test",
      NULL },

    { "the operator: encrypt",
      { HOST_INSECURE },
      BY_MX,
      TLS_WISH_ENCRYPT,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      true,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "the operator: verify",
      { HOST_INSECURE },
      BY_MX,
      TLS_WISH_VERIFY,
      NO_STS,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "verify beside a test",
      { HOST_INSECURE },
      BY_MX,
      TLS_WISH_VERIFY,
      TESTING,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "verify is done by DANE",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED,
      TLS_WISH_VERIFY,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "the operator's wish is above the sender's",
      { HOST_INSECURE },
      BY_MX | OPTIONAL,
      TLS_WISH_ENCRYPT,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      true,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },

    { "REQUIRETLS, MX not signed",
      { HOST_INSECURE },
      BY_MX | REQUIRE,
      0,
      NO_STS,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_NOBODY,
      NULL,
      "5.7.10" },
    { "REQUIRETLS, signed MX",
      { HOST_INSECURE },
      SIGNED | REQUIRE,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "REQUIRETLS, no MX",
      { HOST_INSECURE },
      REQUIRE,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },
    { "REQUIRETLS, MTA-STS",
      { HOST_INSECURE },
      BY_MX | REQUIRE,
      0,
      TESTING,
      TLS_STEP_USE,
      TLS_TRUSTED,
      true,
      false,
      TLS_BY_STS,
      "mx.b.test",
      NULL },
    { "REQUIRETLS, a test names others",
      { HOST_INSECURE },
      BY_MX | REQUIRE,
      0,
      OTHER_TESTING,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_STS,
      NULL,
      "5.7.10" },
    { "REQUIRETLS, DANE",
      { HOST_SECURE, TLSA(EE), MX },
      SIGNED | REQUIRE,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_DANE,
      true,
      false,
      TLS_BY_TLSA,
      "mx.b.test",
      NULL },
    { "REQUIRETLS, a report",
      { HOST_INSECURE },
      BY_MX | REQUIRE | REPORT,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      "mx.b.test",
      NULL },

    { "an address literal",
      { { 0 } },
      LITERAL,
      0,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      false,
      false,
      TLS_BY_NOBODY,
      NULL,
      NULL },
    { "a literal, encrypt",
      { { 0 } },
      LITERAL,
      TLS_WISH_ENCRYPT,
      NO_STS,
      TLS_STEP_USE,
      TLS_ANY,
      true,
      false,
      TLS_BY_NOBODY,
      NULL,
      NULL },
    { "a literal, REQUIRETLS",
      { { 0 } },
      LITERAL | REQUIRE,
      0,
      NO_STS,
      TLS_STEP_SKIP,
      0,
      false,
      false,
      TLS_BY_NOBODY,
      NULL,
      "5.7.10" },
};

static void put(struct dns_table *table, const struct entry *entry)
{
    struct dns_answer answer = {
        .name = slice_of(entry->name),
        .type = entry->type,
        .state = entry->state,
        .secure = entry->secure,
        .records = (struct slice *)entry->records,
        .count = entry->state == DNS_FOUND ? 1 : 0,
        .canonical = slice_of(entry->canonical != NULL ? entry->canonical : entry->name),
    };

    dns_put(table, &answer);
}

/* Answers that are asked for and not in the case are given one by one, as absent: every evaluation
 * before has to say "again". */
static enum tls_step find(size_t i, struct dns_table *table, struct tls_query *query,
                          struct tls_policy *policy, struct sts_policy *sts)
{
    size_t n_given = 0;

    for (size_t rounds = 0; rounds < 20; rounds++) {
        enum tls_step step = tls_policy_find(table, query, policy);

        if (step == TLS_STEP_STS) {
            query->sts_known = true;
            query->sts_text = slice_of(sts_texts[cases[i].sts]);
            query->sts = sts_policy_parse(query->sts_text, sts) ? sts : NULL;
        } else if (step != TLS_STEP_DNS) {
            return step;
        } else {
            assert_true(table->n_missing > 0);
            if (n_given < COUNT_OF(cases[i].dns) && cases[i].dns[n_given].name != NULL)
                put(table, &cases[i].dns[n_given++]);
            else
                for (struct dns_answer *a = table->first; a != NULL; a = a->next)
                    if (a->state == DNS_MISSING) {
                        struct dns_answer none = { .name = a->name,
                                                   .type = a->type,
                                                   .state = DNS_NO_NAME };
                        dns_put(table, &none);
                        break;
                    }
        }
    }
    fail_msg("%s: no end", cases[i].what);
    return TLS_STEP_DNS;
}

static struct tls_query query_of(size_t i)
{
    unsigned bits = cases[i].query;
    bool literal = (bits & LITERAL) != 0;

    return (struct tls_query){
        .domain = slice_of(literal               ? ""
                           : (bits & BY_MX) != 0 ? "a.test"
                                                 : "mx.b.test"),
        .host = slice_of(literal ? "" : "mx.b.test"),
        .by_mx = (bits & BY_MX) != 0,
        .mx_secure = (bits & MX_SECURE) != 0,
        .port = 25,
        .wish = cases[i].wish,
        .no_dane = (bits & NO_DANE) != 0,
        .require_tls = (bits & REQUIRE) != 0,
        .tls_optional = (bits & OPTIONAL) != 0,
        .null_sender = (bits & REPORT) != 0,
    };
}

static void check_use(size_t i, const struct tls_policy *policy)
{
    assert_int_equal(policy->check.level, cases[i].level);
    assert_int_equal(policy->check.report_only, cases[i].report_only);
    assert_int_equal(policy->required, cases[i].required);
    assert_int_equal(policy->check.n_records, cases[i].level == TLS_DANE ? 1 : 0);
    if (cases[i].name != NULL)
        assert_string_equal(policy->check.server_name, cases[i].name);
    else
        assert_null(policy->check.server_name);
    if (cases[i].level == TLS_TRUSTED)
        assert_string_equal(policy->check.names[0], "mx.b.test");
    assert_int_equal(policy->require_tls, (cases[i].query & (REQUIRE | REPORT)) == REQUIRE);
    assert_int_equal(policy->offer_require, (cases[i].query & REQUIRE) != 0);
}

static void test_cases(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct tls_query query = query_of(i);
        struct tls_policy policy;
        struct sts_policy sts;

        enum tls_step step = find(i, &table, &query, &policy, &sts);

        if (step != cases[i].step || policy.source != cases[i].source)
            fail_msg("%s: step %d, source %d", cases[i].what, step, policy.source);
        if (step == TLS_STEP_USE) {
            check_use(i, &policy);
        } else {
            assert_string_equal(policy.status, cases[i].status);
            assert_non_null(strstr(policy.text, cases[i].query & LITERAL ? "TLS" : "mx.b.test"));
            assert_int_equal(policy.permanent, cases[i].status[0] == '5');
        }
    }
}

/* RFC 7672 section 3.2.2. */
static void test_names_of_dane(void **unused)
{
    static const struct entry dns[] = {
        { "mx.b.test", DNS_A, DNS_FOUND, true, { ADDRESS }, "end.c.test" },
        { "_25._tcp.end.c.test", DNS_TLSA, DNS_FOUND, true, { TA, EE }, NULL },
        { "a.test", DNS_MX, DNS_FOUND, true, { EE }, "real.d.test" },
    };
    AUTO(dns_table_free) struct dns_table table = { 0 };
    struct tls_query query = query_of(1);
    struct tls_policy policy;

    for (size_t i = 0; i < COUNT_OF(dns); i++)
        put(&table, &dns[i]);
    assert_int_equal(tls_policy_find(&table, &query, &policy), TLS_STEP_USE);
    assert_int_equal(policy.check.n_names, 3);
    assert_string_equal(policy.check.names[0], "end.c.test");
    assert_string_equal(policy.check.names[1], "a.test");
    assert_string_equal(policy.check.names[2], "real.d.test");
    assert_true(slice_starts(policy.text_of_policy, "2 0 1 3031323334"));
}

static const struct {
    struct slice records[2];
    const char *id;
} texts[] = {
    { { STS_ID }, "42" },      { { STS_ID, SPF }, "42" },
    { { SPF, STS_ID }, "42" }, { { STS_ID, STS_ID }, "" }, /* two policies are none */
    { { SPF }, "" },           { { SLICE("\x0fv=STSv1;") }, "" },
};

static void test_records_of_sts(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(dns_table_free) struct dns_table table = { 0 };
        struct dns_answer answer = { .name = SLICE("_mta-sts.a.test"),
                                     .type = DNS_TXT,
                                     .state = DNS_FOUND,
                                     .records = (struct slice *)texts[i].records,
                                     .count = texts[i].records[1].len > 0 ? 2 : 1 };
        struct tls_query query = query_of(0);
        struct tls_policy policy;

        dns_put(&table, &answer);
        assert_int_equal(tls_policy_find(&table, &query, &policy), TLS_STEP_STS);
        assert_true(slice_equal(policy.sts_id, slice_of(texts[i].id)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_names_of_dane),
        cmocka_unit_test(test_records_of_sts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
