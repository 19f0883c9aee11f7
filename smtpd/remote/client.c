/* client.c - the dialogue; see client.h. */
#include "smtpd/remote/client.h"

#include <stdio.h>
#include <stdlib.h>

/* The task's next shipment becomes the one in hand. */
static void take_shipment(struct client *client)
{
    struct client_task *task = client->task;

    client->shipment = task->shipment;
    client->shipment->tls[0] = '\0';
    client->next_rcpt = 0;
    for (size_t i = 0; i < client->shipment->n_errands; i++)
        client->shipment->errands[i].accepted = false; /* by another server */
    task->begun = true;
    task->got_through = false;
    snprintf(task->status, sizeof(task->status), "4.4.2");
    snprintf(task->text, sizeof(task->text), "The connection was lost");
}

void *client_open(struct call *call, void *context)
{
    struct client *client = NEW(struct client);

    client->task = context;
    client->task->tls_failed = false;
    client->task->permanent = false;
    client->task->tls_result = NULL;
    client->task->tls_reason[0] = '\0';
    client->task->n_done = 0;
    client->task->transactions_max = 0;
    client->phase = CLIENT_GREETING;
    if (client->task->key != 0)
        call->key = client->task->key;
    take_shipment(client);
    return client;
}

/* The server is of no use: who has no outcome yet keeps none. */
static enum next give_up(struct client *client, const char *status, const char *text)
{
    struct client_task *task = client->task;

    snprintf(task->status, sizeof(task->status), "%s", status);
    snprintf(task->text, sizeof(task->text), "%s", text);
    return NEXT_CLOSE;
}

static enum next say(struct client *client, enum client_phase phase, const char *command)
{
    client->phase = phase;
    buf_add_text(&client->call->out, command);
    client->n_unanswered++;
    return NEXT_INPUT;
}

static enum next say_quit(struct client *client)
{
    return say(client, CLIENT_QUIT, "QUIT\r\n");
}

static enum next say_rset(struct client *client)
{
    return say(client, CLIENT_RSET, "RSET\r\n");
}

/* The shipment is done with, as far as this server goes. */
static enum next finish(struct client *client)
{
    struct client_task *task = client->task;
    bool is_last = task->transactions_max > 0 && task->n_done + 1 >= task->transactions_max;

    if (task->finished == NULL || is_last)
        return say_quit(client);
    if (client->n_unanswered > 0) {
        client->phase = CLIENT_DRAIN;
        return NEXT_INPUT;
    }
    client->phase = CLIENT_IDLE;
    client->shipment = NULL;
    task->begun = false;
    task->n_done++;
    task->finished(task); /* the shipment may be gone now */
    return NEXT_NOTICE;
}

static enum next on_drain(struct client *client, const struct answer *answer)
{
    return finish(client);
}

static enum next give_up_by_answer(struct client *client, const struct answer *answer)
{
    answer_refusal_status(answer, client->task->status);
    answer_print(answer, client->task->text, sizeof(client->task->text));
    return say_quit(client);
}

static enum next say_hello(struct client *client, enum client_phase phase)
{
    client->extensions = 0;
    client->size_max = client->rcpt_max = 0;
    client->task->transactions_max = 0;
    const char *verb = client->task->lmtp ? "LHLO" : phase == CLIENT_EHLO ? "EHLO" : "HELO";

    buf_fmt(&client->call->out, "%s %s\r\n", verb, client->task->hostname);
    return say(client, phase, "");
}

/* What a refusal means for a recipient; anything unheard of is worth another try. */
static enum outcome outcome_of(const struct answer *answer)
{
    return answer->code / 100 == 5 ? OUTCOME_FAILED : OUTCOME_LATER;
}

static void end_open(struct client *client, bool accepted_only, enum outcome outcome,
                     const struct answer *answer)
{
    for (size_t i = 0; i < client->shipment->n_errands; i++) {
        struct errand *errand = &client->shipment->errands[i];

        if (errand->outcome == OUTCOME_OPEN && (errand->accepted || !accepted_only))
            errand_end_by_answer(errand, outcome, answer);
    }
}

/* Whether the greeting bears our own name: we would send the message in a circle. */
static bool is_myself(const struct client *client, const struct answer *answer)
{
    struct slice lines = answer->lines, text, name;

    return answer_line(&lines, &text) && slice_split(&text, ' ', &name) &&
           slice_is(name, client->task->hostname);
}

static enum next on_greeting(struct client *client, const struct answer *answer)
{
    if (answer->code != 220)
        return give_up_by_answer(client, answer);
    if (!client->task->lmtp && is_myself(client, answer)) {
        shipment_end(client->shipment, OUTCOME_FAILED, "5.4.6",
                     "Mail for this domain would come back to this server");
        return say_quit(client);
    }
    return say_hello(client, CLIENT_EHLO);
}

static void say_all_rcpt(struct client *client)
{
    struct shipment *shipment = client->shipment;

    for (size_t i = 0; i < client->rcpt_end; i++)
        if (shipment->errands[i].outcome == OUTCOME_OPEN)
            client_say_rcpt(client, shipment->errands[i].to);
}

static void note_tls(struct client *client, const char *result, const char *reason)
{
    struct client_task *task = client->task;

    task->tls_result = result;
    snprintf(task->tls_reason, sizeof(task->tls_reason), "%s", reason);
}

/* Whether the policy is met; else the task says why not. */
static bool is_secure_enough(struct client *client)
{
    struct client_task *task = client->task;
    const struct tls_policy *policy = &task->policy;
    bool has_tls = client->call->secure;

    if (!has_tls && policy->required) {
        task->permanent = policy->require_tls;
        (void)give_up(client, policy->require_tls ? "5.7.10" : "4.7.10",
                      "The server has no TLS, and the message may not go without");
        return false;
    }
    if (policy->require_tls && (client->extensions & EXTENSION_REQUIRETLS) == 0) {
        task->permanent = true; /* RFC 8689 section 4.2.1 */
        (void)give_up(client, "5.7.30",
                      "The sender requires TLS (REQUIRETLS), the server does not "
                      "promise it");
        return false;
    }
    return true;
}

static enum next begin_transaction(struct client *client)
{
    struct error err;

    if (!is_secure_enough(client))
        return say_quit(client);
    if (!client_read_body(client, &err)) {
        if (err.kind == ERROR_NOT_FOUND) /* the operator has removed it */
            shipment_end(client->shipment, OUTCOME_DROPPED, "", "");
        else
            shipment_end(client->shipment, OUTCOME_LATER, "4.3.0", err.text);
        return finish(client);
    }
    if (!client_may_send(client))
        return finish(client);
    client_choose_recipients(client);
    client->pipelines = (client->extensions & EXTENSION_PIPELINING) != 0;
    client_describe_tls(client);
    client->shipment->host_knows_dsn = (client->extensions & EXTENSION_DSN) != 0;
    client_say_mail(client);
    if (client->pipelines)
        say_all_rcpt(client);
    client->phase = CLIENT_MAIL;
    return NEXT_INPUT;
}

/* The server knows who we are, and we what it can do. */
static enum next begin(struct client *client)
{
    if (client->task->login == NULL)
        return begin_transaction(client);
    if (!client->call->secure) {
        (void)give_up(client, "4.7.10", "The relay has no TLS, so it gets no password");
        return say_quit(client);
    }
    client_say_auth(client);
    client->phase = CLIENT_AUTH;
    return NEXT_INPUT;
}

static enum next on_auth(struct client *client, const struct answer *answer)
{
    if (client_go_on_auth(client, answer))
        return NEXT_INPUT;
    return answer->code == 235 ? begin_transaction(client) : give_up_by_answer(client, answer);
}

static enum next on_ehlo(struct client *client, const struct answer *answer)
{
    struct slice lines = answer->lines, text;

    if (answer->code / 100 == 5 && !client->task->lmtp)
        return say_hello(client, CLIENT_HELO);
    if (answer->code != 250)
        return give_up_by_answer(client, answer);
    (void)answer_line(&lines, &text); /* the server's name */
    while (answer_line(&lines, &text))
        client_learn(client, text);
    if ((client->extensions & EXTENSION_STARTTLS) != 0 && client->call->tls_offered &&
        !client->task->no_tls)
        return say(client, CLIENT_STARTTLS, "STARTTLS\r\n");
    if (!client->call->secure && !client->task->no_tls)
        note_tls(client, "starttls-not-supported", "STARTTLS is not offered");
    return begin(client);
}

static enum next on_helo(struct client *client, const struct answer *answer)
{
    if (!client->call->secure)
        note_tls(client, "starttls-not-supported", "The server knows no EHLO");
    return answer->code == 250 ? begin(client) : give_up_by_answer(client, answer);
}

static enum next on_starttls(struct client *client, const struct answer *answer)
{
    if (answer->code != 220) {
        note_tls(client, "starttls-not-supported", "");
        answer_print(answer, client->task->tls_reason, sizeof(client->task->tls_reason));
        return begin(client);
    }
    client->phase = CLIENT_SHAKING;
    client->call->tls_check = &client->task->policy.check;
    return NEXT_TLS;
}

static struct errand *next_errand(struct client *client)
{
    struct shipment *shipment = client->shipment;

    while (client->next_rcpt < client->rcpt_end) {
        struct errand *errand = &shipment->errands[client->next_rcpt];
        if (errand->outcome == OUTCOME_OPEN && !errand->accepted)
            return errand;
        client->next_rcpt++;
    }
    return NULL;
}

static enum next begin_body(struct client *client)
{
    client_begin_body(client);
    client->phase = CLIENT_BODY;
    client_time_body(client);
    return NEXT_AGAIN;
}

/* The next RCPT, or what follows the last one. */
static enum next go_on(struct client *client)
{
    struct errand *errand = next_errand(client);

    client->phase = CLIENT_RCPT;
    if (errand != NULL) {
        if (!client->pipelines)
            client_say_rcpt(client, errand->to);
        return NEXT_INPUT;
    }
    if (client->n_accepted == 0)
        return finish(client);
    if (client->in_chunks)
        return begin_body(client);
    return say(client, CLIENT_DATA, "DATA\r\n");
}

static enum next on_mail(struct client *client, const struct answer *answer)
{
    client->task->got_through = true;
    client->in_transaction = answer->code / 100 == 2;
    if (client->in_transaction)
        return go_on(client);
    end_open(client, false, outcome_of(answer), answer);
    return finish(client);
}

static enum next on_rcpt(struct client *client, const struct answer *answer)
{
    struct errand *errand = next_errand(client);
    bool is_full = answer->code == 452 || answer->code == 552;

    if (answer->code / 100 == 2) {
        errand->accepted = true;
        client->n_accepted++;
    } else if (!is_full || client->n_accepted == 0) {
        errand_end_by_answer(errand, outcome_of(answer), answer);
    } /* else it has enough for one transaction: RFC 5321 section 4.5.3.1.10 */
    client->next_rcpt++;
    return go_on(client);
}

static enum next on_data(struct client *client, const struct answer *answer)
{
    if (answer->code == 354)
        return begin_body(client);
    end_open(client, true, outcome_of(answer), answer);
    return finish(client);
}

/* RFC 2033 section 4.2: the reply is about the first one that has none yet. */
static void end_first_accepted(struct client *client, enum outcome outcome,
                               const struct answer *answer)
{
    struct errand *errand = client->shipment->errands;

    while (errand->outcome != OUTCOME_OPEN || !errand->accepted)
        errand++;
    errand_end_by_answer(errand, outcome, answer);
    client->n_accepted--;
}

static enum next on_sent(struct client *client, const struct answer *answer)
{
    bool is_taken = answer->code / 100 == 2;
    enum outcome outcome = is_taken ? OUTCOME_DELIVERED : outcome_of(answer);

    if (client->task->lmtp)
        end_first_accepted(client, outcome, answer);
    else
        end_open(client, true, outcome, answer);
    if (client->task->lmtp && client->n_accepted > 0)
        return NEXT_INPUT;
    client->in_transaction = false;
    if (shipment_is_open(client->shipment)) /* those it had no room for */
        return begin_transaction(client);
    return finish(client);
}

static enum next on_quit(struct client *client, const struct answer *answer)
{
    return client->n_unanswered == 0 ? NEXT_CLOSE : NEXT_INPUT; /* some of what was pipelined */
}

static enum next on_rset(struct client *client, const struct answer *answer)
{
    client->in_transaction = false;
    return answer->code == 250 ? begin_transaction(client) : give_up_by_answer(client, answer);
}

/* A reply that nobody has asked for. */
static enum next on_surprise(struct client *client, const struct answer *answer)
{
    return give_up_by_answer(client, answer);
}

static enum next on_answer(struct client *client, const struct answer *answer)
{
    static enum next (*const handlers[])(struct client *, const struct answer *) = {
        [CLIENT_GREETING] = on_greeting, [CLIENT_EHLO] = on_ehlo, [CLIENT_HELO] = on_helo,
        [CLIENT_STARTTLS] = on_starttls, [CLIENT_AUTH] = on_auth, [CLIENT_SHAKING] = on_surprise,
        [CLIENT_MAIL] = on_mail,         [CLIENT_RCPT] = on_rcpt, [CLIENT_DATA] = on_data,
        [CLIENT_BODY] = on_surprise,     [CLIENT_SENT] = on_sent, [CLIENT_DRAIN] = on_drain,
        [CLIENT_IDLE] = on_surprise,     [CLIENT_RSET] = on_rset, [CLIENT_QUIT] = on_quit,
    };
    /* RFC 5321 section 3.8: the server closes the connection. */
    bool ends = answer->code == 421 && client->phase != CLIENT_QUIT;

    log_debug(&client->call->log, "answer", F_NUM("phase", client->phase),
              F_NUM("code", answer->code));
    if (client->n_unanswered > 0)
        client->n_unanswered--;
    return ends ? give_up_by_answer(client, answer) : handlers[client->phase](client, answer);
}

static enum next give_up_late(struct client *client)
{
    return give_up(client, "4.4.2", "The other server did not answer in time");
}

/* All replies that are there. */
static enum next take_answers(struct client *client)
{
    struct call *call = client->call;
    enum next next = NEXT_INPUT;
    struct answer answer;

    while (next == NEXT_INPUT) {
        switch (answer_parse(buf_slice(&call->in), &answer)) {
        case PARSE_MORE:
            /* In IDLE it is half a reply that nobody has asked for. */
            return client->phase == CLIENT_IDLE ? NEXT_CLOSE : NEXT_INPUT;
        case PARSE_BAD:
            return give_up(client, "4.5.0", "The other server's reply is not SMTP");
        case PARSE_OK:
            break;
        }
        client->waits = false;
        next = on_answer(client, &answer);
        buf_drop(&call->in, answer.lines.len);
    }
    return next;
}

static enum next send_body(struct client *client)
{
    if (client_is_too_slow(client))
        return give_up(client, "4.4.2", "The other server takes the message too slowly");
    if (client_send_body(client))
        return NEXT_AGAIN;
    client->phase = CLIENT_SENT;
    return take_answers(client);
}

/* What the caller wants next, while nothing is in hand. */
static enum next on_notice(struct client *client)
{
    if (client->phase != CLIENT_IDLE)
        return take_answers(client);
    client->waits = false;
    if (client->task->shipment == NULL)
        return say_quit(client);
    take_shipment(client);
    return client->in_transaction ? say_rset(client) : begin_transaction(client);
}

/* The connection is open, or could not be opened: then call->in says why. */
static enum next start(struct client *client)
{
    struct call *call = client->call;

    if (atomic_load(&call->closing)) {
        buf_add_byte(&call->in, '\0');
        return give_up(client, "4.4.1", call->in.data);
    }
    return take_answers(client);
}

/* No more input comes, or we may not wait for it. */
static enum next end(struct client *client)
{
    if (client->phase == CLIENT_IDLE)
        return say_quit(client);
    (void)take_answers(client);
    if (client->call->why == WHY_TIMEOUT)
        return give_up_late(client);
    return NEXT_CLOSE;
}

static enum next on_call(struct client *client)
{
    struct call *call = client->call;

    switch (call->why) {
    case WHY_START:
        return start(client);
    case WHY_SECURED: /* it may be one that fails a policy that is only tested */
        note_tls(client, tls_result_name(client->task->policy.check.fault),
                 client->task->policy.check.text);
        client->waits = false;
        return say_hello(client, CLIENT_EHLO);
    case WHY_AGAIN:
        return send_body(client);
    case WHY_INPUT:
        return take_answers(client);
    case WHY_NOTICE:
        return on_notice(client);
    case WHY_ENDED:
    case WHY_TIMEOUT:
    case WHY_STOP:
        return end(client);
    }
    abort();
}

enum next client_run(struct call *call)
{
    struct client *client = call->state;

    client->call = call;
    enum next next = on_call(client);
    bool waits = next == NEXT_INPUT || next == NEXT_NOTICE;

    call->must_hear = client->phase == CLIENT_SENT; /* or the message would be sent a second time */
    return !waits || client_wait(client) ? next : give_up_late(client);
}

static void end_handshake(struct client *client, const char *reason)
{
    struct client_task *task = client->task;
    const struct tls_check *check = &task->policy.check;
    bool is_checked = check->fault != TLS_GOOD;

    task->tls_failed = true;
    note_tls(client, tls_result_name(is_checked ? check->fault : TLS_NO_HANDSHAKE),
             is_checked ? check->text : reason);
    snprintf(task->status, sizeof(task->status), "%s", is_checked ? "4.7.5" : "4.7.0");
    snprintf(task->text, sizeof(task->text), "TLS: %.480s", task->tls_reason);
}

void client_close(struct call *call)
{
    struct client *client = call->state;
    struct client_task *task = client->task;

    if (client->phase == CLIENT_SHAKING)
        end_handshake(client, call->reason);
    free(client);
    task->ended(task);
}
