/* test_queue_writer.c - what was acknowledged is there after a restart, what failed is not. */
#include "storage/sqlite/queue_private.h"
#include "tests/unit/storage/queue_fixture.h"
#include "tests/unit/support/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void acknowledged_is_there_after_a_restart(void **state)
{
    struct place *place = *state;
    struct queue *queue = open_queue(place, 0);
    uint64_t small = must_accept(place, queue, 300, 2), large = must_accept(place, queue, 9000, 1);

    queue_close(&queue);
    place_reopen(place);
    queue = open_queue(place, 0);
    assert_int_equal(queue_backlog(queue), 3);
    check_stored_body(place, small, 300);
    check_stored_body(place, large, 9000);
    assert_true(must_accept(place, queue, 1, 1) > large); /* ids never come again */
    queue_close(&queue);
}

/* A child accepts mail until it is killed; what it reported as accepted must be there. */
static void kill_loses_nothing(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct queue_message message;
    uint64_t id = 0, last = 0, n_reported = 0;
    int ends[2], status;
    pid_t child;

    desk_close(&place->desk);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct queue *queue = open_queue(place, 0);

        for (;;) {
            id = must_accept(place, queue, id % 2 == 0 ? 100 : 3000, 1);
            if (write(ends[1], &id, sizeof(id)) != sizeof(id))
                _exit(1);
        }
    }
    close(ends[1]);
    while (n_reported < 40 && read(ends[0], &id, sizeof(id)) == sizeof(id))
        n_reported++;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);

    check_ok(desk_open(place->store, &place->desk, &err), &err);
    assert_int_equal(n_reported, 40);
    do {
        check_ok(queue_by_id(place->desk, &arena, id, &message, &err), &err);
        assert_int_equal(message.n_recipients, 1);
        last = id;
    } while (read(ends[0], &id, sizeof(id)) == sizeof(id));
    close(ends[0]);
    for (id = 1; id <= last; id++) {
        AUTO(body_free) struct body *body = NULL;

        check_ok(queue_body(place->desk, id, &body, &err), &err);
    }
}

#define THREADS 32
#define ROUNDS  20

struct client {
    pthread_t thread;
    struct place *place;
    struct queue *queue;
    uint64_t ids[ROUNDS];
};

static void *run_client(void *argument)
{
    struct client *client = argument;

    for (size_t i = 0; i < ROUNDS; i++)
        client->ids[i] = must_accept(client->place, client->queue, 200, 2);
    return NULL;
}

static void many_threads_share_commits(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    struct client clients[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        clients[i] = (struct client){ .place = place, .queue = queue };
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(clients[i].thread, NULL);
    assert_int_equal(queue_backlog(queue), THREADS * ROUNDS * 2);
    for (size_t i = 0; i < THREADS; i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        struct queue_message message;

        read_message(place, &arena, clients[i].ids[ROUNDS - 1], &message);
        assert_int_equal(message.n_recipients, 2);
    }
}

static void a_full_queue_refuses_mail_but_takes_bounces(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 4);
    AUTO(body_free) struct body *body = make_body(place, 3000);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_recipient to = { .address = SLICE("eve@elsewhere.example") };
    struct queue_message bounce = { .recipients = &to, .n_recipients = 1 };
    struct queue_message message;
    struct error err = { 0 };
    uint64_t id = must_accept(place, queue, 10, 3), other;
    struct queue_change change;

    assert_false(accept_message(queue, body, 2, &other, &err));
    assert_int_equal(err.kind, ERROR_TEMPORARY);
    assert_int_equal(count_files(place), 0); /* nothing half stored */
    check_ok(accept_message(queue, body, 1, &other, &err), &err);

    read_message(place, &arena, id, &message);
    change = (struct queue_change){
        .message = &bounce, .body = body, .gone = &message.recipients[0].id, .n_gone = 1
    };
    check_ok(write_and_wait(queue, change, &err), &err);
    assert_int_equal(queue_backlog(queue), 4);
    read_message(place, &arena, bounce.id, &message);
    assert_int_equal(message.sender.len, 0);
}

static void one_that_fails_spoils_no_other(void **state)
{
    struct place *place = *state;
    struct queue *queue = open_queue(place, 0);
    AUTO(body_free) struct body *body = make_body(place, 10);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_recipient to = { .address = SLICE("bob@example.org"), .account = 7 };
    struct queue_message bad = { 0 }, good = { .recipients = &to, .n_recipients = 1 };
    struct queue_change changes[2] = { { .message = &bad, .body = body, .lazy = true },
                                       { .message = &good, .body = body } };
    struct queue_message message;

    queue_write(queue, &changes[0]); /* lazy: waits for the other one */
    queue_write(queue, &changes[1]);
    queue_close(&queue);
    assert_false(changes[0].ok);
    assert_int_equal(changes[0].error.kind, ERROR_INVALID);
    assert_true(changes[1].ok);
    read_message(place, &arena, good.id, &message);
    assert_int_equal(message.n_recipients, 1);
}

static void lazy_changes_come_in_time(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_message message;
    struct error err = { 0 };

    read_message(place, &arena, must_accept(place, queue, 10, 1), &message);
    check_ok(write_and_wait(queue,
                            (struct queue_change){
                                .gone = &message.recipients[0].id, .n_gone = 1, .lazy = true },
                            &err),
             &err);
    assert_int_equal(queue_backlog(queue), 0);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Files may grow no more, as on a full disk: all of a batch fails, then everything goes on. */
static void a_full_disk_is_a_temporary_failure(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(body_free) struct body *small = make_body(place, 100);
    AUTO(body_free) struct body *large = make_body(place, 3000);
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_message message;
    struct queue_list list;
    struct error err = { 0 };
    uint64_t id = must_accept(place, queue, 100, 1), other;
    struct queue_change gone = { .n_gone = 1 };

    read_message(place, &arena, id, &message);
    gone.gone = &message.recipients[0].id;
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(1);
    assert_false(accept_message(queue, small, 1, &other, &err));
    assert_int_equal(err.kind, ERROR_TEMPORARY);
    assert_false(accept_message(queue, large, 1, &other, &err));
    assert_int_equal(err.kind, ERROR_TEMPORARY);
    assert_false(write_and_wait(queue, gone, &err));
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(count_files(place), 0);
    assert_int_equal(queue_backlog(queue), 1);

    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 1);
    check_ok(write_and_wait(queue, gone, &err), &err);
    check_ok(accept_message(queue, large, 1, &other, &err), &err);
    check_stored_body(place, other, 3000);
}

static void crashes_leave_files_that_are_swept(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(body_free) struct body *body = make_body(place, 3000);
    uint64_t id = must_accept(place, queue, 3000, 1), count;
    char name[QUEUE_FILE_NAME_SIZE];
    int64_t later = time_ms() + 60000;
    struct error err = { 0 };

    check_ok(queue_file_link(place->store, body, name, &err), &err); /* and no row follows */
    check_ok(queue_sweep(place->desk, time_ms() - 60000, true, &count, &err), &err);
    assert_int_equal(count, 0); /* too young */
    check_ok(queue_sweep(place->desk, later, false, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(count_files(place), 2);
    check_ok(queue_sweep(place->desk, later, true, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(count_files(place), 1);
    check_stored_body(place, id, 3000);
}

static void only_one_process_has_the_queue(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    struct queue_options options = { place->store, 0 };
    struct queue *other = NULL;
    struct error err = { 0 };

    assert_false(queue_open(&options, &other, &err));
    assert_int_equal(err.kind, ERROR_EXISTS);
    queue_close(&queue);
    check_ok(queue_open(&options, &other, &err), &err);
    queue_close(&other);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(acknowledged_is_there_after_a_restart),
        IN_PLACE(kill_loses_nothing),
        IN_PLACE(many_threads_share_commits),
        IN_PLACE(a_full_queue_refuses_mail_but_takes_bounces),
        IN_PLACE(one_that_fails_spoils_no_other),
        IN_PLACE(lazy_changes_come_in_time),
        IN_PLACE(a_full_disk_is_a_temporary_failure),
        IN_PLACE(crashes_leave_files_that_are_swept),
        IN_PLACE(only_one_process_has_the_queue),
    };

    return cmocka_run_group_tests_name("queue_writer", tests, NULL, NULL);
}
