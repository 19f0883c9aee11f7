/* copying.h - a COPY of any size in steps, all or nothing (RFC 9051 section 6.4.7).
 *
 *     copying_start() --copying_step()--> ... --> the last one --> copying_free()
 *                          | an error                                  ^
 *                          '--> copying_undo() ... --> the end --------'
 *
 * A step is one transaction, durable at once, and others may come in between: they see copies from
 * the first step on, and their own messages get UIDs between those of the copies. What the steps
 * have made is written down with each, in the target's account, until the last one takes the record
 * away. A copy that ends before that leaves the record to copying_break_off(), the collector, and
 * whoever opens the account next: they expunge what it has made.
 *
 * Few messages are better copied at once, by mailbox_copy_to().
 *
 * Threads and ownership: as in account.h; handles are lent for a turn, so each call is given them.
 */
#pragma once

#include "storage/mail.h"

struct copying;

/* `which`: all that will be copied. Messages that come into the mailbox from here on are not.
 * Errors: ERROR_NOT_FOUND, ERROR_OVER_QUOTA when not all of them will fit. */
bool copying_start(struct account *account, uint64_t mailbox, const struct uidset *which,
                   const struct copy_target *to, struct copying **copying_out,
                   struct error *err) MUST_CHECK;

/* Copies a part of them, in ascending order; what has been expunged meanwhile is passed over. The
 * result says what this step has done. At most MAIL_SLICE messages, to hold the lock for a few
 * milliseconds only. Errors: as mailbox_copy_to(). */
bool copying_step(struct copying *copying, struct account *account, uint64_t mailbox,
                  const struct uidset *part, bool last, const struct copy_target *to,
                  struct copy_result *result_out, struct error *err) MUST_CHECK;

/* Takes away some of what was made; *end_out when nothing is left. After an error the record is
 * still there. */
bool copying_undo(struct copying *copying, struct account *to, bool *end_out,
                  struct error *err) MUST_CHECK;

/* Takes away as much as can be done in a moment, without waiting for a turn: the session ends. The
 * collector goes on with the rest. */
void copying_break_off(struct copying *copying, struct account *to);

void copying_free(struct copying **copying);
