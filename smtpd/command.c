/* command.c - the command table, and the commands that stand outside a mail transaction. */
#include "smtpd/command.h"

#include "smtpd/accept.h"
#include "smtpd/auth.h"
#include "smtpd/bdat.h"
#include "smtpd/burl.h"
#include "smtpd/reply.h"
#include "smtpd/transaction.h"

#include <stdlib.h>

/* RFC 5321 section 4.5.3.1.2. */
#define HELO_MAX 255

static enum next introduce(struct smtp *smtp, struct slice name)
{
    smtp_reset(smtp);
    smtp->phase = PHASE_READY;
    buf_clear(&smtp->helo);
    buf_add_slice(&smtp->helo, name);
    return NEXT_COMMAND;
}

static bool is_helo_name(struct slice name)
{
    return name.len > 0 && name.len <= HELO_MAX && slice_find(name, ' ') < 0;
}

static enum next cmd_helo(struct smtp *smtp, struct slice arguments)
{
    if (!is_helo_name(arguments))
        return refuse(smtp, "501 5.5.4 Syntax: HELO hostname");
    introduce(smtp, arguments);
    smtp->esmtp = false;
    return reply(smtp, "250 %s", smtp->smtpd->settings->hostname);
}

/* What EHLO and LHLO offer; the last line has no hyphen. */
static void offer(struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;

    reply(smtp, "250-%s", settings->hostname);
    reply(smtp, "250-PIPELINING");
    reply(smtp, "250-SIZE %llu", (unsigned long long)settings->message_size);
    reply(smtp, "250-8BITMIME");
    reply(smtp, "250-SMTPUTF8");
    reply(smtp, "250-ENHANCEDSTATUSCODES");
    reply(smtp, "250-CHUNKING");
    reply(smtp, "250-BINARYMIME");
    reply(smtp, "250-DSN");
    if (smtp->call->tls_offered)
        reply(smtp, "250-STARTTLS");
    if (smtp->call->secure)
        reply(smtp, "250-REQUIRETLS");
    auth_offer(smtp);
    burl_offer(smtp);
    reply(smtp, "250-LIMITS RCPTMAX=%llu", (unsigned long long)settings->recipients);
    reply(smtp, "250 HELP");
}

static enum next cmd_ehlo(struct smtp *smtp, struct slice arguments)
{
    if (!is_helo_name(arguments))
        return refuse(smtp, "501 5.5.4 Syntax: %s hostname",
                      smtp->service == SERVICE_LMTP ? "LHLO" : "EHLO");
    introduce(smtp, arguments);
    smtp->esmtp = true;
    offer(smtp);
    return NEXT_COMMAND;
}

static enum next cmd_starttls(struct smtp *smtp, struct slice arguments)
{
    if (arguments.len > 0)
        return refuse(smtp, "501 5.5.4 STARTTLS takes no argument");
    if (smtp->call->secure)
        return refuse(smtp, "503 5.5.1 TLS is up already");
    if (!smtp->call->tls_offered)
        return refuse(smtp, "502 5.5.1 STARTTLS is not available here");
    reply(smtp, "220 2.0.0 Ready to start TLS");
    return NEXT_TLS;
}

static enum next cmd_rset(struct smtp *smtp, struct slice arguments)
{
    if (arguments.len > 0)
        return refuse(smtp, "501 5.5.4 RSET takes no argument");
    smtp_reset(smtp);
    return reply(smtp, "250 2.0.0 Ok");
}

static enum next cmd_noop(struct smtp *smtp, struct slice arguments)
{
    return reply(smtp, "250 2.0.0 Ok");
}

static enum next cmd_vrfy(struct smtp *smtp, struct slice arguments)
{
    if (arguments.len == 0)
        return refuse(smtp, "501 5.5.4 Syntax: VRFY address");
    return reply(smtp, "252 2.0.0 Cannot verify; send mail and see");
}

static enum next cmd_help(struct smtp *smtp, struct slice arguments)
{
    reply(smtp, "214-2.0.0 Postane. Commands:");
    reply(smtp, "214-2.0.0 %s MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS%s",
          smtp->service == SERVICE_LMTP ? "LHLO" : "HELO EHLO",
          smtp->service == SERVICE_SUBMISSION ? " AUTH BURL" : "");
    return reply(smtp, "214 2.0.0 See RFC 5321");
}

static enum next cmd_quit(struct smtp *smtp, struct slice arguments)
{
    if (arguments.len > 0)
        return refuse(smtp, "501 5.5.4 QUIT takes no argument");
    reply(smtp, "221 2.0.0 Bye");
    return NEXT_CLOSE;
}

static enum next cmd_not_here(struct smtp *smtp, struct slice arguments)
{
    return refuse(smtp, "502 5.5.1 Command not implemented");
}

static enum next cmd_unknown(struct smtp *smtp, struct slice arguments)
{
    return refuse(smtp, "500 5.5.1 Unknown command");
}

static enum next cmd_wrong_phase(struct smtp *smtp, struct slice arguments)
{
    switch (smtp->phase) {
    case PHASE_START:
        return refuse(smtp, "503 5.5.1 Say %s first",
                      smtp->service == SERVICE_LMTP ? "LHLO" : "HELO or EHLO");
    case PHASE_READY:
        return refuse(smtp, "503 5.5.1 MAIL first");
    case PHASE_MAIL:
    case PHASE_RCPT:
        return refuse(smtp, "503 5.5.1 Not within a mail transaction");
    case PHASE_BDAT:
        return refuse(smtp, "503 5.5.1 Only BDAT, BURL or RSET between chunks");
    }
    abort();
}

static const struct command commands[] = {
    { "HELO", cmd_helo, SERVICE_SMTP, PHASE_ANY },
    { "EHLO", cmd_ehlo, SERVICE_SMTP, PHASE_ANY },
    { "LHLO", cmd_ehlo, SERVICE_LMTP, PHASE_ANY },
    { "STARTTLS", cmd_starttls, SERVICE_ANY, PHASE_READY },
    { "AUTH", cmd_auth, SERVICE_SUBMISSION, PHASE_READY },
    { "MAIL", cmd_mail, SERVICE_ANY, PHASE_READY },
    { "RCPT", cmd_rcpt, SERVICE_ANY, PHASE_MAIL | PHASE_RCPT },
    { "DATA", cmd_data, SERVICE_ANY, PHASE_MAIL | PHASE_RCPT },
    { "BURL", cmd_burl, SERVICE_SUBMISSION, PHASE_ANY },
    { "BDAT", cmd_bdat, SERVICE_ANY, PHASE_ANY },
    { "RSET", cmd_rset, SERVICE_ANY, PHASE_ANY },
    { "NOOP", cmd_noop, SERVICE_ANY, PHASE_ANY },
    { "VRFY", cmd_vrfy, SERVICE_ANY, PHASE_ANY },
    { "HELP", cmd_help, SERVICE_ANY, PHASE_ANY },
    { "QUIT", cmd_quit, SERVICE_ANY, PHASE_ANY },
    { "EXPN", cmd_not_here, SERVICE_ANY, PHASE_ANY },
    { "ETRN", cmd_not_here, SERVICE_ANY, PHASE_ANY },
};

static const struct command unknown = { "", cmd_unknown, SERVICE_ANY, PHASE_ANY };
static const struct command not_here = { "", cmd_not_here, SERVICE_ANY, PHASE_ANY };
static const struct command wrong_phase = { "", cmd_wrong_phase, SERVICE_ANY, PHASE_ANY };

const struct command *command_find(enum smtp_service service, enum phase phase, struct slice line,
                                   struct slice *arguments_out)
{
    struct slice name = { 0 };

    *arguments_out = line;
    slice_split(arguments_out, ' ', &name);
    *arguments_out = slice_trim(*arguments_out);
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (!slice_is(name, commands[i].name))
            continue;
        if ((commands[i].services & service) == 0)
            return &not_here;
        return (commands[i].phases & phase) != 0 ? &commands[i] : &wrong_phase;
    }
    return &unknown;
}

static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.data[i] < ' ' && line.data[i] != '\t')
            return true;
    return false;
}

enum next command_run(struct smtp *smtp, struct slice line)
{
    const struct command *command;
    struct slice arguments;

    if (has_control(line))
        return refuse(smtp, "500 5.5.2 Control characters in a command");
    command = command_find(smtp->service, smtp->phase, line, &arguments);
    log_debug(&smtp->call->log, "command", F_STR("name", command->name));
    return command->run(smtp, arguments);
}
