/* test_allowance.c - how many recipients an account may send to in an hour and a day. */
#include "common/crypto.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#define MAIL "MAIL FROM:<bob@example.test>\r\n"

static void begin(struct post *post, enum smtp_service service)
{
    post_start(post, service);
    if (service == SERVICE_SUBMISSION)
        post_log_in(post);
    post_say(post, "EHLO x\r\n");
}

/* Says RCPT for so many new ones; how many of them are taken. */
static unsigned ask(struct post *post, unsigned count)
{
    static unsigned number;
    unsigned taken = 0;

    for (unsigned i = 0; i < count; i++) {
        AUTO(buf_free) struct buf line = { 0 };

        buf_fmt(&line, "RCPT TO:<x%u@far.test>\r\n", number++);
        taken += strncmp(post_say(post, buf_text(&line)), "250", 3) == 0;
    }
    return taken;
}

static void finish(struct post *post)
{
    post_say(post, "DATA\r\n");
    assert_non_null(strstr(post_say(post, "Subject: x\r\n\r\nx\r\n.\r\n"), "250 2.0.0"));
}

static void an_hour(void **state)
{
    struct post post;

    post_open(&post);
    post.settings.recipients = 100;
    post.settings.recipients_per_hour = 5;
    post.settings.recipients_per_day = 100;
    begin(&post, SERVICE_SUBMISSION);
    post_say(&post, MAIL);
    assert_int_equal(ask(&post, 3), 3);
    finish(&post);
    post_say(&post, MAIL);
    assert_int_equal(ask(&post, 3), 2);
    assert_string_equal(post_say(&post, "RCPT TO:<y@far.test>\r\n"),
                        "451 4.7.1 This account may send to 5 recipients per hour, and has done "
                        "so; try again later\r\n");
    post_say(&post, "RSET\r\n" MAIL); /* what was not sent does not count */
    assert_int_equal(ask(&post, 3), 2);
    finish(&post);
    post_stop(&post);

    begin(&post, SERVICE_SUBMISSION); /* another session is no way round it */
    post_say(&post, MAIL);
    assert_int_equal(ask(&post, 1), 0);
    post_stop(&post);
    post_close(&post);
}

static void a_day(void **state)
{
    struct post post;

    post_open(&post);
    post.settings.recipients = 100;
    post.settings.recipients_per_day = 4;
    begin(&post, SERVICE_SUBMISSION);
    post_say(&post, MAIL);
    assert_int_equal(ask(&post, 6), 4);
    assert_non_null(strstr(post_say(&post, "RCPT TO:<y@far.test>\r\n"),
                           "451 4.7.1 This account may send to 4 "
                           "recipients per day"));
    post_stop(&post);
    post_close(&post);
}

/* Mail from other servers is counted for nobody. */
static void others_are_free(void **state)
{
    struct post post;

    post_open(&post);
    post.settings.recipients = 100;
    post.settings.recipients_per_hour = post.settings.recipients_per_day = 1;
    begin(&post, SERVICE_MX);
    post_say(&post, MAIL);
    assert_non_null(strstr(post_say(&post, "RCPT TO:<bob@example.test>\r\n"), "250"));
    assert_non_null(strstr(post_say(&post, "RCPT TO:<eve@example.test>\r\n"), "250"));
    post_stop(&post);
    post_close(&post);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour),
        cmocka_unit_test(a_day),
        cmocka_unit_test(others_are_free),
    };

    crypto_init();
    return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
