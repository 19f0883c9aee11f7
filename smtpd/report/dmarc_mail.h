/* dmarc_mail.h - one domain's DMARC aggregate report as mail (RFC 7489 section 7.2).
 *
 * Threads: a worker with its desk.
 */
#pragma once

#include "common/dns.h"
#include "smtpd/report/report_mail.h"
#include "storage/tally.h"

/* Evaluates again, until the table has the answers it asks for. *letter_out is there with READY. */
enum report_mail_state dmarc_mail_make(struct smtpd *smtpd, struct desk *desk,
                                       const struct tally *which, struct dns_table *table,
                                       struct letter **letter_out, struct error *err);
