/* submit.c - see submit.h. */
#include "smtpd/submit.h"

#include "message/date.h"
#include "message/header.h"

struct found {
    bool date, message_id, from;
};

static bool is_private(struct slice name)
{
    return slice_is(name, "Bcc") || slice_is(name, "Resent-Bcc") || slice_is(name, "Return-Path");
}

static void note(struct found *found, struct slice name)
{
    found->date |= slice_is(name, "Date");
    found->message_id |= slice_is(name, "Message-ID");
    found->from |= slice_is(name, "From");
}

static void add_missing(const struct found *found, const struct submit_facts *facts,
                        struct buf *out)
{
    if (!found->from && facts->sender.len > 0)
        buf_fmt(out, "From: <" SLICE_FMT ">\r\n", SLICE_ARG(facts->sender));
    if (!found->date) {
        buf_add_text(out, "Date: ");
        date_print(facts->now_ms, 0, out);
        buf_add_text(out, "\r\n");
    }
    if (!found->message_id)
        buf_fmt(out, "Message-ID: <%llx.%016llx@" SLICE_FMT ">\r\n",
                (unsigned long long)facts->now_ms, (unsigned long long)facts->id,
                SLICE_ARG(facts->hostname));
}

void submit_fix(struct slice header, const struct submit_facts *facts, struct buf *out)
{
    struct found found = { 0 };
    struct header_field field;

    while (header_next(&header, &field)) {
        note(&found, field.name);
        if (is_private(field.name))
            continue;
        buf_add_slice(out, field.raw);
        if (out->len > 0 && out->data[out->len - 1] != '\n')
            buf_add_text(out, "\r\n");
    }
    add_missing(&found, facts, out);
    buf_add_text(out, "\r\n");
}
