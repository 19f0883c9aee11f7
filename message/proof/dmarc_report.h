/* dmarc_report.h - a DMARC aggregate report (RFC 7489 appendix C), as a receiver sends it.
 *
 * Reading is lenient about what is missing, strict about size: documents with entity declarations,
 * deeper than DMARC_REPORT_DEPTH or with more than DMARC_REPORT_ROWS rows are refused. Pure;
 * results live in the arena.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"
#include "common/mem.h"

#define DMARC_REPORT_SIZE  (32u << 20) /* of the XML */
#define DMARC_REPORT_ROWS  100000
#define DMARC_REPORT_DEPTH 16
#define DMARC_REPORT_TEXT  1024 /* of one element; the rest is cut off */

struct dmarc_row {
    struct slice source;                                  /* the address mail came from */
    uint64_t count;                                       /* messages */
    struct slice disposition;                             /* "none", "quarantine", "reject" */
    struct slice dkim, spf;                               /* aligned: "pass", "fail" */
    struct slice reason;                                  /* of another disposition; may be empty */
    struct slice header_from;                             /* domain */
    struct slice envelope_from;                           /* may be empty */
    struct slice dkim_domain, dkim_selector, dkim_result; /* the first signature; may be empty */
    struct slice spf_domain, spf_scope, spf_result;       /* scope: "mfrom", "helo" */
};

struct dmarc_report {
    struct slice organisation, email, id;
    uint64_t begin_s, end_s; /* UTC */
    struct slice domain, policy, subdomain_policy, adkim, aspf, percent, failure_options;
    struct dmarc_row *rows;
    size_t n_rows;
};

/* Errors: ERROR_INVALID with line and reason, ERROR_LIMIT. */
bool dmarc_report_parse(struct arena *arena, struct slice xml, struct dmarc_report *report_out,
                        struct error *err) MUST_CHECK;

/* The same document, for a report of our own. */
void dmarc_report_print(const struct dmarc_report *report, struct buf *xml_out);

/* Whether a subject looks like that of a report (RFC 7489 section 7.2.1.1): "Report Domain: ...
 * Submitter: ...". */
bool dmarc_report_subject(struct slice subject);
