/* test_remote.c - the remote courier without a network: shipments, what the queue is
 * told, and the scheduler with recipients whose fate is known without asking anybody.
 */
#include "smtpd/remote/remote.h"

#include "common/daemon.h"
#include "smtpd/remote/settle_remote.h"
#include "storage/queue_operate.h"
#include "storage/sqlite/queue_private.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR (60 * 60000)

static size_t count_shipments(const struct shipment *list, const char *domain, size_t *errands_out)
{
    size_t count = 0;

    *errands_out = 0;
    for (; list != NULL; list = list->next) {
        if (strcmp(list->domain, domain) != 0)
            continue;
        count++;
        *errands_out += list->n_errands;
    }
    return count;
}

static void test_shipments(void **state)
{
    struct queue_recipient to[260] = { 0 };
    struct queue_message message = { .recipients = to, .n_recipients = COUNT_OF(to) };
    struct shipment *list;
    size_t n;

    for (size_t i = 0; i < COUNT_OF(to); i++)
        to[i].address = SLICE("x@Far.test");
    to[3].address = SLICE("x@b\xc3\xbc"
                          "cher.test");
    to[4].address = SLICE("x@[192.0.2.1]");
    to[5].address = SLICE("nonsense");
    list = shipments_of(&message, 0);
    assert_int_equal(count_shipments(list, "far.test", &n), 3); /* RFC 5321: 100 each */
    assert_int_equal(n, COUNT_OF(to) - 3);
    assert_int_equal(count_shipments(list, "xn--bcher-kva.test", &n), 1);
    assert_int_equal(count_shipments(list, "[192.0.2.1]", &n), 1);
    assert_int_equal(count_shipments(list, "", &n), 1);
    while (list != NULL) {
        struct shipment *first = list;
        list = first->next;
        shipment_free(&first);
    }
}

/* --- with a queue --- */

struct entry {
    struct queue_change change;
    sem_t written;
};

static void on_written(struct queue_change *change)
{
    sem_post(&CONTAINER_OF(change, struct entry, change)->written);
}

static void enter(struct post *post, const char *sender, int64_t arrived_ms,
                  struct queue_recipient *to, size_t count)
{
    struct body *body = body_new(post->rig.store);
    struct queue_message message = { .sender = slice_of(sender),
                                     .arrived_ms = arrived_ms,
                                     .recipients = to,
                                     .n_recipients = count };
    struct entry entry = { .change = { .message = &message, .body = body, .done = on_written } };
    struct error err;

    sem_init(&entry.written, 0, 0);
    assert_true(body_add(body, SLICE("Subject: far\r\n\r\nhi\r\n"), &err));
    assert_true(body_finish(body, &err));
    queue_write(post->smtpd.queue, &entry.change);
    sem_wait(&entry.written);
    assert_true(entry.change.ok);
    sem_destroy(&entry.written);
    body_free(&body);
}

static struct shipment *take(struct post *post)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    struct error err;

    assert_true(queue_find(post->rig.desk, &arena, QUEUE_ALL, 0, 10, &list, &err));
    return list.count > 0 ? shipments_of(&list.items[0], time_ms()) : NULL;
}

static void on_settled(void *context, bool ok)
{
    assert_true(ok);
    sem_post(&((struct post *)context)->resumed);
}

static void settle(struct post *post, struct shipment *shipment)
{
    const struct log log = { .daemon = "test" };

    settle_remote(&post->smtpd, &log, shipment, on_settled, post);
    sem_wait(&post->resumed);
    shipment_free(&shipment);
}

static void wait_for_bounce(struct post *post, const char *needle)
{
    AUTO(buf_free) struct buf text = { 0 };

    post_settle(post);
    assert_int_equal(post_count(post, post->rig.bob), 1);
    post_read(post, post->rig.bob, 1, &text);
    if (strstr(buf_text(&text), needle) == NULL)
        fail_msg("%s", buf_text(&text));
}

/* Each recipient's outcome does to the queue what it should, in one shipment. */
static void test_settle(void **state)
{
    struct queue_recipient to[] = {
        { .address = SLICE("delivered@far.test") },
        { .address = SLICE("failed@far.test"), .original = SLICE("failed@far.test") },
        { .address = SLICE("later@far.test") },
        { .address = SLICE("dropped@far.test") },
        { .address = SLICE("open@far.test") },
    };
    struct answer no = { 550, SLICE("550 5.1.1 nobody here\r\n") };
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    struct post post;
    struct error err;

    post_open(&post);
    enter(&post, "bob@example.test", time_ms(), to, COUNT_OF(to));
    struct shipment *shipment = take(&post);
    errand_end(&shipment->errands[0], OUTCOME_DELIVERED, "2.0.0", "ok");
    errand_end_by_answer(&shipment->errands[1], OUTCOME_FAILED, &no);
    errand_end(&shipment->errands[2], OUTCOME_LATER, "4.4.1", "connection refused");
    errand_end(&shipment->errands[3], OUTCOME_DROPPED, "", "");
    settle(&post, shipment);
    /* in this order: it is in hand until the queue knows that it has come */
    while (post_count(&post, post.rig.bob) == 0 || courier_in_hand(post.smtpd.courier) > 0)
        usleep(1000);

    assert_true(queue_find(post.rig.desk, &arena, QUEUE_ALL, 0, 10, &list, &err));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].n_recipients, 2);
    assert_true(slice_is(list.items[0].recipients[0].address, "later@far.test"));
    assert_true(slice_is(list.items[0].recipients[0].last_reply, "connection refused"));
    assert_int_equal(list.items[0].recipients[0].tries, 1);
    assert_int_equal(list.items[0].recipients[1].tries, 0);
    assert_true(queue_operate(post.rig.desk, ORDER_REMOVE,
                              &(struct queue_filter){ .message = list.items[0].id },
                              &(uint64_t){ 0 }, &err));
    post_close(&post);
}

static void test_given_up(void **state)
{
    struct queue_recipient to = { .address = SLICE("x@far.test"), .original = SLICE("x@far.test") };
    struct post post;

    post_open(&post);
    post.settings.give_up = 10;
    enter(&post, "bob@example.test", time_ms() - 2 * HOUR, &to, 1);
    struct shipment *shipment = take(&post);
    shipment_end(shipment, OUTCOME_LATER, "4.4.1", "connection refused");
    settle(&post, shipment);
    wait_for_bounce(&post, "Action: failed\r\nStatus: 4.4.1");
    post_close(&post);
}

static void test_null_sender(void **state)
{
    struct queue_recipient to = { .address = SLICE("x@far.test") };
    struct post post;

    post_open(&post);
    enter(&post, "", time_ms(), &to, 1);
    struct shipment *shipment = take(&post);
    shipment_end(shipment, OUTCOME_FAILED, "5.1.1", "no");
    settle(&post, shipment);
    assert_int_equal(queue_backlog(post.smtpd.queue), 0);
    post_close(&post);
}

/* NOTIFY=SUCCESS, and a server that knows no DSN: RFC 3461 section 5.2.2. */
static void test_relayed(void **state)
{
    struct queue_recipient to = { .address = SLICE("x@far.test"),
                                  .original = SLICE("x@far.test"),
                                  .notify = NOTIFY_SUCCESS };
    struct post post;

    post_open(&post);
    enter(&post, "bob@example.test", time_ms(), &to, 1);
    struct shipment *shipment = take(&post);
    shipment_end(shipment, OUTCOME_DELIVERED, "2.0.0", "ok");
    settle(&post, shipment);
    wait_for_bounce(&post, "Action: relayed");
    post_close(&post);
}

/* --- the scheduler --- */

static void on_tick(uv_timer_t *timer)
{
}

/* Runs the loop until the queue is empty; the timer only keeps it turning. */
static void run_until_empty(struct post *post)
{
    uv_timer_t tick;

    uv_timer_init(&post->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    while (queue_backlog(post->smtpd.queue) > 0)
        uv_run(&post->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&post->loop, UV_RUN_NOWAIT); /* takes the handle back before it is out of scope */
}

/* More messages than a page and than carriers: each fails once, and is reported once. */
static void test_scheduler(void **state)
{
    struct queue_recipient to[] = { { .address = SLICE("x@[bad]"), .original = SLICE("x@[bad]") },
                                    { .address = SLICE("y"), .original = SLICE("y") } };
    struct remote *remote = NULL;
    struct post post;

    post_open(&post);
    post.settings.deliveries = 3;
    post.settings.deliveries_per_site = 2;
    post.settings.routes = "";
    post.settings.retry_first = post.settings.retry_last = 60000;
    post.settings.smtp = "";
    post.settings.report_wait = HOUR;
    for (int i = 0; i < 70; i++)
        enter(&post, "bob@example.test", time_ms(), to, COUNT_OF(to));
    const struct remote_options options = {
        .smtpd = &post.smtpd, .loop = &post.loop, .pool = post.pool, .log = { .daemon = "test" }
    };
    remote = remote_new(&options);
    run_until_empty(&post);
    post_settle(&post);
    assert_int_equal(post_count(&post, post.rig.bob), 70); /* both recipients in one report */
    remote_stop(remote);
    remote_close(remote);
    post_close(&post);
    remote_free(&remote);
}

/* The queue takes no changes, as on a full disk, or takes them again. */
static void obstruct(struct post *post, const char *script)
{
    struct sql_db *db;
    struct error err;

    assert_true(desk_queue(post->rig.desk, &db, &err));
    assert_true(sql_script(db, script, &err));
}

/* What was carried is not carried again because the queue could not be told. */
static void test_queue_refuses(void **state)
{
    struct queue_recipient to[] = { { .address = SLICE("x@gone.test"), .notify = NOTIFY_NEVER } };
    struct remote *remote = NULL;
    struct post post;

    post_open(&post);
    post.settings.deliveries = post.settings.deliveries_per_site = 1;
    post.settings.routes = post.settings.smtp = "";
    post.settings.retry_first = post.settings.retry_last = 60000;
    enter(&post, "bob@example.test", time_ms(), to, COUNT_OF(to));
    obstruct(&post, "CREATE TRIGGER full BEFORE DELETE ON recipient"
                    " BEGIN SELECT RAISE(ABORT, 'full'); END");
    remote = remote_new(&(struct remote_options){
        .smtpd = &post.smtpd, .loop = &post.loop, .pool = post.pool, .log = { .daemon = "test" } });
    while (atomic_load(&post.smtpd.counters.bounced) < 2)
        uv_run(&post.loop, UV_RUN_ONCE);
    obstruct(&post, "DROP TRIGGER full");
    run_until_empty(&post);
    assert_int_equal(post.n_fetches, 1);
    remote_stop(remote);
    remote_close(remote);
    post_close(&post);
    remote_free(&remote);
}

/* A letter that comes late, after the scheduler has found its message in the queue, is no second
 * message. */
static void test_late_letter(void **state)
{
    struct queue_recipient to[] = { { .address = SLICE("x@gone.test"), .notify = NOTIFY_NEVER } };
    AUTO(arena_free) struct arena arena = { 0 };
    struct remote *remote = NULL;
    struct letter *letter;
    struct queue_list list;
    struct error err;
    struct post post;

    post_open(&post);
    post.settings.deliveries = post.settings.deliveries_per_site = 1;
    post.settings.routes = post.settings.smtp = "";
    post.settings.retry_first = post.settings.retry_last = 60000;
    enter(&post, "bob@example.test", time_ms(), to, COUNT_OF(to));
    assert_true(queue_find(post.rig.desk, &arena, QUEUE_ALL, 0, 10, &list, &err));
    letter = letter_from_queue(&list.items[0]);
    remote = remote_new(&(struct remote_options){
        .smtpd = &post.smtpd, .loop = &post.loop, .pool = post.pool, .log = { .daemon = "test" } });
    run_until_empty(&post);
    remote_take(remote, letter);
    letter_free(&letter);
    for (int i = 0; i < 10; i++)
        uv_run(&post.loop, UV_RUN_NOWAIT);
    assert_int_equal(post.n_fetches, 1);
    remote_stop(remote);
    remote_close(remote);
    post_close(&post);
    remote_free(&remote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipments),     cmocka_unit_test(test_settle),
        cmocka_unit_test(test_given_up),      cmocka_unit_test(test_null_sender),
        cmocka_unit_test(test_relayed),       cmocka_unit_test(test_scheduler),
        cmocka_unit_test(test_queue_refuses), cmocka_unit_test(test_late_letter),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
