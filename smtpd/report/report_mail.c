/* report_mail.c - see report_mail.h.
 *
 * The sender is a real address and not the null one: receivers want the report to be the domain's
 * own by SPF and DKIM (RFC 7489 section 7.2.1.1, RFC 8460 section 5.3). We make no bounces for it.
 */
#include "smtpd/report/report_mail.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/crypto.h"
#include "common/pack.h"
#include "message/date.h"
#include "smtpd/policy.h"
#include "smtpd/proof/sign.h"
#include "storage/directory.h"

#define BASE64_LINE 76
#define DAY_S       86400

bool report_sender(struct smtpd *smtpd, struct desk *desk, struct arena *arena,
                   struct report_sender *sender_out, struct error *err)
{
    struct slice address = slice_of(smtpd->settings->report_sender);
    AUTO(buf_free) struct buf made = { 0 };
    struct domain_list domains;
    struct path path;

    if (address.len == 0) {
        if (!domain_all(desk, arena, &domains, err))
            return false;
        if (domains.count == 0)
            return error_set(err, ERROR_NOT_FOUND, "no domain of ours to send reports from");
        path_print(SLICE("postmaster"), domains.items[0].name, &made);
        address = buf_slice(&made);
    }
    if (!path_parse_bare(arena, address, &path) || path.domain.len == 0)
        return error_set(err, ERROR_INVALID, "[reports] sender is no mail address");
    sender_out->address = slice_copy(arena, address);
    sender_out->domain = slice_copy(arena, path.domain);
    return true;
}

struct slice report_id(struct arena *arena, const char *kind)
{
    AUTO(buf_free) struct buf id = { 0 };

    buf_fmt(&id, "%s%016llx", kind, (unsigned long long)random_u64());
    return slice_copy(arena, buf_slice(&id));
}

static void add_recipients(const struct report_mail *mail, struct buf *out)
{
    for (size_t i = 0; i < mail->n_to; i++)
        buf_fmt(out, "%s<" SLICE_FMT ">", i > 0 ? ",\r\n " : "", SLICE_ARG(mail->to[i].address));
}

/* RFC 7489 section 7.2.1.1, RFC 8460 section 5.3: both want this subject. */
static void add_head(const struct report_mail *mail, const struct letter *letter, struct buf *out)
{
    const struct report_sender *sender = mail->sender;

    buf_add_text(out, "Date: ");
    date_print(letter->message.arrived_ms, 0, out);
    buf_fmt(out, "\r\nFrom: <" SLICE_FMT ">\r\nTo: ", SLICE_ARG(sender->address));
    add_recipients(mail, out);
    buf_fmt(out,
            "\r\nSubject: Report Domain: " SLICE_FMT "\r\n Submitter: " SLICE_FMT
            "\r\n Report-ID: <" SLICE_FMT "@" SLICE_FMT ">\r\nMessage-ID: <" SLICE_FMT "@" SLICE_FMT
            ">\r\nAuto-Submitted: auto-generated\r\n%sMIME-Version: 1.0\r\n",
            SLICE_ARG(mail->domain), SLICE_ARG(sender->domain), SLICE_ARG(mail->id),
            SLICE_ARG(sender->domain), SLICE_ARG(mail->id), SLICE_ARG(sender->domain),
            mail->headers);
    buf_fmt(out, "Content-Type: %s;\r\n boundary=\"=_" SLICE_FMT "\"\r\n", mail->type,
            SLICE_ARG(mail->id));
}

static void add_boundary(const struct report_mail *mail, const char *end, struct buf *out)
{
    buf_fmt(out, "\r\n--=_" SLICE_FMT "%s\r\n", SLICE_ARG(mail->id), end);
}

static void add_base64(struct slice bytes, struct buf *out)
{
    AUTO(buf_free) struct buf text = { 0 };

    base64_encode(bytes, &text);
    for (size_t at = 0; at < text.len; at += BASE64_LINE) {
        buf_add_slice(out, slice_part(buf_slice(&text), at, BASE64_LINE));
        buf_add_text(out, "\r\n");
    }
}

/* "receiver!policy-domain!begin!end!id.xml.gz" */
static void add_file_name(const struct report_mail *mail, struct buf *out)
{
    buf_fmt(out, SLICE_FMT "!" SLICE_FMT "!%lld!%lld!" SLICE_FMT ".%s",
            SLICE_ARG(mail->sender->domain), SLICE_ARG(mail->domain), (long long)mail->day * DAY_S,
            (long long)mail->day * DAY_S + DAY_S - 1, SLICE_ARG(mail->id), mail->file_end);
}

static void add_parts(const struct report_mail *mail, struct slice file, struct buf *out)
{
    add_boundary(mail, "", out);
    buf_fmt(out, "Content-Type: text/plain; charset=us-ascii\r\n\r\n%s", mail->text);
    add_boundary(mail, "", out);
    buf_fmt(out, "Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n", mail->file_type);
    buf_add_text(out, "Content-Disposition: attachment;\r\n filename=\"");
    add_file_name(mail, out);
    buf_add_text(out, "\"\r\n\r\n");
    add_base64(file, out);
    add_boundary(mail, "--", out);
}

static bool add_recipient(struct smtpd *smtpd, struct desk *desk, struct letter *letter,
                          struct slice to, struct error *err)
{
    struct queue_recipient recipient = { .address = to, .original = to, .notify = NOTIFY_NEVER };
    struct resolved resolved;
    struct path path;

    if (!path_parse_bare(&letter->arena, to, &path))
        return true; /* nobody: the caller looks at the count */
    if (!directory_resolve(desk, &letter->arena, path.local, path.domain,
                           policy_separator(smtpd->settings), &resolved, err))
        return false;
    if (resolved.result == RESOLVE_REMOTE)
        letter_add_recipient(letter, &recipient);
    for (size_t i = 0; resolved.result == RESOLVE_OK && i < resolved.count; i++) {
        recipient.account = resolved.targets[i].account;
        recipient.address = resolved.targets[i].address;
        recipient.detail = resolved.targets[i].detail;
        letter_add_recipient(letter, &recipient);
    }
    return true;
}

/* An address with a limit gets nothing that is larger (RFC 7489 section 7.2.1). */
static bool address_all(struct smtpd *smtpd, struct desk *desk, struct report_mail *mail,
                        size_t size, struct letter *letter, struct error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < mail->n_to; i++)
        if (mail->to[i].size_max == 0 || size <= mail->to[i].size_max)
            mail->to[kept++] = mail->to[i];
    mail->n_to = kept;
    for (size_t i = 0; i < kept; i++)
        if (!add_recipient(smtpd, desk, letter, mail->to[i].address, err))
            return false;
    return true;
}

bool report_mail_make(struct smtpd *smtpd, struct desk *desk, const struct report_mail *wanted,
                      struct letter **letter_out, struct error *err)
{
    AUTO(letter_free) struct letter *letter = letter_new();
    AUTO(buf_free) struct buf text = { 0 }, file = { 0 };
    struct report_mail mail = *wanted;

    *letter_out = NULL;
    letter->message.arrived_ms = time_ms();
    letter->message.tls_optional = mail.tls_optional;
    letter->message.sender = slice_copy(&letter->arena, mail.sender->address);
    if (!pack_gzip(mail.report, &file, err) ||
        !address_all(smtpd, desk, &mail, file.len, letter, err))
        return false;
    if (letter->message.n_recipients == 0)
        return true;
    add_head(&mail, letter, &text);
    add_parts(&mail, buf_slice(&file), &text);
    letter->body = body_new(smtpd->store);
    letter->message.size = text.len;
    if (!body_add(letter->body, buf_slice(&text), err) || !body_finish(letter->body, err) ||
        (smtpd->settings->sign && !sign_letter(smtpd, desk, letter, err)))
        return false;
    *letter_out = TAKE(letter);
    return true;
}
