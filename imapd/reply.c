/* reply.c - see reply.h. News of the selected mailbox are in news.c. */
#include "imapd/reply.h"
#include "common/codec.h"
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/limit.h"
#include "imapd/metadata.h"
#include "storage/acl.h"

#define ERRORS_MAX 50 /* bad commands in a row after which a client is sent away */
#define QUOTED_MAX 1000

void reply_untagged(struct call *call, const char *format, ...)
{
    va_list args;

    buf_add_text(&call->out, "* ");
    va_start(args, format);
    buf_vfmt(&call->out, format, args);
    va_end(args);
    buf_add_text(&call->out, "\r\n");
}

void reply_continue(struct call *call, const char *text)
{
    buf_add_text(&call->out, "+ ");
    buf_add_text(&call->out, text);
    buf_add_text(&call->out, "\r\n");
}

enum next reply_bye(struct call *call, const char *code, const char *text)
{
    client_of(call)->state = CLIENT_LOGOUT;
    if (code != NULL)
        reply_untagged(call, "BYE [%s] %s", code, text);
    else
        reply_untagged(call, "BYE %s", text);
    return NEXT_CLOSE;
}

/* Tells what happened in the selected mailbox meanwhile. A mailbox that somebody deleted ends the
 * session, since RFC 3501 knows no way back to the authenticated state from here. */
static bool tell_news(struct call *call)
{
    const struct client *client = client_of(call);
    struct error err;

    if (!metadata_news(call, &err))
        log_failure(&call->log, &err);
    if (client->state != CLIENT_SELECTED || client->command == NULL ||
        (client->command->flags & COMMAND_NO_SYNC) != 0)
        return true;
    if (reply_sync(call, reply_may_expunge(client), &err))
        return true;
    if (err.kind == ERROR_NOT_FOUND)
        return false;
    log_failure(&call->log, &err);
    return true;
}

static void begin_tagged(struct call *call, const char *status)
{
    struct slice tag = client_of(call)->tag;

    buf_add_slice(&call->out, tag.len > 0 ? tag : SLICE("*"));
    buf_add_byte(&call->out, ' ');
    buf_add_text(&call->out, status);
    buf_add_byte(&call->out, ' ');
}

/* The command in hand is over: nothing of it stays. */
static void finish_command(struct call *call)
{
    struct client *client = client_of(call);

    if (client->sink != NULL)
        client->sink->drop(call);
    client->sink = NULL;
    client->command = NULL;
    client->resume = NULL;
    client->abandon = NULL;
    client->work = NULL;
    client->tag = (struct slice){ 0 };
    client->uid = client->keeps_seq = false;
    client->limited_to = 0;
    input_finish(&client->input);
}

static enum next finish(struct call *call, bool mailbox_is_there)
{
    finish_command(call);
    if (!mailbox_is_there)
        return reply_bye(call, "NONEXISTENT", "Selected mailbox was deleted");
    return client_of(call)->state == CLIENT_LOGOUT ? NEXT_CLOSE : NEXT_COMMAND;
}

/* An OK with a code of its own (EXPUNGEISSUED, MODIFIED) leaves the limit to an untagged NO (RFC
 * 9738 section 3.1). */
static const char *code_of(struct call *call, const char *code, struct buf *limit)
{
    limit_print(client_of(call), limit);
    if (limit->len == 0)
        return code;
    if (code == NULL)
        return buf_text(limit);
    reply_untagged(call, "NO [%s] Not all messages, only the newest", buf_text(limit));
    return code;
}

static enum next reply_tagged(struct call *call, const char *status, const char *code,
                              const char *text)
{
    AUTO(buf_free) struct buf limit = { 0 };
    bool there = tell_news(call);

    if (strcmp(status, "OK") == 0)
        code = code_of(call, code, &limit);
    begin_tagged(call, status);
    if (code != NULL)
        buf_fmt(&call->out, "[%s] ", code);
    buf_add_text(&call->out, text);
    buf_add_text(&call->out, "\r\n");
    return finish(call, there);
}

enum next reply_ok(struct call *call, const char *text)
{
    return reply_ok_code(call, NULL, text);
}

enum next reply_ok_code(struct call *call, const char *code, const char *text)
{
    client_of(call)->errors = 0;
    return reply_tagged(call, "OK", code, text);
}

enum next reply_no(struct call *call, const char *code, const char *text)
{
    return reply_tagged(call, "NO", code, text);
}

enum next reply_bad_code(struct call *call, const char *code, const char *text)
{
    enum next next = reply_tagged(call, "BAD", code, text);

    if (++client_of(call)->errors < ERRORS_MAX || next == NEXT_CLOSE)
        return next;
    return reply_bye(call, NULL, "Too many bad commands");
}

enum next reply_bad(struct call *call, const char *text)
{
    return reply_bad_code(call, NULL, text);
}

enum next reply_syntax(struct call *call, const struct args *args)
{
    const char *error = args->error != NULL ? args->error : "arguments are wrong";

    if (args->bad_name)
        return reply_no(call, "CANNOT", error);
    return reply_bad_code(call, args->code, error);
}

static const struct {
    const char *code, *text;
} answers[] = {
    [ERROR_NONE] = { "SERVERBUG", "Internal error" },
    [ERROR_NOT_FOUND] = { "NONEXISTENT", "There is no such mailbox" },
    [ERROR_EXISTS] = { "ALREADYEXISTS", "Mailbox exists already" },
    [ERROR_INVALID] = { "CANNOT", "Mailbox name is not possible" },
    [ERROR_DENIED] = { "NOPERM", "This is not allowed" },
    [ERROR_OVER_QUOTA] = { "OVERQUOTA", "Not enough room left in the account" },
    [ERROR_LIMIT] = { "LIMIT", "Too many of them" },
    [ERROR_TEMPORARY] = { "UNAVAILABLE", "Store is busy, try again later" },
    [ERROR_NEWER] = { "UNAVAILABLE", "Store cannot be opened" },
    [ERROR_INTERNAL] = { "SERVERBUG", "Internal error, please tell the operator" },
};

const char *reply_error_code(enum error_kind kind)
{
    return answers[kind].code;
}

enum next reply_error(struct call *call, const struct error *err)
{
    log_failure(&call->log, err);
    return reply_no(call, answers[err->kind].code, answers[err->kind].text);
}

void reply_begin_ok(struct call *call)
{
    struct client *client = client_of(call);

    client->errors = 0;
    client->lost_mailbox = !tell_news(call);
    begin_tagged(call, "OK");
}

enum next reply_end(struct call *call)
{
    return finish(call, !client_of(call)->lost_mailbox);
}

/* QUOTED-CHAR is 7 bit without NUL, CR and LF; 8 bit is for UTF8=ACCEPT (RFC 6855 section 3). */
static bool fits_quoted(struct slice text, bool utf8)
{
    if (text.len > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte == '\0' || byte == '\r' || byte == '\n' || (byte >= 0x80 && !utf8))
            return false;
    }
    return true;
}

static void add_quoted(struct buf *out, struct slice text)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, text.data[i]);
    }
    buf_add_byte(out, '"');
}

static void add_string(struct buf *out, struct slice text, bool utf8)
{
    if (fits_quoted(text, utf8)) {
        add_quoted(out, text);
        return;
    }
    buf_add_byte(out, '{');
    buf_add_number(out, text.len);
    buf_add_text(out, "}\r\n");
    buf_add_slice(out, text);
}

void reply_string(struct buf *out, struct slice text)
{
    add_string(out, text, false);
}

void reply_mailbox(const struct client *client, struct buf *out, struct slice name)
{
    AUTO(buf_free) struct buf encoded = { 0 };

    if (client_utf8(client)) {
        add_string(out, name, true);
        return;
    }
    utf7_encode(name, &encoded);
    add_string(out, buf_slice(&encoded), false);
}

void reply_rights(struct call *call, struct slice mailbox, unsigned rights)
{
    char text[RIGHTS_TEXT_MAX];

    rights_print(rights, text);
    buf_add_text(&call->out, "* MYRIGHTS ");
    reply_mailbox(client_of(call), &call->out, mailbox);
    buf_fmt(&call->out, " \"%s\"\r\n", text);
}
