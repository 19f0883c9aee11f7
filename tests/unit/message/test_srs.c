/* test_srs.c - the sender rewriting scheme, there and back. */
#include "message/srs.h"

#include "common/crypto.h"
#include "common/mem.h"
#include "tests/unit/message/exact.h"

#define DAY 86400000ll
#define NOW (20000 * DAY)

static const unsigned char secret[32] = "a secret of thirty-two bytes ...";

static void check_back(struct slice local, int64_t now_ms, enum srs_result want,
                       const char *want_local, const char *want_domain)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(exact_free) struct slice copy = exact(local);
    struct slice back, domain;

    assert_int_equal(srs_reverse(secret, now_ms, &arena, copy, &back, &domain), want);
    if (want != SRS_GOOD)
        return;
    assert_true(slice_equal(back, slice_of(want_local)));
    assert_true(slice_equal(domain, slice_of(want_domain)));
}

static void test_there_and_back(void **state)
{
    static const struct {
        const char *local, *domain;
    } cases[] = {
        { "user", "one.example" },  { "User.Name+tag", "one.example" },
        { "a=b=c", "one.example" }, { "=", "x" },
        { "SRS", "one.example" },   { "SRS0", "one.example" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct slice local;

        assert_int_equal(srs_forward(secret, NOW, &arena, slice_of(cases[i].local),
                                     slice_of(cases[i].domain), &local),
                         SRS_GOOD);
        assert_true(slice_starts(local, "SRS0="));
        check_back(local, NOW, SRS_GOOD, cases[i].local, cases[i].domain);
        check_back(local, NOW + SRS_DAYS * DAY, SRS_GOOD, cases[i].local, cases[i].domain);
        check_back(local, NOW - DAY, SRS_GOOD, cases[i].local, cases[i].domain);
        check_back(local, NOW + (SRS_DAYS + 1) * DAY, SRS_EXPIRED, NULL, NULL);
    }
}

/* one.example -> two.example -> us -> four.example: each leads back by one step, or to the first.
 */
static void test_second_hop(void **state)
{
    static const char first[] = "SRS0+AAAA=BB=one.example=user";
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice ours, theirs;

    assert_int_equal(srs_forward(secret, NOW, &arena, slice_of(first), SLICE("two.example"), &ours),
                     SRS_GOOD);
    assert_true(slice_starts(ours, "SRS1="));
    check_back(ours, NOW, SRS_GOOD, first, "two.example");
    /* a third one names the second still, not the one before it */
    assert_int_equal(srs_forward(secret, NOW, &arena, ours, SLICE("three.example"), &theirs),
                     SRS_GOOD);
    check_back(theirs, NOW, SRS_GOOD, first, "two.example");
}

static void test_case_is_lost(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice local;
    char *lower;

    srs_forward(secret, NOW, &arena, SLICE("user"), SLICE("one.example"), &local);
    lower = slice_text(&arena, local);
    for (char *c = lower; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    check_back(slice_of(lower), NOW, SRS_GOOD, "user", "one.example");
}

static void test_not_ours(void **state)
{
    static const struct {
        const char *local;
        enum srs_result want;
    } cases[] = {
        { "user", SRS_NONE },         { "", SRS_NONE },
        { "SRS0", SRS_NONE },         { "SRS0=", SRS_NONE },
        { "SRS2=AAAA=BB", SRS_NONE }, { "SRS0=AAAA=BB=one.example=user", SRS_BAD },
        { "SRS0=", SRS_NONE },        { "SRS0==", SRS_BAD },
        { "SRS0=x", SRS_BAD },        { "SRS1=AAAA=two.example==AAAA=BB=one.example=u", SRS_BAD },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_back(slice_of(cases[i].local), NOW, cases[i].want, NULL, NULL);
}

/* Every change of one byte is seen, and nothing is read past a cut. */
static void test_changed_anywhere(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice local, back, domain;

    srs_forward(secret, NOW, &arena, SLICE("user"), SLICE("one.example"), &local);
    for (size_t i = 5; i < local.len; i++) {
        char *text = slice_text(&arena, local);

        text[i] = text[i] == '7' ? '6' : '7';
        assert_int_not_equal(srs_reverse(secret, NOW, &arena, slice_of(text), &back, &domain),
                             SRS_GOOD);
        check_back(slice_part(local, 0, i), NOW, i == 5 ? SRS_NONE : SRS_BAD, NULL, NULL);
    }
}

static void test_too_long(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice local;

    assert_int_equal(srs_forward(secret, NOW, &arena,
                                 SLICE("a-rather-long-name-of-a-newsletter-that-counts"),
                                 SLICE("mail.newsletter.example"), &local),
                     SRS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),   cmocka_unit_test(test_second_hop),
        cmocka_unit_test(test_case_is_lost),     cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_changed_anywhere), cmocka_unit_test(test_too_long),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
