/* test_queue.c - what is in the queue: messages, recipients, retries, finding. */
#include "storage/queue_operate.h"
#include "tests/unit/storage/queue_fixture.h"
#include "tests/unit/support/check.h"

static void messages_come_back_whole(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t id = must_accept(place, queue, 500, 3);
    struct queue_message message;

    read_message(place, &arena, id, &message);
    assert_int_equal(message.id, id);
    assert_true(slice_equal(message.sender, SLICE("eve@elsewhere.example")));
    assert_true(slice_equal(message.envid, SLICE("QQ314159")));
    assert_true(slice_equal(message.prefix, SLICE("Received: here\r\n")));
    assert_int_equal(message.ret, RETURN_HEADERS);
    assert_true(message.utf8 && message.binary && !message.eight_bit);
    assert_int_equal(message.arrived_ms, 1234567890123);
    assert_int_equal(message.size, 516);
    assert_int_equal(message.n_recipients, 3);
    assert_int_equal(message.recipients[0].account, 7);
    assert_true(slice_equal(message.recipients[1].address, SLICE("joe@far.example")));
    assert_true(slice_equal(message.recipients[0].original, SLICE("Bob+tag@example.org")));
    assert_true(slice_equal(message.recipients[0].detail, SLICE("tag")));
    assert_true(slice_equal(message.recipients[0].orcpt, SLICE("rfc822;bob")));
    assert_int_equal(message.recipients[0].notify, NOTIFY_FAILURE | NOTIFY_DELAY);
    assert_int_equal(message.recipients[2].next_try_ms, 1002);
    assert_memory_not_equal(message.recipients[0].delivery_id, message.recipients[1].delivery_id,
                            16);
    check_stored_body(place, id, 500);
}

static void bodies_of_all_sizes(void **state)
{
    static const size_t sizes[] = { 0, 1, PLACE_INLINE_MAX, PLACE_INLINE_MAX + 1, 400000 };
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint64_t id = must_accept(place, queue, sizes[i], 1);
        struct queue_message message;

        check_stored_body(place, id, sizes[i]);
        assert_int_equal(count_files(place), sizes[i] > PLACE_INLINE_MAX);
        read_message(place, &arena, id, &message);
        check_ok(write_and_wait(
                     queue, (struct queue_change){ .gone = &message.recipients[0].id, .n_gone = 1 },
                     &err),
                 &err);
    }
    queue_close(&queue); /* unlinking follows the callback */
    assert_int_equal(count_files(place), 0);
}

static void a_message_goes_with_its_last_recipient(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    uint64_t id = must_accept(place, queue, 2000, 3), gone[2];
    struct queue_message message;
    struct error err = { 0 };

    read_message(place, &arena, id, &message);
    gone[0] = message.recipients[0].id;
    gone[1] = message.recipients[2].id;
    assert_int_equal(queue_backlog(queue), 3);
    check_ok(write_and_wait(queue, (struct queue_change){ .gone = gone, .n_gone = 2 }, &err), &err);
    assert_int_equal(queue_backlog(queue), 1);
    check_ok(write_and_wait(queue, (struct queue_change){ .gone = gone, .n_gone = 2 }, &err), &err);
    assert_int_equal(queue_backlog(queue), 1);

    gone[0] = message.recipients[1].id;
    read_message(place, &arena, id, &message);
    assert_int_equal(message.n_recipients, 1);
    assert_int_equal(message.recipients[0].id, gone[0]);
    check_ok(write_and_wait(queue, (struct queue_change){ .gone = gone, .n_gone = 1 }, &err), &err);
    assert_int_equal(queue_backlog(queue), 0);
    assert_false(queue_by_id(place->desk, &arena, id, &message, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static void retries_wait_for_their_time(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf reply = { 0 };
    uint64_t id = must_accept(place, queue, 10, 2), count;
    struct queue_message message;
    struct queue_retry retry;
    struct error err = { 0 };

    for (int i = 0; i < 1000; i++)
        buf_add_byte(&reply, 'x');
    assert_int_equal(first_due(place), 1001);
    read_message(place, &arena, id, &message);
    retry = (struct queue_retry){ .recipient = message.recipients[1].id,
                                  .next_try_ms = INT64_MAX - 5,
                                  .made = { .reply = buf_slice(&reply) } };
    check_ok(
        write_and_wait(queue, (struct queue_change){ .retries = &retry, .n_retries = 1 }, &err),
        &err);
    assert_int_equal(first_due(place), INT64_MAX - 5);
    read_message(place, &arena, id, &message);
    assert_int_equal(message.recipients[1].tries, 1);
    assert_int_equal(message.recipients[1].last_reply.len, 500);

    assert_int_equal(count_due(place, 5000), 0);
    check_ok(queue_operate(place->desk, ORDER_RETRY, &(struct queue_filter){ .message = id },
                           &count, &err),
             &err);
    assert_int_equal(count, 2);
    assert_int_equal(count_due(place, INT64_MAX - 6), 1);
}

static void finding_picks_and_pages(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct queue_list list;
    uint64_t ids[5];

    assert_true(first_due(place) == INT64_MAX);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = must_accept(place, queue, 10, i % 2 == 0 ? 1 : 2); /* odd ones: remote as well */

    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, 0, 3, &list, &err), &err);
    assert_int_equal(list.count, 3);
    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, list.items[2].id, 3, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[1].id, ids[4]);

    check_ok(queue_find(place->desk, &arena, QUEUE_LOCAL, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.items[1].n_recipients, 1);
    assert_int_equal(count_due(place, 1001), 2);
    assert_int_equal(count_due(place, 1000), 0);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(messages_come_back_whole),
        IN_PLACE(bodies_of_all_sizes),
        IN_PLACE(a_message_goes_with_its_last_recipient),
        IN_PLACE(retries_wait_for_their_time),
        IN_PLACE(finding_picks_and_pages),
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
