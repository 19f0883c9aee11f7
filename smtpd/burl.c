/* burl.c - see burl.h.
 *
 *     BURL
 * imap://bob%40example.org@host/Drafts/;UID=3;URLAUTH=submit+bob%40example.org:internal:... LAST
 *
 * The URL must carry an authorization that one of our mailboxes gave (storage/urlauth.h), for the
 * user that is logged in; its bytes come straight from the store, and take the same way as those of
 * BDAT, with which BURL mixes. A turn reads TURN_BYTES, then others have theirs.
 */
#include "smtpd/burl.h"

#include "smtpd/accept.h"
#include "smtpd/bdat.h"
#include "smtpd/reply.h"
#include "storage/mail_part.h"
#include "storage/urlauth.h"

#include <stdlib.h>

#define TURN_BYTES (1024 * 1024)

struct burl {
    uint64_t owner, offset;
    struct mail_part part;
    bool is_last;
};

void burl_free(struct burl **burl)
{
    if (*burl == NULL)
        return;
    mail_part_free(&(*burl)->part);
    free(*burl);
    *burl = NULL;
}

/* Section 3.2: "imap" once the client has authenticated, and could use it. */
void burl_offer(struct smtp *smtp)
{
    if (smtp->service == SERVICE_SUBMISSION)
        reply(smtp, smtp->account != 0 ? "250-BURL imap" : "250-BURL");
}

/* "BURL" SP absolute-URI [SP "LAST"] */
static bool parse(struct slice arguments, struct slice *url_out, bool *last_out)
{
    ptrdiff_t blank = slice_find(arguments, ' ');
    struct slice rest =
        slice_trim(slice_from(arguments, blank < 0 ? arguments.len : (size_t)blank));

    *url_out = slice_part(arguments, 0, blank < 0 ? arguments.len : (size_t)blank);
    *last_out = slice_is(rest, "LAST");
    return url_out->len > 0 && (*last_out || rest.len == 0);
}

/* The message cannot be what the client meant: the transaction is over. */
static enum next fail(struct smtp *smtp, const char *text)
{
    smtp_reset(smtp);
    smtp->step = STEP_COMMAND;
    return refuse(smtp, "%s", text);
}

static enum next fail_error(struct smtp *smtp, const struct error *err)
{
    switch (err->kind) {
    case ERROR_NOT_FOUND:
    case ERROR_DENIED:
        return fail(smtp, "554 5.6.6 IMAP URL resolution failed");
    case ERROR_INVALID:
        return fail(smtp, "554 5.7.8 URL resolution requires trust relationship");
    case ERROR_NONE:
    case ERROR_EXISTS:
    case ERROR_OVER_QUOTA:
    case ERROR_LIMIT:
    case ERROR_TEMPORARY:
    case ERROR_NEWER:
    case ERROR_INTERNAL:
        break;
    }
    log_failure(&smtp->call->log, err);
    return fail(smtp, "451 4.4.1 IMAP server unavailable");
}

static bool open_url(struct smtp *smtp, struct slice text, struct burl *burl, struct error *err)
{
    const struct url_visitor visitor = { .account = smtp->account, .submits = true };
    struct account *account;
    struct imap_url url;
    uint64_t mailbox;
    uint32_t uidvalidity;

    return (imap_url_parse(text, &smtp->call->arena, &url) ||
            error_set(err, ERROR_NOT_FOUND, "no URL of a message")) &&
           urlauth_open(smtp->call->desk, &url, &visitor, &burl->owner, &mailbox, &uidvalidity,
                        err) &&
           desk_account(smtp->call->desk, burl->owner, &account, err) &&
           mail_part_find(account, mailbox, uidvalidity, &url, &burl->part, err);
}

enum next cmd_burl(struct smtp *smtp, struct slice arguments)
{
    struct transaction *mail = &smtp->mail;
    struct slice url;
    struct error err;
    bool is_last;

    if (!parse(arguments, &url, &is_last))
        return refuse(smtp, "501 5.5.4 Syntax: BURL url [LAST]");
    if (smtp->account == 0)
        return refuse(smtp, "530 5.7.0 Authentication required");
    if (mail->n_accepted == 0)
        return refuse(smtp, smtp->phase == PHASE_MAIL
                                ? "554 5.5.0 No recipients have been specified"
                                : "503 5.5.0 Valid RCPT TO required before BURL");
    mail->burl = NEW(struct burl);
    mail->burl->is_last = is_last;
    if (!open_url(smtp, url, mail->burl, &err))
        return fail_error(smtp, &err);
    if (!mail->has_content) {
        accept_begin(smtp);
        mail->data.no_dots = true;
    }
    smtp->step = STEP_BURL;
    return burl_go_on(smtp);
}

static enum next end_of_part(struct smtp *smtp)
{
    bool is_last = smtp->mail.burl->is_last;

    burl_free(&smtp->mail.burl);
    return bdat_end_of_piece(smtp, is_last);
}

enum next burl_go_on(struct smtp *smtp)
{
    struct burl *burl = smtp->mail.burl;
    AUTO(buf_free) struct buf bytes = { 0 };
    struct account *account;
    struct error err;

    if (!desk_account(smtp->call->desk, burl->owner, &account, &err) ||
        !mail_part_read(account, &burl->part, burl->offset, TURN_BYTES, &bytes, &err))
        return fail_error(smtp, &err);
    bdat_add(smtp, buf_slice(&bytes));
    burl->offset += bytes.len;
    return burl->offset < burl->part.len ? NEXT_AGAIN : end_of_part(smtp);
}
