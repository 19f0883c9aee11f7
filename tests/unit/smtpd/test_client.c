/* test_client.c - the SMTP client's dialogue, with the server played from tables; and its parser of
 * replies.
 */
#include "smtpd/remote/client.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <stdio.h>
#include <stdlib.h>

static const struct protocol protocol = {
    .name = "smtp", .open = client_open, .run = client_run, .close = client_close
};

#define GREETING "220 peer.test ESMTP\r\n"
#define PLAIN    "250 peer.test\r\n"
#define FULL                                                                                       \
    "250-peer.test hello\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-DSN\r\n"        \
    "250-CHUNKING\r\n250-BINARYMIME\r\n250 SMTPUTF8\r\n"
#define EHLO  "EHLO mx.test\r\n"
#define TEXT  "Subject: x\r\n\r\n.dot\r\nend\r\n"
#define SENT  "R: 1\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n"
#define QUIT  "QUIT\r\n"
#define STEPS 12

struct step {
    const char *server, *client; /* what it says, what must be answered */
};

/* Two recipients, a@far.test and b@far.test; outcomes in that order. */
struct dialogue {
    const char *name, *text;
    struct queue_message message;
    struct step steps[STEPS];
    const char *outcomes;
};

static const struct dialogue dialogues[] = {
    { "one by one",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 2.6.0 mine\r\n", QUIT },
        { "221 bye\r\n", "" } },
      "delivered 2.6.0, delivered 2.6.0" },
    { "pipelined, with parameters",
      TEXT,
      { .ret = RETURN_FULL, .envid = { "e+2B", 4 } },
      { { GREETING, EHLO },
        { FULL, "MAIL FROM:<me@example.test> SIZE=31 RET=FULL ENVID=e+2B\r\n"
                "RCPT TO:<a@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@x\r\n"
                "RCPT TO:<b@far.test> ORCPT=utf-8;\\x{FC}@x\r\n" },
        { "250 ok\r\n250 ok\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 mine\r\n", QUIT } },
      "delivered 2.0.0, delivered 2.0.0" },
    { "HELO",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { "502 what?\r\n", "HELO mx.test\r\n" },
        { "250 peer\r\n", "MAIL FROM:<me@example.test>\r\n" } },
      "open, open" },
    { "8 bits",
      "Subject: x\r\n\r\n\xc3\xa9\r\n",
      { 0 },
      { { GREETING, EHLO },
        { "250-p\r\n250 8bitmime\r\n", "MAIL FROM:<me@example.test> BODY=8BITMIME\r\n" } },
      "open, open" },
    { "8 bits not taken",
      "Subject: x\r\n\r\n\xc3\xa9\r\n",
      { 0 },
      { { GREETING, EHLO }, { PLAIN, QUIT } },
      "failed 5.6.3, failed 5.6.3" },
    { "UTF-8 not taken",
      "Subject: \xc3\xa9\r\n\r\nx\r\n",
      { .utf8 = true },
      { { GREETING, EHLO }, { "250-p\r\n250 8BITMIME\r\n", QUIT } },
      "failed 5.6.7, failed 5.6.7" },
    { "UTF-8 not needed",
      "Subject: e\r\n\r\n\xc3\xa9\r\n",
      { .utf8 = true },
      { { GREETING, EHLO },
        { "250-p\r\n250 8BITMIME\r\n", "MAIL FROM:<me@example.test> BODY=8BITMIME\r\n" } },
      "open, open" },
    { "too large",
      TEXT,
      { 0 },
      { { GREETING, EHLO }, { "250-p\r\n250 SIZE 30\r\n", QUIT } },
      "failed 5.3.4, failed 5.3.4" },
    { "SIZE without a number",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { "250-p\r\n250 SIZE\r\n", "MAIL FROM:<me@example.test> SIZE=31\r\n" } },
      "open, open" },
    { "binary",
      "Subject: x\r\n\r\n.dot\r\nend",
      { .binary = true },
      { { GREETING, EHLO },
        { FULL, "MAIL FROM:<me@example.test> SIZE=29 BODY=BINARYMIME\r\n"
                "RCPT TO:<a@far.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@x\r\n"
                "RCPT TO:<b@far.test> ORCPT=utf-8;\\x{FC}@x\r\n" },
        { "250 ok\r\n250 ok\r\n250 ok\r\n",
          "BDAT 29 LAST\r\nR: 1\r\nSubject: x\r\n\r\n.dot\r\nend" },
        { "250 mine\r\n", QUIT } },
      "delivered 2.0.0, delivered 2.0.0" },
    { "binary not taken",
      TEXT,
      { .binary = true },
      { { GREETING, EHLO }, { PLAIN, QUIT } },
      "failed 5.6.3, failed 5.6.3" },
    { "one refused, one later",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "550-5.1.1 no\r\n550 5.1.1 such user\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "450 4.2.1 busy\r\n", QUIT } },
      "failed 5.1.1, later 4.2.1" },
    { "one refused, one taken",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "550 no\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 mine\r\n", QUIT } },
      "failed 5.0.0, delivered 2.0.0" },
    { "sender refused while pipelining",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { "250-p\r\n250 PIPELINING\r\n", "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\n"
                                         "RCPT TO:<b@far.test>\r\n" },
        { "553 5.1.8 bad\r\n", QUIT },
        { "503 what\r\n503 what\r\n", "" },
        { "221 bye\r\n", "" } },
      "failed 5.1.8, failed 5.1.8" },
    { "LIMITS",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { "250-p\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n",
          "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 mine\r\n", "MAIL FROM:<me@example.test>\r\nRCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 2.6.0 mine, too\r\n", QUIT } },
      "delivered 2.0.0, delivered 2.6.0" },
    { "LIMITS without sense",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { "250-p\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=0 MAILMAX= =1 RCPTMAX RCPTMAX=x\r\n",
          "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\nRCPT TO:<b@far.test>\r\n" } },
      "open, open" },
    { "too many recipients for one transaction",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "452 4.5.3 enough\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 mine\r\n", "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 2.6.0 mine, too\r\n", QUIT } },
      "delivered 2.0.0, delivered 2.6.0" },
    { "no room even for one",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "452 4.5.3 enough\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "452 4.5.3 enough\r\n", QUIT } },
      "later 4.5.3, later 4.5.3" },
    { "DATA refused",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "451 4.3.0 no\r\n", QUIT } },
      "later 4.3.0, later 4.3.0" },
    { "DATA answered as if it were the message",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "250 2.0.0 ok\r\n", QUIT } },
      "later 4.5.0, later 4.5.0" },
    { "message refused",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "554 5.7.1 no\r\n", QUIT } },
      "failed 5.7.1, failed 5.7.1" },
    { "closed before the message",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "421 4.3.2 bye\r\n", QUIT } },
      "open, open" },
    { "no room for more recipients, as RFC 821 has it",
      TEXT,
      { 0 },
      { { GREETING, EHLO },
        { PLAIN, "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<a@far.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "552 too many\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 mine\r\n", "MAIL FROM:<me@example.test>\r\n" },
        { "250 ok\r\n", "RCPT TO:<b@far.test>\r\n" },
        { "552 5.2.2 no room\r\n", QUIT } },
      "delivered 2.0.0, failed 5.2.2" },
    { "not at home", TEXT, { 0 }, { { "554 5.3.2 no\r\n", QUIT } }, "open, open" },
    { "ourselves",
      TEXT,
      { 0 },
      { { "220 MX.test ESMTP\r\n", QUIT } },
      "failed 5.4.6, failed 5.4.6" },
    { "not SMTP", TEXT, { 0 }, { { "SSH-2.0-x\r\n", "" } }, "open, open" },
    { "codes differ",
      TEXT,
      { 0 },
      { { GREETING, EHLO }, { "250-a\r\n251 b\r\n", "" } },
      "open, open" },
    { "LF only", TEXT, { 0 }, { { "220-a\n220 b\n", EHLO } }, "open, open" },
};

static const struct dialogue lmtp_dialogues[] = {
    { "LMTP: one taken, one not",
      TEXT,
      { 0 },
      { { "220 mx.test LMTP\r\n", "LHLO mx.test\r\n" },
        { "250-p\r\n250 PIPELINING\r\n", "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\n"
                                         "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n250 ok\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 2.0.0 mine\r\n", "" },
        { "452 4.2.2 full\r\n", QUIT } },
      "delivered 2.0.0, later 4.2.2" },
    { "LMTP: a reply for the accepted only",
      TEXT,
      { 0 },
      { { GREETING, "LHLO mx.test\r\n" },
        { "250-p\r\n250 PIPELINING\r\n", "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\n"
                                         "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n550 5.1.1 no\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "250 2.0.0 mine\r\n", QUIT } },
      "failed 5.1.1, delivered 2.0.0" },
    { "LMTP: lost between the replies",
      TEXT,
      { 0 },
      { { GREETING, "LHLO mx.test\r\n" },
        { "250-p\r\n250 PIPELINING\r\n", "MAIL FROM:<me@example.test>\r\nRCPT TO:<a@far.test>\r\n"
                                         "RCPT TO:<b@far.test>\r\n" },
        { "250 ok\r\n250 ok\r\n250 ok\r\n", "DATA\r\n" },
        { "354 go\r\n", SENT },
        { "554 5.7.1 no\r\n421 bye\r\n", QUIT } },
      "failed 5.7.1, open" },
    { "LMTP: the server speaks SMTP",
      TEXT,
      { 0 },
      { { GREETING, "LHLO mx.test\r\n" }, { "500 what\r\n", QUIT } },
      "open, open" },
};

struct play {
    struct rig rig;
    struct shipment *shipment;
    struct client_task task;
    bool has_ended;
    bool is_lmtp;
};

static void on_ended(struct client_task *task)
{
    CONTAINER_OF(task, struct play, task)->has_ended = true;
}

static void give_body(struct play *play, const char *text)
{
    struct body *body = body_new(play->rig.store);
    struct error err;

    assert_true(body_add(body, slice_of(text), &err) && body_finish(body, &err));
    play->shipment->body = body;
}

static void begin(struct play *play, const struct dialogue *dialogue)
{
    struct queue_recipient to[] = {
        { .address = SLICE("a@far.test"),
          .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
          .orcpt = SLICE("rfc822;a@x") },
        { .address = SLICE("b@far.test"), .orcpt = SLICE("utf-8;\xc3\xbc@x") },
    };
    struct queue_message message = dialogue->message;

    message.sender = SLICE("me@example.test");
    message.prefix = SLICE("R: 1\r\n");
    message.size = message.prefix.len + strlen(dialogue->text);
    message.recipients = to;
    message.n_recipients = COUNT_OF(to);
    play->shipment = shipments_of(&message, 0);
    give_body(play, dialogue->text);
    play->task = (struct client_task){ .shipment = play->shipment,
                                       .hostname = "mx.test",
                                       .lmtp = play->is_lmtp,
                                       .policy.check.server_name = "peer.test",
                                       .ended = on_ended };
    play->has_ended = false;
    rig_start(&play->rig, &protocol, &play->task);
}

static void end(struct play *play)
{
    rig_stop(&play->rig);
    assert_true(play->has_ended);
    shipment_free(&play->shipment);
}

static void print_outcomes(const struct shipment *shipment, struct buf *out)
{
    static const char *const names[] = { "open", "delivered ", "failed ", "later ", "dropped " };

    for (size_t i = 0; i < shipment->n_errands; i++)
        buf_fmt(out, "%s%s%s", i > 0 ? ", " : "", names[shipment->errands[i].outcome],
                shipment->errands[i].status);
}

/* Each byte in a read of its own. */
static void say_slowly(struct play *play, const char *text, struct buf *answer)
{
    for (; *text != '\0'; text++) {
        rig_say_bytes(&play->rig, slice_make(text, 1));
        buf_add_text(answer, rig_text(&play->rig));
    }
}

static void say(struct play *play, const char *text, bool slowly, struct buf *answer)
{
    buf_clear(answer);
    if (slowly) {
        say_slowly(play, text, answer);
        return;
    }
    rig_say(&play->rig, text);
    buf_add_text(answer, rig_text(&play->rig));
}

static void play_dialogue(struct play *play, const struct dialogue *dialogue, bool slowly)
{
    AUTO(buf_free) struct buf answer = { 0 };
    AUTO(buf_free) struct buf outcomes = { 0 };

    begin(play, dialogue);
    for (const struct step *step = dialogue->steps; step->server != NULL; step++) {
        say(play, step->server, slowly, &answer);
        if (!buf_is(&answer, step->client))
            fail_msg("%s: after %s: %s", dialogue->name, step->server, buf_text(&answer));
    }
    print_outcomes(play->shipment, &outcomes);
    if (!buf_is(&outcomes, dialogue->outcomes))
        fail_msg("%s: %s", dialogue->name, buf_text(&outcomes));
    end(play);
}

static void test_dialogues(void **state)
{
    struct play play = { 0 };

    rig_open(&play.rig);
    for (size_t i = 0; i < COUNT_OF(dialogues); i++) {
        play_dialogue(&play, &dialogues[i], false);
        play_dialogue(&play, &dialogues[i], true);
    }
    rig_close(&play.rig);
}

static void test_lmtp(void **state)
{
    struct play play = { .is_lmtp = true };

    rig_open(&play.rig);
    for (size_t i = 0; i < COUNT_OF(lmtp_dialogues); i++) {
        play_dialogue(&play, &lmtp_dialogues[i], false);
        play_dialogue(&play, &lmtp_dialogues[i], true);
    }
    rig_close(&play.rig);
}

static const struct dialogue plain = { .text = TEXT };

static void on_finished(struct client_task *task)
{
}

/* What a server says to a connection that waits for the next shipment is no reply to anything. */
static void test_unasked_reply(void **state)
{
    static const char *const unasked[] = { "2", "250 more\r\n", "421 4.4.2 idle\r\n", "x\r\n" };
    struct play play = { 0 };

    rig_open(&play.rig);
    for (size_t i = 0; i < COUNT_OF(unasked); i++) {
        begin(&play, &plain);
        play.task.finished = on_finished;
        rig_say(&play.rig, GREETING);
        rig_say(&play.rig, PLAIN);
        rig_say(&play.rig, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
        rig_say(&play.rig, "250 mine\r\n");
        assert_true(play.rig.waits_notice);
        rig_say(&play.rig, unasked[i]);
        assert_false(play.rig.waits_notice);
        end(&play);
    }
    rig_close(&play.rig);
}

static void test_starttls(void **state)
{
    struct play play = { 0 };

    rig_open(&play.rig);
    begin(&play, &plain);
    play.rig.call.tls_offered = true;
    rig_say(&play.rig, GREETING);
    rig_say(&play.rig, "250-p\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n");
    assert_string_equal(rig_text(&play.rig), "STARTTLS\r\n");
    rig_say(&play.rig, "220 go\r\n250 injected\r\n");
    assert_true(play.rig.wants_tls);
    assert_string_equal(play.rig.call.tls_check->server_name, "peer.test");
    play.rig.call.tls_offered = false;
    rig_secure(&play.rig);
    assert_string_equal(rig_text(&play.rig), EHLO); /* all that was learned is forgotten */
    rig_say(&play.rig, PLAIN);
    assert_string_equal(rig_text(&play.rig), "MAIL FROM:<me@example.test>\r\n");
    end(&play);
    assert_false(play.task.tls_failed);
    rig_close(&play.rig);
}

/* What a policy demands of the dialogue before and after STARTTLS. */
static const struct {
    const char *name;
    struct tls_policy policy;
    const char *before;   /* to the first EHLO */
    const char *starttls; /* to STARTTLS; NULL: it must not be said */
    const char *after;    /* to the EHLO over TLS; NULL: there is no TLS */
    const char *answer;   /* what the client says in the end */
    const char *status, *result;
    bool permanent;
} demands[] = {
    { "TLS is demanded, none is offered",
      { .required = true },
      PLAIN,
      NULL,
      NULL,
      QUIT,
      "4.7.10",
      "starttls-not-supported",
      false },
    { "... and refused",
      { .required = true },
      "250-p\r\n250 STARTTLS\r\n",
      "454 no\r\n",
      NULL,
      QUIT,
      "4.7.10",
      "starttls-not-supported",
      false },
    { "... by a server without EHLO",
      { .required = true },
      "500 what\r\n",
      NULL,
      NULL,
      NULL,
      "4.7.10",
      "starttls-not-supported",
      false },
    { "not demanded, none is offered",
      { .required = false },
      PLAIN,
      NULL,
      NULL,
      "MAIL FROM:<me@example.test>\r\n",
      "4.4.2",
      "starttls-not-supported",
      false },
    { "not demanded, refused",
      { .required = false },
      "250-p\r\n250 STARTTLS\r\n",
      "454 no\r\n",
      NULL,
      "MAIL FROM:<me@example.test>\r\n",
      "4.4.2",
      "starttls-not-supported",
      false },
    { "demanded, and there",
      { .required = true },
      "250-p\r\n250 STARTTLS\r\n",
      "220 go\r\n",
      PLAIN,
      "MAIL FROM:<me@example.test>\r\n",
      "4.4.2",
      "",
      false },
    { "REQUIRETLS without TLS",
      { .required = true, .require_tls = true, .offer_require = true },
      "250-p\r\n250 REQUIRETLS\r\n",
      NULL,
      NULL,
      QUIT,
      "5.7.10",
      "starttls-not-supported",
      true },
    { "REQUIRETLS that is not offered",
      { .required = true, .require_tls = true, .offer_require = true },
      "250-p\r\n250-REQUIRETLS\r\n250 STARTTLS\r\n",
      "220 go\r\n",
      PLAIN,
      QUIT,
      "5.7.30",
      "",
      true },
    { "REQUIRETLS",
      { .required = true, .require_tls = true, .offer_require = true },
      "250-p\r\n250 STARTTLS\r\n",
      "220 go\r\n",
      "250-p\r\n250 REQUIRETLS\r\n",
      "MAIL FROM:<me@example.test> REQUIRETLS\r\n",
      "4.4.2",
      "",
      false },
    { "REQUIRETLS of a report",
      { .offer_require = true },
      "250-p\r\n250 STARTTLS\r\n",
      "220 go\r\n",
      PLAIN,
      "MAIL FROM:<me@example.test>\r\n",
      "4.4.2",
      "",
      false },
    { "... in clear text",
      { .offer_require = true },
      "250-p\r\n250 REQUIRETLS\r\n",
      NULL,
      NULL,
      "MAIL FROM:<me@example.test>\r\n",
      "4.4.2",
      "starttls-not-supported",
      false },
};

static void play_demand(struct play *play, size_t i)
{
    begin(play, &plain);
    play->task.policy = demands[i].policy;
    play->rig.call.tls_offered = true;
    rig_say(&play->rig, GREETING);
    rig_say(&play->rig, demands[i].before);
    if (demands[i].answer == NULL) {
        rig_say(&play->rig, PLAIN); /* to HELO */
        return;
    }
    if (demands[i].starttls != NULL) {
        assert_string_equal(rig_text(&play->rig), "STARTTLS\r\n");
        rig_say(&play->rig, demands[i].starttls);
    }
    if (demands[i].after != NULL) {
        play->rig.call.tls_offered = false;
        rig_secure(&play->rig);
        rig_say(&play->rig, demands[i].after);
    }
    assert_string_equal(rig_text(&play->rig), demands[i].answer);
}

static void test_demands(void **state)
{
    for (size_t i = 0; i < COUNT_OF(demands); i++) {
        struct play play = { 0 };

        rig_open(&play.rig);
        play_demand(&play, i);
        end(&play);
        if (strcmp(play.task.status, demands[i].status) != 0)
            fail_msg("%s: %s %s", demands[i].name, play.task.status, play.task.text);
        assert_string_equal(play.task.tls_result, demands[i].result);
        assert_int_equal(play.task.permanent, demands[i].permanent);
        rig_close(&play.rig);
    }
}

static void test_starttls_that_fails(void **state)
{
    struct play play = { 0 };

    rig_open(&play.rig);
    begin(&play, &plain);
    play.rig.call.tls_offered = true;
    rig_say(&play.rig, GREETING "250-p\r\n250 STARTTLS\r\n220 go\r\n");
    play.rig.call.reason = "bad certificate";
    end(&play);
    assert_true(play.task.tls_failed);
    assert_string_equal(play.task.text, "TLS: bad certificate");

    begin(&play, &plain);
    play.rig.call.tls_offered = true;
    play.task.no_tls = true;
    rig_say(&play.rig, GREETING "250-p\r\n250 STARTTLS\r\n");
    assert_string_equal(rig_text(&play.rig), EHLO "MAIL FROM:<me@example.test>\r\n");
    end(&play);
    rig_close(&play.rig);
}

/* What the relay offers and says, and what we answer to each. */
static const struct {
    const char *name, *offer, *steps[7], *text;
} logins[] = {
    { "PLAIN",
      "250-p\r\n250 AUTH LOGIN plain\r\n",
      { "AUTH PLAIN AHVzAHNlY3JldA==\r\n", "235 ok\r\n", "MAIL FROM:<me@example.test>\r\n" },
      "The connection was lost" },
    { "nothing is said of it",
      PLAIN,
      { "AUTH PLAIN AHVzAHNlY3JldA==\r\n", "503 what\r\n", QUIT },
      "503 what" },
    { "LOGIN",
      "250-p\r\n250 AUTH CRAM-MD5 LOGIN\r\n",
      { "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "dXM=\r\n", "334 UGFzc3dvcmQ6\r\n",
        "c2VjcmV0\r\n", "235 ok\r\n", "MAIL FROM:<me@example.test>\r\n" },
      "The connection was lost" },
    { "LOGIN, wrong",
      "250-p\r\n250 AUTH LOGIN\r\n",
      { "AUTH LOGIN\r\n", "334 \r\n", "dXM=\r\n", "334 \r\n", "c2VjcmV0\r\n", "535 5.7.8 no\r\n",
        QUIT },
      "535 5.7.8 no" },
    { "LOGIN, done at once",
      "250-p\r\n250 AUTH LOGIN\r\n",
      { "AUTH LOGIN\r\n", "235 ok\r\n", "MAIL FROM:<me@example.test>\r\n" },
      "The connection was lost" },
    { "LOGIN that never ends",
      "250-p\r\n250 AUTH LOGIN\r\n",
      { "AUTH LOGIN\r\n", "334 \r\n", "dXM=\r\n", "334 \r\n", "c2VjcmV0\r\n", "334 \r\n", QUIT },
      "334 " },
};

static void play_login(struct play *play, size_t i)
{
    begin(play, &plain);
    play->task.login = "us";
    play->task.password = "secret";
    play->rig.call.tls_offered = true;
    rig_say(&play->rig, GREETING "250-p\r\n250-AUTH LOGIN\r\n250 STARTTLS\r\n220 go\r\n");
    play->rig.call.tls_offered = false;
    rig_secure(&play->rig);
    rig_say(&play->rig, logins[i].offer);
    for (size_t k = 0; k < COUNT_OF(logins[i].steps) && logins[i].steps[k] != NULL; k++) {
        if (k % 2 == 1)
            rig_say(&play->rig, logins[i].steps[k]);
        else if (strcmp(rig_text(&play->rig), logins[i].steps[k]) != 0)
            fail_msg("%s, step %zu: %s", logins[i].name, k, rig_text(&play->rig));
    }
    end(play);
    assert_string_equal(play->task.text, logins[i].text);
}

static void test_logins(void **state)
{
    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        struct play play = { 0 };

        rig_open(&play.rig);
        play_login(&play, i);
        rig_close(&play.rig);
    }
}

static void test_lost(void **state)
{
    struct play play = { 0 };

    rig_open(&play.rig);
    begin(&play, &plain);
    rig_say(&play.rig, GREETING);
    rig_event(&play.rig, WHY_TIMEOUT);
    assert_true(play.rig.closed);
    assert_string_equal(play.task.status, "4.4.2");
    assert_true(shipment_is_open(play.shipment));
    end(&play);

    begin(&play, &plain);
    rig_say(&play.rig, GREETING PLAIN "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    rig_say(&play.rig, "250 mine\r\n");
    rig_event(&play.rig, WHY_ENDED); /* no reply to QUIT: the message is theirs all the same */
    assert_true(play.rig.closed);
    assert_int_equal(play.shipment->errands[1].outcome, OUTCOME_DELIVERED);
    end(&play);
    rig_close(&play.rig);
}

/* The reply to a message decides whether it goes out again: a stop waits for that. */
static void test_last_word(void **state)
{
    struct play play = { 0 };

    rig_open(&play.rig);
    begin(&play, &plain);
    rig_say(&play.rig, GREETING PLAIN "250 ok\r\n250 ok\r\n250 ok\r\n");
    assert_false(play.rig.call.must_hear);
    rig_say(&play.rig, "354 go\r\n250-mi");
    assert_true(play.rig.call.must_hear);
    rig_say(&play.rig, "ne\r\n250 mine\r\n");
    assert_false(play.rig.call.must_hear);
    end(&play);
    rig_close(&play.rig);
}

/* Replies without an end are cut off. */
static void test_endless_replies(void **state)
{
    char line[ANSWER_LINE_MAX + 1];
    struct play play = { 0 };

    rig_open(&play.rig);
    memset(line, 'x', sizeof(line));
    begin(&play, &plain);
    rig_say(&play.rig, "220 ");
    rig_say_bytes(&play.rig, slice_make(line, sizeof(line)));
    assert_true(play.rig.closed);
    end(&play);

    begin(&play, &plain);
    for (int i = 0; i < ANSWER_MAX && !play.rig.closed; i++)
        rig_say(&play.rig, "220-more\r\n");
    assert_true(play.rig.closed);
    end(&play);
    rig_close(&play.rig);
}

static const struct {
    const char *input;
    enum parse want;
    const char *status, *text;
} answers[] = {
    { "250 ok\r\n", PARSE_OK, "2.0.0", "250 ok" },
    { "250\r\n", PARSE_OK, "2.0.0", "250 " },
    { "250-a\r\n250 b\r\n250 next\r\n", PARSE_OK, "2.0.0", "250 a b" },
    { "550 5.1.1 no\r\n", PARSE_OK, "5.1.1", "550 5.1.1 no" },
    { "550 5.1.1\r\n", PARSE_OK, "5.1.1", "550 5.1.1" },
    { "550 4.1.1 no\r\n", PARSE_OK, "5.0.0", "550 4.1.1 no" },
    { "550 5.1 no\r\n", PARSE_OK, "5.0.0", "550 5.1 no" },
    { "550 5.1234.1 no\r\n", PARSE_OK, "5.0.0", "550 5.1234.1 no" },
    { "450 4.123.456 x\r\n", PARSE_OK, "4.123.456", "450 4.123.456 x" },
    { "550 a\x1b[1mb\r\n", PARSE_OK, "5.0.0", "550 a [1mb" },
    { "250-a\r\n", PARSE_MORE, "", "" },
    { "25", PARSE_MORE, "", "" },
    { "", PARSE_MORE, "", "" },
    { "\r\n", PARSE_BAD, "", "" },
    { "25\r\n", PARSE_BAD, "", "" },
    { "650 x\r\n", PARSE_BAD, "", "" },
    { "2500 x\r\n", PARSE_BAD, "", "" },
    { "250-a\r\n550 b\r\n", PARSE_BAD, "", "" },
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        size_t len = strlen(answers[i].input);
        char *exact = memcpy(malloc(len + (len == 0)), answers[i].input, len);
        char status[ANSWER_STATUS], text[64];
        struct answer answer;

        if (answer_parse(slice_make(exact, len), &answer) != answers[i].want)
            fail_msg("%s", answers[i].input);
        if (answers[i].want == PARSE_OK) {
            answer_status(&answer, status);
            answer_print(&answer, text, sizeof(text));
            assert_string_equal(status, answers[i].status);
            assert_string_equal(text, answers[i].text);
            answer_print(&answer, text, 6);
            assert_true(strlen(text) < 6);
        }
        free(exact);
    }
}

static const struct {
    const char *text, *stuffed;
    bool ends_in_line;
} dots[] = {
    { "", "", false },
    { ".", "..", true },
    { ".\r\n", "..\r\n", false },
    { "a.b\r\n", "a.b\r\n", false },
    { "\r\n.\r\n", "\r\n..\r\n", false },
    { "..\r\n.a", "...\r\n..a", true },
};

static void test_dots(void **state)
{
    for (size_t i = 0; i < COUNT_OF(dots); i++) {
        AUTO(buf_free) struct buf whole = { 0 };
        AUTO(buf_free) struct buf pieces = { 0 };
        bool in_line = false;

        client_stuff_dots(slice_of(dots[i].text), &in_line, &whole);
        assert_string_equal(buf_text(&whole), dots[i].stuffed);
        assert_int_equal(in_line, dots[i].ends_in_line);
        in_line = false;
        for (const char *byte = dots[i].text; *byte != '\0'; byte++)
            client_stuff_dots(slice_make(byte, 1), &in_line, &pieces);
        assert_string_equal(buf_text(&pieces), dots[i].stuffed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_unasked_reply),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_demands),
        cmocka_unit_test(test_starttls_that_fails),
        cmocka_unit_test(test_logins),
        cmocka_unit_test(test_lmtp),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_endless_replies),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_last_word),
    };

    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
