/* test_queue_lane.c - what is due for other servers, by domain, a page at a time. */
#include "storage/queue.h"
#include "tests/unit/storage/queue_fixture.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *address, *domain;
} domains[] = {
    { "x@Far.Test", "far.test" },
    { "x@b\xc3\xbc"
      "cher.test",
      "xn--bcher-kva.test" },
    { "\"a@b\"@far.test", "far.test" },
    { "x@[192.0.2.1]", "[192.0.2.1]" },
    { "nonsense", "" },
    { "", "" },
};

static void addresses_have_domains(void **state)
{
    for (size_t i = 0; i < COUNT_OF(domains); i++) {
        char domain[QUEUE_DOMAIN_SIZE];

        queue_domain(slice_of(domains[i].address), domain);
        assert_string_equal(domain, domains[i].domain);
    }
}

/* One message for recipients that are due at these times. */
static uint64_t accept(struct place *place, struct queue *queue, const char *const *addresses,
                       const int64_t *due_ms, size_t count)
{
    struct body *body = make_body(place, 10);
    struct queue_recipient to[8] = { 0 };
    struct queue_message message = { .recipients = to, .n_recipients = count };
    struct error err = { 0 };

    for (size_t i = 0; i < count; i++)
        to[i] =
            (struct queue_recipient){ .address = slice_of(addresses[i]), .next_try_ms = due_ms[i] };
    check_ok(
        write_and_wait(queue, (struct queue_change){ .message = &message, .body = body }, &err),
        &err);
    body_free(&body);
    return message.id;
}

static size_t read_lane(struct place *place, const char *domain, int64_t now_ms, size_t max,
                        int64_t *due_ms_out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    struct error err = { 0 };
    size_t n = 0;

    check_ok(
        queue_lane_due(place->desk, &arena, slice_of(domain), now_ms, max, &list, due_ms_out, &err),
        &err);
    for (size_t i = 0; i < list.count; i++)
        n += list.items[i].n_recipients;
    return n;
}

static void lanes_are_read_by_domain(void **state)
{
    static const char *const addresses[] = { "a@far.test", "b@FAR.test", "c@near.test",
                                             "d@far.test" };
    static const int64_t times[] = { 100, 200, 50, 300 };
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_lane *lanes;
    struct error err = { 0 };
    size_t count;
    int64_t due_ms;

    accept(place, queue, addresses, times, 4);
    accept(place, queue, addresses, times, 1);
    check_ok(queue_lanes(place->desk, &arena, &lanes, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_true(slice_is(lanes[0].domain, "far.test"));
    assert_int_equal(lanes[0].due_ms, 100);
    assert_int_equal(lanes[1].due_ms, 50);

    assert_int_equal(read_lane(place, "far.test", 99, 10, &due_ms), 0);
    assert_int_equal(due_ms, 100);
    assert_int_equal(read_lane(place, "far.test", 100, 10, &due_ms), 2);
    assert_int_equal(due_ms, 200);
    assert_int_equal(read_lane(place, "far.test", 1000, 10, &due_ms), 4);
    assert_true(due_ms == INT64_MAX);
    assert_int_equal(read_lane(place, "far.test", 1000, 1, &due_ms), 3); /* whole messages */
    assert_int_equal(due_ms, 1000);                                      /* there is more */
    assert_int_equal(read_lane(place, "near.test", 1000, 10, &due_ms), 1);
    assert_int_equal(read_lane(place, "other.test", 1000, 10, &due_ms), 0);
    assert_true(due_ms == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_domains),
        cmocka_unit_test_setup_teardown(lanes_are_read_by_domain, place_open, place_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
