/* reply.c - see reply.h. */
#include "smtpd/reply.h"

#include <stdlib.h>

PRINTF_LIKE(2, 0)
static void add_line(struct smtp *smtp, const char *format, va_list args)
{
    buf_vfmt(&smtp->call->out, format, args);
    buf_add_text(&smtp->call->out, "\r\n");
}

enum next reply(struct smtp *smtp, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_line(smtp, format, args);
    va_end(args);
    return NEXT_COMMAND;
}

enum next goodbye(struct smtp *smtp, const char *text)
{
    reply(smtp, "421 %s %s", text, smtp->smtpd->settings->hostname);
    return NEXT_CLOSE;
}

static void note_refusal(struct smtp *smtp, struct slice line)
{
    struct slice code = slice_part(line, 0, 3);

    smtp->n_errors++;
    door_note_refusal(smtp, line);
    atomic_fetch_add(&smtp->smtpd->counters.refused, 1);
    log_info(&smtp->call->log, "refused", F_TEXT("code", code),
             F_TEXT("reason", slice_trim(slice_from(line, 4))),
             F_STR("peer", smtp->call->peer->address));
}

enum next refuse(struct smtp *smtp, const char *format, ...)
{
    size_t before = smtp->call->out.len;
    va_list args;

    va_start(args, format);
    add_line(smtp, format, args);
    va_end(args);
    note_refusal(smtp, slice_trim(slice_from(buf_slice(&smtp->call->out), before)));
    if (smtp->n_errors >= smtp->smtpd->settings->errors)
        return goodbye(smtp, "4.7.0 Too many errors at");
    return NEXT_COMMAND;
}

void refuse_one(struct smtp *smtp, struct slice line)
{
    buf_add_slice(&smtp->call->out, line);
    buf_add_text(&smtp->call->out, "\r\n");
    note_refusal(smtp, line);
}

const char *reply_for_error(const struct error *err)
{
    switch (err->kind) {
    case ERROR_TEMPORARY:
        return "452 4.3.1 Cannot store mail now, try again later";
    case ERROR_OVER_QUOTA:
        return "452 4.2.2 Mailbox is full";
    case ERROR_LIMIT:
        return "452 4.5.3 Too much for now";
    case ERROR_NOT_FOUND:
        return "550 5.1.1 No such user here";
    case ERROR_DENIED:
        return "550 5.7.1 Not allowed";
    case ERROR_INVALID:
        return "501 5.5.4 Invalid argument";
    case ERROR_NONE:
    case ERROR_EXISTS:
    case ERROR_NEWER:
    case ERROR_INTERNAL:
        return "451 4.3.0 Local trouble, try again later";
    }
    abort();
}

enum next refuse_error(struct smtp *smtp, const struct error *err)
{
    log_failure(&smtp->call->log, err);
    return refuse(smtp, "%s", reply_for_error(err));
}
