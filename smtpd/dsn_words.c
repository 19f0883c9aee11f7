/* dsn_words.c - the part of a report that people read: what happened, to whom, and what to do.
 *
 *     Your message could not be delivered to these recipients:
 *
 *       bob@example.org
 *         There is no such address. Look for a typing error, or ask for the right one.
 *         mx.example.org answered: 550 5.1.1 no user bob
 */
#include "message/date.h"
#include "message/decode.h"
#include "message/header.h"
#include "smtpd/dsn.h"

#include <stdlib.h>

#define RECIPIENTS_SHOWN 50 /* to people; the fields for programs have all */
#define SUBJECT_MAX      200

/* What to do, by the enhanced status code behind its class (RFC 3463). The first row that fits: a
 * row without a last digit is for all of its subject. */
static const struct {
    const char *code, *advice;
} advices[] = {
    { ".1.2", "The domain of this address does not exist or takes no mail. Look for a typing error "
              "behind the @." },
    { ".1.10", "This domain takes no mail at all. Ask the recipient for another address." },
    { ".1.7", "The sender address was refused. Check the address your program sends from." },
    { ".1.8", "The sender address was refused. Check the address your program sends from." },
    { ".1.", "There is no such address. Look for a typing error, or ask for the right address." },
    { ".2.1", "This mailbox is closed for now. Reach the recipient another way." },
    { ".2.2", "The mailbox is full. Try again later, or reach the recipient another way." },
    { ".2.3", "The message is too large for this mailbox. Send large files another way." },
    { ".3.4", "The message is too large. Send large files another way." },
    { ".4.6", "The message went round in circles: forwarding is set up wrongly at the recipient's "
              "or here. Tell the postmaster." },
    { ".4.", "The recipient's server could not be reached. Check the part behind the @, and try "
             "again later." },
    { ".6.3",
      "The recipient's server does not take messages of this kind (8-bit or binary). Send it "
      "again in an encoding that all servers take: as quoted-printable or base64." },
    { ".6.7",
      "The recipient's server does not take addresses with such letters. Ask for an address "
      "in plain letters (a-z)." },
    { ".6.", "The recipient's server does not take this kind of message. Send it in a simpler "
             "form." },
    { ".7.", "The message was refused by the rules of the recipient's server; perhaps it was taken "
             "for spam. The answer below may say what to do; else ask the postmaster there." },
};

static const char *advice_for(struct slice status)
{
    for (size_t i = 0; i < COUNT_OF(advices) && status.len > 1; i++) {
        struct slice code = slice_from(status, 1);
        const char *row = advices[i].code;

        if (row[strlen(row) - 1] == '.' ? slice_starts(code, row) : slice_is(code, row))
            return advices[i].advice;
    }
    return NULL;
}

const char *dsn_subject(const struct bounce *bounce)
{
    bool is_delivered = true;

    switch (bounce->class) {
    case BOUNCE_FAILURE:
        return "Your message could not be delivered";
    case BOUNCE_DELAY:
        return "Your message is delayed";
    case BOUNCE_SUCCESS:
        for (size_t i = 0; i < bounce->n_recipients; i++)
            is_delivered = is_delivered && bounce->recipients[i]->report == REPORT_DELIVERED;
        return is_delivered ? "Your message was delivered" : "Your message was passed on";
    }
    abort();
}

static void add_beginning(const struct dsn *dsn, struct buf *out)
{
    switch (dsn->bounce->class) {
    case BOUNCE_FAILURE:
        buf_add_text(out,
                     "Your message could not be delivered to these recipients. It will not be\r\n"
                     "tried again; the others, if there were any, are not affected.\r\n\r\n");
        return;
    case BOUNCE_DELAY:
        buf_add_text(out,
                     "Your message could not be delivered yet. You need not send it again: we\r\n"
                     "go on trying. If it cannot be delivered in the end you will be told.\r\n"
                     "\r\n");
        return;
    case BOUNCE_SUCCESS:
        buf_add_text(out, "You asked to be told what became of your message:\r\n\r\n");
        return;
    }
    abort();
}

static void add_line(const char *name, struct slice text, bool is_global, struct buf *out)
{
    buf_fmt(out, "    %s", name);
    dsn_add_text(text, is_global, out);
    buf_add_text(out, "\r\n");
}

static void add_failure(const struct queue_recipient *recipient, bool is_global, struct buf *out)
{
    struct queue_try last = dsn_last_try(recipient);
    const char *advice = advice_for(last.status);

    if (advice != NULL)
        add_line("", slice_of(advice), is_global, out);
    if (last.answered) {
        buf_add_text(out, "    ");
        dsn_add_text(last.host, is_global, out);
        buf_add_text(out, " answered: ");
        dsn_add_text(last.reply, is_global, out);
        buf_add_text(out, "\r\n");
    } else if (last.reply.len > 0) {
        add_line("Reason: ", last.reply, is_global, out);
    }
}

static void add_recipient(const struct dsn *dsn, const struct queue_recipient *recipient,
                          bool is_global, struct buf *out)
{
    buf_add_text(out, "  ");
    dsn_add_text(recipient->original.len > 0 ? recipient->original : recipient->address, is_global,
                 out);
    buf_add_text(out, "\r\n");
    switch (recipient->report) {
    case REPORT_FAILED:
        add_failure(recipient, is_global, out);
        break;
    case REPORT_DELAYED:
        add_failure(recipient, is_global, out);
        buf_add_text(out, "    Will be tried until: ");
        date_print(dsn_retry_until(dsn, recipient), 0, out);
        buf_add_text(out, "\r\n");
        break;
    case REPORT_DELIVERED:
        add_line("", SLICE("is in the recipient's mailbox."), is_global, out);
        break;
    case REPORT_RELAYED:
        add_line("", SLICE("was given to a server that will not report what becomes of it."),
                 is_global, out);
        break;
    case REPORT_EXPANDED:
        add_line("", SLICE("was passed on to all members of this list."), is_global, out);
        break;
    case REPORT_NONE:
        break;
    }
    buf_add_text(out, "\r\n");
}

static void add_subject(const struct dsn *dsn, bool is_global, struct buf *out)
{
    AUTO(buf_free) struct buf subject = { 0 };
    struct header_field field;

    if (!header_find(dsn->returned, "Subject", &field))
        return;
    header_decode(slice_part(field.value, 0, SUBJECT_MAX), &subject);
    if (subject.len == 0 || (!slice_is_ascii(buf_slice(&subject)) && !is_global))
        return;
    buf_add_text(out, "Its subject was: ");
    dsn_add_text(buf_slice(&subject), is_global, out);
    buf_add_text(out, "\r\n");
}

void dsn_add_words(const struct dsn *dsn, bool is_global, struct buf *out)
{
    const struct bounce *bounce = dsn->bounce;

    buf_fmt(out, "This is the mail system at " SLICE_FMT ".\r\n\r\n", SLICE_ARG(dsn->hostname));
    add_beginning(dsn, out);
    for (size_t i = 0; i < MIN(bounce->n_recipients, RECIPIENTS_SHOWN); i++)
        add_recipient(dsn, bounce->recipients[i], is_global, out);
    if (bounce->n_recipients > RECIPIENTS_SHOWN)
        buf_fmt(out, "  ... and %zu more, listed in the attached report\r\n\r\n",
                bounce->n_recipients - RECIPIENTS_SHOWN);
    buf_add_text(out, "The message was received here at ");
    date_print(dsn->message->arrived_ms, 0, out);
    buf_add_text(out, ".\r\n");
    add_subject(dsn, is_global, out);
}
