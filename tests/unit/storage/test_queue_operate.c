/* Tests of storage/queue_operate.h: hold, release, retry and remove, what is remembered of tries,
 * and what there is to report. */
#include "common/clock.h"
#include "storage/notice.h"
#include "storage/queue_operate.h"
#include "tests/unit/storage/queue_fixture.h"
#include "tests/unit/support/check.h"

static uint64_t operate(struct place *place, enum queue_order order, struct queue_filter filter)
{
    struct error err = { 0 };
    uint64_t count = 0;

    check_ok(queue_operate(place->desk, order, &filter, &count, &err), &err);
    return count;
}

static size_t count_local(struct place *place)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct queue_list list;
    size_t count = 0;

    check_ok(queue_find(place->desk, &arena, QUEUE_LOCAL, 0, 100, &list, &err), &err);
    for (size_t i = 0; i < list.count; i++)
        count += list.items[i].n_recipients;
    return count;
}

static void enter_at(struct place *place, struct queue *queue, uint64_t account, const char *sender,
                     const char *const *recipients, size_t count, int64_t arrived_ms)
{
    AUTO(body_free) struct body *body = make_body(place, 10);
    struct queue_recipient items[8] = { 0 };
    struct queue_message message = {
        .sender = slice_of(sender),
        .account = account,
        .arrived_ms = arrived_ms,
        .recipients = items,
        .n_recipients = count,
    };
    struct error err = { 0 };

    for (size_t i = 0; i < count; i++) {
        items[i].address = slice_of(recipients[i]);
        items[i].original = slice_of(recipients[i]);
    }
    check_ok(
        write_and_wait(queue, (struct queue_change){ .message = &message, .body = body }, &err),
        &err);
}

static void enter(struct place *place, struct queue *queue, uint64_t account, const char *sender,
                  const char *const *recipients, size_t count)
{
    enter_at(place, queue, account, sender, recipients, count, 0);
}

static void filters_choose(void **state)
{
    static const char *const first[] = { "a@one.example", "b@two.example" };
    static const char *const second[] = { "c@ONE.example", "d@bücher.example" };
    static const char *const third[] = { "e@three.example" };
    static const struct {
        const char *name;
        struct queue_filter filter;
        unsigned messages, recipients;
    } cases[] = {
        { "all", { 0 }, 3, 5 },
        { "one message", { .message = 2 }, 1, 2 },
        { "no such message", { .message = 9 }, 0, 0 },
        { "an account", { .account = 7 }, 2, 3 },
        { "a sender", { .sender = SLICE("BOB@here.example") }, 2, 3 },
        { "a domain", { .destination = SLICE("one.EXAMPLE") }, 2, 2 },
        { "a domain in A-labels", { .destination = SLICE("xn--bcher-kva.example") }, 1, 1 },
        { "a domain in U-labels", { .destination = SLICE("bücher.example") }, 1, 1 },
        { "part of a domain", { .destination = SLICE("example") }, 0, 0 },
        { "a recipient", { .recipient = SLICE("B@two.example") }, 1, 1 },
        { "account and domain", { .account = 7, .destination = SLICE("one.example") }, 1, 1 },
        { "held", { .held = true }, 0, 0 },
    };
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    struct error err = { 0 };

    enter(place, queue, 7, "bob@here.example", first, 2);
    enter(place, queue, 8, "eve@here.example", second, 2);
    enter(place, queue, 7, "bob@here.example", third, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct queue_list list;
        size_t recipients = 0;

        check_ok(queue_select(place->desk, &arena, &cases[i].filter, 0, 100, &list, &err), &err);
        for (size_t j = 0; j < list.count; j++)
            recipients += list.items[j].n_recipients;
        if (list.count != cases[i].messages || recipients != cases[i].recipients)
            fail_msg("%s: %zu messages, %zu recipients", cases[i].name, list.count, recipients);
    }
    assert_false(queue_operate(place->desk, ORDER_HOLD,
                               &(struct queue_filter){ .destination = SLICE("no domain") },
                               &(uint64_t){ 0 }, &err));
    assert_int_equal(err.kind, ERROR_INVALID);
}

static void selecting_pages(void **state)
{
    static const char *const to[] = { "a@one.example", "b@two.example" };
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_filter filter = { .destination = SLICE("two.example") };
    struct error err = { 0 };
    struct queue_totals totals;
    struct queue_list list;

    for (int i = 0; i < 5; i++)
        enter(place, queue, 7, "bob@here.example", to, 2);
    check_ok(queue_select(place->desk, &arena, &filter, 0, 3, &list, &err), &err);
    assert_int_equal(list.count, 3);
    check_ok(queue_select(place->desk, &arena, &filter, list.items[2].id, 3, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].n_recipients, 1);
    operate(place, ORDER_HOLD, (struct queue_filter){ .message = 2 });
    check_ok(queue_count(place->desk, &totals, &err), &err);
    assert_int_equal(totals.messages, 5);
    assert_int_equal(totals.recipients, 10);
    assert_int_equal(totals.held, 2);
}

static void held_ones_are_never_due(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    uint64_t id = must_accept(place, queue, 10, 4);
    struct queue_filter all = { .message = id };

    assert_int_equal(operate(place, ORDER_HOLD, all), 4);
    assert_int_equal(operate(place, ORDER_HOLD, all), 0);
    assert_int_equal(count_due(place, INT64_MAX), 0);
    assert_int_equal(count_local(place), 0);
    assert_true(first_due(place) == INT64_MAX);
    assert_int_equal(operate(place, ORDER_RETRY, all), 0); /* they stay held */
    assert_int_equal(count_due(place, INT64_MAX), 0);

    assert_int_equal(operate(place, ORDER_RELEASE, all), 4);
    assert_int_equal(count_due(place, INT64_MAX), 2);
    assert_int_equal(count_local(place), 2);
    assert_true(first_due(place) > 5000 && first_due(place) <= time_ms());
}

static void removing_tells_the_daemon(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 4);
    uint64_t id = must_accept(place, queue, 5000, 4);
    struct error err = { 0 };
    struct notice notice;
    int fd;

    check_ok(notice_listen(place->store, "smtpd", false, &fd, &err), &err);
    assert_int_equal(
        operate(place, ORDER_REMOVE, (struct queue_filter){ .destination = SLICE("far.example") }),
        2);
    assert_int_equal(count_files(place), 1);
    assert_int_equal(operate(place, ORDER_REMOVE, (struct queue_filter){ .message = id }), 2);
    assert_int_equal(count_files(place), 0);
    assert_true(notice_read(fd, &notice));
    assert_int_equal(notice.kind, NOTICE_QUEUE);
    notice_unlisten(place->store, fd);

    must_accept(place, queue, 10, 4); /* the backlog was counted again */
    assert_int_equal(queue_backlog(queue), 4);
}

/* What a courier has in hand may be removed under it: its outcome then changes nothing. */
static void outcomes_of_what_is_gone(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t id = must_accept(place, queue, 10, 2), ids[4];
    struct queue_message message;
    struct error err = { 0 };
    size_t count;

    read_message(place, &arena, id, &message);
    operate(place, ORDER_REMOVE, (struct queue_filter){ .message = id });
    struct queue_retry retry = { .recipient = message.recipients[0].id, .warn = true };
    struct queue_end end = { .recipient = message.recipients[1].id, .report = REPORT_FAILED };
    struct queue_change change = {
        .retries = &retry,
        .n_retries = 1,
        .ends = &end,
        .n_ends = 1,
        .gone = &message.recipients[0].id,
        .n_gone = 1,
        .warned = &message.recipients[0].id,
        .n_warned = 1,
    };
    check_ok(write_and_wait(queue, change, &err), &err);
    check_ok(queue_reports(place->desk, 0, COUNT_OF(ids), ids, &count, &err), &err);
    assert_int_equal(count, 0);
    assert_int_equal(queue_backlog(queue), 0);
}

static void tries_are_remembered(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t id = must_accept(place, queue, 10, 2);
    struct queue_message message;
    struct error err = { 0 };

    read_message(place, &arena, id, &message);
    assert_int_equal(message.recipients[1].n_log, 0);
    for (int i = 0; i < QUEUE_TRIES_KEPT + 5; i++) {
        struct queue_retry retry = {
            .recipient = message.recipients[1].id,
            .waited_ms = i * 10,
            .made = { .at_ms = 1000 + i,
                      .host = SLICE("mx.far.example"),
                      .tls = SLICE("TLS1.3"),
                      .status = SLICE("4.7.1"),
                      .reply = SLICE("451 4.7.1 later"),
                      .answered = true },
        };
        check_ok(
            write_and_wait(queue, (struct queue_change){ .retries = &retry, .n_retries = 1 }, &err),
            &err);
    }
    read_message(place, &arena, id, &message);
    const struct queue_recipient *to = &message.recipients[1];
    assert_int_equal(to->tries, QUEUE_TRIES_KEPT + 5);
    assert_int_equal(to->last_try_ms, 1000 + QUEUE_TRIES_KEPT + 4);
    assert_int_equal(to->waited_ms, 10 * (QUEUE_TRIES_KEPT + 4));
    assert_int_equal(to->n_log, QUEUE_TRIES_KEPT);
    assert_int_equal(to->log[0].at_ms, 1005);
    assert_true(slice_is(to->log[QUEUE_TRIES_KEPT - 1].host, "mx.far.example"));
    assert_true(slice_is(to->log[0].tls, "TLS1.3"));
    assert_true(slice_is(to->log[0].status, "4.7.1"));
    assert_true(slice_is(to->log[0].reply, "451 4.7.1 later"));
    assert_true(to->log[0].answered);
}

/* What there is to report stays until the report enters. */
static void reports_wait(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t first = must_accept(place, queue, 10, 2), second = must_accept(place, queue, 10, 2);
    struct queue_message a, b;
    struct error err = { 0 };
    uint64_t ids[4];
    size_t count;

    read_message(place, &arena, first, &a);
    read_message(place, &arena, second, &b);
    struct queue_end end = { .recipient = a.recipients[0].id,
                             .report = REPORT_FAILED,
                             .made = { .reply = SLICE("full"), .at_ms = 5 } };
    struct queue_retry retry = { .recipient = b.recipients[1].id, .warn = true };
    check_ok(write_and_wait(queue,
                            (struct queue_change){
                                .ends = &end, .n_ends = 1, .retries = &retry, .n_retries = 1 },
                            &err),
             &err);
    check_ok(queue_reports(place->desk, 0, COUNT_OF(ids), ids, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], first);
    assert_int_equal(ids[1], second);
    check_ok(queue_reports(place->desk, first, COUNT_OF(ids), ids, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(count_local(place), 1); /* the ended one is nobody's to deliver */

    read_message(place, &arena, first, &a);
    assert_int_equal(a.recipients[0].state, QUEUE_ENDED);
    assert_int_equal(a.recipients[0].report, REPORT_FAILED);
    assert_int_equal(a.recipients[0].n_log, 1);
    check_ok(write_and_wait(queue,
                            (struct queue_change){ .gone = &a.recipients[0].id,
                                                   .n_gone = 1,
                                                   .warned = &b.recipients[1].id,
                                                   .n_warned = 1 },
                            &err),
             &err);
    read_message(place, &arena, second, &b);
    assert_true(b.recipients[1].warned);
    assert_int_equal(b.recipients[1].state, QUEUE_WAITING);
    check_ok(queue_reports(place->desk, 0, COUNT_OF(ids), ids, &count, &err), &err);
    assert_int_equal(count, 0);
}

static void times_after_the_clock_went_back(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t id = must_accept(place, queue, 10, 4), count;
    struct queue_message message;
    struct error err = { 0 };

    read_message(place, &arena, id, &message);
    struct queue_retry retries[] = {
        { .recipient = message.recipients[0].id, .next_try_ms = 9000000 }, /* local */
        { .recipient = message.recipients[1].id, .next_try_ms = 9000000 },
        { .recipient = message.recipients[3].id, .next_try_ms = 6000 },
    };
    check_ok(write_and_wait(
                 queue, (struct queue_change){ .retries = retries, .n_retries = COUNT_OF(retries) },
                 &err),
             &err);
    check_ok(queue_mend_times(place->desk, 5000, 2000, &count, &err), &err);
    assert_int_equal(count, 2);
    check_ok(queue_mend_times(place->desk, 5000, 2000, &count, &err), &err);
    assert_int_equal(count, 0);
    read_message(place, &arena, id, &message);
    assert_int_equal(message.recipients[0].next_try_ms, 5000);
    assert_int_equal(message.recipients[1].next_try_ms, 5000);
    assert_int_equal(message.recipients[3].next_try_ms, 6000);
}

static void check_sent(struct place *place, uint64_t account, int64_t now_ms, uint64_t hour,
                       uint64_t day)
{
    struct error err = { 0 };
    struct queue_sent sent;

    check_ok(queue_sent(place->desk, account, now_ms, &sent, &err), &err);
    assert_int_equal(sent.hour, hour);
    assert_int_equal(sent.day, day);
}

/* What an account has sent is counted by the hour and the day, and forgotten. */
static void sending_is_counted(void **state)
{
    enum { HOUR = 3600 * 1000, START = 1000 * QUEUE_SENT_STEP_MS };
    static const char *const to[] = { "a@one.example", "b@two.example" };
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    static const int64_t times[] = { START, START + QUEUE_SENT_STEP_MS / 2,
                                     START + 3 * QUEUE_SENT_STEP_MS };

    for (size_t i = 0; i < COUNT_OF(times); i++)
        enter_at(place, queue, 7, "bob@here.example", to, 2, times[i]);
    enter_at(place, queue, 0, "eve@far.example", to, 2, START);
    check_sent(place, 7, START, 4, 4);
    check_sent(place, 7, times[2], 6, 6);
    check_sent(place, 7, START + HOUR, 2, 6);
    check_sent(place, 7, START + 2 * HOUR, 0, 6);
    check_sent(place, 7, START + 25 * HOUR, 0, 0);
    check_sent(place, 7, START - HOUR, 0, 0); /* the clock went back: nobody is locked out */
    check_sent(place, 8, times[2], 0, 0);
    check_sent(place, 0, times[2], 0, 0);

    queue_close(&queue);
    queue = open_queue(place, 0);
    check_sent(place, 7, times[2], 6, 6);
    enter_at(place, queue, 7, "bob@here.example", to, 2, START + 26 * HOUR);
    check_sent(place, 7, times[2], 0, 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(filters_choose),
        IN_PLACE(selecting_pages),
        IN_PLACE(held_ones_are_never_due),
        IN_PLACE(removing_tells_the_daemon),
        IN_PLACE(outcomes_of_what_is_gone),
        IN_PLACE(tries_are_remembered),
        IN_PLACE(reports_wait),
        IN_PLACE(times_after_the_clock_went_back),
        IN_PLACE(sending_is_counted),
    };

    return cmocka_run_group_tests_name("queue_operate", tests, NULL, NULL);
}
