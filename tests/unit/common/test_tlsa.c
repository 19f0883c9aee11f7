/* test_tlsa.c - which TLSA records count. */
#include "common/tlsa.h"

#include "tests/unit/common/exact.h"
#include "tests/unit/support/check.h"

#define HASH32 "0123456789abcdef0123456789abcdef"
#define HASH64 HASH32 HASH32

static const struct {
    struct slice rdata;
    bool parses, usable;
} records[] = {
    { SLICE("\3\1\1" HASH32), true, true },
    { SLICE("\3\0\1" HASH32), true, true },
    { SLICE("\2\0\2" HASH64), true, true },
    { SLICE("\2\1\0x"), true, true },
    { SLICE("\0\1\1" HASH32), true, false }, /* PKIX-TA, PKIX-EE: RFC 7672 section 3.1.3 */
    { SLICE("\1\1\1" HASH32), true, false },
    { SLICE("\4\1\1" HASH32), true, false },
    { SLICE("\377\1\1" HASH32), true, false },
    { SLICE("\3\2\1" HASH32), true, false },
    { SLICE("\3\1\3" HASH32), true, false },
    { SLICE("\3\1\1" HASH32 "x"), true, false }, /* not the length of the hash */
    { SLICE("\3\1\1x"), true, false },
    { SLICE("\3\1\2" HASH32), true, false },
    { SLICE("\3\1\0"), false, false },
    { SLICE("\3\1"), false, false },
    { SLICE(""), false, false },
};

static void test_records(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        AUTO(exact_free) struct slice rdata = exact_copy(records[i].rdata);
        struct tlsa tlsa;

        assert_int_equal(tlsa_parse(rdata, &tlsa), records[i].parses);
        if (!records[i].parses)
            continue;
        assert_int_equal(tlsa_is_usable(&tlsa), records[i].usable);
        assert_int_equal(tlsa.usage, (unsigned char)rdata.data[0]);
        assert_int_equal(tlsa.data.len, rdata.len - 3);
    }
}

/* The first bytes of what is left. */
static const struct {
    const struct slice records[4];
    size_t count;
    const char *left[4];
} choices[] = {
    { { SLICE("\3\1\1" HASH32), SLICE("\3\1\2" HASH64) }, 2, { "\3\1\2" } },
    { { SLICE("\3\1\2" HASH64), SLICE("\3\1\1" HASH32) }, 2, { "\3\1\2" } },
    { { SLICE("\3\1\1" HASH32), SLICE("\2\1\2" HASH64) }, 2, { "\3\1\1", "\2\1\2" } },
    { { SLICE("\2\1\1" HASH32), SLICE("\2\2\2" HASH64) }, 2, { "\2\1\1" } },
    { { SLICE("\3\1\1" HASH32), SLICE("\3\1\2" HASH32) }, 2, { "\3\1\1" } }, /* a damaged one */
    { { SLICE("\1\1\1" HASH32), SLICE("\3\1") }, 2, { NULL } },
    { { SLICE("") }, 0, { NULL } },
};

static void test_choice(void **unused)
{
    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        struct tlsa chosen[TLSA_MAX];
        size_t n = tlsa_choose(choices[i].records, choices[i].count, chosen);

        for (size_t k = 0; k < n; k++) {
            assert_non_null(choices[i].left[k]);
            assert_int_equal(chosen[k].usage, choices[i].left[k][0]);
            assert_int_equal(chosen[k].matching, choices[i].left[k][2]);
        }
        assert_null(choices[i].left[n]);
    }
}

static void test_many(void **unused)
{
    struct slice many[3 * TLSA_MAX];
    struct tlsa chosen[TLSA_MAX];

    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = SLICE("\3\1\1" HASH32);
    assert_int_equal(tlsa_choose(many, COUNT_OF(many), chosen), TLSA_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
