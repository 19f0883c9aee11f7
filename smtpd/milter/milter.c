/* milter.c - the conversation; see milter.h. */
#include "smtpd/milter/milter.h"

#include "common/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_ENOUGH (256 * 1024) /* let it be sent before there is more */

#define REJECTED  "550 5.7.1 The message is refused by a filter"
#define POSTPONED "451 4.7.1 A filter asks to try again later"

void *milter_open(struct call *call, void *context)
{
    struct milter *milter = NEW(struct milter);
    struct milter_task *task = context;

    milter->task = task;
    milter->call = call;
    milter->header = task->facts.header;
    milter->body = task->facts.body;
    milter->give_up_ms = clock_ms() + MILTER_PATIENCE * task->timeout_ms;
    milter->body_lines = (struct data){ .no_dots = true, .fix_newlines = true };
    task->verdict = MILTER_LOST;
    task->last_change = &task->first_change;
    snprintf(task->text, sizeof(task->text), "the connection was lost");
    return milter;
}

static enum next lose(struct milter *milter, const char *why)
{
    milter->task->verdict = MILTER_LOST;
    snprintf(milter->task->text, sizeof(milter->task->text), "%s", why);
    return NEXT_CLOSE;
}

static enum next decide(struct milter *milter, enum milter_verdict verdict, const char *text)
{
    struct buf *out = &milter->call->out;

    milter->task->verdict = verdict;
    snprintf(milter->task->text, sizeof(milter->task->text), "%s", text);
    frame_end(out, frame_begin(out, SMFIC_QUIT));
    return NEXT_CLOSE;
}

static bool is_too_late(const struct milter *milter)
{
    return clock_ms() >= milter->give_up_ms;
}

/* How long the milter may be silent: at the end it looks at the whole message. */
static uint64_t patience(const struct milter *milter)
{
    uint64_t now_ms = clock_ms();
    uint64_t left = now_ms < milter->give_up_ms ? milter->give_up_ms - now_ms : 1;

    return milter->stage == MILTER_END ? left : MIN(left, milter->task->timeout_ms);
}

static void next_stage(struct milter *milter)
{
    if (milter->stage == MILTER_END)
        abort(); /* it is always said, and answered */
    milter->stage++;
    milter->entered = false;
}

/* Says what there is to say until an answer is due. */
static enum next go_on(struct milter *milter)
{
    for (;;) {
        if (!milter_say(milter)) {
            next_stage(milter);
            continue;
        }
        if (milter_awaits(milter))
            return NEXT_INPUT;
        if (milter->call->out.len >= OUT_ENOUGH)
            return NEXT_AGAIN;
    }
}

static enum next on_negotiated(struct milter *milter, const struct frame_reply *reply)
{
    if (reply->kind != SMFIR_OPTNEG)
        return lose(milter, "it does not negotiate");
    if (reply->version < FRAME_OLDEST || reply->version > FRAME_VERSION)
        return lose(milter, "it speaks another version of the protocol");
    if ((reply->options & ~FRAME_OPTIONS) != 0 || (reply->actions & ~FRAME_ACTIONS) != 0)
        return lose(milter, "it asks for more than is offered");
    milter->options = reply->options;
    milter->task->has_leading_blanks = (reply->options & SMFIP_HDR_LEADSPC) != 0;
    return go_on(milter);
}

static bool is_refusal(struct slice reply)
{
    return reply.len >= 4 && (reply.data[0] == '4' || reply.data[0] == '5') &&
           isdigit((unsigned char)reply.data[1]) && isdigit((unsigned char)reply.data[2]);
}

/* The milter's own reply becomes ours: one line, a code of refusal, nothing that ends a line. 421
 * would end the session. */
static const char *clean_reply(struct arena *arena, struct slice reply)
{
    struct slice line;
    char *text;

    if (!is_refusal(reply) || !slice_split(&reply, '\r', &line) || line.len < 4)
        return REJECTED;
    text = slice_text(arena, slice_part(line, 0, MILTER_TEXT_SIZE - 1));
    text[3] = ' ';
    if (slice_starts(line, "421"))
        memcpy(text, "451", 3);
    for (char *byte = text; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || (unsigned char)*byte >= 0x7f)
            *byte = '?';
    return text;
}

static enum next note_change(struct milter *milter, const struct frame_reply *reply)
{
    struct milter_task *task = milter->task;
    struct milter_change *change;

    if (milter->stage != MILTER_END)
        return lose(milter, "it changes the message before its end");
    task->changes_size += reply->name.len + reply->value.len;
    if (++task->n_changes > MILTER_CHANGES_MAX || task->changes_size > MILTER_CHANGES_SIZE)
        return lose(milter, "it changes too much");
    change = ARENA_NEW(&task->arena, struct milter_change);
    change->reply = *reply;
    change->reply.name = slice_copy(&task->arena, reply->name);
    change->reply.value = slice_copy(&task->arena, reply->value);
    *task->last_change = change;
    task->last_change = &change->next;
    return NEXT_INPUT;
}

/* Lines end in CRLF, whatever the milter thinks. */
static bool add_to_body(struct milter *milter, struct slice bytes, struct error *err)
{
    struct slice part;

    while (data_next(&milter->body_lines, &bytes, &part) == DATA_BYTES)
        if (!body_add(milter->task->new_body, part, err))
            return false;
    return true;
}

static enum next replace_body(struct milter *milter, struct slice bytes)
{
    struct milter_task *task = milter->task;
    struct error err;

    if (milter->stage != MILTER_END)
        return lose(milter, "it changes the message before its end");
    if (task->new_body == NULL)
        task->new_body = body_new(task->store);
    if (body_size(task->new_body) + bytes.len > task->size_max)
        return lose(milter, "its new body is too large");
    if (!add_to_body(milter, bytes, &err))
        return lose(milter, err.text);
    return NEXT_INPUT;
}

/* No more commands of this kind, as libmilter's documentation has it. */
static enum next skip(struct milter *milter)
{
    next_stage(milter);
    return go_on(milter);
}

/* The message may pass, with what was changed. */
static enum next pass(struct milter *milter)
{
    struct body *body = milter->task->new_body;
    struct slice rest = data_finish(&milter->body_lines);
    struct error err;

    if (body != NULL && rest.len > 0 && !body_add(body, rest, &err))
        return lose(milter, err.text);
    return decide(milter, MILTER_PASS, "");
}

static enum next on_reply(struct milter *milter, const struct frame_reply *reply)
{
    switch (reply->kind) {
    case SMFIR_CONTINUE:
        return milter->stage == MILTER_END ? pass(milter) : go_on(milter);
    case SMFIR_ACCEPT:
        return pass(milter);
    case SMFIR_DISCARD:
        return decide(milter, MILTER_DISCARD, "");
    case SMFIR_REJECT:
        return decide(milter, MILTER_REFUSE, REJECTED);
    case SMFIR_TEMPFAIL:
        return decide(milter, MILTER_REFUSE, POSTPONED);
    case SMFIR_REPLYCODE:
        return decide(milter, MILTER_REFUSE, clean_reply(&milter->task->arena, reply->value));
    case SMFIR_SHUTDOWN:
    case SMFIR_CONN_FAIL:
        return lose(milter, "it shuts down");
    case SMFIR_SKIP:
        return milter->stage < MILTER_END ? skip(milter) : lose(milter, "it skips the end");
    case SMFIR_PROGRESS:
        return NEXT_INPUT;
    case SMFIR_QUARANTINE:
        milter->task->quarantined = true;
        return NEXT_INPUT;
    case SMFIR_REPLBODY:
        return replace_body(milter, reply->value);
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
    case SMFIR_ADDRCPT:
    case SMFIR_ADDRCPT_PAR:
    case SMFIR_DELRCPT:
    case SMFIR_CHGFROM:
        return note_change(milter, reply);
    case SMFIR_OPTNEG:
        return lose(milter, "it negotiates again");
    }
    abort();
}

static enum next on_frame(struct milter *milter, const struct frame *frame)
{
    struct frame_reply reply;

    if (!frame_read(frame, &reply))
        return lose(milter, "its reply is not of the milter protocol");
    if (milter->stage == MILTER_NEGOTIATE)
        return on_negotiated(milter, &reply);
    return on_reply(milter, &reply);
}

static enum next take_replies(struct milter *milter)
{
    enum next next = NEXT_INPUT;
    struct frame frame;

    buf_move(&milter->in, &milter->call->in);
    if (is_too_late(milter))
        return lose(milter, "it takes too long");
    while (next == NEXT_INPUT) {
        switch (frame_parse(buf_slice(&milter->in), &frame)) {
        case PARSE_MORE:
            return NEXT_INPUT;
        case PARSE_BAD:
            return lose(milter, "its packet is too long");
        case PARSE_OK:
            break;
        }
        next = on_frame(milter, &frame);
        buf_drop(&milter->in, FRAME_HEAD + frame.data.len);
    }
    return next;
}

/* The connection is open, or could not be opened: then call->in says why. */
static enum next start(struct milter *milter)
{
    struct buf *in = &milter->call->in;

    return atomic_load(&milter->call->closing) ? lose(milter, buf_text(in)) : go_on(milter);
}

static enum next sent(struct milter *milter)
{
    enum next next = go_on(milter);

    return next == NEXT_INPUT ? take_replies(milter) : next;
}

static enum next stop(struct milter *milter)
{
    milter->task->verdict = MILTER_STOPPED;
    return NEXT_CLOSE;
}

static enum next step(struct milter *milter)
{
    switch (milter->call->why) {
    case WHY_START:
        return start(milter);
    case WHY_AGAIN:
        return sent(milter);
    case WHY_TIMEOUT:
        return lose(milter, "it did not answer in time");
    case WHY_STOP:
        return stop(milter);
    case WHY_INPUT:
    case WHY_NOTICE:
    case WHY_SECURED:
    case WHY_ENDED:
        return take_replies(milter);
    }
    abort();
}

enum next milter_run(struct call *call)
{
    struct milter *milter = call->state;
    enum next next;

    milter->call = call;
    next = step(milter);
    call->idle_ms = patience(milter);
    return next;
}

void milter_close(struct call *call)
{
    struct milter *milter = call->state;
    struct milter_task *task = milter->task;

    buf_free(&milter->in);
    free(milter);
    task->ended(task);
}

void milter_task_free(struct milter_task *task)
{
    body_free(&task->new_body);
    arena_free(&task->arena);
}
