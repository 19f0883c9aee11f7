/* dmarc.c - `postane dmarc report`: what others have told of mail in our name.
 *
 * All rows of all reports are gathered, sorted and summed up by where the mail came from and what
 * became of it.
 */
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/reports.h"
#include "message/proof/dmarc_report.h"

#include <stdlib.h>

/* One line of the summary, or one row of a report. */
struct sum {
    struct slice domain, source, disposition, dkim, spf;
    uint64_t count, n_reports;
};

struct summary {
    struct tool *tool;
    struct sum *sums;
    size_t count, room;
};

/* --- summing up --- */

static bool take(void *context, struct slice document)
{
    struct summary *summary = context;
    struct dmarc_report report;

    if (!dmarc_report_parse(&summary->tool->arena, document, &report, &summary->tool->err))
        return false;
    summary->sums = mem_grow(summary->sums, &summary->room, summary->count + report.n_rows,
                             sizeof(summary->sums[0]));
    for (size_t i = 0; i < report.n_rows; i++) {
        const struct dmarc_row *row = &report.rows[i];

        summary->sums[summary->count++] = (struct sum){
            .domain = row->header_from.len > 0 ? row->header_from : report.domain,
            .source = row->source,
            .disposition = row->disposition,
            .dkim = row->dkim,
            .spf = row->spf,
            .count = row->count,
            .n_reports = 1,
        };
    }
    return true;
}

/* 0: both are one line of the summary. */
static int compare_keys(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;
    int order = slice_compare(a->source, b->source);

    order = order != 0 ? order : slice_compare(a->domain, b->domain);
    order = order != 0 ? order : slice_compare(a->disposition, b->disposition);
    order = order != 0 ? order : slice_compare(a->dkim, b->dkim);
    return order != 0 ? order : slice_compare(a->spf, b->spf);
}

static void sum_up(struct summary *summary)
{
    size_t kept = 0;

    if (summary->count == 0)
        return;
    qsort(summary->sums, summary->count, sizeof(summary->sums[0]), compare_keys);
    for (size_t i = 1; i < summary->count; i++) {
        struct sum *last = &summary->sums[kept], *next = &summary->sums[i];

        if (compare_keys(last, next) == 0) {
            last->count += next->count;
            last->n_reports++;
        } else {
            summary->sums[++kept] = *next;
        }
    }
    summary->count = kept + 1;
}

static bool failed(const struct sum *sum)
{
    return !slice_is(sum->dkim, "pass") && !slice_is(sum->spf, "pass");
}

/* What failed first, then the most. */
static int compare(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;

    if (failed(a) != failed(b))
        return failed(a) ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return compare_keys(a, b);
}

/* --- showing --- */

static json_t *sum_object(const struct sum *sum)
{
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:I}", "domain", output_text(sum->domain),
                     "source", output_text(sum->source), "messages", (json_int_t)sum->count,
                     "disposition", output_text(sum->disposition), "dkim", output_text(sum->dkim),
                     "spf", output_text(sum->spf), "reports", (json_int_t)sum->n_reports);
}

static void show(struct summary *summary)
{
    static const struct column columns[] = {
        { "domain", "DOMAIN", COLUMN_PLAIN },     { "source", "SOURCE", COLUMN_PLAIN },
        { "messages", "MESSAGES", COLUMN_PLAIN }, { "disposition", "DISPOSITION", COLUMN_PLAIN },
        { "dkim", "DKIM", COLUMN_PLAIN },         { "spf", "SPF", COLUMN_PLAIN },
        { "reports", "REPORTS", COLUMN_PLAIN },
    };
    json_t *rows = json_array();

    sum_up(summary);
    if (summary->count > 0)
        qsort(summary->sums, summary->count, sizeof(summary->sums[0]), compare);
    for (size_t i = 0; i < summary->count; i++)
        json_array_append_new(rows, sum_object(&summary->sums[i]));
    output_list(summary->tool, columns, COUNT_OF(columns), rows);
}

enum outcome dmarc_report_command(struct tool *tool)
{
    struct summary summary = { .tool = tool };
    struct report_reader reader = {
        .tool = tool, .kind = REPORT_KIND_DMARC, .take = take, .context = &summary
    };
    enum outcome outcome = reports_read(&reader);

    if (outcome == OUTCOME_DONE) {
        show(&summary);
        reports_tell(&reader);
    }
    free(summary.sums);
    return outcome;
}
