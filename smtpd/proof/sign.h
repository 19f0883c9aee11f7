/* sign.h - signs what leaves in the name of a domain of ours (RFC 6376).
 *
 * Each active key of the domain adds a signature, in front of the letter's trace lines. The domain
 * is that of From, if the sender may use that address (DMARC wants them to be the same), else that
 * of the reverse path. A message that cannot be signed goes out without.
 *
 * Threads: a worker with its desk. RSA takes about a millisecond of it.
 */
#pragma once

#include "smtpd/letter.h"
#include "smtpd/smtpd.h"

/* A submission, or a report of our own (account 0). The body is finished. */
bool sign_letter(struct smtpd *smtpd, struct desk *desk, struct letter *letter,
                 struct error *err) MUST_CHECK;
