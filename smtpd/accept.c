/* accept.c - see accept.h. */
#include "smtpd/accept.h"

#include "common/daemon.h"
#include "smtpd/courier.h"
#include "smtpd/milter/filter.h"
#include "smtpd/policy.h"
#include "smtpd/proof/station.h"
#include "smtpd/reply.h"
#include "smtpd/trace.h"

#include <stdio.h>
#include <stdlib.h>

static struct submit_facts *facts_of(struct smtp *smtp)
{
    struct letter *letter = smtp->mail.letter;
    struct submit_facts *facts = ARENA_NEW(&letter->arena, struct submit_facts);

    *facts = (struct submit_facts){
        .hostname = slice_of(smtp->smtpd->settings->hostname),
        .sender = letter->message.sender,
        .id = letter->trace_id,
        .now_ms = letter->message.arrived_ms,
    };
    return facts;
}

void accept_begin(struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;
    struct transaction *mail = &smtp->mail;

    mail->letter->message.arrived_ms = time_ms();
    mail->content = (struct content){
        .size_max = settings->message_size,
        .hops_max = (unsigned)settings->hops,
        .authserv_id = slice_of(smtp->service == SERVICE_LMTP ? "" : settings->hostname),
        .submit = smtp->service == SERVICE_SUBMISSION ? facts_of(smtp) : NULL,
    };
    mail->data = (struct data){ .fix_newlines = settings->bare_newline == BARE_NEWLINE_FIX };
    mail->has_content = true;
    content_start(&mail->content, smtp->smtpd->store);
    smtp->call->idle_ms = settings->data_timeout;
}

enum next cmd_data(struct smtp *smtp, struct slice arguments)
{
    if (arguments.len > 0)
        return refuse(smtp, "501 5.5.4 DATA takes no argument");
    if (smtp->mail.n_accepted == 0)
        return refuse(smtp, "554 5.5.1 No valid recipients");
    if (smtp->mail.letter->message.binary)
        return refuse(smtp, "503 5.5.1 BINARYMIME needs BDAT");
    accept_begin(smtp);
    smtp->step = STEP_DATA;
    return reply(smtp, "354 End data with <CR><LF>.<CR><LF>");
}

enum next accept_data(struct smtp *smtp)
{
    struct transaction *mail = &smtp->mail;
    struct buf *input = &smtp->call->in;
    struct slice rest = buf_slice(input);
    struct slice bytes;
    enum data_event event;

    while ((event = data_next(&mail->data, &rest, &bytes)) == DATA_BYTES)
        content_add(&mail->content, bytes);
    buf_drop(input, input->len - rest.len);
    if (mail->data.bare_newline)
        content_fail(&mail->content, CONTENT_BARE_NEWLINE);
    return event == DATA_END ? accept_message(smtp) : NEXT_INPUT;
}

const char *accept_fault(const struct content *content)
{
    switch (content->fault) {
    case CONTENT_GOOD:
        return NULL;
    case CONTENT_TOO_BIG:
        return "552 5.3.4 Message is too large";
    case CONTENT_HEADER_TOO_BIG:
        return "552 5.3.4 Message header is too large";
    case CONTENT_BARE_NEWLINE:
        return "550 5.6.0 Lines must end in CR LF, bare CR or LF is not accepted";
    case CONTENT_LOOP:
        return "554 5.4.6 Too many hops, this message is in a loop";
    case CONTENT_STORE:
        return reply_for_error(&content->error);
    }
    abort();
}

/* The reply to the whole message; LMTP says it once per recipient. The text may be the letter's. */
static enum next refuse_message(struct smtp *smtp, const char *text)
{
    size_t copies = smtp->service == SERVICE_LMTP ? smtp->mail.n_accepted : 1;
    enum next next;

    for (size_t i = 1; i < copies; i++)
        refuse_one(smtp, slice_of(text));
    next = refuse(smtp, "%s", text);
    smtp_reset(smtp);
    smtp->step = STEP_COMMAND;
    return next;
}

static void add_received(struct smtp *smtp)
{
    struct transaction *mail = &smtp->mail;
    const struct trace trace = {
        .helo = buf_slice(&smtp->helo),
        .address = smtp->call->peer->address,
        .hostname = slice_of(smtp->smtpd->settings->hostname),
        .tls_name = smtp->call->tls_name,
        .esmtp = smtp->esmtp,
        .lmtp = smtp->service == SERVICE_LMTP,
        .secure = smtp->call->secure,
        .authenticated = smtp->account != 0,
        .utf8 = mail->letter->message.utf8,
        .hide_client = smtp->service == SERVICE_SUBMISSION,
        .recipient = mail->first_original,
        .id = mail->letter->trace_id,
        .now_ms = mail->letter->message.arrived_ms,
    };

    trace_received(&trace, &mail->letter->prefix);
    mail->letter->message.prefix = buf_slice(&mail->letter->prefix);
}

/* For Received-From-MTA in reports: other servers only. */
static void note_client(struct smtp *smtp)
{
    struct letter *letter = smtp->mail.letter;
    AUTO(buf_free) struct buf client = { 0 };

    if (smtp->service != SERVICE_MX)
        return;
    trace_client(buf_slice(&smtp->helo), smtp->call->peer->address, &client);
    letter->message.client = slice_copy(&letter->arena, buf_slice(&client));
}

/* On the queue's writer thread: only wakes. */
static void on_commit(struct queue_change *change)
{
    struct smtp *smtp = CONTAINER_OF(change, struct smtp, change);

    smtp->smtpd->resume(smtp->call);
}

static void hand_to_letter(struct transaction *mail)
{
    struct letter *letter = mail->letter;

    letter->body = TAKE(mail->content.body);
    letter->has_delivered_to = mail->content.n_delivered_to > 0;
    letter->message.tls_optional = mail->content.tls_optional && !letter->message.require_tls;
    letter->message.size = body_size(letter->body) + letter->prefix.len;
}

/* The content is complete: without a fault it is a letter now. */
static enum station_result finish_content(struct smtp *smtp, const char **reply_out)
{
    struct transaction *mail = &smtp->mail;

    if (mail->data.bare_newline)
        content_fail(&mail->content, CONTENT_BARE_NEWLINE);
    content_finish(&mail->content);
    if (mail->content.fault == CONTENT_STORE)
        log_failure(&smtp->call->log, &mail->content.error);
    *reply_out = accept_fault(&mail->content);
    if (*reply_out != NULL)
        return STATION_REFUSE;
    add_received(smtp);
    note_client(smtp);
    hand_to_letter(mail);
    return STATION_PASS;
}

static enum station_result check_room(struct smtp *smtp, const char **reply_out)
{
    struct error err;

    if (!policy_message(smtp, &smtp->mail.letter->message, reply_out, &err)) {
        log_failure(&smtp->call->log, &err);
        *reply_out = reply_for_error(&err);
    }
    return *reply_out != NULL ? STATION_REFUSE : STATION_PASS;
}

/* What a message passes on its way into the queue, in this order. */
static station *const stations[] = {
    finish_content, check_room, proof_station_check, filter_station, proof_station_sign,
};

static enum next write_to_queue(struct smtp *smtp)
{
    struct letter *letter = smtp->mail.letter;

    smtp->change = (struct queue_change){
        .message = &letter->message,
        .body = letter->body,
        .done = on_commit,
    };
    smtp->step = STEP_COMMIT;
    queue_write(smtp->smtpd->queue, &smtp->change);
    return NEXT_WAIT;
}

static void log_message(struct smtp *smtp, const char *event)
{
    const struct queue_message *message = &smtp->mail.letter->message;

    log_info(&smtp->call->log, event, F_NUM("queue", (int64_t)message->id),
             F_TEXT("from", message->sender), F_NUM("recipients", (int64_t)message->n_recipients),
             F_NUM("size", (int64_t)message->size),
             F_NUM("ms", (int64_t)clock_ms() - smtp->mail.began_ms),
             F_STR("peer", smtp->call->peer->address));
}

/* The transaction is over, and it was a good one. */
static enum next end_message(struct smtp *smtp)
{
    smtp_reset(smtp);
    smtp->n_errors = 0;
    smtp->step = STEP_COMMAND;
    return NEXT_COMMAND;
}

static void reply_to_each(struct smtp *smtp, const char *text)
{
    size_t copies = smtp->service == SERVICE_LMTP ? smtp->mail.n_accepted : 1;

    for (size_t i = 0; i < copies; i++)
        reply(smtp, "%s", text);
}

/* The client hears nothing of it. */
static enum next discard_message(struct smtp *smtp)
{
    log_message(smtp, "discarded");
    reply_to_each(smtp, "250 2.0.0 Ok");
    return end_message(smtp);
}

enum next accept_message(struct smtp *smtp)
{
    smtp->mail.station = 0;
    return accept_go_on(smtp);
}

enum next accept_go_on(struct smtp *smtp)
{
    struct transaction *mail = &smtp->mail;
    const char *text = NULL;

    smtp->step = STEP_STATIONS;
    for (; mail->station < COUNT_OF(stations); mail->station++) {
        switch (stations[mail->station](smtp, &text)) {
        case STATION_PASS:
            continue;
        case STATION_WAIT:
            return NEXT_WAIT;
        case STATION_REFUSE:
            return refuse_message(smtp, text);
        case STATION_DISCARD:
            return discard_message(smtp);
        }
    }
    return write_to_queue(smtp);
}

static void log_accepted(struct smtp *smtp)
{
    atomic_fetch_add(&smtp->smtpd->counters.accepted, 1);
    log_message(smtp, "accepted");
}

static enum next accepted(struct smtp *smtp)
{
    char text[64];

    log_accepted(smtp);
    snprintf(text, sizeof(text), "250 2.0.0 Ok, queued as %llu",
             (unsigned long long)smtp->mail.letter->message.id);
    reply_to_each(smtp, text);
    courier_take(smtp->smtpd->courier, smtp->mail.letter);
    return end_message(smtp);
}

enum next accept_committed(struct smtp *smtp)
{
    const struct error *err = &smtp->change.error;

    if (smtp->change.ok)
        return accepted(smtp);
    log_failure(&smtp->call->log, err);
    return refuse_message(smtp, reply_for_error(err));
}

bool accept_ends_lightly(const struct smtp *smtp)
{
    const struct transaction *mail = &smtp->mail;

    return smtp->change.ok && mail->filter == NULL && mail->burl == NULL &&
           !body_is_large(mail->letter->body);
}

void accept_late(struct smtp *smtp)
{
    if (!smtp->change.ok)
        return;
    log_accepted(smtp);
    courier_take(smtp->smtpd->courier, smtp->mail.letter);
}
