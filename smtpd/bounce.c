/* bounce.c - see bounce.h. */
#include "smtpd/bounce.h"

#include "common/daemon.h"
#include "message/header.h"
#include "smtpd/dsn.h"
#include "smtpd/policy.h"
#include "smtpd/proof/sign.h"

#include <stdlib.h>

/* More than this of a message is not sent back, whatever RET says. */
#define RETURNED_MAX (1024 * 1024)

enum bounce_class bounce_class_of(enum queue_report report)
{
    switch (report) {
    case REPORT_FAILED:
        return BOUNCE_FAILURE;
    case REPORT_DELAYED:
        return BOUNCE_DELAY;
    case REPORT_DELIVERED:
    case REPORT_RELAYED:
    case REPORT_EXPANDED:
        return BOUNCE_SUCCESS;
    case REPORT_NONE:
        break;
    }
    abort();
}

bool bounce_is_wanted(const struct queue_message *message, const struct queue_recipient *recipient,
                      enum queue_report report)
{
    unsigned notify = recipient->notify;

    if (report == REPORT_NONE || message->sender.len == 0 || (notify & NOTIFY_NEVER) != 0)
        return false;
    switch (bounce_class_of(report)) {
    case BOUNCE_FAILURE:
        return notify == NOTIFY_DEFAULT || (notify & NOTIFY_FAILURE) != 0;
    case BOUNCE_DELAY:
        return notify == NOTIFY_DEFAULT || (notify & NOTIFY_DELAY) != 0;
    case BOUNCE_SUCCESS:
        return (notify & NOTIFY_SUCCESS) != 0;
    }
    abort();
}

/* The report's own recipients: the sender, who may be one of ours. */
static bool address_report(struct smtpd *smtpd, struct desk *desk, struct letter *report,
                           struct slice sender, struct error *err)
{
    struct path path;
    struct resolved resolved;

    if (!path_parse_bare(&report->arena, sender, &path) || path.domain.len == 0)
        return true; /* nobody: the caller looks at the count */
    if (!directory_resolve(desk, &report->arena, path.local, path.domain,
                           policy_separator(smtpd->settings), &resolved, err))
        return false;
    if (resolved.result == RESOLVE_REMOTE)
        letter_add_recipient(report,
                             &(struct queue_recipient){ .address = sender, .original = sender });
    for (size_t i = 0; resolved.result == RESOLVE_OK && i < resolved.count; i++)
        letter_add_recipient(report,
                             &(struct queue_recipient){ .account = resolved.targets[i].account,
                                                        .address = resolved.targets[i].address,
                                                        .detail = resolved.targets[i].detail,
                                                        .original = sender });
    return true;
}

/* What goes back: the header, or all of it where RET=FULL asks for it and it failed. Of a message
 * that needs TLS never all of it (RFC 8689 section 5). */
static struct slice returned_part(const struct queue_message *message, struct slice bytes,
                                  const struct bounce *bounce, bool *full_out)
{
    *full_out = bounce->class == BOUNCE_FAILURE && message->ret == RETURN_FULL &&
                bytes.len <= RETURNED_MAX && !message->binary && !message->require_tls;
    return *full_out ? bytes : slice_part(bytes, 0, MIN(header_length(bytes), RETURNED_MAX));
}

static bool write_report(struct smtpd *smtpd, struct letter *report,
                         const struct queue_message *message, struct body *body,
                         const struct bounce *bounce, struct error *err)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct slice bytes = { 0 };
    struct dsn dsn = {
        .hostname = slice_of(smtpd->settings->hostname),
        .message = message,
        .bounce = bounce,
        .id = report->trace_id,
        .now_ms = report->message.arrived_ms,
        .give_up_ms = (int64_t)smtpd->settings->give_up,
    };

    if (body != NULL && !body_bytes(body, &bytes, err))
        return false;
    dsn.returned = returned_part(message, bytes, bounce, &dsn.returned_is_full);
    report->message.utf8 = dsn_needs_utf8(&dsn);
    report->message.require_tls = message->require_tls;
    dsn_print(&dsn, &text);
    report->message.eight_bit = !slice_is_ascii(buf_slice(&text));
    report->body = body_new(smtpd->store);
    report->message.size = text.len;
    return body_add(report->body, buf_slice(&text), err) && body_finish(report->body, err);
}

bool bounce_make(struct smtpd *smtpd, struct desk *desk, const struct queue_message *message,
                 struct body *body, const struct bounce *bounce, struct letter **report_out,
                 struct error *err)
{
    AUTO(letter_free) struct letter *report = letter_new();

    *report_out = NULL;
    report->message.arrived_ms = time_ms();
    if (!address_report(smtpd, desk, report, message->sender, err))
        return false;
    if (report->message.n_recipients == 0)
        return true;
    if (!write_report(smtpd, report, message, body, bounce, err))
        return false;
    if (smtpd->settings->sign && !sign_letter(smtpd, desk, report, err))
        return false;
    *report_out = TAKE(report);
    return true;
}
