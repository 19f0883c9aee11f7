/* trace.c - see trace.h. */
#include "smtpd/trace.h"

#include "message/date.h"
#include "message/header.h"

#include <ctype.h>

void trace_protocol(const struct trace *trace, struct buf *out)
{
    const char *family = trace->lmtp ? "LMTP" : trace->utf8 ? "SMTP" : "ESMTP";

    if (!trace->esmtp) {
        buf_add_text(out, "SMTP");
        return;
    }
    buf_add_text(out, trace->utf8 ? "UTF8" : "");
    buf_add_text(out, family);
    buf_add_text(out, trace->secure ? "S" : "");
    buf_add_text(out, trace->authenticated ? "A" : "");
}

static void add_clean(struct slice name, struct buf *out)
{
    if (name.len == 0)
        buf_add_text(out, "unknown");
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        bool fine = isalnum(byte) || strchr(".-_:[]", byte) != NULL || byte >= 0x80;
        buf_add_byte(out, fine && byte != '\0' ? (char)byte : '?');
    }
}

static bool is_plain(struct slice address)
{
    for (size_t i = 0; i < address.len; i++)
        if ((unsigned char)address.data[i] <= ' ' || strchr("<>()\\", address.data[i]) != NULL)
            return false;
    return address.len > 0;
}

/* TCP-info; a client on a unix socket has none. */
static void add_address(const char *address, struct buf *out)
{
    if (strchr(address, ':') != NULL)
        buf_fmt(out, " ([IPv6:%s])\r\n\t", address);
    else if (strchr(address, '.') != NULL)
        buf_fmt(out, " ([%s])\r\n\t", address);
    else
        buf_add_text(out, " (on this machine)\r\n\t");
}

void trace_received(const struct trace *trace, struct buf *out)
{
    buf_add_text(out, "Received: ");
    if (!trace->hide_client) {
        buf_add_text(out, "from ");
        add_clean(trace->helo, out);
        add_address(trace->address, out);
    }
    buf_fmt(out, "by " SLICE_FMT " (Postane) with ", SLICE_ARG(trace->hostname));
    trace_protocol(trace, out);
    if (trace->tls_name[0] != '\0')
        buf_fmt(out, " (%s)", trace->tls_name);
    buf_fmt(out, "\r\n\tid %016llx", (unsigned long long)trace->id);
    if (is_plain(trace->recipient))
        buf_fmt(out, "\r\n\tfor <" SLICE_FMT ">", SLICE_ARG(trace->recipient));
    buf_add_text(out, ";\r\n\t");
    date_print(trace->now_ms, 0, out);
    buf_add_text(out, "\r\n");
}

void trace_client(struct slice helo, const char *address, struct buf *out)
{
    add_clean(helo, out);
    buf_fmt(out, strchr(address, ':') != NULL ? " ([IPv6:%s])" : " ([%s])", address);
}

void trace_delivery(struct slice sender, struct slice address, struct buf *out)
{
    buf_fmt(out, "Return-Path: <" SLICE_FMT ">\r\nDelivered-To: " SLICE_FMT "\r\n",
            SLICE_ARG(sender), SLICE_ARG(address));
}

bool trace_was_delivered_to(struct slice header, struct slice address)
{
    struct header_field field;

    while (header_next(&header, &field))
        if (slice_is(field.name, "Delivered-To") &&
            slice_equal_case(slice_trim(field.value), address))
            return true;
    return false;
}
