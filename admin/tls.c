/* tls.c - `postane tls report`: how TLS to our servers went for others, as they have told
 * (RFC 8460).
 *
 * A report is JSON with policies in it, each with its sums and the sessions that failed. What is
 * not there or of another type counts as nothing.
 */
#include "admin/commands.h"
#include "admin/reports.h"
#include "admin/sums.h"

#include <stdlib.h>

#define POLICIES_MAX 1000  /* of one report */
#define FAILURES_MAX 10000 /* of one policy */

/* One line of the summary. An empty result is success. */
struct sum {
    struct slice domain, policy, result, host;
    uint64_t sessions, n_reports;
};

struct summary {
    struct tool *tool;
    struct sum *sums;
    size_t count, room;
};

/* --- reading --- */

static struct slice text_of(struct tool *tool, const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);

    if (!json_is_string(text))
        return (struct slice){ 0 };
    return slice_copy(&tool->arena, slice_make(json_string_value(text), json_string_length(text)));
}

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t number = json_integer_value(json_object_get(object, name));

    return number > 0 ? (uint64_t)number : 0;
}

static void add(struct summary *summary, const struct sum *sum)
{
    if (sum->sessions == 0)
        return;
    summary->sums =
        mem_grow(summary->sums, &summary->room, summary->count + 1, sizeof(summary->sums[0]));
    summary->sums[summary->count++] = *sum;
}

static void take_policy(struct summary *summary, const json_t *policy)
{
    struct tool *tool = summary->tool;
    const json_t *about = json_object_get(policy, "policy");
    const json_t *failures = json_object_get(policy, "failure-details");
    struct sum sum = { .domain = text_of(tool, about, "policy-domain"),
                       .policy = text_of(tool, about, "policy-type"),
                       .sessions = number_of(json_object_get(policy, "summary"),
                                             "total-successful-session-count"),
                       .n_reports = 1 };

    add(summary, &sum);
    for (size_t i = 0; i < MIN(json_array_size(failures), FAILURES_MAX); i++) {
        const json_t *failure = json_array_get(failures, i);

        sum.result = text_of(tool, failure, "result-type");
        sum.host = text_of(tool, failure, "receiving-mx-hostname");
        sum.sessions = number_of(failure, "failed-session-count");
        if (sum.result.len == 0)
            sum.result = SLICE("failure");
        add(summary, &sum);
    }
}

static bool take(void *context, struct slice document)
{
    struct summary *summary = context;
    struct error *err = &summary->tool->err;
    json_error_t why;
    json_t *report = json_loadb(document.data, document.len, JSON_REJECT_DUPLICATES, &why);
    json_t *policies = json_object_get(report, "policies");
    bool ok = json_is_array(policies);

    if (report == NULL)
        error_set(err, ERROR_INVALID, "no report, line %d: %s", why.line, why.text);
    else if (!ok)
        error_set(err, ERROR_INVALID, "no report: it has no policies");
    for (size_t i = 0; i < MIN(json_array_size(policies), POLICIES_MAX); i++)
        take_policy(summary, json_array_get(policies, i));
    json_decref(report);
    return ok;
}

/* --- summing up --- */

static int compare_keys(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;
    int order = slice_compare(a->domain, b->domain);

    order = order != 0 ? order : slice_compare(a->policy, b->policy);
    order = order != 0 ? order : slice_compare(a->result, b->result);
    return order != 0 ? order : slice_compare(a->host, b->host);
}

static void add_row(void *line, const void *row)
{
    struct sum *sum = line;
    const struct sum *more = row;

    sum->sessions += more->sessions;
    sum->n_reports += more->n_reports;
}

/* What failed first, then the most. */
static int compare(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;

    if ((a->result.len > 0) != (b->result.len > 0))
        return a->result.len > 0 ? -1 : 1;
    if (a->sessions != b->sessions)
        return a->sessions > b->sessions ? -1 : 1;
    return compare_keys(a, b);
}

static json_t *sum_object(const void *line)
{
    const struct sum *sum = line;

    return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I}", "domain", output_text(sum->domain), "policy",
                     output_text(sum->policy), "result",
                     output_text(sum->result.len > 0 ? sum->result : SLICE("success")), "host",
                     output_text(sum->host), "sessions", (json_int_t)sum->sessions, "reports",
                     (json_int_t)sum->n_reports);
}

static const struct column columns[] = {
    { "domain", "DOMAIN", COLUMN_PLAIN },     { "policy", "POLICY", COLUMN_PLAIN },
    { "result", "RESULT", COLUMN_PLAIN },     { "host", "HOST", COLUMN_PLAIN },
    { "sessions", "SESSIONS", COLUMN_PLAIN }, { "reports", "REPORTS", COLUMN_PLAIN },
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

enum outcome tls_report_command(struct tool *tool)
{
    struct summary summary = { .tool = tool };
    struct report_reader reader = {
        .tool = tool, .kind = REPORT_KIND_TLS, .take = take, .context = &summary
    };
    enum outcome outcome = reports_read(&reader);

    if (outcome == OUTCOME_DONE) {
        sums_show(tool, &kind, summary.sums, summary.count);
        reports_tell(&reader);
    }
    free(summary.sums);
    return outcome;
}
