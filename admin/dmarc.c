/* dmarc.c - `postane dmarc report`: what others have told of mail in our name.
 *
 * All rows of all reports are gathered, sorted and summed up by where the mail came from and what
 * became of it.
 */
#include "admin/commands.h"
#include "admin/reports.h"
#include "admin/sums.h"
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

static void add_row(void *line, const void *row)
{
    struct sum *sum = line;
    const struct sum *more = row;

    sum->count += more->count;
    sum->n_reports += more->n_reports;
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

static json_t *sum_object(const void *line)
{
    const struct sum *sum = line;

    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:I}", "domain", output_text(sum->domain),
                     "source", output_text(sum->source), "messages", (json_int_t)sum->count,
                     "disposition", output_text(sum->disposition), "dkim", output_text(sum->dkim),
                     "spf", output_text(sum->spf), "reports", (json_int_t)sum->n_reports);
}

static const struct column columns[] = {
    { "domain", "DOMAIN", COLUMN_PLAIN },     { "source", "SOURCE", COLUMN_PLAIN },
    { "messages", "MESSAGES", COLUMN_PLAIN }, { "disposition", "DISPOSITION", COLUMN_PLAIN },
    { "dkim", "DKIM", COLUMN_PLAIN },         { "spf", "SPF", COLUMN_PLAIN },
    { "reports", "REPORTS", COLUMN_PLAIN },
};

static const struct sums_kind kind = {
    .size = sizeof(struct sum),
    .compare_keys = compare_keys,
    .compare = compare,
    .add = add_row,
    .object = sum_object,
    .columns = columns,
    .n_columns = COUNT_OF(columns),
};

enum outcome dmarc_report_command(struct tool *tool)
{
    struct summary summary = { .tool = tool };
    struct report_reader reader = {
        .tool = tool, .kind = REPORT_KIND_DMARC, .take = take, .context = &summary
    };
    enum outcome outcome = reports_read(&reader);

    if (outcome == OUTCOME_DONE) {
        sums_show(tool, &kind, summary.sums, summary.count);
        reports_tell(&reader);
    }
    free(summary.sums);
    return outcome;
}
