/* test_schedule.c - whose turn it is, and when a lane of the queue is looked at; without a queue.
 */
#include "smtpd/remote/lane.h"
#include "smtpd/remote/schedule.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A shipment of one recipient, from `account`; its id tells it from others. */
static struct shipment *make(uint64_t id, uint64_t account)
{
    struct queue_recipient to = { .address = SLICE("x@far.test") };
    const struct queue_message message = {
        .id = id, .account = account, .recipients = &to, .n_recipients = 1
    };

    return shipments_of(&message, 0);
}

static void open_schedule(struct schedule *schedule)
{
    schedule_init(schedule);
    schedule->connections_max = 4;
    schedule->per_site_max = 2;
    schedule->backoff_first_ms = 1000;
    schedule->backoff_last_ms = 3000;
}

static void add(struct schedule *schedule, const char *site, uint64_t id, uint64_t account)
{
    schedule_add(schedule, schedule_site(schedule, site), make(id, account), false, 0);
}

/* The id of what is carried next; 0: nothing. */
static uint64_t next(struct schedule *schedule, uint64_t now_ms)
{
    struct site *site;
    struct shipment *shipment = schedule_next(schedule, now_ms, &site);
    uint64_t id = shipment != NULL ? shipment->letter->message.id : 0;

    shipment_free(&shipment);
    return id;
}

static uint64_t next_at(struct schedule *schedule, const char *site)
{
    struct shipment *shipment = schedule_next_at(schedule, schedule_site(schedule, site), 0);
    uint64_t id = shipment != NULL ? shipment->letter->message.id : 0;

    shipment_free(&shipment);
    return id;
}

static void close_schedule(struct schedule *schedule, const char *const *sites)
{
    for (; *sites != NULL; sites++) {
        struct shipment *list = schedule_take_all(schedule, schedule_site(schedule, *sites));

        shipments_free(&list);
    }
    schedule_free(schedule);
}

/* One sender's hundred messages do not come before another's first. */
static void test_senders_take_turns(void **state)
{
    static const char *const sites[] = { "far", "near", NULL };
    struct schedule schedule;

    open_schedule(&schedule);
    for (uint64_t id = 1; id <= 100; id++)
        add(&schedule, "far", id, 7);
    add(&schedule, "far", 101, 8);
    add(&schedule, "near", 102, 7);
    for (size_t i = 0; i < 2; i++)
        schedule_reached(&schedule, schedule_site(&schedule, sites[i]));
    assert_int_equal(next(&schedule, 0), 1);
    assert_int_equal(next(&schedule, 0), 101);
    assert_int_equal(next(&schedule, 0), 102); /* the sender's other site */
    assert_int_equal(next_at(&schedule, "far"), 2);
    assert_int_equal(next_at(&schedule, "far"), 3); /* first in, first out */
    assert_int_equal(next_at(&schedule, "near"), 0);
    close_schedule(&schedule, sites);
}

static void test_limits(void **state)
{
    static const char *const sites[] = { "a", "b", "c", "d", NULL };
    struct schedule schedule;

    open_schedule(&schedule);
    for (uint64_t id = 0; id < 40; id++)
        add(&schedule, sites[id % 4], id + 1, 7);
    /* Nobody is proven: half of the connections. */
    assert_int_not_equal(next(&schedule, 0), 0);
    assert_int_not_equal(next(&schedule, 0), 0);
    assert_int_equal(next(&schedule, 0), 0);
    for (size_t i = 0; i < 4; i++)
        schedule_reached(&schedule, schedule_site(&schedule, sites[i]));
    assert_int_equal(schedule.n_unproven, 0);
    assert_int_not_equal(next(&schedule, 0), 0);
    assert_int_not_equal(next(&schedule, 0), 0);
    assert_int_equal(schedule.n_connections, 4);
    assert_int_equal(next(&schedule, 0), 0);
    close_schedule(&schedule, sites);
}

/* A second connection is for many, or when the first is slow; there is no third. */
static void test_connections_of_a_site(void **state)
{
    static const char *const sites[] = { "far", NULL };
    struct schedule schedule;

    open_schedule(&schedule);
    schedule_reached(&schedule, schedule_site(&schedule, "far"));
    for (uint64_t id = 1; id <= 3; id++)
        add(&schedule, "far", id, 7);
    assert_int_equal(next(&schedule, 0), 1);
    assert_int_equal(next(&schedule, 10), 0);
    assert_int_equal(next(&schedule, 2000), 2);
    assert_int_equal(next(&schedule, 9000), 0);
    schedule_close(&schedule, schedule_site(&schedule, "far"));
    schedule_close(&schedule, schedule_site(&schedule, "far"));
    assert_int_equal(next(&schedule, 9000), 3);
    close_schedule(&schedule, sites);
}

static void test_backing_off(void **state)
{
    static const char *const sites[] = { "far", NULL };
    struct schedule schedule;
    struct site *site;

    open_schedule(&schedule);
    site = schedule_site(&schedule, "far");
    add(&schedule, "far", 1, 7);
    assert_int_equal(next(&schedule, 0), 1);
    schedule_failed(&schedule, site, "mx.far", "4.4.1", "refused", 0);
    schedule_close(&schedule, site);
    assert_int_equal(schedule.n_unproven, 0);
    for (uint64_t id = 2; id <= 30; id++)
        add(&schedule, "far", id, 7);
    assert_true(site_backs_off(site, 999));
    assert_int_equal(next(&schedule, 999), 0);
    assert_int_equal(next(&schedule, 1000), 2); /* one tries */
    assert_int_equal(next(&schedule, 1000), 0);
    schedule_failed(&schedule, site, "mx.far", "4.4.1", "refused", 1000);
    schedule_close(&schedule, site);
    assert_true(site_backs_off(site, 2999)); /* twice as long */
    schedule_failed(&schedule, site, "mx.far", "4.4.1", "refused", 3000);
    assert_false(site_backs_off(site, 6000)); /* at most backoff_last_ms */
    schedule_forgive(&schedule);
    assert_int_equal(next(&schedule, 3001), 3);
    schedule_reached(&schedule, site);
    assert_int_equal(next(&schedule, 3001), 4); /* it is well again */
    close_schedule(&schedule, sites);
}

/* A server that takes one connection at once has not gone away. */
static void test_full_site(void **state)
{
    static const char *const sites[] = { "far.test", NULL };
    struct schedule schedule;
    struct site *site;

    open_schedule(&schedule);
    site = schedule_site(&schedule, "far.test");
    for (uint64_t id = 1; id <= 20; id++)
        add(&schedule, "far.test", id, 7);
    assert_int_equal(next(&schedule, 0), 1);
    assert_false(schedule_full(site)); /* the only one */
    assert_int_equal(next(&schedule, 0), 2);
    assert_false(schedule_full(site)); /* nobody knows whether the other one works */
    schedule_reached(&schedule, site);
    assert_true(schedule_full(site));
    schedule_close(&schedule, site);
    assert_int_equal(next(&schedule, 0), 0);
    assert_int_equal(next(&schedule, 60000), 0);
    assert_int_equal(next_at(&schedule, "far.test"), 3);
    schedule_close(&schedule, site);
    assert_int_equal(next(&schedule, 0), 4); /* it may be otherwise by now */
    assert_int_equal(next(&schedule, 0), 5);
    schedule_close(&schedule, site);
    schedule_close(&schedule, site);
    close_schedule(&schedule, sites);
}

static void test_put_back(void **state)
{
    static const char *const sites[] = { "far", NULL };
    struct schedule schedule;

    open_schedule(&schedule);
    add(&schedule, "far", 1, 7);
    schedule_add(&schedule, schedule_site(&schedule, "far"), make(2, 7), true, 0);
    assert_int_equal(next(&schedule, 0), 2);
    assert_int_equal(next_at(&schedule, "far"), 1);
    schedule_add(&schedule, schedule_site(&schedule, "far"), make(3, 7), true, 0);
    add(&schedule, "far", 4, 7);
    assert_int_equal(next_at(&schedule, "far"), 3);
    assert_int_equal(next_at(&schedule, "far"), 4);
    close_schedule(&schedule, sites);
}

/* --- lanes --- */

static void test_lanes_by_time(void **state)
{
    struct lanes lanes = { 0 };
    int64_t before = 0;
    char name[16];

    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "d%d.test", i);
        lane_due(&lanes, lanes_get(&lanes, name), (i * 7919) % 1000 + 1);
    }
    lane_due(&lanes, lanes_get(&lanes, "d3.test"), 0); /* earlier than thought */
    assert_int_equal(lanes_due(&lanes), 0);
    assert_null(lanes_next(&lanes, -1, 10));
    for (int i = 0; i < 500; i++) {
        int64_t due_ms = lanes_due(&lanes);
        struct lane *lane = lanes_next(&lanes, 2000, 10);

        assert_non_null(lane);
        assert_true(due_ms >= before);
        before = due_ms;
        lane_read(&lanes, lane, LANE_NEVER); /* there was nothing */
    }
    assert_null(lanes_next(&lanes, 2000, 10));
    assert_int_equal(lanes_due(&lanes), LANE_NEVER);
    assert_int_equal(lanes.count, 0);
    lanes_free(&lanes);
}

/* What is settled while a page is read is known until that has ended. */
static void test_lane_while_reading(void **state)
{
    struct lanes lanes = { 0 };
    struct lane *lane = lanes_get(&lanes, "far.test");
    struct shipment *one = make(1, 7), *two = make(2, 7);

    lane_add(lane, one);
    lane_add(lane, two);
    lane_due(&lanes, lane, 5);
    assert_ptr_equal(lanes_next(&lanes, 5, 10), lane);
    lane_due(&lanes, lane, 5);
    assert_null(lanes_next(&lanes, 5, 10)); /* not twice at a time */
    lane_settled(&lanes, lane, one, LANE_NEVER);
    assert_true(lane_has(lane, 1));
    lane->has_skipped = true;
    lane_read(&lanes, lane, LANE_NEVER);
    assert_false(lane_has(lane, 1));
    assert_true(lane_has(lane, 2));
    assert_ptr_equal(lanes_next(&lanes, 5, 10), lane); /* what became due meanwhile */
    lane->has_skipped = true;
    lane_read(&lanes, lane, LANE_NEVER);
    lane_settled(&lanes, lane, two, LANE_NEVER); /* what was skipped can be read now */
    assert_ptr_equal(lanes_next(&lanes, 5, 10), lane);
    lane_read(&lanes, lane, LANE_NEVER);
    assert_int_equal(lanes.count, 0);
    lanes_free(&lanes);
}

static void test_full_lane(void **state)
{
    struct lanes lanes = { 0 };
    struct lane *lane = lanes_get(&lanes, "far.test");
    struct shipment *one = make(1, 7);

    lane_add(lane, one);
    lane_due(&lanes, lane, 5);
    assert_null(lanes_next(&lanes, 9, 1));
    lane_settled(&lanes, lane, one, LANE_NEVER);
    assert_ptr_equal(lanes_next(&lanes, 9, 1), lane);
    lane_read(&lanes, lane, LANE_NEVER);
    lanes_free(&lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders_take_turns),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_connections_of_a_site),
        cmocka_unit_test(test_backing_off),
        cmocka_unit_test(test_put_back),
        cmocka_unit_test(test_full_site),
        cmocka_unit_test(test_lanes_by_time),
        cmocka_unit_test(test_lane_while_reading),
        cmocka_unit_test(test_full_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
