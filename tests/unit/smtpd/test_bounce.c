/* test_bounce.c - who is told what, when: one report of all that is to be told of a message. */
#include "common/crypto.h"
#include "common/daemon.h"
#include "smtpd/bounce.h"
#include "smtpd/remote/settle_remote.h"
#include "smtpd/reporter.h"
#include "storage/queue_operate.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>
#include <unistd.h>

#define HOUR 3600000

static void who_is_told(void **state)
{
    static const struct {
        const char *sender;
        unsigned notify;
        enum queue_report report;
        bool want;
    } cases[] = {
        { "a@x", NOTIFY_DEFAULT, REPORT_FAILED, true },
        { "a@x", NOTIFY_DEFAULT, REPORT_DELAYED, true },
        { "a@x", NOTIFY_DEFAULT, REPORT_DELIVERED, false },
        { "a@x", NOTIFY_DEFAULT, REPORT_NONE, false },
        { "a@x", NOTIFY_SUCCESS, REPORT_FAILED, false },
        { "a@x", NOTIFY_SUCCESS, REPORT_DELIVERED, true },
        { "a@x", NOTIFY_SUCCESS, REPORT_RELAYED, true },
        { "a@x", NOTIFY_SUCCESS, REPORT_EXPANDED, true },
        { "a@x", NOTIFY_FAILURE, REPORT_FAILED, true },
        { "a@x", NOTIFY_FAILURE, REPORT_DELAYED, false },
        { "a@x", NOTIFY_DELAY, REPORT_DELAYED, true },
        { "a@x", NOTIFY_NEVER, REPORT_FAILED, false },
        { "", NOTIFY_FAILURE, REPORT_FAILED, false },
        { "", NOTIFY_SUCCESS, REPORT_RELAYED, false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct queue_message message = { .sender = slice_of(cases[i].sender) };
        const struct queue_recipient recipient = { .notify = cases[i].notify };

        assert_int_equal(bounce_is_wanted(&message, &recipient, cases[i].report), cases[i].want);
    }
}

struct entry {
    struct queue_change change;
    sem_t written;
};

static void on_written(struct queue_change *change)
{
    sem_post(&CONTAINER_OF(change, struct entry, change)->written);
}

static void enter(struct post *post, const char *sender, struct queue_recipient *to, size_t count)
{
    struct body *body = body_new(post->rig.store);
    struct queue_message message = {
        .sender = slice_of(sender), .arrived_ms = time_ms(), .recipients = to, .n_recipients = count
    };
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

/* Shipments of the only message in the queue, when it is due. */
static struct shipment *take(struct post *post)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct shipment *due = NULL;
    struct queue_list list;
    struct error err;

    while (due == NULL) {
        assert_true(queue_find(post->rig.desk, &arena, QUEUE_ALL, 0, 10, &list, &err));
        due = list.count > 0 ? shipments_of(&list.items[0], time_ms()) : NULL;
    }
    return due;
}

static void on_settled(void *context, bool ok)
{
    assert_true(ok);
    sem_post(&((struct post *)context)->resumed);
}

static void settle(struct post *post, struct shipment *shipment)
{
    settle_remote(&post->smtpd, &(struct log){ .daemon = "test" }, shipment, on_settled, post);
    sem_wait(&post->resumed);
    shipment_free(&shipment);
}

static size_t count_of(struct slice text, const char *needle)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += slice_starts(slice_from(text, i), needle);
    return count;
}

static void check_report(struct post *post, uint32_t uid, const char *needle, size_t times)
{
    AUTO(buf_free) struct buf text = { 0 };

    post_read(post, post->rig.bob, uid, &text);
    if (count_of(buf_slice(&text), needle) != times)
        fail_msg("%s is not %zu times in %s", needle, times, buf_text(&text));
}

/* A message to three domains: what fails at the first tries is one report, whatever their order. */
static void one_report_for_several_domains(void **state)
{
    struct queue_recipient to[] = {
        { .address = SLICE("a@one.test"), .original = SLICE("a@one.test") },
        { .address = SLICE("b@two.test"), .original = SLICE("b@two.test") },
        { .address = SLICE("c@two.test"), .original = SLICE("c@two.test") },
        { .address = SLICE("d@three.test"), .original = SLICE("d@three.test") },
    };
    struct post post;

    post_open(&post);
    post.settings.report_wait = HOUR;
    enter(&post, "bob@example.test", to, COUNT_OF(to));
    struct shipment *list = take(&post);
    while (list != NULL) {
        struct shipment *first = list;

        assert_int_equal(post_count(&post, post.rig.bob), 0);
        list = first->next;
        first->next = NULL;
        shipment_end(first, OUTCOME_FAILED, "5.1.1", "no");
        settle(&post, first);
    }
    post_settle(&post);
    assert_int_equal(post_count(&post, post.rig.bob), 1);
    check_report(&post, 1, "Action: failed", 4);
    check_report(&post, 1, "Content-Type: message/delivery-status", 1);
    post_close(&post);
}

/* A report does not wait for ever for those that have not been tried. */
static void a_report_waits_only_so_long(void **state)
{
    struct queue_recipient to[] = {
        { .address = SLICE("a@one.test"), .original = SLICE("a@one.test") },
        { .address = SLICE("b@two.test"), .original = SLICE("b@two.test") },
    };
    struct post post;

    post_open(&post);
    post.settings.report_wait = 300;
    enter(&post, "bob@example.test", to, COUNT_OF(to));
    struct shipment *list = take(&post), *other = list->next;
    list->next = NULL;
    shipment_end(list, OUTCOME_FAILED, "5.1.1", "no");
    settle(&post, list);
    while (post_count(&post, post.rig.bob) == 0) {
        reporter_tick(post.smtpd.reporter);
        usleep(5000);
    }
    check_report(&post, 1, "Action: failed", 1);
    shipment_end(other, OUTCOME_FAILED, "5.1.1", "no");
    settle(&post, other);
    post_settle(&post);
    assert_int_equal(post_count(&post, post.rig.bob), 2);
    post_close(&post);
}

/* What there was to tell before a restart is told after it, once. */
static void reports_survive_a_restart(void **state)
{
    struct queue_recipient to = { .address = SLICE("a@one.test"),
                                  .original = SLICE("a@one.test"),
                                  .state = QUEUE_ENDED,
                                  .report = REPORT_FAILED };
    struct post post;

    post_open(&post);
    enter(&post, "bob@example.test", &to, 1);
    reporter_wake(post.smtpd.reporter);
    reporter_wake(post.smtpd.reporter);
    post_settle(&post);
    reporter_wake(post.smtpd.reporter);
    assert_int_equal(post_count(&post, post.rig.bob), 1);
    post_close(&post);
}

/* A delay is told once; the recipient stays and may fail later, which is another report. */
static void a_delay_is_told_once(void **state)
{
    struct queue_recipient to = { .address = SLICE("a@one.test"), .original = SLICE("a@one.test") };
    struct post post;

    post_open(&post);
    post.settings.retry_first = post.settings.retry_last = 1;
    post.settings.delay_warning = 1;
    enter(&post, "bob@example.test", &to, 1);
    usleep(2000); /* the age that a warning needs */
    for (int i = 0; i < 3; i++) {
        usleep(3000);
        struct shipment *shipment = take(&post);
        shipment_end(shipment, OUTCOME_LATER, "4.4.1", "connection refused");
        settle(&post, shipment);
        while (post_count(&post, post.rig.bob) == 0)
            usleep(1000);
    }
    struct shipment *shipment = take(&post);
    shipment_end(shipment, OUTCOME_FAILED, "5.1.1", "no");
    settle(&post, shipment);
    post_settle(&post);
    assert_int_equal(post_count(&post, post.rig.bob), 2);
    check_report(&post, 1, "Action: delayed", 1);
    check_report(&post, 1, "Will-Retry-Until: ", 1);
    check_report(&post, 2, "Action: failed", 1);
    post_close(&post);
}

/* NOTIFY=SUCCESS of an alias with several targets: RFC 3461 section 5.2.7.3 (c). */
static void expansion_is_reported(void **state)
{
    const struct slice targets[] = { SLICE("bob@example.test"), SLICE("x@far.test") };
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    struct post post;
    struct error err;

    post_open(&post);
    assert_true(alias_add(post.rig.desk, SLICE("both@example.test"), targets, 2, &err));
    post_start(&post, SERVICE_SUBMISSION);
    post_log_in(&post);
    post_say(&post, "EHLO x\r\nMAIL FROM:<bob@example.test> ENVID=e1\r\n"
                    "RCPT TO:<both@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Both\r\n"
                    "DATA\r\n");
    post_say(&post, "Subject: x\r\n\r\nx\r\n.\r\n");
    post_stop(&post);
    while (post_count(&post, post.rig.bob) < 2 || queue_backlog(post.smtpd.queue) > 1)
        usleep(1000);
    AUTO(buf_free) struct buf text = { 0 };
    for (uint32_t uid = 1; uid <= 2; uid++) {
        AUTO(buf_free) struct buf one = { 0 };
        post_read(&post, post.rig.bob, uid, &one);
        buf_add_slice(&text, buf_slice(&one));
    }
    assert_int_equal(count_of(buf_slice(&text), "Action: expanded"), 1);
    assert_int_equal(count_of(buf_slice(&text), "Final-Recipient: rfc822; both@example.test"), 1);
    assert_int_equal(count_of(buf_slice(&text), "Original-Recipient: rfc822; Both"), 1);
    assert_int_equal(count_of(buf_slice(&text), "Action: delivered"), 0);

    assert_true(queue_find(post.rig.desk, &arena, QUEUE_ALL, 0, 10, &list, &err));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].n_recipients, 1);
    assert_int_equal(list.items[0].recipients[0].notify, NOTIFY_FAILURE);
    assert_true(slice_is(list.items[0].recipients[0].orcpt, "rfc822;Both"));
    post_close(&post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told),
        cmocka_unit_test(one_report_for_several_domains),
        cmocka_unit_test(a_report_waits_only_so_long),
        cmocka_unit_test(reports_survive_a_restart),
        cmocka_unit_test(a_delay_is_told_once),
        cmocka_unit_test(expansion_is_reported),
    };

    crypto_init();
    return cmocka_run_group_tests_name("bounce", tests, NULL, NULL);
}
