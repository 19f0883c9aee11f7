/* row.h - what a DMARC report says of one message (RFC 7489 section 7.2).
 *
 * Pure. The row's slices point into the results.
 */
#pragma once

#include "message/proof/dmarc_report.h"
#include "smtpd/proof/proof.h"

/* False: the message's domain wants no reports. */
bool proof_row(const struct proof *proof, struct dmarc_row *row_out);
