/* test_filter.c - what becomes of a message that passes milters, with milters played in memory. */
#include "common/daemon.h"
#include "storage/queue_operate.h"
#include "tests/unit/smtpd/milter_play.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define STEPS "O37f " /* only the end of the message is wanted */

/* The milter's part of the conversation in hand; a packet of its own for each milter asked. */
static const char *const *scripts;

static void on_connect(struct server *server, struct outgoing *outgoing)
{
    struct buf bytes = { 0 };

    milter_play_script(*scripts++, &bytes);
    milter_play(outgoing->protocol, outgoing->context, buf_slice(&bytes), 7, NULL);
    buf_free(&bytes);
}

static int open_post(void **state)
{
    struct post *post = NEW(struct post);
    struct error err;

    post_open(post);
    post->settings.milter_timeout = 30000;
    post->smtpd.connect = on_connect;
    post->smtpd.milter_services = SERVICE_SMTP;
    assert_true(
        milter_servers_parse(SLICE("inet:127.0.0.1:1 unix:/x"), &post->smtpd.milters, &err));
    *state = post;
    return 0;
}

static int close_post(void **state)
{
    struct post *post = *state;

    milter_servers_free(&post->smtpd.milters);
    post_close(post);
    free(post);
    return 0;
}

static const char *send_mail(struct post *post, enum smtp_service service)
{
    const char *answer;

    post_start(post, service);
    post_say(post, service == SERVICE_LMTP ? "LHLO x\r\n" : "EHLO x\r\n");
    post_say(post, "MAIL FROM:<a@far.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
    answer = post_say(post, "Subject: x\r\n\r\nHello\r\n.\r\n");
    post_stop(post);
    post_settle(post);
    return answer;
}

static const struct {
    const char *name, *scripts[2];
    bool passes_failures;
    const char *reply;
    unsigned bobs, eves;  /* how many messages they get */
    const char *contains; /* bob's message */
} cases[] = {
    { "both pass", { STEPS "c", STEPS "c" }, false, "250 2.0.0 Ok, queued", 1, 0, "Hello\r\n" },
    { "a field each",
      { STEPS "hX-A|1| c", STEPS "i0,X-B|2| c" },
      false,
      "250 2.0.0 Ok, queued",
      1,
      0,
      "X-B: 2\r\nSubject: x\r\nX-A: 1\r\n\r\nHello\r\n" },
    { "a new body",
      { STEPS "bOther\r\n c", STEPS "c" },
      false,
      "250 2.0.0 Ok, queued",
      1,
      0,
      "Subject: x\r\n\r\nOther\r\n" },
    { "the first refuses", { STEPS "r", "" }, false, "550 5.7.1", 0, 0, NULL },
    { "the second refuses",
      { STEPS "hX|1| c", STEPS "y554_5.7.1_Spam|" },
      false,
      "554 5.7.1 Spam\r\n",
      0,
      0,
      NULL },
    { "discarded", { STEPS "d", "" }, false, "250 2.0.0 Ok\r\n", 0, 0, NULL },
    { "one recipient more",
      { STEPS "+<eve@example.test>| +<nobody@example.test>| +nonsense| c", STEPS "c" },
      false,
      "250 2.0.0 Ok, queued",
      1,
      1,
      "Hello\r\n" },
    { "another recipient",
      { STEPS "-<BOB@example.test>| +eve@example.test| c", STEPS "c" },
      false,
      "250 2.0.0 Ok, queued",
      0,
      1,
      NULL },
    { "no recipient",
      { STEPS "-<bob@example.test>| c", "" },
      false,
      "250 2.0.0 Ok\r\n",
      0,
      0,
      NULL },
    { "another sender",
      { STEPS "e<c@far.test>| c", STEPS "c" },
      false,
      "250 2.0.0 Ok, queued",
      1,
      0,
      "Return-Path: <c@far.test>" },
    { "quarantine: not in INBOX",
      { STEPS "qspam| c", STEPS "c" },
      false,
      "250 2.0.0 Ok, queued",
      0,
      0,
      NULL },
    { "lost", { STEPS "hX-A|1|", "" }, false, "451 4.7.1", 0, 0, NULL },
    { "lost, passed over",
      { STEPS "hX-A|1|", STEPS "hX-B|2| c" },
      true,
      "250 2.0.0 Ok, queued",
      1,
      0,
      "Subject: x\r\nX-B: 2\r\n\r\nHello" },
};

static void test_cases(void **state)
{
    struct post *post = *state;
    struct buf text = { 0 };
    size_t bobs = 0, eves = 0;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        post->settings.milter_on_failure =
            cases[i].passes_failures ? MILTER_FAILURE_ACCEPT : MILTER_FAILURE_TEMPFAIL;
        scripts = cases[i].scripts;
        const char *answer = send_mail(post, SERVICE_MX);
        if (!slice_starts(slice_of(answer), cases[i].reply))
            fail_msg("%s: %s", cases[i].name, answer);
        bobs += cases[i].bobs;
        eves += cases[i].eves;
        if (post_count(post, post->rig.bob) != bobs || post_count(post, post->rig.eve) != eves)
            fail_msg("%s: not the messages expected", cases[i].name);
        if (cases[i].contains == NULL)
            continue;
        post_read(post, post->rig.bob, (uint32_t)bobs, &text);
        if (slice_search(buf_slice(&text), slice_of(cases[i].contains)) < 0)
            fail_msg("%s: %s", cases[i].name, buf_text(&text));
    }
    buf_free(&text);
}

/* LMTP is not among the services: nobody is asked. */
static void test_other_service(void **state)
{
    static const char *const none[] = { STEPS "r" };

    scripts = none;
    assert_true(slice_starts(slice_of(send_mail(*state, SERVICE_LMTP)), "250 2.0.0 Ok, queued"));
    assert_ptr_equal(scripts, none);
}

/* What is for other servers is held. */
static void test_quarantine(void **state)
{
    static const char *const both[] = { STEPS "qvirus| c", STEPS "c" };
    const struct queue_filter filter = { .held = true };
    AUTO(arena_free) struct arena arena = { 0 };
    struct post *post = *state;
    struct queue_list list;
    struct error err;

    scripts = both;
    post_start(post, SERVICE_SUBMISSION);
    post_log_in(post);
    post_say(post, "EHLO x\r\nMAIL FROM:<bob@example.test>\r\nRCPT TO:<a@far.test>\r\nDATA\r\n");
    post_say(post, "Subject: x\r\n\r\nHello\r\n.\r\n");
    post_stop(post);
    assert_int_equal(atomic_load(&post->n_remote), 0);
    assert_true(queue_select(post->rig.desk, &arena, &filter, 0, 10, &list, &err));
    assert_int_equal(list.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_other_service),
        cmocka_unit_test(test_quarantine),
    };

    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, open_post, close_post);
}
