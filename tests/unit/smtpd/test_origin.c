/* test_origin.c - sessions in which it matters where mail is from: what is proved of it on its way
 * in, and where reports for return paths of ours go.
 */
#include "message/address.h"
#include "tests/unit/message/zone.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static int open_post(void **state)
{
    struct post *post = *state = NEW(struct post);
    struct error err;

    post_open(post);
    post->settings.trusted_networks = "";
    post->settings.trusted_sealers = "";
    post->settings.verify = true;
    zone_add(&post->zone, "1.2.0.192.in-addr.arpa", DNS_PTR, "client.test");
    zone_add(&post->zone, "client.test", DNS_A, "192.0.2.1");
    zone_add(&post->zone, "far.test", DNS_TXT, "v=spf1 ip4:192.0.2.1 -all");
    zone_add(&post->zone, "_dmarc.far.test", DNS_TXT, "v=DMARC1; p=reject");
    if (!door_open(&post->settings, post->rig.store, &post->smtpd.door, &err))
        fail_msg("%s", err.text);
    return 0;
}

static int close_post(void **state)
{
    struct post *post = *state;

    door_free(&post->smtpd.door);
    post_close(post);
    free(post);
    return 0;
}

static const struct {
    const char *name;
    bool iprev;
    const char *message, *want, *unwanted; /* what is delivered has, and has not */
} arrivals[] = {
    { "good", false, "From: a@far.test\r\n\r\nx\r\n", "dmarc=pass (p=reject) header.from=far.test",
      "iprev" },
    { "a name that leads back", true, "From: a@far.test\r\n\r\nx\r\n",
      "\r\n iprev=pass policy.iprev=192.0.2.1;", "iprev=fail" },
    { "a second author behind a line that is no field", false,
      "From: a@far.test\r\nno field\r\nFrom: b@bank.test\r\n\r\nx\r\n",
      "From: b@bank.test\r\n\r\nx\r\n", "header.from=far.test" },
    { "an author behind a line that is no field", false,
      "Subject: x\r\nno field\r\nFrom: b@bank.test\r\n\r\nx\r\n", "header.from=bank.test",
      "header.from=far.test" },
    { "results behind a line that is no field", false,
      "From: a@far.test\r\nno field\r\nAuthentication-Results: mx.test; x=y\r\n\r\nx\r\n",
      "no field\r\n\r\nx\r\n", "x=y" },
    { "results in the text", false,
      "From: a@far.test\r\n\r\nAuthentication-Results: mx.test; x=y\r\n\r\nx\r\n",
      "\r\n\r\nAuthentication-Results: mx.test; x=y\r\n\r\nx\r\n", "dmarc=none" },
};

static void test_arrivals(void **state)
{
    struct post *post = *state;

    for (size_t i = 0; i < COUNT_OF(arrivals); i++) {
        AUTO(buf_free) struct buf mail = { 0 };

        post->settings.door_iprev = arrivals[i].iprev ? DOOR_IPREV_LOG : DOOR_IPREV_OFF;
        post_start(post, SERVICE_MX);
        post_say(post,
                 "EHLO x\r\nMAIL FROM:<a@far.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n");
        post_say(post, arrivals[i].message);
        post_say(post, ".\r\n");
        post_stop(post);
        post_settle(post);
        post_read(post, post->rig.bob, (uint32_t)i + 1, &mail);
        if (strstr(buf_text(&mail), arrivals[i].want) == NULL ||
            strstr(buf_text(&mail), arrivals[i].unwanted) != NULL)
            fail_msg("%s: %s", arrivals[i].name, buf_text(&mail));
    }
}

/* A return path that leads to one of our own domains, which has come here since. */
static void test_return_path(void **state)
{
    static const struct {
        const char *sender, *want;
    } cases[] = {
        { "x@far.test", "250 2.1.5" },
        { "nobody@later.test", "550 5.1.1" },
    };
    struct post *post = *state;
    struct desk *desk = post->rig.desk;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf command = { 0 };
        AUTO(arena_free) struct arena arena = { 0 };
        struct slice path;
        struct error err;

        assert_true(forward_sender(desk, &arena, slice_of(cases[i].sender), SLICE("example.test"),
                                   &path, &err));
        if (i == 1 && !domain_add(desk, SLICE("later.test"), &err))
            fail_msg("%s", err.text);
        buf_fmt(&command, "RCPT TO:<" SLICE_FMT ">\r\n", SLICE_ARG(path));
        post_start(post, SERVICE_MX);
        post_say(post, "EHLO x\r\nMAIL FROM:<>\r\n");
        const char *answer = post_say(post, buf_text(&command));
        if (!slice_starts(slice_of(answer), cases[i].want))
            fail_msg("%s: %s", cases[i].sender, answer);
        post_stop(post);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_return_path),
    };

    log_setup(LOG_ERROR, false);
    return cmocka_run_group_tests(tests, open_post, close_post);
}
