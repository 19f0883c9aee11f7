/* filter.c - see filter.h. */
#include "smtpd/milter/filter.h"

#include "common/daemon.h"
#include "message/header.h"
#include "smtpd/milter/changes.h"
#include "smtpd/policy.h"
#include "smtpd/reply.h"

#include <stdlib.h>

#define POSTPONED "451 4.7.1 A filter cannot be asked now, try again later"

struct filter {
    struct smtp *smtp;
    size_t next; /* of the setting's milters */
    struct outgoing outgoing;
    struct milter_task task;
    struct slice *recipients;
};

static const struct protocol protocol = {
    .name = "milter", .open = milter_open, .run = milter_run, .close = milter_close
};

void filter_free(struct filter **filter_pointer)
{
    struct filter *filter = TAKE(*filter_pointer);

    if (filter == NULL)
        return;
    milter_task_free(&filter->task);
    free(filter->recipients);
    free(filter);
}

static const struct milter_server *server_of(const struct filter *filter)
{
    return &filter->smtp->smtpd->milters.items[filter->next];
}

static void on_ended(struct milter_task *task)
{
    struct smtp *smtp = CONTAINER_OF(task, struct filter, task)->smtp;

    smtp->smtpd->resume(smtp->call);
}

/* One address of the client may have become several targets. */
static void list_recipients(struct filter *filter, const struct queue_message *message)
{
    struct milter_facts *facts = &filter->task.facts;
    size_t room = 0;

    free(TAKE(filter->recipients));
    for (size_t i = 0; i < message->n_recipients; i++) {
        struct slice address = message->recipients[i].original;

        if (i > 0 && slice_equal(message->recipients[i - 1].original, address))
            continue;
        filter->recipients = mem_grow(filter->recipients, &room, facts->n_recipients + 1,
                                      sizeof(*filter->recipients));
        filter->recipients[facts->n_recipients++] = address;
    }
    facts->recipients = filter->recipients;
}

static const char *name_of_client(const struct smtp *smtp)
{
    const struct visitor *visitor = &smtp->visitor;

    if (!visitor->is_known || visitor->iprev.count == 0)
        return "";
    return slice_text(&smtp->mail.letter->arena, visitor->iprev.names[0]);
}

static struct milter_facts facts_of(const struct smtp *smtp, struct slice bytes)
{
    const struct letter *letter = smtp->mail.letter;
    size_t header = header_length(bytes);

    return (struct milter_facts){
        .hostname = smtp->smtpd->settings->hostname,
        .peer = smtp->call->peer,
        .client_name = name_of_client(smtp),
        .helo = buf_slice(&smtp->helo),
        .login = buf_slice(&smtp->login),
        .login_method = smtp->login_method,
        .tls_name = smtp->call->tls_name,
        .trace_id = letter->trace_id,
        .sender = letter->message.sender,
        .eight_bit = letter->message.eight_bit,
        .utf8 = letter->message.utf8,
        .header = slice_part(bytes, 0, header),
        .body = slice_from(bytes, header),
    };
}

/* What the client hears of a failure of ours. */
static const char *trouble(struct filter *filter, const struct error *err)
{
    log_failure(&filter->smtp->call->log, err);
    return reply_for_error(err);
}

static enum station_result ask(struct filter *filter, const char **reply_out)
{
    struct smtp *smtp = filter->smtp;
    const struct milter_server *server = server_of(filter);
    struct slice bytes;
    struct error err;

    if (!body_bytes(smtp->mail.letter->body, &bytes, &err)) {
        *reply_out = trouble(filter, &err);
        return STATION_REFUSE;
    }
    filter->task = (struct milter_task){
        .server = server,
        .facts = facts_of(smtp, bytes),
        .timeout_ms = smtp->smtpd->settings->milter_timeout,
        .size_max = smtp->smtpd->settings->message_size,
        .store = smtp->smtpd->store,
        .ended = on_ended,
    };
    list_recipients(filter, &smtp->mail.letter->message);
    filter->outgoing = (struct outgoing){
        .address = server->address,
        .port = server->port,
        .protocol = &protocol,
        .context = &filter->task,
    };
    smtp->smtpd->connect(smtp->smtpd->server, &filter->outgoing);
    return STATION_WAIT;
}

/* Header and body in one. */
static bool join(struct filter *filter, struct slice header, struct slice text,
                 struct body **body_out, struct error *err)
{
    AUTO(body_free) struct body *body = body_new(filter->smtp->smtpd->store);

    if (!body_add(body, header, err) || (text.len > 0 && !body_add(body, text, err)) ||
        !body_finish(body, err))
        return false;
    *body_out = TAKE(body);
    return true;
}

/* The message anew, where its header or its body has changed. */
static bool rewrite(struct filter *filter, struct error *err)
{
    struct milter_task *task = &filter->task;
    struct letter *letter = filter->smtp->mail.letter;
    AUTO(buf_free) struct buf header = { 0 };
    struct slice text = task->facts.body;
    struct body *body;

    if (task->new_body == NULL && !changes_header(task))
        return true;
    if (task->new_body != NULL &&
        (!body_finish(task->new_body, err) || !body_bytes(task->new_body, &text, err)))
        return false;
    changes_apply(task, task->facts.header, text.len > 0, &header);
    if (!join(filter, buf_slice(&header), text, &body, err))
        return false;
    body_free(&letter->body);
    letter->body = body;
    letter->message.size = body_size(body) + letter->prefix.len;
    letter->has_delivered_to = true; /* perhaps: nobody has looked */
    return true;
}

static void add_target(struct letter *letter, struct slice original,
                       const struct resolve_target *target)
{
    const struct queue_recipient recipient = {
        .account = target->account,
        .address = target->address,
        .detail = target->detail,
        .original = original,
        .notify = NOTIFY_NEVER, /* the sender has not asked for this one */
    };

    letter_add_recipient(letter, &recipient);
}

/* "<bob@example.test>", or without <>. */
static bool read_address(struct smtp *smtp, struct slice text, struct path *path_out)
{
    if (text.len > 0 && text.data[0] == '<')
        return path_parse(&smtp->call->arena, &text, path_out) == PARSE_OK;
    return path_parse_bare(&smtp->call->arena, text, path_out);
}

static struct slice address_text(struct letter *letter, const struct path *path)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (!path->null)
        path_print(path->local, path->domain, &text);
    return slice_copy(&letter->arena, buf_slice(&text));
}

static void warn(struct filter *filter, const char *what, struct slice address)
{
    log_warn(&filter->smtp->call->log, what, F_STR("milter", server_of(filter)->name),
             F_TEXT("address", address));
}

static bool add_recipient(struct filter *filter, struct slice text, struct error *err)
{
    struct smtp *smtp = filter->smtp;
    struct letter *letter = smtp->mail.letter;
    struct resolved resolved;
    struct path path;

    if (!read_address(smtp, text, &path) || path.null || path.domain.len == 0) {
        warn(filter, "milter adds no address", text);
        return true;
    }
    if (!directory_resolve(smtp->call->desk, &smtp->call->arena, path.local, path.domain,
                           policy_separator(smtp->smtpd->settings), &resolved, err))
        return false;
    struct slice original = address_text(letter, &path);
    if (resolved.result == RESOLVE_REMOTE)
        add_target(letter, original, &(struct resolve_target){ .address = original });
    else if (resolved.result != RESOLVE_OK)
        warn(filter, "milter adds an unknown recipient", text);
    for (size_t i = 0; resolved.result == RESOLVE_OK && i < resolved.count; i++)
        add_target(letter, original, &resolved.targets[i]);
    return true;
}

static void remove_recipient(struct queue_message *message, size_t index)
{
    message->n_recipients--;
    memmove(&message->recipients[index], &message->recipients[index + 1],
            (message->n_recipients - index) * sizeof(*message->recipients));
}

static void delete_recipient(struct filter *filter, struct slice text)
{
    struct queue_message *message = &filter->smtp->mail.letter->message;
    struct path path;

    if (!read_address(filter->smtp, text, &path))
        return;
    struct slice address = address_text(filter->smtp->mail.letter, &path);
    for (size_t i = message->n_recipients; i-- > 0;)
        if (slice_equal_case(message->recipients[i].original, address))
            remove_recipient(message, i);
}

static void change_sender(struct filter *filter, struct slice text)
{
    struct letter *letter = filter->smtp->mail.letter;
    struct path path = { .null = true };

    if (text.len > 0 && !slice_is(text, "<>") && !read_address(filter->smtp, text, &path))
        warn(filter, "milter changes the sender to no address", text);
    else
        letter->message.sender = address_text(letter, &path);
}

/* Ours get it as Junk. Other servers do not know that folder: it waits for the operator. */
static void put_into_quarantine(struct filter *filter)
{
    struct queue_message *message = &filter->smtp->mail.letter->message;
    int64_t n_held = 0;

    message->junk = true;
    for (size_t i = 0; i < message->n_recipients; i++) {
        struct queue_recipient *recipient = &message->recipients[i];

        if (recipient->account != 0 || recipient->state != QUEUE_WAITING)
            continue;
        recipient->state = QUEUE_HELD;
        n_held++;
    }
    if (n_held > 0)
        log_warn(&filter->smtp->call->log, "held", F_STR("milter", server_of(filter)->name),
                 F_NUM("recipients", n_held));
}

static bool apply_to_envelope(struct filter *filter, struct error *err)
{
    for (const struct milter_change *change = filter->task.first_change; change != NULL;
         change = change->next) {
        enum frame_answer kind = change->reply.kind;

        if ((kind == SMFIR_ADDRCPT || kind == SMFIR_ADDRCPT_PAR) &&
            !add_recipient(filter, change->reply.name, err))
            return false;
        if (kind == SMFIR_DELRCPT)
            delete_recipient(filter, change->reply.name);
        if (kind == SMFIR_CHGFROM)
            change_sender(filter, change->reply.name);
    }
    if (filter->task.quarantined)
        put_into_quarantine(filter);
    return true;
}

/* What the milter has asked for. A message without recipients goes nowhere. */
static enum station_result apply(struct filter *filter, const char **reply_out)
{
    const struct queue_message *message = &filter->smtp->mail.letter->message;
    struct error err;

    if (!rewrite(filter, &err) || !apply_to_envelope(filter, &err)) {
        *reply_out = trouble(filter, &err);
        return STATION_REFUSE;
    }
    return message->n_recipients == 0 ? STATION_DISCARD : STATION_PASS;
}

static enum station_result on_lost(struct filter *filter, const char **reply_out)
{
    struct smtp *smtp = filter->smtp;
    bool passes = smtp->smtpd->settings->milter_on_failure == MILTER_FAILURE_ACCEPT;

    log_warn(&smtp->call->log, "milter lost", F_STR("milter", server_of(filter)->name),
             F_STR("reason", filter->task.text),
             F_STR("message", passes ? "accepted" : "postponed"));
    *reply_out = passes ? NULL : POSTPONED;
    return passes ? STATION_PASS : STATION_REFUSE;
}

static enum station_result verdict(struct filter *filter, const char **reply_out)
{
    switch (filter->task.verdict) {
    case MILTER_LOST:
        return on_lost(filter, reply_out);
    case MILTER_PASS:
        return apply(filter, reply_out);
    case MILTER_REFUSE:
        *reply_out = slice_text(&filter->smtp->mail.letter->arena, slice_of(filter->task.text));
        return STATION_REFUSE;
    case MILTER_DISCARD:
        return STATION_DISCARD;
    case MILTER_STOPPED:
        *reply_out = "451 4.3.2 Shutting down, try again later";
        return STATION_REFUSE;
    }
    abort();
}

static enum station_result go_on(struct filter *filter, const char **reply_out)
{
    enum station_result result = verdict(filter, reply_out);

    log_debug(&filter->smtp->call->log, "milter", F_STR("milter", server_of(filter)->name),
              F_NUM("verdict", filter->task.verdict),
              F_NUM("changes", (int64_t)filter->task.n_changes));
    milter_task_free(&filter->task);
    filter->next++;
    if (result != STATION_PASS || filter->next >= filter->smtp->smtpd->milters.count)
        return result;
    return ask(filter, reply_out);
}

static bool is_wanted(const struct smtp *smtp)
{
    return smtp->smtpd->milters.count > 0 && (smtp->smtpd->milter_services & smtp->service) != 0;
}

enum station_result filter_station(struct smtp *smtp, const char **reply_out)
{
    struct transaction *mail = &smtp->mail;

    if (mail->filter != NULL)
        return go_on(mail->filter, reply_out);
    if (!is_wanted(smtp))
        return STATION_PASS;
    mail->filter = NEW(struct filter);
    mail->filter->smtp = smtp;
    return ask(mail->filter, reply_out);
}
