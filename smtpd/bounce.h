/* bounce.h - reports to the sender about what became of a message (RFC 3461, 3464, 6522, 6533).
 *
 * A report is a letter with the null sender, and speaks of one or several recipients of a message;
 * whoever makes it enters it into the queue in the same change that removes the recipients it
 * speaks of (or notes that their delay is told), so that it is sent exactly once: see reporter.h.
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

/* What goes into one report: bad news and good ones are not mixed. */
enum bounce_class { BOUNCE_FAILURE, BOUNCE_DELAY, BOUNCE_SUCCESS };
enum bounce_class bounce_class_of(enum queue_report report); /* not of REPORT_NONE */

struct bounce {
    enum bounce_class class;
    const struct queue_recipient **recipients; /* with their log; at least one */
    size_t n_recipients;
};

/* Whether the sender wants to hear of it: NOTIFY, and never for the null sender. */
bool bounce_is_wanted(const struct queue_message *message, const struct queue_recipient *recipient,
                      enum queue_report report);

/* Makes the report. `body` is the message's, may be NULL: it is then reported without its text.
 * *report_out is NULL when there is nobody to send it to. */
bool bounce_make(struct smtpd *smtpd, struct desk *desk, const struct queue_message *message,
                 struct body *body, const struct bounce *bounce, struct letter **report_out,
                 struct error *err) MUST_CHECK;
