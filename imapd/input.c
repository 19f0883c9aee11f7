/* input.c - see input.h. */
#include "imapd/input.h"
#include "imapd/args.h"
#include "imapd/client.h"
#include "imapd/command.h"
#include "imapd/reply.h"

#define STRANGER_MAX 16384 /* a command before login */
#define KEPT_MAX     512   /* what a quiet session keeps of its command's memory */
#define MINUS_MAX    4096  /* non-synchronizing literals under LITERAL- */
#define FREE_BYTES   16384 /* of a command: not worth an account */
#define TAIL_MAX     64    /* enough for "~{18446744073709551615+}" */

enum parse literal_at_end(struct slice line, struct literal *literal_out, size_t *start_out)
{
    ptrdiff_t open = slice_find_last(line, '{');
    struct slice digits;

    *literal_out = (struct literal){ .sync = true };
    if (open < 0 || line.data[line.len - 1] != '}')
        return PARSE_MORE;
    digits = slice_part(line, (size_t)open + 1, line.len - (size_t)open - 2);
    if (digits.len > 0 && digits.data[digits.len - 1] == '+') {
        literal_out->sync = false;
        digits.len--;
    }
    if (!slice_number(digits, INT64_MAX, &literal_out->size))
        return PARSE_BAD;
    *start_out = (size_t)open;
    literal_out->binary = open > 0 && line.data[open - 1] == '~';
    if (literal_out->binary)
        --*start_out;
    return PARSE_OK;
}

static size_t command_max(const struct client *client)
{
    if (client->state == CLIENT_NOT_AUTHENTICATED)
        return STRANGER_MAX;
    return (size_t)client->imap->settings->command_size;
}

/* Is there memory for the command in hand, with so much more? */
static bool may_hold(struct input *input, uint64_t more)
{
    uint64_t bytes = input->command.room + more;

    return bytes <= FREE_BYTES || ceiling_hold(&input->held, (size_t)bytes);
}

/* The line in hand, without its line end. */
static struct slice current_line(const struct input *input)
{
    struct slice line = slice_from(buf_slice(&input->command), input->line_start);

    if (line.len > 0 && line.data[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* Finds out what the command is, as far as it has come, so that it can be answered. */
static void look_at_head(struct client *client, struct args *args)
{
    struct slice name;

    client->command = NULL;
    if (command_head(args, &client->tag, &name, &client->uid))
        client->command = command_find(client, name, client->uid);
}

/* From here on the rest of the refused command is read and forgotten. */
static enum input_result skip(struct input *input, const struct literal *literal)
{
    buf_clear(&input->tail);
    if (literal != NULL && literal->sync) {
        input->where = INPUT_LINE; /* the client was not told to go on, and will not */
        return INPUT_ANSWERED;
    }
    input->where = literal != NULL ? INPUT_SKIP_LITERAL : INPUT_SKIP_LINE;
    input->left = literal != NULL ? literal->size : 0;
    return INPUT_MORE;
}

/* With LITERAL- clients ask before they send more (RFC 7888 section 5). */
static bool is_unasked(const struct client *client, const struct literal *literal)
{
    return client->imap->settings->literal_minus && !literal->sync && literal->size > MINUS_MAX;
}

/* What will not be done need not be sent. */
static void refuse_command(struct call *call, struct args *args)
{
    const struct command *command = client_of(call)->command;

    if (command != NULL)
        command->run(call, args);
    else
        reply_syntax(call, args);
}

static enum literal_plan plan_literal(struct call *call, const struct literal *literal,
                                      size_t head_len)
{
    struct client *client = client_of(call);
    struct slice text = slice_part(buf_slice(&client->input.command), 0, head_len);
    struct args args = { .rest = text, .arena = &call->arena, .utf8 = client_utf8(client) };

    look_at_head(client, &args);
    if (client->command == NULL || command_refuses(client->command)) {
        refuse_command(call, &args);
        return LITERAL_REFUSE;
    }
    if (is_unasked(client, literal)) {
        reply_bad_code(call, "TOOBIG", "Literals over 4096 bytes must wait for +");
        return LITERAL_REFUSE;
    }
    if (client->command->sink != NULL) {
        enum literal_plan plan = client->command->sink->plan(call, &args, literal);

        if (plan != LITERAL_COLLECT)
            return plan;
    }
    if (literal->size > command_max(client) - MIN(client->input.command.len, command_max(client))) {
        reply_no(call, "TOOBIG", "Literal is too large");
        return LITERAL_REFUSE;
    }
    if (!may_hold(&client->input, literal->size)) {
        reply_no(call, "LIMIT", "Too much to do for long commands, try again later");
        return LITERAL_REFUSE;
    }
    return LITERAL_COLLECT;
}

/* A line ended with an announcement. */
static enum input_result begin_literal(struct call *call, const struct literal *literal,
                                       size_t head_len)
{
    struct input *input = &client_of(call)->input;
    enum literal_plan plan = plan_literal(call, literal, head_len);

    if (plan == LITERAL_REFUSE)
        return skip(input, literal);
    if (plan == LITERAL_STREAM)
        client_of(call)->sink = client_of(call)->command->sink;
    input->literal = *literal;
    input->left = literal->size;
    input->where = plan == LITERAL_STREAM ? INPUT_STREAM : INPUT_LITERAL;
    if (literal->sync)
        reply_continue(call, "OK");
    return INPUT_MORE;
}

static enum input_result end_line(struct call *call)
{
    struct input *input = &client_of(call)->input;
    struct slice line = current_line(input);
    struct literal literal;
    size_t start;

    if (memchr(line.data, '\0', line.len) != NULL)
        input->nul = true;
    if (literal_at_end(line, &literal, &start) == PARSE_OK)
        return begin_literal(call, &literal, input->line_start + start);
    buf_truncate(&input->command, input->line_start + line.len);
    return INPUT_COMPLETE;
}

/* Moves bytes up to and with the next LF; false when there was none. */
static bool move_line(struct buf *from, struct buf *to, size_t max)
{
    ptrdiff_t end = slice_find(buf_slice(from), '\n');
    size_t len = end < 0 ? from->len : (size_t)end + 1;
    bool whole = end >= 0 && len <= max;

    len = MIN(len, max);
    buf_add(to, from->data, len);
    buf_drop(from, len);
    return whole;
}

static enum input_result refuse_long_line(struct call *call, bool for_now)
{
    struct client *client = client_of(call);
    struct args args = { .rest = buf_slice(&client->input.command), .arena = &call->arena };

    look_at_head(client, &args);
    if (for_now)
        reply_no(call, "LIMIT", "Too much to do for long commands, try again later");
    else
        reply_bad(call, "Command line is too long");
    return skip(&client->input, NULL);
}

static enum input_result collect_line(struct call *call)
{
    struct client *client = client_of(call);
    struct input *input = &client->input;
    size_t max = command_max(client);

    if (move_line(&call->in, &input->command, max - MIN(input->command.len, max)))
        return end_line(call);
    if (input->command.len >= max)
        return refuse_long_line(call, false);
    if (!may_hold(input, 0))
        return refuse_long_line(call, true);
    return INPUT_MORE;
}

static enum input_result collect_literal(struct call *call)
{
    struct input *input = &client_of(call)->input;
    size_t len = (size_t)MIN(input->left, call->in.len);

    if (!input->literal.binary && memchr(call->in.data, '\0', len) != NULL)
        input->nul = true;
    buf_add(&input->command, call->in.data, len);
    buf_drop(&call->in, len);
    input->left -= len;
    return INPUT_MORE;
}

static enum input_result stream_literal(struct call *call)
{
    struct client *client = client_of(call);
    size_t len = (size_t)MIN(client->input.left, call->in.len);

    if (len > 0)
        client->sink->add(call, slice_part(buf_slice(&call->in), 0, len));
    buf_drop(&call->in, len);
    client->input.left -= len;
    return INPUT_MORE;
}

/* Of a skipped line only its end matters: another literal may be announced there. */
static enum input_result skip_line(struct call *call)
{
    struct input *input = &client_of(call)->input;
    bool whole = move_line(&call->in, &input->tail, SIZE_MAX);
    struct literal literal;
    struct slice line;
    size_t start;

    if (input->tail.len > TAIL_MAX)
        buf_drop(&input->tail, input->tail.len - TAIL_MAX);
    if (!whole)
        return INPUT_MORE;
    line = slice_trim(buf_slice(&input->tail));
    if (literal_at_end(line, &literal, &start) == PARSE_OK)
        return skip(input, &literal);
    buf_free(&input->tail);
    input->where = INPUT_LINE;
    return INPUT_ANSWERED;
}

static enum input_result skip_literal(struct call *call)
{
    struct input *input = &client_of(call)->input;
    size_t len = (size_t)MIN(input->left, call->in.len);

    buf_drop(&call->in, len);
    input->left -= len;
    if (input->left == 0)
        input->where = INPUT_SKIP_LINE;
    return INPUT_MORE;
}

static enum input_result collect_some(struct call *call)
{
    struct input *input = &client_of(call)->input;

    input->command.secret = input->command.secret || call->careful;
    input->tail.secret = input->tail.secret || call->careful;
    switch (input->where) {
    case INPUT_LINE:
        return collect_line(call);
    case INPUT_LITERAL:
        return collect_literal(call);
    case INPUT_STREAM:
        return stream_literal(call);
    case INPUT_SKIP_LINE:
        return skip_line(call);
    case INPUT_SKIP_LITERAL:
        return skip_literal(call);
    }
    return INPUT_MORE;
}

static void back_to_line(struct input *input)
{
    if ((input->where == INPUT_LITERAL || input->where == INPUT_STREAM) && input->left == 0) {
        input->where = INPUT_LINE;
        input->line_start = input->command.len;
    }
}

enum input_result input_collect(struct call *call)
{
    struct client *client = client_of(call);
    enum input_result result = INPUT_MORE;

    call->need = 0;
    while (result == INPUT_MORE && call->in.len > 0 && client->state != CLIENT_LOGOUT) {
        result = collect_some(call);
        back_to_line(&client->input);
    }
    return result;
}

void input_finish(struct input *input)
{
    ceiling_hold(&input->held, 0);
    if (input->command.room > KEPT_MAX || input->command.secret)
        buf_free(&input->command);
    else
        buf_clear(&input->command);
    input->line_start = 0;
    input->nul = false;
}

void input_free(struct input *input)
{
    ceiling_hold(&input->held, 0);
    buf_free(&input->command);
    buf_free(&input->tail);
}

enum parse input_line(const struct call *call, size_t max, struct slice *line_out,
                      size_t *line_len_out)
{
    ptrdiff_t end = slice_find(buf_slice(&call->in), '\n');

    if (end < 0)
        return call->in.len > max ? PARSE_BAD : PARSE_MORE;
    *line_len_out = (size_t)end + 1;
    *line_out = slice_part(buf_slice(&call->in), 0, (size_t)end);
    if (line_out->len > 0 && line_out->data[line_out->len - 1] == '\r')
        line_out->len--;
    return line_out->len > max ? PARSE_BAD : PARSE_OK;
}
