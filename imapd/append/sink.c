/* sink.c - the literals of APPEND and REPLACE: refused before they are sent where that is possible,
 * else streamed into a body, so that none is ever held as text of a command.
 *
 * A refusal in mid-command ends it: input.c then passes over what the client sends of it unasked.
 */
#include "imapd/append/append.h"
#include "imapd/limit.h"
#include "imapd/reply.h"

#include <stdlib.h>

#define MESSAGE_BYTES (6 * 1024) /* what one of very many takes, with a small body */
#define FREE_MESSAGES 16         /* not worth an account */
#define FOUND_MS      1000 /* how long a mailbox and the rights on it are not looked up again */

void append_free(struct client *client)
{
    if (client->append == NULL)
        return;
    ceiling_hold(&client->append->held, 0);
    for (struct append_message *m = client->append->messages; m != NULL; m = m->next) {
        body_free(&m->text);
        body_free(&m->built);
        for (struct append_part *part = m->parts; part != NULL; part = part->next)
            mail_part_free(&part->source);
    }
    free(client->append);
    client->append = NULL;
}

enum append_stop append_go_on(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    const char *command = client->input.command.data;
    enum append_stop stop;

    if (client->append == NULL) {
        client->append = NEW(struct appending);
        client->append->replace = slice_is(slice_of(client->command->name), "REPLACE");
        client->append->parsed = (size_t)(args->rest.data - command);
        client->sink = &append_sink;
    }
    args->rest =
        slice_from(args->rest, client->append->parsed - MIN(client->append->parsed,
                                                            (size_t)(args->rest.data - command)));
    stop = append_parse(client->append, args);
    client->append->parsed = (size_t)(args->rest.data - command);
    return stop;
}

enum next append_refuse(struct call *call, const struct error *err)
{
    if (err->kind == ERROR_NOT_FOUND)
        return reply_no(call, "TRYCREATE", "There is no such mailbox");
    return reply_error(call, err);
}

/* What was found a moment ago, in the turn in which the literal was announced. */
static bool is_known(struct call *call, struct place *target_out, struct error *err)
{
    struct appending *appending = client_of(call)->append;

    if (appending->found_ms == 0 || clock_ms() - appending->found_ms > FOUND_MS)
        return false;
    *target_out = appending->target;
    return desk_account(call->desk, appending->owner, &target_out->account, err);
}

bool append_find_target(struct call *call, struct place *target_out)
{
    struct appending *appending = client_of(call)->append;
    struct error err;

    if (is_known(call, target_out, &err))
        return true;
    if (place_find(call, appending->mailbox, RIGHT_INSERT, target_out, &err)) {
        appending->target = *target_out;
        appending->owner = account_id(target_out->account);
        appending->found_ms = clock_ms();
        return true;
    }
    append_refuse(call, &err);
    return false;
}

/* url-resp-text: any text without CR, LF and "]". What is not, is percent-encoded, as a URL may
 * be. */
enum next append_refuse_url(struct call *call, struct slice url)
{
    AUTO(buf_free) struct buf code = { 0 };

    buf_add_text(&code, "BADURL \"");
    for (size_t i = 0; i < MIN(url.len, IMAP_URL_MAX); i++) {
        unsigned char byte = (unsigned char)url.data[i];

        if (byte <= ' ' || byte >= 0x7f || strchr("\"\\]", byte) != NULL)
            buf_fmt(&code, "%%%02X", byte);
        else
            buf_add_byte(&code, (char)byte);
    }
    buf_add_byte(&code, '"');
    return reply_no(call, buf_text(&code), "This URL leads to no message or part");
}

bool append_has_room(struct call *call, const struct place *target, uint64_t bytes, size_t messages)
{
    const struct client *client = client_of(call);
    struct quota quota;
    struct error err;

    if (limit_refuses_append(call, messages))
        return false;
    if (bytes > client->imap->settings->literal) {
        reply_no(call, "TOOBIG", "The message is too big");
        return false;
    }
    /* What a REPLACE removes is known to the store only. */
    if (client->append->replace)
        return true;
    if (!account_quota(target->account, &quota, &err)) {
        reply_error(call, &err);
        return false;
    }
    if ((quota.bytes_max > 0 && quota.bytes + bytes > quota.bytes_max) ||
        (quota.messages_max > 0 && quota.messages + messages > quota.messages_max)) {
        reply_no(call, "OVERQUOTA", "The account has no room for it");
        return false;
    }
    return true;
}

static enum literal_plan refuse_syntax(struct call *call, struct args *args, const char *error)
{
    args_fail(args, error);
    reply_syntax(call, args);
    return LITERAL_REFUSE;
}

/* Is there memory for one message more? The one before is whole. */
static bool has_memory(struct call *call)
{
    struct appending *appending = client_of(call)->append;
    size_t count = appending->n_messages;

    return count <= FREE_MESSAGES || ceiling_hold(&appending->held, count * MESSAGE_BYTES);
}

/* A body that is whole needs no descriptor any more. */
static void finish_others(struct appending *appending)
{
    for (struct append_message *m = appending->unfinished; m != NULL && m->next != NULL;
         m = m->next) {
        if (m->text != NULL && !appending->failed && !body_is_finished(m->text))
            appending->failed = !body_finish(m->text, &appending->error);
        appending->unfinished = m->next;
    }
}

/* A literal of a message: does it fit? */
static enum literal_plan plan_data(struct call *call, struct args *args,
                                   const struct literal *literal)
{
    struct client *client = client_of(call);
    struct appending *appending = client->append;
    struct append_message *message = appending->last;
    struct place target;

    if (appending->in_utf8 && !literal->binary)
        return refuse_syntax(call, args, "UTF8 data comes as ~{n}");
    if (literal->size == 0 && !message->catenate) {
        reply_no(call, NULL, "An empty message cannot be stored"); /* RFC 3502 section 6.3.11 */
        return LITERAL_REFUSE;
    }
    if (appending->bad_url.len > 0) {
        append_refuse_url(call, appending->bad_url);
        return LITERAL_REFUSE;
    }
    appending->bytes += literal->size;
    if (!append_find_replaced(call) || !append_find_target(call, &target) ||
        !append_has_room(call, &target, appending->bytes, appending->n_messages))
        return LITERAL_REFUSE;
    if (!has_memory(call)) {
        reply_no(call, "LIMIT", "Too much to do for so many messages, try again later");
        return LITERAL_REFUSE;
    }
    if (appending->unfinished == NULL)
        appending->unfinished = appending->messages;
    finish_others(appending);
    if (message->text == NULL)
        message->text = body_new(client->imap->store);
    appending->in_literal = true;
    return LITERAL_STREAM;
}

static enum literal_plan plan(struct call *call, struct args *args, const struct literal *literal)
{
    switch (append_go_on(call, args)) {
    case APPEND_STOP_STRING:
        return LITERAL_COLLECT;
    case APPEND_STOP_LITERAL:
        return plan_data(call, args, literal);
    case APPEND_STOP_END:
    case APPEND_STOP_WRONG:
        break;
    }
    return refuse_syntax(call, args, "a space was expected");
}

/* Many small messages for which there is no memory would be as many files. */
static bool is_crowd(const struct client *client, const struct append_message *message)
{
    return client->append->n_messages > FREE_MESSAGES && body_is_large(message->text) &&
           body_size(message->text) <= client->imap->settings->inline_max;
}

static void add(struct call *call, struct slice bytes)
{
    struct client *client = client_of(call);
    struct appending *appending = client->append;
    struct append_message *message = appending->last;

    if (memchr(bytes.data, '\0', bytes.len) != NULL) {
        if (client->input.literal.binary)
            message->nul8 = true;
        else
            message->nul = true; /* RFC 3501 section 9: CHAR8 has none */
    }
    if (!appending->failed && !message->nul)
        appending->failed = !body_add(message->text, bytes, &appending->error);
    if (!appending->failed && is_crowd(client, message))
        appending->failed = !error_set(&appending->error, ERROR_LIMIT, "memory is short");
    if (appending->failed)
        for (struct append_message *m = appending->messages; m != NULL; m = m->next)
            body_free(&m->text);
}

static void drop(struct call *call)
{
    append_free(client_of(call));
}

const struct literal_sink append_sink = { .plan = plan, .add = add, .drop = drop };
