/* accept.h - DATA, and from the end of the data to the reply: the message enters the queue.
 *
 * The reply is given when the queue's commit is on disk, and not before. LMTP has one reply for
 * each accepted recipient (RFC 2033 section 4.2).
 */
#pragma once

#include "smtpd/session.h"

enum next cmd_data(struct smtp *smtp, struct slice arguments);

enum next accept_data(struct smtp *smtp);      /* STEP_DATA: input has come */
enum next accept_committed(struct smtp *smtp); /* STEP_COMMIT: the queue has answered */

/* The client went away while the queue wrote: what was committed is delivered all the same. */
void accept_late(struct smtp *smtp);

/* Shared with BDAT: before the first byte of the message, and after its last. */
void accept_begin(struct smtp *smtp);
enum next accept_message(struct smtp *smtp);

/* The reply to a message that has a fault; NULL when it has none. */
const char *accept_fault(const struct content *content);
