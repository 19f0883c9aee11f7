/* test_queue.c - the queue: what was acknowledged is there after a restart, what failed is not. */
#include "storage/notice.h"
#include "storage/queue.h"
#include "storage/sqlite/queue_private.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A change that its thread waits for. */
struct waiting {
    struct queue_change change;
    sem_t done;
};

static void wake(struct queue_change *change)
{
    sem_post(&CONTAINER_OF(change, struct waiting, change)->done);
}

static bool write_and_wait(struct queue *queue, struct queue_change change, struct error *err)
{
    struct waiting waiting = { .change = change };

    sem_init(&waiting.done, 0, 0);
    waiting.change.done = wake;
    queue_write(queue, &waiting.change);
    while (sem_wait(&waiting.done) != 0)
        continue;
    sem_destroy(&waiting.done);
    *err = waiting.change.error;
    return waiting.change.ok;
}

static struct queue *open_queue(struct place *place, uint64_t recipients_max)
{
    struct queue_options options = { place->store, recipients_max };
    struct error err = { 0 };
    struct queue *queue = NULL;

    check_ok(queue_open(&options, &queue, &err), &err);
    return queue;
}

static struct body *make_body(struct place *place, size_t size)
{
    struct body *body = body_new(place->store);
    struct error err = { 0 };

    for (size_t i = 0; i < size; i += 10)
        check_ok(body_add(body, slice_part(SLICE("123456789\n"), 0, size - i), &err), &err);
    check_ok(body_finish(body, &err), &err);
    return body;
}

/* Accepts a message for n recipients, alternately for account 7 and remote ones. */
static bool accept_message(struct queue *queue, struct body *body, size_t n, uint64_t *id_out,
                           struct error *err)
{
    struct queue_recipient recipients[8] = { 0 };
    struct queue_message message = {
        .sender = SLICE("eve@elsewhere.example"),
        .envid = SLICE("QQ314159"),
        .ret = RETURN_HEADERS,
        .utf8 = true,
        .binary = true,
        .arrived_ms = 1234567890123,
        .prefix = SLICE("Received: here\r\n"),
        .recipients = recipients,
        .n_recipients = n,
    };

    for (size_t i = 0; i < n; i++) {
        recipients[i].account = i % 2 == 0 ? 7 : 0;
        recipients[i].address = i % 2 == 0 ? SLICE("bob@example.org") : SLICE("joe@far.example");
        recipients[i].detail = SLICE("tag");
        recipients[i].original = SLICE("Bob+tag@example.org");
        recipients[i].orcpt = SLICE("rfc822;bob");
        recipients[i].notify = NOTIFY_FAILURE | NOTIFY_DELAY;
        recipients[i].next_try_ms = 1000 + (int64_t)i;
    }
    if (!write_and_wait(queue, (struct queue_change){ .message = &message, .body = body }, err))
        return false;
    for (size_t i = 0; i < n; i++)
        assert_true(recipients[i].id != 0);
    *id_out = message.id;
    return true;
}

static uint64_t must_accept(struct place *place, struct queue *queue, size_t size, size_t n)
{
    AUTO(body_free) struct body *body = make_body(place, size);
    struct error err = { 0 };
    uint64_t id = 0;

    check_ok(accept_message(queue, body, n, &id, &err), &err);
    return id;
}

static void read_message(struct place *place, struct arena *arena, uint64_t id,
                         struct queue_message *message)
{
    struct error err = { 0 };

    check_ok(queue_by_id(place->desk, arena, id, message, &err), &err);
}

static void check_stored_body(struct place *place, uint64_t id, size_t size)
{
    AUTO(body_free) struct body *want = make_body(place, size);
    AUTO(body_free) struct body *body = NULL;
    struct error err = { 0 };
    struct slice a, b;

    check_ok(queue_body(place->desk, id, &body, &err), &err);
    check_ok(body_bytes(body, &a, &err), &err);
    check_ok(body_bytes(want, &b, &err), &err);
    assert_true(slice_equal(a, b));
    assert_memory_equal(body_hash(body), body_hash(want), HASH_SIZE);
    assert_int_equal(body_is_large(body), size > PLACE_INLINE_MAX);
}

static unsigned count_files(const struct place *place)
{
    AUTO(buf_free) struct buf path = { 0 };
    unsigned count = 0;
    DIR *folder;

    buf_fmt(&path, "%s/queue", place->path);
    folder = opendir(buf_text(&path));
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        AUTO(buf_free) struct buf inner = { 0 };
        DIR *sub;

        if (entry->d_name[0] == '.')
            continue;
        buf_fmt(&inner, "%s/%s", path.data, entry->d_name);
        sub = opendir(buf_text(&inner));
        assert_non_null(sub);
        for (struct dirent *file = readdir(sub); file != NULL; file = readdir(sub))
            count += file->d_name[0] != '.';
        closedir(sub);
    }
    closedir(folder);
    return count;
}

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
    struct queue_list list;
    struct error err = { 0 };
    int64_t due;

    for (int i = 0; i < 1000; i++)
        buf_add_byte(&reply, 'x');
    check_ok(queue_next_due(place->desk, &due, &err), &err);
    assert_int_equal(due, 1001);
    read_message(place, &arena, id, &message);
    retry = (struct queue_retry){ message.recipients[1].id, INT64_MAX - 5, buf_slice(&reply) };
    check_ok(
        write_and_wait(queue, (struct queue_change){ .retries = &retry, .n_retries = 1 }, &err),
        &err);
    check_ok(queue_next_due(place->desk, &due, &err), &err);
    assert_int_equal(due, INT64_MAX - 5);
    read_message(place, &arena, id, &message);
    assert_int_equal(message.recipients[1].tries, 1);
    assert_int_equal(message.recipients[1].last_reply.len, 500);

    check_ok(queue_find(place->desk, &arena, QUEUE_REMOTE_DUE, 5000, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 0);
    check_ok(queue_retry_now(place->desk, id, &count, &err), &err);
    assert_int_equal(count, 2);
    check_ok(queue_find(place->desk, &arena, QUEUE_REMOTE_DUE, INT64_MAX - 6, 0, 10, &list, &err),
             &err);
    assert_int_equal(list.count, 1);
}

static void finding_picks_and_pages(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 0);
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct queue_list list;
    uint64_t ids[5];
    int64_t due;

    check_ok(queue_next_due(place->desk, &due, &err), &err);
    assert_true(due == INT64_MAX);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        ids[i] = must_accept(place, queue, 10, i % 2 == 0 ? 1 : 2); /* odd ones: remote as well */

    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, 0, 0, 3, &list, &err), &err);
    assert_int_equal(list.count, 3);
    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, 0, list.items[2].id, 3, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[1].id, ids[4]);

    check_ok(queue_find(place->desk, &arena, QUEUE_LOCAL, 0, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.items[1].n_recipients, 1);
    check_ok(queue_find(place->desk, &arena, QUEUE_REMOTE_DUE, 1001, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].id, ids[1]);
    assert_int_equal(list.items[0].n_recipients, 1);
    assert_int_equal(list.items[0].recipients[0].account, 0);
    check_ok(queue_find(place->desk, &arena, QUEUE_REMOTE_DUE, 1000, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 0);
}

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
    struct waiting waiting[2] = { { .change = { .message = &bad, .body = body, .lazy = true } },
                                  { .change = { .message = &good, .body = body } } };
    struct queue_message message;

    queue_write(queue, &waiting[0].change); /* lazy: waits for the other one */
    queue_write(queue, &waiting[1].change);
    queue_close(&queue);
    assert_false(waiting[0].change.ok);
    assert_int_equal(waiting[0].change.error.kind, ERROR_INVALID);
    assert_true(waiting[1].change.ok);
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

    check_ok(queue_find(place->desk, &arena, QUEUE_ALL, 0, 0, 10, &list, &err), &err);
    assert_int_equal(list.count, 1);
    check_ok(write_and_wait(queue, gone, &err), &err);
    check_ok(accept_message(queue, large, 1, &other, &err), &err);
    check_stored_body(place, other, 3000);
}

static void the_operator_can_remove(void **state)
{
    struct place *place = *state;
    AUTO(queue_close) struct queue *queue = open_queue(place, 4);
    uint64_t id = must_accept(place, queue, 5000, 4);
    struct error err = { 0 };
    struct notice notice;
    int fd;

    check_ok(notice_listen(place->store, "smtpd", &fd, &err), &err);
    check_ok(queue_remove(place->desk, id, &err), &err);
    assert_int_equal(count_files(place), 0);
    assert_true(notice_read(fd, &notice));
    assert_int_equal(notice.kind, NOTICE_QUEUE);
    assert_false(queue_remove(place->desk, id, &err));
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    notice_unlisten(place->store, fd);

    must_accept(place, queue, 10, 4); /* the backlog was counted again */
    assert_int_equal(queue_backlog(queue), 4);
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
        IN_PLACE(messages_come_back_whole),
        IN_PLACE(bodies_of_all_sizes),
        IN_PLACE(a_message_goes_with_its_last_recipient),
        IN_PLACE(retries_wait_for_their_time),
        IN_PLACE(finding_picks_and_pages),
        IN_PLACE(acknowledged_is_there_after_a_restart),
        IN_PLACE(kill_loses_nothing),
        IN_PLACE(many_threads_share_commits),
        IN_PLACE(a_full_queue_refuses_mail_but_takes_bounces),
        IN_PLACE(one_that_fails_spoils_no_other),
        IN_PLACE(lazy_changes_come_in_time),
        IN_PLACE(a_full_disk_is_a_temporary_failure),
        IN_PLACE(the_operator_can_remove),
        IN_PLACE(crashes_leave_files_that_are_swept),
        IN_PLACE(only_one_process_has_the_queue),
    };

    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
