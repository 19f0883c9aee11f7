/* policy.h - who may send as whom, and where mail may go.
 *
 * A verdict is the whole refusal, without CRLF, or NULL: go ahead.
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "smtpd/session.h"

/* MAIL: RFC 6409 section 6.1. False: err says why nobody can tell now. */
bool policy_sender(struct smtp *smtp, const struct path *path, const char **verdict_out,
                   struct error *err) MUST_CHECK;

/* RCPT: what the directory says of the address, and whether this client may use it. `size`: of the
 * message as announced, 0 if unknown. */
bool policy_recipient(struct smtp *smtp, const struct path *path, uint64_t size,
                      struct resolved *resolved_out, const char **verdict_out,
                      struct error *err) MUST_CHECK;

/* End of data, when the size is known: refused when there is room for it in no mailbox at all. With
 * room in some of them it is taken; the others are reported to the sender. */
bool policy_message(struct smtp *smtp, const struct queue_message *message,
                    const char **verdict_out, struct error *err) MUST_CHECK;

/* The separator of subaddresses as a byte; 0: none. */
char policy_separator(const struct settings *settings);
