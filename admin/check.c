/* check.c - `postane check`: looks for damage in the store. */
#include "storage/check.h"

#include "admin/commands.h"
#include "admin/output.h"

#include <stdio.h>
#include <unistd.h>

struct findings {
    json_t *rows;
    uint64_t open; /* not repaired */
};

static void on_finding(const char *where, const char *what, bool repaired, void *context)
{
    struct findings *findings = context;

    json_array_append_new(
        findings->rows, json_pack("{s:o, s:o, s:b}", "where", output_text(slice_of(where)), "what",
                                  output_text(slice_of(what)), "repaired", (int)repaired));
    findings->open += !repaired;
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    (void)context;
    fprintf(stderr, "\r%llu of %llu accounts%s", (unsigned long long)done,
            (unsigned long long)total, done == total ? "\n" : "");
}

static void print_verdict(const struct findings *findings, uint64_t count, bool repair)
{
    if (count == 0)
        printf("No damage found.\n");
    else if (findings->open == 0)
        printf("%llu found, all repaired.\n", (unsigned long long)count);
    else
        printf("%llu found, %llu of them not repaired.%s\n", (unsigned long long)count,
               (unsigned long long)findings->open,
               repair ? "" : " `postane check --repair` mends what can be mended.");
}

enum outcome check_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "where", "WHERE", COLUMN_PLAIN },
        { "repaired", "REPAIRED", COLUMN_PLAIN },
        { "what", "WHAT", COLUMN_PLAIN },
    };
    struct findings findings = { 0 };
    struct check_options options = {
        .repair = tool_flag(tool, "--repair"),
        .hashes = tool_flag(tool, "--hashes"),
        .finding = on_finding,
        .progress = isatty(STDERR_FILENO) ? on_progress : NULL,
        .context = &findings,
    };
    uint64_t count = 0;
    bool ok;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    findings.rows = json_array();
    ok = store_check(tool->desk, &options, &count, &tool->err);
    output_list(tool, columns, COUNT_OF(columns), findings.rows);
    if (!ok)
        return OUTCOME_FAILED;
    if (!tool->json)
        print_verdict(&findings, count, options.repair);
    return findings.open > 0 ? OUTCOME_FOUND : OUTCOME_DONE;
}
