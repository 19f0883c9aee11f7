/* test_date.c - dates of mail and of IMAP. */
#include "message/date.h"

#include "tests/unit/message/exact.h"

static const struct {
    const char *input;
    const char *want; /* as date_print() writes it in the zone given; NULL: no date */
} cases[] = {
    /* RFC 5322 appendix A */
    { "Fri, 21 Nov 1997 09:55:06 -0600", "Fri, 21 Nov 1997 09:55:06 -0600" },
    { "Thu, 13\r\n     Feb\r\n  1969\r\n  23:32\r\n -0330 (Newfoundland Time)",
      "Thu, 13 Feb 1969 23:32:00 -0330" },
    { "21 Nov 97 09:55:06 GMT", "Fri, 21 Nov 1997 09:55:06 +0000" },
    { "Tue, 1 Jul 2003 10:52:37 +0200", "Tue, 1 Jul 2003 10:52:37 +0200" },
    /* obsolete zones and years, RFC 5322 section 4.3 */
    { "Mon, 2 Mar 26 10:00 EST", "Mon, 2 Mar 2026 10:00:00 -0500" },
    { "2 Mar 126 10:00 PDT", "Mon, 2 Mar 2026 10:00:00 -0700" },
    { "2 Mar 2026 10:00:00 Z", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "2 Mar 2026 10:00:00 -0000", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "2 Mar 49 10:00 UT", "Tue, 2 Mar 2049 10:00:00 +0000" },
    { "2 Mar 50 10:00 UT", "Thu, 2 Mar 1950 10:00:00 +0000" },
    /* not by the book */
    { "Mon Mar  2 10:00:00 2026", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "Mon Mar  2 10:00:00 2026 +0100", "Mon, 2 Mar 2026 10:00:00 +0100" },
    { "Mon Mar  2 10:00:00 EST 2026", "Mon, 2 Mar 2026 10:00:00 -0500" },
    { "Monday, 2-Mar-26 10:00:00 GMT", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "2-Mar-2026 10:00:00-0130", "Mon, 2 Mar 2026 10:00:00 -0130" },
    { "Mon,2 Mar 2026 10:00:00+0100", "Mon, 2 Mar 2026 10:00:00 +0100" },
    { "March 2, 2026 10:00", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "2 Mar 2026", "Mon, 2 Mar 2026 00:00:00 +0000" },
    { "2 Mar 2026 10:00:00.123 +0000", "Mon, 2 Mar 2026 10:00:00 +0000" },
    { "31 Dec 2016 23:59:60 +0000", "Sun, 1 Jan 2017 00:00:00 +0000" },
    { "29 Feb 2024 0:00:00 +0000", "Thu, 29 Feb 2024 00:00:00 +0000" },
    { "1 Jan 0001 00:00:00 +0000", "Mon, 1 Jan 0001 00:00:00 +0000" },
    /* no dates */
    { "", NULL },
    { "Malformed Date.", NULL },
    { "29 Feb 2023 00:00:00 +0000", NULL },
    { "0 Mar 2026 10:00:00", NULL },
    { "32 Mar 2026 10:00:00", NULL },
    { "2 Foo 2026 10:00:00", NULL },
    { "2 Mar 2026 24:00:00", NULL },
    { "2 Mar 2026 10:60:00", NULL },
    { "2 Mar 20266 10:00:00", NULL },
    { "2 Mar", NULL },
    { "Mon,", NULL },
    { "((((", NULL },
};

static void test_mail_dates(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(exact_free) struct slice input = exact(slice_of(cases[i].input));
        AUTO(buf_free) struct buf got = { 0 };
        struct date date;

        if (date_parse(input, &date) != (cases[i].want != NULL))
            fail_msg("%s", cases[i].input);
        if (cases[i].want == NULL)
            continue;
        date_print(date.unix_ms, date.zone_minutes, &got);
        check_text(cases[i].input, &got, cases[i].want);
    }
}

static void test_truncated(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t len = 0; len < strlen(cases[i].input); len++) {
            AUTO(exact_free) struct slice input = exact(slice_make(cases[i].input, len));
            struct date date;

            if (date_parse(input, &date))
                assert_in_range(date.month, 1, 12);
        }
}

/* SENTON looks at the day as written, whatever the zone. */
static void test_as_written(void **state)
{
    struct date date;

    assert_true(date_parse(SLICE("Mon, 2 Mar 2026 23:30:00 -0500"), &date));
    assert_int_equal(date.year, 2026);
    assert_int_equal(date.month, 3);
    assert_int_equal(date.day, 2);
    assert_int_equal(date.unix_ms, INT64_C(1772512200000));
}

static void test_imap_date_times(void **state)
{
    static const struct {
        const char *input;
        bool want;
        int64_t want_ms;
    } times[] = {
        { " 2-Mar-2026 10:00:00 +0000", true, INT64_C(1772445600000) },
        { "02-Mar-2026 10:00:00 +0000", true, INT64_C(1772445600000) },
        { "17-Jul-1996 02:44:25 -0700", true, INT64_C(837596665000) },
        { "01-jan-1970 00:00:00 +0000", true, 0 },
        { "31-Dec-1969 23:59:59 +0000", true, -1000 },
        { "", false, 0 },
        { "2-Mar-2026", false, 0 },
        { " 2-Mar-2026 10:00:00", false, 0 },
        { " 2-Mar-2026 10:00:00 0000", false, 0 },
        { " 2-Mar-2026 10:00:00 00000", false, 0 },
        { " 2-Mar-2026 10:00 +0000", false, 0 },
        { "30-Feb-2026 10:00:00 +0000", false, 0 },
        { " 2-March-2026 10:00:00 +0000", false, 0 },
        { " 2-Mar-26 10:00:00 +0000", false, 0 },
        { " 2-Mar-2026 10:00:00 +0060", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        AUTO(exact_free) struct slice input = exact(slice_of(times[i].input));
        int64_t ms = 0;

        if (imap_date_time_parse(input, &ms) != times[i].want || ms != times[i].want_ms)
            fail_msg("%s: %lld", times[i].input, (long long)ms);
    }
}

static void test_imap_date_time_print(void **state)
{
    AUTO(buf_free) struct buf got = { 0 };

    imap_date_time_print(INT64_C(1772445600999), &got);
    check_text("now", &got, " 2-Mar-2026 10:00:00 +0000");
    buf_clear(&got);
    imap_date_time_print(-1, &got);
    check_text("before 1970", &got, "31-Dec-1969 23:59:59 +0000");
}

static void test_imap_dates(void **state)
{
    int64_t day;

    assert_true(imap_date_parse(SLICE("1-Jan-1970"), &day));
    assert_int_equal(day, 0);
    assert_true(imap_date_parse(SLICE("02-Mar-2026"), &day));
    assert_int_equal(day, 20514);
    assert_false(imap_date_parse(SLICE("31-Apr-2026"), &day));
    assert_false(imap_date_parse(SLICE("1-Jan-70"), &day));
    assert_false(imap_date_parse(SLICE("001-Jan-1970"), &day));
    assert_false(imap_date_parse(SLICE(""), &day));
}

static void test_days(void **state)
{
    assert_int_equal(day_of(1970, 1, 1), 0);
    assert_int_equal(day_of(2000, 3, 1), 11017);
    assert_int_equal(day_of(1969, 12, 31), -1);
    assert_int_equal(day_of(1, 1, 1), -719162);
    for (int year = 1; year < 9999; year++)
        assert_true(day_of(year + 1, 1, 1) - day_of(year, 12, 31) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_dates),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_as_written),
        cmocka_unit_test(test_imap_date_times),
        cmocka_unit_test(test_imap_date_time_print),
        cmocka_unit_test(test_imap_dates),
        cmocka_unit_test(test_days),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
