/* dsn.c - see dsn.h. */
#include "smtpd/dsn.h"

#include "message/date.h"
#include "message/header.h"
#include "message/xtext.h"

#include <stdlib.h>

#define MESSAGE_ID_MAX 300 /* longer ones are not repeated in References */

struct queue_try dsn_last_try(const struct queue_recipient *recipient)
{
    return recipient->n_log > 0 ? recipient->log[recipient->n_log - 1] : (struct queue_try){ 0 };
}

int64_t dsn_retry_until(const struct dsn *dsn, const struct queue_recipient *recipient)
{
    return dsn->now_ms + MAX(dsn->give_up_ms - recipient->waited_ms, 0);
}

static bool is_ascii_recipient(const struct queue_recipient *recipient)
{
    return slice_is_ascii(recipient->address) && slice_is_ascii(recipient->original) &&
           slice_is_ascii(recipient->orcpt);
}

/* RFC 6533 section 4.4: the traditional types where nothing is lost by them. */
bool dsn_needs_utf8(const struct dsn *dsn)
{
    const struct queue_message *message = dsn->message;
    bool is_ascii = slice_is_ascii(message->sender);

    for (size_t i = 0; i < dsn->bounce->n_recipients && is_ascii; i++)
        is_ascii = is_ascii_recipient(dsn->bounce->recipients[i]);
    return message->utf8 && !(is_ascii && slice_is_ascii(slice_part(dsn->returned, 0,
                                                                    header_length(dsn->returned))));
}

static const char *action_of(enum queue_report report)
{
    switch (report) {
    case REPORT_FAILED:
        return "failed";
    case REPORT_DELAYED:
        return "delayed";
    case REPORT_DELIVERED:
        return "delivered";
    case REPORT_RELAYED:
        return "relayed";
    case REPORT_EXPANDED:
        return "expanded";
    case REPORT_NONE:
        break;
    }
    abort();
}

/* Where the try has left no code of its own. */
static const char *default_status(enum queue_report report)
{
    switch (bounce_class_of(report)) {
    case BOUNCE_FAILURE:
        return "5.0.0";
    case BOUNCE_DELAY:
        return "4.0.0";
    case BOUNCE_SUCCESS:
        return "2.0.0";
    }
    abort();
}

/* What is tried again has not failed for good, though its last server may have said so, or one of
 * several servers did (RFC 3463 section 2: the class of "persistent transient failure"). */
static void add_code(const struct queue_recipient *recipient, struct buf *out)
{
    struct slice code = dsn_last_try(recipient).status;

    buf_add_text(out, "Status: ");
    if (code.len == 0) {
        code = slice_of(default_status(recipient->report));
    } else if (recipient->report == REPORT_DELAYED) {
        buf_add_byte(out, '4');
        code = slice_from(code, 1);
    }
    dsn_add_text(code, false, out);
    buf_add_text(out, "\r\n");
}

static void add_date(const char *name, int64_t ms, struct buf *out)
{
    buf_fmt(out, "%s: ", name);
    date_print(ms, 0, out);
    buf_add_text(out, "\r\n");
}

void dsn_add_text(struct slice text, bool is_global, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < ' ' || byte == 0x7f)
            buf_add_byte(out, ' ');
        else
            buf_add_byte(out, byte > 127 && !is_global ? '?' : (char)byte);
    }
}

static void add_field(const char *name, struct slice text, bool is_global, struct buf *out)
{
    buf_add_text(out, name);
    dsn_add_text(text, is_global, out);
    buf_add_text(out, "\r\n");
}

/* An address with its type; what is not ASCII as the report can bear it (RFC 6533 section 3). */
static void add_address(const char *name, struct slice address, bool is_global, struct buf *out)
{
    AUTO(buf_free) struct buf encoded = { 0 };

    buf_fmt(out, "%s: %s; ", name, slice_is_ascii(address) ? "rfc822" : "utf-8");
    if (!slice_is_ascii(address) && !is_global) {
        utf8_address_encode(address, &encoded);
        address = buf_slice(&encoded);
    }
    add_field("", address, is_global, out);
}

/* ORCPT back to what it stands for (RFC 3461 section 5.2, RFC 6533 section 4.1). */
static void add_original(struct slice orcpt, bool is_global, struct buf *out)
{
    AUTO(buf_free) struct buf plain = { 0 };
    struct slice address = orcpt;
    struct slice type;

    if (!slice_split(&address, ';', &type))
        return;
    if (slice_is(type, "utf-8")) {
        if (utf8_address_decode(address, &plain)) {
            add_address("Original-Recipient", buf_slice(&plain), is_global, out);
            return;
        }
        buf_add_slice(&plain, address);
    } else {
        xtext_decode(address, &plain);
    }
    buf_add_text(out, "Original-Recipient: ");
    dsn_add_text(type, is_global, out);
    add_field("; ", buf_slice(&plain), is_global, out);
}

/* So that a mail reader shows the report below the message. */
static void add_references(const struct dsn *dsn, struct buf *out)
{
    struct header_field field;
    struct slice id;

    if (!header_find(dsn->returned, "Message-ID", &field))
        return;
    id = slice_trim(field.value);
    if (id.len < 3 || id.len > MESSAGE_ID_MAX || id.data[0] != '<' || id.data[id.len - 1] != '>')
        return;
    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] <= ' ' || id.data[i] == 0x7f)
            return;
    buf_fmt(out, "References: " SLICE_FMT "\r\n", SLICE_ARG(id));
}

static void add_head(const struct dsn *dsn, bool is_global, struct buf *out)
{
    add_date("Date", dsn->now_ms, out);
    buf_fmt(out, "From: Mail Delivery System <postmaster@" SLICE_FMT ">\r\n",
            SLICE_ARG(dsn->hostname));
    add_field("To: ", dsn->message->sender, is_global, out);
    buf_fmt(out,
            "Subject: %s\r\n"
            "Message-ID: <%016llx@" SLICE_FMT ">\r\n",
            dsn_subject(dsn->bounce), (unsigned long long)dsn->id, SLICE_ARG(dsn->hostname));
    add_references(dsn, out);
    buf_fmt(out,
            "Auto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=delivery-status;\r\n"
            "\tboundary=\"=_%016llx\"\r\n\r\n",
            (unsigned long long)dsn->id);
}

static void add_boundary(const struct dsn *dsn, const char *end, struct buf *out)
{
    buf_fmt(out, "--=_%016llx%s\r\n", (unsigned long long)dsn->id, end);
}

/* Type and encoding of a part, and the part: `text` must be whole lines. */
static void add_part(const char *type, struct slice text, struct buf *out)
{
    buf_fmt(out, "Content-Type: %s\r\n", type);
    if (!slice_is_ascii(text))
        buf_add_text(out, "Content-Transfer-Encoding: 8bit\r\n");
    buf_add_text(out, "\r\n");
    buf_add_slice(out, text);
}

static void add_words(const struct dsn *dsn, bool is_global, struct buf *out)
{
    AUTO(buf_free) struct buf text = { 0 };

    dsn_add_words(dsn, is_global, &text);
    add_part("text/plain; charset=utf-8", buf_slice(&text), out);
}

/* RFC 3464 section 2.3. */
static void add_recipient(const struct dsn *dsn, const struct queue_recipient *recipient,
                          bool is_global, struct buf *out)
{
    struct queue_try last = dsn_last_try(recipient);

    buf_add_text(out, "\r\n");
    if (recipient->orcpt.len > 0)
        add_original(recipient->orcpt, is_global, out);
    add_address("Final-Recipient", recipient->address, is_global, out);
    buf_fmt(out, "Action: %s\r\n", action_of(recipient->report));
    add_code(recipient, out);
    if (last.host.len > 0)
        add_field("Remote-MTA: dns; ", last.host, false, out);
    if (last.answered)
        add_field("Diagnostic-Code: smtp; ", last.reply, is_global, out);
    if (recipient->last_try_ms > 0)
        add_date("Last-Attempt-Date", recipient->last_try_ms, out);
    if (recipient->report == REPORT_DELAYED)
        add_date("Will-Retry-Until", dsn_retry_until(dsn, recipient), out);
}

/* RFC 3464 section 2.2. */
static void add_status(const struct dsn *dsn, bool is_global, struct buf *out)
{
    AUTO(buf_free) struct buf envid = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    const struct queue_message *message = dsn->message;

    if (message->envid.len > 0) {
        xtext_decode(message->envid, &envid);
        add_field("Original-Envelope-Id: ", buf_slice(&envid), is_global, &text);
    }
    buf_fmt(&text, "Reporting-MTA: dns; " SLICE_FMT "\r\n", SLICE_ARG(dsn->hostname));
    if (message->client.len > 0)
        add_field("Received-From-MTA: dns; ", message->client, false, &text);
    add_date("Arrival-Date", message->arrived_ms, &text);
    for (size_t i = 0; i < dsn->bounce->n_recipients; i++)
        add_recipient(dsn, dsn->bounce->recipients[i], is_global, &text);
    add_part(is_global ? "message/global-delivery-status" : "message/delivery-status",
             buf_slice(&text), out);
    buf_add_text(out, "\r\n");
}

static void add_returned(const struct dsn *dsn, bool is_global, struct buf *out)
{
    const char *whole = is_global ? "message/global" : "message/rfc822";
    const char *header = is_global ? "message/global-headers" : "text/rfc822-headers";

    add_part(dsn->returned_is_full ? whole : header, dsn->returned, out);
    buf_add_text(out, "\r\n");
}

void dsn_print(const struct dsn *dsn, struct buf *out)
{
    bool is_global = dsn_needs_utf8(dsn);

    add_head(dsn, is_global, out);
    add_boundary(dsn, "", out);
    add_words(dsn, is_global, out);
    add_boundary(dsn, "", out);
    add_status(dsn, is_global, out);
    if (dsn->returned.len > 0) {
        add_boundary(dsn, "", out);
        add_returned(dsn, is_global, out);
    }
    add_boundary(dsn, "--", out);
}
