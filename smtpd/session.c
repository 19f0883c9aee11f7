/* session.c - see session.h: the step machine, and lines of input. */
#include "smtpd/session.h"

#include "smtpd/accept.h"
#include "smtpd/allowance.h"
#include "smtpd/auth.h"
#include "smtpd/bdat.h"
#include "smtpd/burl.h"
#include "smtpd/command.h"
#include "smtpd/milter/filter.h"
#include "smtpd/proof/proof.h"
#include "smtpd/reply.h"

#include <stdlib.h>

void *smtp_open(struct call *call, void *door)
{
    struct smtp *smtp = NEW(struct smtp);

    smtp->smtpd = ((struct smtp_door *)door)->smtpd;
    smtp->service = ((struct smtp_door *)door)->service;
    smtp->call = call;
    call->careful = smtp->service == SERVICE_SUBMISSION; /* elsewhere nobody logs in */
    smtp->phase = PHASE_START;
    smtp->step = STEP_COMMAND;
    return smtp;
}

void smtp_close(struct call *call)
{
    struct smtp *smtp = call->state;

    smtp->call = call;
    if (smtp->step == STEP_COMMIT)
        accept_late(smtp);
    smtp_reset(smtp);
    login_free(&smtp->auth);
    buf_free(&smtp->helo);
    buf_free(&smtp->login);
    visitor_free(&smtp->visitor);
    free(smtp);
}

void smtp_reset(struct smtp *smtp)
{
    allowance_return(smtp);
    burl_free(&smtp->mail.burl);
    filter_free(&smtp->mail.filter);
    proof_free(&smtp->mail.proof); /* looks into the content */
    content_free(&smtp->mail.content);
    letter_free(&smtp->mail.letter);
    smtp->mail = (struct transaction){ 0 };
    if (smtp->phase != PHASE_START)
        smtp->phase = PHASE_READY;
    smtp->call->idle_ms = smtp->smtpd->settings->command_timeout;
}

static enum next turn_away(struct smtp *smtp, const char *refusal)
{
    refuse(smtp, "%s", refusal);
    return NEXT_CLOSE;
}

/* The client has to wait first: who speaks meanwhile knows nothing of SMTP. */
static enum next hold_greeting(struct smtp *smtp)
{
    smtp->call->delay_ms = door_delay_ms(smtp);
    smtp->visitor.has_waited = true;
    smtp->step = STEP_GREETING;
    return NEXT_AGAIN;
}

static enum next greet(struct smtp *smtp)
{
    const char *refusal = door_greeting(smtp);

    if (refusal != NULL)
        return turn_away(smtp, refusal);
    if (door_delay_ms(smtp) > 0)
        return hold_greeting(smtp);
    smtp->step = STEP_COMMAND;
    return reply(smtp, "220 %s %s Postane", smtp->smtpd->settings->hostname,
                 smtp->service == SERVICE_LMTP ? "LMTP" : "ESMTP");
}

/* After the handshake nothing that was said before counts (RFC 3207 section 4.2). */
static enum next start_again(struct smtp *smtp)
{
    smtp_reset(smtp);
    smtp->phase = PHASE_START;
    smtp->skip_line = false;
    buf_clear(&smtp->helo);
    return NEXT_COMMAND;
}

static enum next refuse_line(struct smtp *smtp, const char *why)
{
    return refuse(smtp, "500 5.5.2 %s", why);
}

/* Drops what there is of a line that is too long; true when its end was there. */
static bool skip_line(struct smtp *smtp)
{
    struct buf *in = &smtp->call->in;
    ptrdiff_t end = slice_find(buf_slice(in), '\n');

    buf_drop(in, end < 0 ? in->len : (size_t)end + 1);
    smtp->skip_line = end < 0;
    return end >= 0;
}

enum parse smtp_line(struct smtp *smtp, struct slice *line_out)
{
    struct buf *in = &smtp->call->in;
    ptrdiff_t end = slice_find(buf_slice(in), '\n');
    struct slice line;

    if (end < 0 && in->len < SMTP_LINE_MAX)
        return PARSE_MORE;
    if (end < 0 || end >= SMTP_LINE_MAX) {
        skip_line(smtp);
        refuse_line(smtp, "Line too long");
        return PARSE_BAD;
    }
    line = slice_copy(&smtp->call->arena, slice_make(in->data, (size_t)end));
    buf_drop(in, (size_t)end + 1);
    if (line.len == 0 || line.data[line.len - 1] != '\r') {
        refuse_line(smtp, "Lines end in CR LF");
        return PARSE_BAD;
    }
    *line_out = slice_part(line, 0, line.len - 1);
    return PARSE_OK;
}

static enum next after_bad_line(struct smtp *smtp)
{
    return smtp->n_errors >= smtp->smtpd->settings->errors ? NEXT_CLOSE : NEXT_COMMAND;
}

static enum next step_command(struct smtp *smtp)
{
    struct slice line;

    smtp->call->idle_ms = smtp->smtpd->settings->command_timeout;
    if (smtp->skip_line && !skip_line(smtp))
        return NEXT_INPUT;
    switch (smtp_line(smtp, &line)) {
    case PARSE_MORE:
        return NEXT_INPUT;
    case PARSE_BAD:
        return after_bad_line(smtp);
    case PARSE_OK:
        smtp->line = line;
        if (!smtp->esmtp && smtp->call->in.len > 0)
            door_note_haste(smtp); /* RFC 2920: only after it was offered */
        return command_run(smtp, line);
    }
    abort();
}

/* The end of a fetch: only wakes. */
static void on_fetched(void *context)
{
    struct smtp *smtp = context;

    smtp->smtpd->resume(smtp->call);
}

enum next smtp_fetch(struct smtp *smtp, struct dns_table *table)
{
    smtp->smtpd->fetch(smtp->smtpd->resolver, table, on_fetched, smtp);
    return NEXT_WAIT;
}

enum next smtp_repeat(struct smtp *smtp, struct dns_table *table)
{
    smtp->step = STEP_REPEAT;
    return smtp_fetch(smtp, table);
}

static enum next repeat(struct smtp *smtp)
{
    smtp->step = STEP_COMMAND;
    return command_run(smtp, smtp->line);
}

static enum next go_on(struct smtp *smtp)
{
    switch (smtp->step) {
    case STEP_GREETING:
        return greet(smtp);
    case STEP_COMMAND:
        return step_command(smtp);
    case STEP_AUTH:
        return auth_answer(smtp);
    case STEP_HASH:
        return auth_hash(smtp);
    case STEP_HASHED:
        return auth_hashed(smtp);
    case STEP_DATA:
        return accept_data(smtp);
    case STEP_CHUNK:
        return bdat_octets(smtp);
    case STEP_BURL:
        return burl_go_on(smtp);
    case STEP_REPEAT:
        return repeat(smtp);
    case STEP_STATIONS:
        return accept_go_on(smtp);
    case STEP_COMMIT:
        return accept_committed(smtp);
    }
    abort();
}

/* The reply to a message that the queue has taken. */
bool smtp_is_light(const struct call *call)
{
    const struct smtp *smtp = call->state;

    return call->why == WHY_AGAIN && smtp->step == STEP_COMMIT && call->in.len == 0 &&
           accept_ends_lightly(smtp);
}

enum next smtp_run(struct call *call)
{
    struct smtp *smtp = call->state;

    smtp->call = call;
    switch (call->why) {
    case WHY_START:
        return greet(smtp);
    case WHY_SECURED:
        return start_again(smtp);
    case WHY_TIMEOUT:
        return goodbye(smtp, "4.4.2 Timeout, closing connection at");
    case WHY_STOP:
        return goodbye(smtp, "4.3.2 Shutting down");
    case WHY_ENDED:
        return NEXT_CLOSE;
    case WHY_INPUT:
    case WHY_AGAIN:
    case WHY_NOTICE:
        return go_on(smtp);
    }
    abort();
}
