/* test_parameters.c - the arguments of MAIL and RCPT. */
#include "smtpd/parameters.h"

#include "tests/unit/support/check.h"

#include <stdlib.h>

static const struct {
    const char *arguments, *local, *domain, *reply; /* reply NULL: good */
} mails[] = {
    { "FROM:<a@b.test>", "a", "b.test", NULL },
    { "from:<a@b.test>", "a", "b.test", NULL },
    { "FROM: <a@b.test>", "a", "b.test", NULL },
    { "FROM:<>", "", "", NULL },
    { "FROM:<\"a b\"@b.test>", "a b", "b.test", NULL },
    { "FROM:<@x.test,@y.test:a@b.test>", "a", "b.test", NULL },
    { "FROM:<a@b.test> SIZE=12 BODY=8BITMIME", "a", "b.test", NULL },
    { "FROM:<a@b.test> body=binarymime ret=hdrs envid=x+2By auth=<>", "a", "b.test", NULL },
    { "FROM:<\xc3\xa9@b.test> SMTPUTF8", "\xc3\xa9", "b.test", NULL },
    { "FROM:<\xc3\xa9@b.test>", "", "", "550 5.6.7" },
    { "FROM:<\xff@b.test> SMTPUTF8", "", "", "501 5.1.7" },
    { "", "", "", "501 5.5.4" },
    { "TO:<a@b.test>", "", "", "501 5.5.4" },
    { "FROM:", "", "", "501 5.1.7" },
    { "FROM:a@b.test", "", "", "501 5.1.7" },
    { "FROM:<a@b.test", "", "", "501 5.1.7" },
    { "FROM:<a@>", "", "", "501 5.1.7" },
    { "FROM:<@b.test>", "", "", "501 5.1.7" },
    { "FROM:<a>", "", "", "501 5.1.7" },
    { "FROM:<a@b.test>SIZE=1", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> SIZE=", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> SIZE=-1", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> SIZE=99999999999999999999", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> SIZE=1 SIZE=1", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> BODY=9BIT", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> RET=SOME", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> ENVID=a=b", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> ENVID=a+2", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> SMTPUTF8=1", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> REQUIRETLS", "a", "b.test", NULL },
    { "FROM:<a@b.test> REQUIRETLS=1", "", "", "501 5.5.4" },
    { "FROM:<a@b.test> FOO=1", "", "", "555 5.5.4" },
    { "FROM:<a@b.test> NOTIFY=NEVER", "", "", "555 5.5.4" },
};

static void test_mail(void **state)
{
    for (size_t i = 0; i < COUNT_OF(mails); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        char *exact = slice_strdup(slice_of(mails[i].arguments));
        struct mail_parameters mail;
        const char *reply = NULL;
        bool good = mail_parse(&arena, slice_of(exact), &mail, &reply);

        if (good != (mails[i].reply == NULL) ||
            (!good && strncmp(reply, mails[i].reply, strlen(mails[i].reply)) != 0) ||
            (good && (!slice_equal(mail.path.local, slice_of(mails[i].local)) ||
                      !slice_equal(mail.path.domain, slice_of(mails[i].domain)))))
            fail_msg("MAIL %s: %s", mails[i].arguments, good ? "taken" : reply);
        free(exact);
    }
}

static void test_mail_values(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mail_parameters mail;
    const char *reply;

    assert_true(mail_parse(&arena,
                           SLICE("FROM:<a@b.test> SIZE=77 BODY=BINARYMIME RET=FULL ENVID=x+2B "
                                 "SMTPUTF8 requiretls"),
                           &mail, &reply));
    assert_int_equal(mail.size, 77);
    assert_int_equal(mail.body, BODY_BINARYMIME);
    assert_int_equal(mail.ret, RETURN_FULL);
    assert_true(mail.utf8 && mail.require_tls);
    assert_true(slice_is(mail.envid, "x+2B"));
}

static const struct {
    const char *arguments;
    unsigned notify;
    const char *reply;
} rcpts[] = {
    { "TO:<a@b.test>", NOTIFY_DEFAULT, NULL },
    { "TO:<Postmaster>", NOTIFY_DEFAULT, NULL },
    { "TO:<a@b.test> NOTIFY=NEVER", NOTIFY_NEVER, NULL },
    { "TO:<a@b.test> NOTIFY=success,delay", NOTIFY_SUCCESS | NOTIFY_DELAY, NULL },
    { "TO:<a@b.test> NOTIFY=FAILURE ORCPT=rfc822;a+2Bx@b.test", NOTIFY_FAILURE, NULL },
    { "TO:<a@b.test> NOTIFY=", 0, "501 5.5.4" },
    { "TO:<a@b.test> NOTIFY=NEVER,SUCCESS", 0, "501 5.5.4" },
    { "TO:<a@b.test> NOTIFY=SOMETIMES", 0, "501 5.5.4" },
    { "TO:<a@b.test> ORCPT=a@b.test", 0, "501 5.5.4" },
    { "TO:<a@b.test> SIZE=1", 0, "555 5.5.4" },
    { "TO:<>", 0, "501 5.1.3" },
    { "TO:a@b.test", 0, "501 5.1.3" },
    { "FROM:<a@b.test>", 0, "501 5.5.4" },
};

static void test_rcpt(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rcpts); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        char *exact = slice_strdup(slice_of(rcpts[i].arguments));
        struct rcpt_parameters rcpt;
        const char *reply = NULL;
        bool good = rcpt_parse(&arena, slice_of(exact), &rcpt, &reply);

        if (good != (rcpts[i].reply == NULL) || (good && rcpt.notify != rcpts[i].notify) ||
            (!good && strncmp(reply, rcpts[i].reply, strlen(rcpts[i].reply)) != 0))
            fail_msg("RCPT %s: %s", rcpts[i].arguments, good ? "taken" : reply);
        free(exact);
    }
}

/* Cut anywhere, it is refused or taken, and reads no byte too far. */
static void test_every_prefix(void **state)
{
    const char whole[] = "FROM:<@r.test:\"a\\\"b\"@b.test> SIZE=1 BODY=7BIT ENVID=x+2By AUTH=<>";

    for (size_t len = 0; len < sizeof(whole); len++) {
        AUTO(arena_free) struct arena arena = { 0 };
        char *exact = malloc(len + (len == 0));
        struct mail_parameters mail;
        const char *reply = NULL;
        bool good = mail_parse(&arena, slice_make(memcpy(exact, whole, len), len), &mail, &reply);

        assert_true(good || (reply != NULL && reply[0] == '5'));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_mail_values),
        cmocka_unit_test(test_rcpt),
        cmocka_unit_test(test_every_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
