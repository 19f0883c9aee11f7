/* test_retry.c - the schedule of tries, and clocks that are wrong. */
#include "smtpd/retry.h"
#include "tests/unit/support/check.h"

#define MINUTE 60000ll
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

static const struct settings usual = {
    .retry_first = MINUTE, .retry_last = 4 * HOUR, .give_up = 5 * DAY, .delay_warning = 4 * HOUR
};

static const struct {
    const char *name;
    unsigned tries;
    int64_t waited_ms;
    int64_t since_ms; /* the last try was so long ago, or the arrival */
    uint64_t chance;
    int64_t want_wait_ms; /* 0: it was the last */
    int64_t want_waited_ms;
} cases[] = {
    { "at once", 0, 0, 0, 0, MINUTE, 0 },
    { "second try", 1, 0, MINUTE, 0, 2 * MINUTE, MINUTE },
    { "fourth try", 3, 3 * MINUTE, 4 * MINUTE, 0, 8 * MINUTE, 7 * MINUTE },
    { "the longest wait", 20, DAY, 4 * HOUR, 0, 4 * HOUR, DAY + 4 * HOUR },
    { "more tries than bits", 4000000000u, DAY, 4 * HOUR, 0, 4 * HOUR, DAY + 4 * HOUR },
    { "a quarter by chance", 0, 0, 0, MINUTE / 4, MINUTE + MINUTE / 4, 0 },
    { "and no more", 0, 0, 0, MINUTE / 4 + 1, MINUTE, 0 },
    { "the last try is at the end", 30, 5 * DAY - 5 * HOUR, 4 * HOUR, 0, HOUR, 5 * DAY - HOUR },
    { "over", 30, 5 * DAY - 4 * HOUR, 4 * HOUR, 0, 0, 5 * DAY },
    { "a day off", 30, 4 * HOUR, DAY, 0, 4 * HOUR, 4 * HOUR + 8 * HOUR + 72 * MINUTE },
    { "the clock jumped a year", 1, MINUTE, YEAR, 0, 2 * MINUTE,
      MINUTE + 2 * MINUTE + 72 * MINUTE },
    { "the clock jumped before the first try", 0, 0, YEAR, 0, MINUTE, 2 * MINUTE + 72 * MINUTE },
    { "the clock went back a year", 5, HOUR, -YEAR, 0, 32 * MINUTE, HOUR },
};

static void the_schedule(void **state)
{
    const struct queue_message message = { .sender = SLICE("a@x"), .arrived_ms = YEAR };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct queue_recipient recipient = {
            .id = 7, .tries = cases[i].tries, .waited_ms = cases[i].waited_ms, .last_try_ms = YEAR
        };
        struct queue_retry retry;
        int64_t now_ms = YEAR + cases[i].since_ms;
        bool goes_on = retry_plan(&usual, &message, &recipient, now_ms, cases[i].chance, &retry);
        int64_t wait_ms = goes_on ? retry.next_try_ms - now_ms : 0;

        if (wait_ms != cases[i].want_wait_ms || retry.waited_ms != cases[i].want_waited_ms ||
            retry.recipient != 7)
            fail_msg("%s: wait %lld waited %lld", cases[i].name, (long long)wait_ms,
                     (long long)retry.waited_ms);
    }
}

/* How many tries a recipient gets when every one fails, and the time they take. */
static unsigned live(const struct settings *settings, int64_t jump_ms, int64_t *lasted_ms,
                     unsigned *warnings)
{
    const struct queue_message message = { .sender = SLICE("a@x"), .arrived_ms = 10 * YEAR };
    struct queue_recipient recipient = { 0 };
    int64_t now_ms = message.arrived_ms, real_ms = 0;
    struct queue_retry retry;

    *warnings = 0;
    while (retry_plan(settings, &message, &recipient, now_ms, 0, &retry)) {
        if (retry.warn) {
            recipient.warned = true;
            ++*warnings;
        }
        recipient.waited_ms = retry.waited_ms;
        recipient.last_try_ms = now_ms;
        recipient.tries++;
        real_ms += retry.next_try_ms - now_ms;
        now_ms = retry.next_try_ms;
        if (recipient.tries == 5)
            now_ms += jump_ms;
    }
    *lasted_ms = real_ms;
    return recipient.tries;
}

static void a_life_of_tries(void **state)
{
    unsigned warnings, tries;
    int64_t lasted;

    tries = live(&usual, 0, &lasted, &warnings);
    assert_int_equal(lasted, 5 * DAY);
    assert_int_equal(warnings, 1);
    assert_in_range(tries, 35, 40);

    /* A jump ahead costs an hour or two of the five days, once. */
    tries = live(&usual, 3 * YEAR, &lasted, &warnings);
    assert_true(lasted > 5 * DAY - 3 * HOUR && lasted < 5 * DAY);
    assert_int_equal(warnings, 1);
    assert_in_range(tries, 34, 40);

    /* One back costs nothing but the wait it happened in. */
    live(&usual, -9 * YEAR, &lasted, &warnings);
    assert_true(lasted >= 5 * DAY && lasted < 5 * DAY + HOUR);
    assert_int_equal(warnings, 1);
    assert_int_equal(retry_wait_max(&usual), 5 * HOUR);
}

static void who_is_warned(void **state)
{
    static const struct {
        const char *name, *sender;
        unsigned notify;
        bool warned;
        enum queue_report report;
        uint64_t delay_warning;
        bool want;
    } rows[] = {
        { "by default", "a@x", 0, false, REPORT_NONE, HOUR, true },
        { "not the null sender", "", 0, false, REPORT_NONE, HOUR, false },
        { "NOTIFY=DELAY", "a@x", NOTIFY_DELAY, false, REPORT_NONE, HOUR, true },
        { "NOTIFY=FAILURE", "a@x", NOTIFY_FAILURE, false, REPORT_NONE, HOUR, false },
        { "NOTIFY=NEVER", "a@x", NOTIFY_NEVER, false, REPORT_NONE, HOUR, false },
        { "once", "a@x", 0, true, REPORT_NONE, HOUR, false },
        { "once, when it is on its way", "a@x", 0, false, REPORT_DELAYED, HOUR, false },
        { "later", "a@x", 0, false, REPORT_NONE, 3 * HOUR, false },
        { "never", "a@x", 0, false, REPORT_NONE, 0, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct queue_message message = { .sender = slice_of(rows[i].sender) };
        const struct queue_recipient recipient = { .notify = rows[i].notify,
                                                   .warned = rows[i].warned,
                                                   .report = rows[i].report,
                                                   .waited_ms = 2 * HOUR };
        struct settings settings = usual;
        struct queue_retry retry;

        settings.delay_warning = rows[i].delay_warning;
        assert_true(retry_plan(&settings, &message, &recipient, 0, 0, &retry));
        if (retry.warn != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schedule),
        cmocka_unit_test(a_life_of_tries),
        cmocka_unit_test(who_is_warned),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
