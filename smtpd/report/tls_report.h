/* tls_report.h - a report on TLS to another domain's servers (RFC 8460 section 4.4), as JSON.
 *
 * Pure.
 */
#pragma once

#include "common/buf.h"
#include "storage/tally.h"

struct tls_report {
    struct slice domain, submitter, contact, id;
    int64_t day;
    const struct tally_list *counts; /* of TALLY_TLS, in the order of their keys */
};

void tls_report_print(const struct tls_report *report, struct buf *out);
