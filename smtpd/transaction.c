/* transaction.c - see transaction.h. */
#include "smtpd/transaction.h"

#include "smtpd/allowance.h"
#include "smtpd/bounce.h"
#include "smtpd/forward.h"
#include "smtpd/parameters.h"
#include "smtpd/policy.h"
#include "smtpd/reply.h"

/* A list of ours may expand to more than one client may name. */
#define EXPANSION_FACTOR 4

#define RECIPIENT_BYTES 1024 /* what one takes, about */

static struct slice path_text(struct arena *arena, const struct path *path)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (path->domain.len > 0)
        path_print(path->local, path->domain, &text);
    else
        buf_add_slice(&text, path->local);
    return slice_copy(arena, buf_slice(&text));
}

static void begin(struct smtp *smtp, const struct mail_parameters *mail)
{
    struct letter *letter = letter_new();
    struct queue_message *message = &letter->message;

    message->sender = path_text(&letter->arena, &mail->path);
    message->account = smtp->account;
    message->envid = slice_copy(&letter->arena, mail->envid);
    message->ret = mail->ret;
    message->utf8 = mail->utf8;
    message->require_tls = mail->require_tls;
    message->eight_bit = mail->body == BODY_8BITMIME;
    message->binary = mail->body == BODY_BINARYMIME;
    smtp->mail = (struct transaction){
        .letter = letter,
        .announced_size = mail->size,
        .began_ms = (int64_t)clock_ms(),
    };
    smtp->phase = PHASE_MAIL;
}

enum next cmd_mail(struct smtp *smtp, struct slice arguments)
{
    struct mail_parameters mail;
    struct error err;
    const char *verdict;

    if (smtp->service == SERVICE_SUBMISSION && smtp->account == 0)
        return refuse(smtp, "530 5.7.0 Authentication required");
    if (!mail_parse(&smtp->call->arena, arguments, &mail, &verdict))
        return refuse(smtp, "%s", verdict);
    if (mail.require_tls && !smtp->call->secure) /* RFC 8689 section 2 */
        return refuse(smtp, "530 5.7.10 REQUIRETLS needs TLS here, too");
    if (ceiling_state() == CEILING_SCARCE)
        return refuse(smtp, "452 4.3.1 Too much to do, try again later");
    if (mail.size > smtp->smtpd->settings->message_size)
        return refuse(smtp, "552 5.3.4 Message is larger than %llu bytes",
                      (unsigned long long)smtp->smtpd->settings->message_size);
    if (!policy_sender(smtp, &mail.path, &verdict, &err))
        return refuse_error(smtp, &err);
    if (verdict != NULL)
        return refuse(smtp, "%s", verdict);
    begin(smtp, &mail);
    return reply(smtp, "250 2.1.0 Ok");
}

static void add_target(struct letter *letter, const struct rcpt_parameters *rcpt,
                       struct slice original, const struct resolve_target *target,
                       struct slice reverse_path)
{
    const struct queue_recipient recipient = {
        .account = target->account,
        .address = target->address,
        .detail = target->detail,
        .original = original,
        .reverse_path = target->account == 0 ? reverse_path : (struct slice){ 0 },
        .orcpt = rcpt->orcpt,
        .notify = rcpt->notify,
    };

    letter_add_recipient(letter, &recipient);
}

/* The address itself goes on to its domain's server. */
static void add_remote(struct letter *letter, const struct rcpt_parameters *rcpt,
                       struct slice original)
{
    add_target(letter, rcpt, original, &(struct resolve_target){ .address = original },
               (struct slice){ 0 });
}

static bool has_remote(const struct resolved *resolved)
{
    for (size_t i = 0; i < resolved->count; i++)
        if (resolved->targets[i].account == 0)
            return true;
    return false;
}

/* An alias with several targets: the sender who asks for SUCCESS hears of the expansion, and of no
 * delivery behind it (RFC 3461 section 5.2.7.3 (c)). */
static void note_expansion(struct letter *letter, struct rcpt_parameters *rcpt,
                           struct slice original)
{
    const struct queue_recipient alias = {
        .address = original,
        .original = original,
        .orcpt = rcpt->orcpt,
        .notify = rcpt->notify,
        .state = QUEUE_ENDED,
        .report = REPORT_EXPANDED,
    };

    if (!bounce_is_wanted(&letter->message, &alias, REPORT_EXPANDED))
        return;
    letter_add_recipient(letter, &alias);
    rcpt->notify &= ~(unsigned)NOTIFY_SUCCESS;
    if (rcpt->notify == NOTIFY_DEFAULT)
        rcpt->notify = NOTIFY_NEVER; /* nothing was asked for but SUCCESS */
}

static enum next add(struct smtp *smtp, struct rcpt_parameters *rcpt,
                     const struct resolved *resolved)
{
    struct letter *letter = smtp->mail.letter;
    struct slice original = path_text(&letter->arena, &rcpt->path);
    size_t expanded_max = smtp->smtpd->settings->recipients * EXPANSION_FACTOR;
    struct slice reverse_path = { 0 };
    struct error err;

    if (letter->message.n_recipients + resolved->count > expanded_max)
        return refuse(smtp, "452 4.5.3 Too many recipients");
    if (resolved->result == RESOLVE_OK && has_remote(resolved) &&
        !forward_sender(smtp->call->desk, &letter->arena, letter->message.sender, rcpt->path.domain,
                        &reverse_path, &err))
        return refuse_error(smtp, &err);
    if (resolved->result == RESOLVE_REMOTE)
        add_remote(letter, rcpt, original);
    if (resolved->result == RESOLVE_OK && resolved->count > 1)
        note_expansion(letter, rcpt, original);
    for (size_t i = 0; resolved->result == RESOLVE_OK && i < resolved->count; i++)
        add_target(letter, rcpt, original, &resolved->targets[i], reverse_path);
    smtp->mail.first_original = smtp->mail.n_accepted == 0 ? original : (struct slice){ 0 };
    smtp->mail.n_accepted++;
    smtp->phase = PHASE_RCPT;
    return reply(smtp, "250 2.1.5 Ok");
}

/* For one more; a hundred have to be taken (RFC 5321 section 4.5.3.1.8). */
static bool has_memory(struct smtp *smtp)
{
    size_t count = smtp->mail.n_accepted + 1;

    return count <= 100 || ceiling_hold(&smtp->mail.letter->held, count * RECIPIENT_BYTES);
}

enum next cmd_rcpt(struct smtp *smtp, struct slice arguments)
{
    struct rcpt_parameters rcpt;
    struct resolved resolved;
    struct error err;
    const char *verdict;

    if (!rcpt_parse(&smtp->call->arena, arguments, &rcpt, &verdict))
        return refuse(smtp, "%s", verdict);
    if (rcpt.path.utf8 && !smtp->mail.letter->message.utf8)
        return refuse(smtp, "550 5.6.7 Address needs SMTPUTF8");
    if (smtp->mail.n_accepted >= smtp->smtpd->settings->recipients || !has_memory(smtp))
        return refuse(smtp, "452 4.5.3 Too many recipients");
    if (!policy_recipient(smtp, &rcpt.path, smtp->mail.announced_size, &resolved, &verdict, &err))
        return refuse_error(smtp, &err);
    if (verdict == NULL && !allowance_take(smtp, MAX(resolved.count, 1), &verdict, &err))
        return refuse_error(smtp, &err);
    if (verdict != NULL)
        return refuse(smtp, "%s", verdict);
    if (!door_recipient(smtp, &rcpt.path, &verdict))
        return smtp_repeat(smtp, &smtp->visitor.dns);
    if (verdict != NULL)
        return refuse(smtp, "%s", verdict);
    return add(smtp, &rcpt, &resolved);
}
