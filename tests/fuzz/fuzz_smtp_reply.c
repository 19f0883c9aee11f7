/* fuzz_smtp_reply.c - what another server may say to our SMTP client: the parser of replies, and a
 * whole dialogue. However it goes, the message is delivered only after a reply of class 2, and
 * nothing but complete lines is said.
 */
#include "smtpd/remote/client.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct protocol protocol = {
    .name = "smtp", .open = client_open, .run = client_run, .close = client_close
};

static void on_ended(struct client_task *task)
{
}

static struct shipment *make_shipment(struct rig *rig)
{
    struct queue_recipient to[] = { { .address = SLICE("a@far.test") },
                                    { .address = SLICE("b@far.test") } };
    const struct queue_message message = { .sender = SLICE("me@example.test"),
                                           .recipients = to,
                                           .n_recipients = COUNT_OF(to),
                                           .size = 20 };
    struct shipment *shipment = shipments_of(&message, 0);
    struct error err;

    shipment->body = body_new(rig->store);
    if (!body_add(shipment->body, SLICE("Subject: x\r\n\r\n.dot\r\n"), &err) ||
        !body_finish(shipment->body, &err))
        abort();
    return shipment;
}

static void check_answer(struct slice input)
{
    char status[ANSWER_STATUS], text[64];
    struct answer answer;

    if (answer_parse(input, &answer) != PARSE_OK)
        return;
    answer_status(&answer, status);
    answer_print(&answer, text, sizeof(text));
    if (answer.lines.len > input.len || answer.code < 100 || answer.code > 599)
        abort();
}

static void check_outcomes(const struct shipment *shipment)
{
    for (size_t i = 0; i < shipment->n_errands; i++)
        if (shipment->errands[i].outcome == OUTCOME_DELIVERED &&
            shipment->errands[i].text[0] != '2')
            abort();
}

static struct rig *the_rig(void)
{
    static struct rig rig;

    if (rig.store == NULL)
        rig_open(&rig);
    return &rig;
}

/* The shipment is done with: the connection waits for another. */
static void on_finished(struct client_task *task)
{
    task->shipment = NULL;
}

/* What happens besides input, by the first byte of a piece that begins no reply. */
static void do_event(struct rig *rig, struct client_task *task, struct shipment *second, char what)
{
    if (what == 'T') {
        rig_event(rig, WHY_TIMEOUT);
    } else if (rig->waits_notice) {
        if (what == 'N' && !task->begun && task->n_done == 1)
            task->shipment = second;
        rig_event(rig, WHY_NOTICE);
    }
}

static void say(struct rig *rig, struct slice piece)
{
    rig_say_bytes(rig, piece);
    struct slice said = slice_of(rig_text(rig));
    if (said.len > 0 && said.data[said.len - 1] != '\n')
        abort();
    if (rig->wants_tls)
        rig_secure(rig);
}

/* The first byte says what kind of server it is, and whether it is kept. */
enum { KEPT = 1, LMTP = 2, LOGIN = 4, TLS_REQUIRED = 8 };

static struct client_task make_task(struct shipment *shipment, uint8_t kind)
{
    return (struct client_task){ .shipment = shipment,
                                 .hostname = "mx.test",
                                 .lmtp = (kind & LMTP) != 0,
                                 .login = (kind & LOGIN) != 0 ? "me" : NULL,
                                 .password = "secret",
                                 .policy.require_tls = (kind & TLS_REQUIRED) != 0,
                                 .finished = (kind & KEPT) != 0 ? on_finished : NULL,
                                 .ended = on_ended };
}

/* Then pieces, as the network may cut them: a NUL ends a piece. One that starts with "N" is a
 * notice, with another shipment the first time; with "Q" a notice to quit, with "T" a timeout. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig *rig = the_rig();
    struct shipment *shipment = make_shipment(rig), *second = make_shipment(rig);
    struct client_task task = make_task(shipment, size > 0 ? data[0] : 0);
    struct slice rest = slice_from(slice_make(data, size), 1), piece;

    check_answer(rest);
    rig_start(rig, &protocol, &task);
    rig->call.tls_offered = true;
    while (!rig->closed && slice_split(&rest, '\0', &piece)) {
        if (piece.len > 0 && strchr("NQT", piece.data[0]) != NULL)
            do_event(rig, &task, second, piece.data[0]);
        else
            say(rig, piece);
    }
    rig_stop(rig);
    check_outcomes(shipment);
    check_outcomes(second);
    shipment_free(&shipment);
    shipment_free(&second);
    return 0;
}
