/* test_client_patience.c - how long the SMTP client waits for a server that is slow. */
#include "common/clock.h"
#include "smtpd/remote/client.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <unistd.h>

#define TEXT "Subject: x\r\n\r\nx\r\n"

static const struct protocol protocol = {
    .name = "smtp", .open = client_open, .run = client_run, .close = client_close
};

struct play {
    struct rig rig;
    struct shipment *shipment;
    struct client_task task;
};

static void on_finished(struct client_task *task)
{
}

static void on_ended(struct client_task *task)
{
}

static struct shipment *make_shipment(struct play *play)
{
    struct queue_recipient to = { .address = SLICE("a@far.test") };
    struct queue_message message = { .sender = SLICE("me@example.test"),
                                     .size = strlen(TEXT),
                                     .recipients = &to,
                                     .n_recipients = 1 };
    struct shipment *shipment = shipments_of(&message, 0);
    struct body *body = body_new(play->rig.store);
    struct error err;

    assert_true(body_add(body, SLICE(TEXT), &err) && body_finish(body, &err));
    shipment->body = body;
    return shipment;
}

static void begin(struct play *play)
{
    rig_open(&play->rig);
    play->shipment = make_shipment(play);
    play->task = (struct client_task){
        .shipment = play->shipment,
        .hostname = "mx.test",
        .idle_ms = 30000,
        .patience = { .command_ms = 50000, .data_ms = 60000, .sent_ms = 70000, .rate = 1000 },
        .finished = on_finished,
        .ended = on_ended
    };
    rig_start(&play->rig, &protocol, &play->task);
}

static void end(struct play *play)
{
    rig_stop(&play->rig);
    shipment_free(&play->shipment);
    rig_close(&play->rig);
}

static void let_time_pass(uint64_t ms)
{
    for (uint64_t until = clock_ms() + ms; clock_ms() < until;)
        usleep(1000);
}

/* The dialogue is quick: nearly all the time must be left. */
static void assert_patience(const struct play *play, uint64_t ms)
{
    if (play->rig.call.idle_ms > ms || play->rig.call.idle_ms < ms - 5000)
        fail_msg("%ju in place of %ju", (uintmax_t)play->rig.call.idle_ms, (uintmax_t)ms);
}

/* Up to the wait for another shipment. */
static void send_one(struct play *play)
{
    rig_say(&play->rig, "220 peer.test\r\n");
    rig_say(&play->rig, "250 peer.test\r\n");
    rig_say(&play->rig, "250 ok\r\n");
    rig_say(&play->rig, "250 ok\r\n");
    assert_patience(play, 60000);
    rig_say(&play->rig, "354 go\r\n");
    assert_patience(play, 70000);
    rig_say(&play->rig, "250 mine\r\n");
    assert_int_equal(play->shipment->errands[0].outcome, OUTCOME_DELIVERED);
    assert_true(play->rig.waits_notice);
    assert_patience(play, 30000);
}

static void test_drip(void **state)
{
    struct play play = { 0 };

    begin(&play);
    rig_say(&play.rig, "2");
    uint64_t left = play.rig.call.idle_ms;
    let_time_pass(20);
    rig_say(&play.rig, "2");
    assert_true(play.rig.call.idle_ms + 20 <= left);
    rig_say(&play.rig, "0 peer.test\r\n"); /* the next reply has its own time */
    assert_patience(&play, 50000);
    play.task.patience.command_ms = 30;
    rig_say(&play.rig, "2");
    assert_false(play.rig.closed);
    let_time_pass(40);
    rig_say(&play.rig, "5"); /* it never falls silent */
    assert_true(play.rig.closed);
    assert_string_equal(play.task.status, "4.4.2");
    end(&play);
}

/* The time between shipments is none for replies. */
static void test_next_shipment(void **state)
{
    struct play play = { 0 };

    begin(&play);
    send_one(&play);
    struct shipment *first = TAKE(play.shipment);
    play.shipment = play.task.shipment = make_shipment(&play);
    rig_event(&play.rig, WHY_NOTICE);
    assert_string_equal(rig_text(&play.rig), "MAIL FROM:<me@example.test>\r\n");
    assert_patience(&play, 50000);
    shipment_free(&first);
    end(&play);
}

static void test_rate(void **state)
{
    static const struct {
        uint64_t seconds, sent, rate;
        bool too_slow;
    } cases[] = {
        { 299, 0, 1000, false },         { 301, 0, 1000, true },  { 301, 2000, 1000, false },
        { 303, 2000, 1000, true },       { 100000, 0, 0, false }, { 50000, 50000000, 1000, false },
        { 50301, 50000000, 1000, true },
    };
    struct client_task task = { 0 };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client = { .task = &task, .parts[1].len = 100000000 };

        task.patience.rate = cases[i].rate;
        client_time_body(&client);
        client.parts[1].len -= cases[i].sent;
        client.since_ms -= cases[i].seconds * 1000; /* may wrap around, as the clock is young */
        if (client_is_too_slow(&client) != cases[i].too_slow)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drip),
        cmocka_unit_test(test_next_shipment),
        cmocka_unit_test(test_rate),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
