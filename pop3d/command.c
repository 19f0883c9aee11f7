/* command.c - the table of POP3 commands, the session's main function, and the small commands.
 *
 * RFC 1939; CAPA and response codes of RFC 2449 and 3206, STLS of RFC 2595, UTF8 and LANG of
 * RFC 6856.
 */
#include "pop3d/pop3.h"

#include <stdlib.h>

enum next pop3_ok(struct call *call, const char *text)
{
    buf_add_text(&call->out, "+OK ");
    buf_add_text(&call->out, text);
    buf_add_text(&call->out, "\r\n");
    return NEXT_COMMAND;
}

enum next pop3_err(struct call *call, const char *text)
{
    buf_add_text(&call->out, "-ERR ");
    buf_add_text(&call->out, text);
    buf_add_text(&call->out, "\r\n");
    return NEXT_COMMAND;
}

enum next pop3_failure(struct call *call, const struct error *err)
{
    if (err->kind == ERROR_NOT_FOUND)
        return pop3_err(call, "This message was removed by another client");
    log_failure(&call->log, err);
    if (err->kind == ERROR_TEMPORARY)
        return pop3_err(call, "[SYS/TEMP] The mail store is busy, try again later");
    return pop3_err(call, "[SYS/PERM] The mail store has a problem, the operator is told");
}

static bool may_send_password(const struct call *call)
{
    const struct pop3 *pop = call->state;

    return call->secure || pop->service->plaintext;
}

static void add_sasl_names(struct call *call, const char *before, const char *after)
{
    static const enum sasl_mechanism order[] = { SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256,
                                                 SASL_PLAIN, SASL_LOGIN };

    for (size_t i = 0; i < COUNT_OF(order); i++) {
        if (order[i] == SASL_SCRAM_SHA_256_PLUS && call->binding_exporter.len == 0 &&
            call->binding_end_point.len == 0)
            continue;
        if (sasl_sends_password(order[i]) && !may_send_password(call))
            continue;
        buf_fmt(&call->out, "%s%s%s", before, sasl_name(order[i]), after);
    }
}

/* RFC 2449 section 6. */
static enum next pop3_capa(struct call *call, struct slice args)
{
    const struct pop3 *pop = call->state;

    pop3_ok(call, "What I can do:");
    if (pop->phase == AUTHORIZATION) {
        if (may_send_password(call))
            buf_add_text(&call->out, "USER\r\n");
        buf_add_text(&call->out, "SASL");
        add_sasl_names(call, " ", "");
        buf_add_text(&call->out, "\r\n");
        if (pop->service->tls_available && !call->secure)
            buf_add_text(&call->out, "STLS\r\n");
    }
    buf_add_text(&call->out, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
                             "UTF8 USER\r\nLANG\r\nLOGIN-DELAY 0\r\n");
    if (pop->service->expire_days == 0)
        buf_add_text(&call->out, "EXPIRE NEVER\r\n");
    else
        buf_fmt(&call->out, "EXPIRE %u\r\n", (unsigned)pop->service->expire_days);
    buf_add_text(&call->out, "IMPLEMENTATION Postane-" POSTANE_VERSION "\r\n.\r\n");
    return NEXT_COMMAND;
}

/* RFC 5034 wants a mechanism; without one, clients of old expect the list. */
static enum next pop3_auth_or_list(struct call *call, struct slice args)
{
    if (args.len > 0)
        return pop3_auth(call, args);
    pop3_ok(call, "Mechanisms:");
    add_sasl_names(call, "", "\r\n");
    buf_add_text(&call->out, ".\r\n");
    return NEXT_COMMAND;
}

static enum next pop3_stls(struct call *call, struct slice args)
{
    const struct pop3 *pop = call->state;

    if (call->secure)
        return pop3_err(call, "TLS is on already");
    if (!pop->service->tls_available)
        return pop3_err(call, "TLS is not set up here");
    if (pop->utf8) /* RFC 6856 section 2.1 */
        return pop3_err(call, "STLS comes before UTF8");
    pop3_ok(call, "Begin TLS");
    return NEXT_TLS;
}

static enum next pop3_utf8(struct call *call, struct slice args)
{
    struct pop3 *pop = call->state;

    pop->utf8 = true;
    return pop3_ok(call, "UTF-8 it is");
}

/* RFC 6856 section 3: all we say is English, which i-default is too. */
static enum next pop3_lang(struct call *call, struct slice args)
{
    if (args.len == 0) {
        pop3_ok(call, "Languages:");
        buf_add_text(&call->out, "en English\r\ni-default English\r\n.\r\n");
        return NEXT_COMMAND;
    }
    if (slice_is(args, "*") || slice_is(args, "en") || slice_is(args, "i-default") ||
        slice_starts(args, "en-"))
        return pop3_ok(call, "en English it is");
    return pop3_err(call, "I speak English only");
}

static enum next pop3_noop(struct call *call, struct slice args)
{
    return pop3_ok(call, "Nothing done");
}

static enum next pop3_quit(struct call *call, struct slice args)
{
    const struct pop3 *pop = call->state;

    if (pop->phase == TRANSACTION)
        return pop3_update(call);
    pop3_ok(call, "Goodbye");
    return NEXT_CLOSE;
}

static enum next pop3_unknown(struct call *call, struct slice args)
{
    return pop3_err(call, "I don't know that command");
}

static enum next pop3_wrong_phase(struct call *call, struct slice args)
{
    const struct pop3 *pop = call->state;

    return pop3_err(call, pop->phase == AUTHORIZATION ? "Log in first" : "You are logged in");
}

struct command {
    const char *name;
    enum next (*run)(struct call *call, struct slice args);
    enum phase allowed_in;
    bool takes_args;
};

static const struct command commands[] = {
    { "CAPA", pop3_capa, ANY_PHASE, false },
    { "STLS", pop3_stls, AUTHORIZATION, false },
    { "USER", pop3_user, AUTHORIZATION, true },
    { "PASS", pop3_pass, AUTHORIZATION, true },
    { "AUTH", pop3_auth_or_list, AUTHORIZATION, true },
    { "UTF8", pop3_utf8, AUTHORIZATION, false },
    { "LANG", pop3_lang, ANY_PHASE, true },
    { "STAT", pop3_stat, TRANSACTION, false },
    { "LIST", pop3_list, TRANSACTION, true },
    { "UIDL", pop3_uidl, TRANSACTION, true },
    { "RETR", pop3_retr, TRANSACTION, true },
    { "TOP", pop3_top, TRANSACTION, true },
    { "DELE", pop3_dele, TRANSACTION, true },
    { "RSET", pop3_rset, TRANSACTION, false },
    { "NOOP", pop3_noop, TRANSACTION, false },
    { "QUIT", pop3_quit, ANY_PHASE, false },
};

static const struct command unknown = { "?", pop3_unknown, ANY_PHASE, true };
static const struct command wrong_phase = { "?", pop3_wrong_phase, ANY_PHASE, true };

/* Never NULL: a command that is unknown or not allowed now is a command that says so. */
static const struct command *command_find(enum phase phase, struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (slice_is(name, commands[i].name))
            return (commands[i].allowed_in & phase) != 0 ? &commands[i] : &wrong_phase;
    return &unknown;
}

static enum next run_command(struct call *call, struct slice line)
{
    const struct pop3 *pop = call->state;
    struct slice args = line, name = { 0 };
    const struct command *command;

    if (memchr(line.data, '\0', line.len) != NULL)
        return pop3_err(call, "NUL has no place in a command");
    slice_split(&args, ' ', &name);
    command = command_find(pop->phase, name);
    log_debug(&call->log, "command", F_STR("name", command->name));
    if (args.len > 0 && !command->takes_args)
        return pop3_err(call, "This command takes no argument");
    return command->run(call, args);
}

/* Takes a line off the input. With PARSE_BAD it was too long; what is there of it is gone. */
static enum parse take_line(struct call *call, size_t max, struct slice *line_out)
{
    struct pop3 *pop = call->state;
    struct slice input = buf_slice(&call->in);
    ptrdiff_t end = slice_find(input, '\n');
    bool skipped = pop->skipping;

    if (end < 0 ? input.len > max : (size_t)end > max || skipped) {
        pop->skipping = end < 0;
        buf_drop(&call->in, end < 0 ? input.len : (size_t)end + 1);
        return end < 0 ? PARSE_MORE : PARSE_BAD;
    }
    if (end < 0)
        return PARSE_MORE;
    *line_out = slice_copy(&call->arena, slice_part(input, 0, (size_t)end));
    if (line_out->len > 0 && line_out->data[line_out->len - 1] == '\r')
        line_out->len--;
    buf_drop(&call->in, (size_t)end + 1);
    return PARSE_OK;
}

static enum next run_line(struct call *call)
{
    struct pop3 *pop = call->state;
    struct slice line;

    switch (take_line(call, pop->wants_line ? POP3_SASL_MAX : POP3_LINE_MAX, &line)) {
    case PARSE_MORE:
        return call->why == WHY_ENDED ? NEXT_CLOSE : NEXT_INPUT;
    case PARSE_BAD:
        return pop3_err(call, "This line is too long");
    case PARSE_OK:
        break;
    }
    if (!pop->wants_line)
        return run_command(call, line);
    pop->wants_line = false;
    return pop3_sasl_answer(call, line);
}

static enum next greet(struct call *call)
{
    pop3_ok(call, "Postane is ready");
    return NEXT_COMMAND;
}

static enum next run(struct call *call)
{
    struct pop3 *pop = call->state;
    enum next (*then)(struct call *) = pop->then;

    if (call->closing)
        return NEXT_CLOSE;
    switch (call->why) {
    case WHY_START:
        return greet(call);
    case WHY_TIMEOUT: /* no update: RFC 1939 section 3 */
        pop3_err(call, "Silent for too long, goodbye");
        return NEXT_CLOSE;
    case WHY_STOP:
        pop3_err(call, "[SYS/TEMP] The server is going down");
        return NEXT_CLOSE;
    case WHY_SECURED:
        buf_clear(&pop->user);
        return NEXT_COMMAND;
    case WHY_INPUT:
    case WHY_AGAIN:
    case WHY_NOTICE:
    case WHY_ENDED:
        break;
    }
    pop->then = NULL;
    return then != NULL ? then(call) : run_line(call);
}

/* Who downloads and deletes sends a DELE for each message. */
static bool is_light(const struct call *call)
{
    const struct pop3 *pop = call->state;
    struct slice input = buf_slice(&call->in), rest, name;

    if (call->why != WHY_INPUT || pop->then != NULL || pop->wants_line || pop->skipping ||
        input.len > POP3_LINE_MAX || slice_find(input, '\n') != (ptrdiff_t)input.len - 1)
        return false;
    rest = slice_trim(input);
    return slice_split(&rest, ' ', &name) && command_find(pop->phase, name)->run == pop3_dele;
}

static void *open_session(struct call *call, void *context)
{
    struct pop3 *pop = NEW(struct pop3);

    pop->service = context;
    pop->phase = AUTHORIZATION;
    return pop;
}

static void close_session(struct call *call)
{
    struct pop3 *pop = call->state;

    login_free(&pop->login);
    maildrop_free(&pop->drop);
    buf_free(&pop->user);
    free(pop);
}

const struct protocol pop3_protocol = {
    .name = "pop3",
    .open = open_session,
    .run = run,
    .close = close_session,
    .is_light = is_light,
};
