/* bounce.h - reports to the sender about what became of a message (RFC 3461, 3464, 6522).
 *
 * A report is a letter with the null sender; whoever makes it enters it into the queue in the same
 * change that removes the recipient it speaks of, so that it is sent exactly once.
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

enum bounce_kind {
    BOUNCE_FAILED,
    BOUNCE_DELAYED,   /* still trying */
    BOUNCE_DELIVERED, /* the sender asked to be told */
    BOUNCE_RELAYED,   /* handed to a server that knows no reports */
};

struct bounce {
    enum bounce_kind kind;
    const struct queue_recipient *recipient;
    const char *status;      /* "5.1.1" */
    const char *reason;      /* for people, one sentence */
    struct slice diagnostic; /* the other server's reply; may be empty */
    const char *remote_name; /* that server; NULL: nobody else was asked */
};

/* Whether the sender wants to hear of it: NOTIFY, and never for the null sender. */
bool bounce_is_wanted(const struct queue_message *message, const struct bounce *bounce);

/* Makes the report. `body` is the message's, may be NULL: it is then reported without its text.
 * *report_out is NULL when there is nobody to send it to. */
bool bounce_make(struct smtpd *smtpd, struct desk *desk, const struct queue_message *message,
                 struct body *body, const struct bounce *bounce, struct letter **report_out,
                 struct error *err) MUST_CHECK;
