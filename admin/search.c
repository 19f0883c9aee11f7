/* search.c - `postane search rebuild`: makes search indexes anew. */
#include "storage/search.h"

#include "admin/commands.h"
#include "admin/output.h"
#include "storage/directory.h"

#include <stdio.h>
#include <unistd.h>

static void show_progress(const struct account_info *info, const struct index_progress *progress)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r" SLICE_FMT ": %llu of %llu messages%s", SLICE_ARG(info->address),
                (unsigned long long)progress->indexed, (unsigned long long)progress->messages,
                progress->indexed == progress->messages ? "\n" : "");
}

/* The daemon may fill it too: then both do what is left by turns. */
static bool fill(struct tool *tool, struct account *account, struct indexer *indexer,
                 const struct account_info *info, struct index_progress *progress_out)
{
    bool more = true;

    while (more) {
        if (!account_index(account, indexer, &more, &tool->err) ||
            !account_index_progress(account, progress_out, &tool->err))
            return false;
        show_progress(info, progress_out);
    }
    return true;
}

static bool rebuild(struct tool *tool, const struct account_info *info, struct indexer *indexer,
                    json_t *rows)
{
    struct index_progress progress;
    struct account *account;

    if (!desk_account(tool->desk, info->id, &account, &tool->err) ||
        !account_index_reset(account, &tool->err) || !fill(tool, account, indexer, info, &progress))
        return error_wrap(&tool->err, SLICE_FMT, SLICE_ARG(info->address));
    json_array_append_new(rows, json_pack("{s:o, s:I, s:I}", "address", output_text(info->address),
                                          "messages", (json_int_t)progress.messages, "indexed",
                                          (json_int_t)progress.indexed));
    return true;
}

/* All accounts, or the one that is named. */
static bool find_accounts(struct tool *tool, bool one, struct slice address,
                          struct account_list *list_out)
{
    if (!tool_open(tool))
        return false;
    if (!one)
        return account_all(tool->desk, &tool->arena, list_out, &tool->err);
    list_out->items = ARENA_NEW(&tool->arena, struct account_info);
    list_out->count = 1;
    return tool_account(tool, address, list_out->items);
}

enum outcome search_rebuild_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "address", "ACCOUNT", COLUMN_PLAIN },
        { "messages", "MESSAGES", COLUMN_PLAIN },
        { "indexed", "INDEXED", COLUMN_PLAIN },
    };
    AUTO(indexer_free) struct indexer *indexer = indexer_new();
    bool one = tool_has_argument(tool), ok;
    struct slice address = { 0 };
    struct account_list list;
    json_t *rows;

    if ((one && !tool_argument(tool, "ACCOUNT", &address)) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!find_accounts(tool, one, address, &list))
        return OUTCOME_FAILED;
    rows = json_array();
    ok = true;
    for (size_t i = 0; i < list.count && ok; i++)
        ok = rebuild(tool, &list.items[i], indexer, rows);
    output_list(tool, columns, COUNT_OF(columns), rows);
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}
