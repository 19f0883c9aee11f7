/* reports.h - reads the reports that other servers have sent to a mailbox: DMARC's XML, TLSRPT's
 * JSON, in gzip or zip files or bare, whatever their MIME type says.
 *
 * What a report is, is told by its first character: senders' types and names differ. Whatever comes
 * by mail is bounded, and what cannot be read is named on stderr and counted.
 */
#pragma once

#include "admin/tool.h"

enum report_kind { REPORT_KIND_DMARC, REPORT_KIND_TLS };

struct report_reader {
    struct tool *tool;
    enum report_kind kind;
    /* One document of the kind. False: it is no report; tool->err says why. */
    bool (*take)(void *context, struct slice document);
    void *context;

    uint64_t n_read, n_unreadable;
};

/* Takes the command's arguments (ADDRESS [--mailbox NAME] [--days N]), opens the store, and reads
 * all reports of the last days. */
enum outcome reports_read(struct report_reader *reader) MUST_CHECK;

/* Says on stderr how many were read. */
void reports_tell(const struct report_reader *reader);
