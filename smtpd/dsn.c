/* dsn.c - see dsn.h. */
#include "smtpd/dsn.h"

#include "message/date.h"

#include <stdlib.h>

static const char *subject_of(enum bounce_kind kind)
{
    switch (kind) {
    case BOUNCE_FAILED:
        return "Your message could not be delivered";
    case BOUNCE_DELAYED:
        return "Your message is delayed";
    case BOUNCE_DELIVERED:
        return "Your message was delivered";
    case BOUNCE_RELAYED:
        return "Your message was passed on";
    }
    abort();
}

static const char *action_of(enum bounce_kind kind)
{
    switch (kind) {
    case BOUNCE_FAILED:
        return "failed";
    case BOUNCE_DELAYED:
        return "delayed";
    case BOUNCE_DELIVERED:
        return "delivered";
    case BOUNCE_RELAYED:
        return "relayed";
    }
    abort();
}

static void add_date(const char *name, int64_t ms, struct buf *out)
{
    buf_fmt(out, "%s: ", name);
    date_print(ms, 0, out);
    buf_add_text(out, "\r\n");
}

/* A reply or an address from outside becomes one line of printable text. */
static void add_line(const char *name, struct slice text, struct buf *out)
{
    buf_add_text(out, name);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        buf_add_byte(out, byte < ' ' || byte == 0x7f ? ' ' : (char)byte);
    }
    buf_add_text(out, "\r\n");
}

/* xtext back to what it stands for (RFC 3461 section 4). */
static void add_xtext_line(const char *name, struct slice xtext, struct buf *out)
{
    AUTO(buf_free) struct buf plain = { 0 };

    for (size_t i = 0; i < xtext.len; i++) {
        char hex[3] = { 0 };
        if (xtext.data[i] != '+' || i + 2 >= xtext.len) {
            buf_add_byte(&plain, xtext.data[i]);
            continue;
        }
        memcpy(hex, xtext.data + i + 1, 2);
        buf_add_byte(&plain, (char)strtoul(hex, NULL, 16));
        i += 2;
    }
    add_line(name, buf_slice(&plain), out);
}

static void add_head(const struct dsn *dsn, struct buf *out)
{
    add_date("Date", dsn->now_ms, out);
    buf_fmt(out, "From: Mail Delivery System <postmaster@" SLICE_FMT ">\r\n",
            SLICE_ARG(dsn->hostname));
    add_line("To: ", dsn->message->sender, out);
    buf_fmt(out,
            "Subject: %s\r\n"
            "Message-ID: <%016llx@" SLICE_FMT ">\r\n"
            "Auto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=delivery-status;\r\n"
            "\tboundary=\"=_%016llx\"\r\n\r\n",
            subject_of(dsn->bounce->kind), (unsigned long long)dsn->id, SLICE_ARG(dsn->hostname),
            (unsigned long long)dsn->id);
}

static void add_boundary(const struct dsn *dsn, const char *end, struct buf *out)
{
    buf_fmt(out, "--=_%016llx%s\r\n", (unsigned long long)dsn->id, end);
}

static void add_words(const struct dsn *dsn, struct buf *out)
{
    const struct bounce *bounce = dsn->bounce;

    buf_add_text(out, "Content-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 8bit\r\n\r\n");
    buf_fmt(out, "This is the mail system at " SLICE_FMT ".\r\n\r\n%s.\r\n\r\n",
            SLICE_ARG(dsn->hostname), subject_of(bounce->kind));
    add_line("  Recipient: ", bounce->recipient->original, out);
    add_line("  Reason:    ", slice_of(bounce->reason), out);
    if (bounce->diagnostic.len > 0)
        add_line("  Answer:    ", bounce->diagnostic, out);
    buf_add_text(out, "\r\n");
}

/* RFC 3464 sections 2.2 and 2.3. */
static void add_status(const struct dsn *dsn, struct buf *out)
{
    const struct bounce *bounce = dsn->bounce;
    bool has_utf8 = dsn->message->utf8;

    buf_fmt(out, "Content-Type: message/%s\r\n%s\r\n",
            has_utf8 ? "global-delivery-status" : "delivery-status",
            has_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    buf_fmt(out, "Reporting-MTA: dns; " SLICE_FMT "\r\n", SLICE_ARG(dsn->hostname));
    if (dsn->message->envid.len > 0)
        add_xtext_line("Original-Envelope-Id: ", dsn->message->envid, out);
    add_date("Arrival-Date", dsn->message->arrived_ms, out);
    buf_add_text(out, "\r\n");
    if (bounce->recipient->orcpt.len > 0)
        add_xtext_line("Original-Recipient: ", bounce->recipient->orcpt, out);
    add_line(has_utf8 ? "Final-Recipient: utf-8; " : "Final-Recipient: rfc822; ",
             bounce->recipient->address, out);
    buf_fmt(out, "Action: %s\r\nStatus: %s\r\n", action_of(bounce->kind), bounce->status);
    if (bounce->remote_name != NULL)
        add_line("Remote-MTA: dns; ", slice_of(bounce->remote_name), out);
    if (bounce->diagnostic.len > 0)
        add_line("Diagnostic-Code: smtp; ", bounce->diagnostic, out);
    add_date("Last-Attempt-Date", dsn->now_ms, out);
    buf_add_text(out, "\r\n");
}

static void add_returned(const struct dsn *dsn, struct buf *out)
{
    const char *kind = dsn->message->utf8 ? (dsn->returned_is_full ? "global" : "global-headers")
                       : dsn->returned_is_full ? "rfc822"
                                               : NULL;

    if (kind != NULL)
        buf_fmt(out, "Content-Type: message/%s\r\n", kind);
    else
        buf_add_text(out, "Content-Type: text/rfc822-headers\r\n");
    buf_add_text(out, "Content-Transfer-Encoding: 8bit\r\n\r\n");
    buf_add_slice(out, dsn->returned);
    buf_add_text(out, "\r\n");
}

void dsn_print(const struct dsn *dsn, struct buf *out)
{
    add_head(dsn, out);
    add_boundary(dsn, "", out);
    add_words(dsn, out);
    add_boundary(dsn, "", out);
    add_status(dsn, out);
    if (dsn->returned.len > 0) {
        add_boundary(dsn, "", out);
        add_returned(dsn, out);
    }
    add_boundary(dsn, "--", out);
}
