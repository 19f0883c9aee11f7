/* domain.c - `postane domain`: add, list, remove. */
#include "admin/commands.h"
#include "admin/dkim.h"
#include "admin/output.h"
#include "common/clock.h"
#include "storage/directory.h"

#include <stdio.h>

enum outcome domain_add_command(struct tool *tool)
{
    AUTO(new_keys_free) struct new_keys keys = { 0 };
    struct slice name;

    if (!tool_argument(tool, "DOMAIN", &name) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !new_keys_make(&keys, &tool->err) ||
        !domain_add(tool->desk, name, &tool->err) ||
        !new_keys_store(tool->desk, name, &keys, time_ms(), &tool->err))
        return OUTCOME_FAILED;
    printf("Mail for " SLICE_FMT " is taken now. Next:\n"
           "  postane account add NAME@" SLICE_FMT "\n"
           "  postane domain dns " SLICE_FMT "     what to publish in the DNS\n",
           SLICE_ARG(name), SLICE_ARG(name), SLICE_ARG(name));
    return OUTCOME_DONE;
}

enum outcome domain_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "name", "DOMAIN", COLUMN_PLAIN },
        { "accounts", "ACCOUNTS", COLUMN_PLAIN },
        { "aliases", "ALIASES", COLUMN_PLAIN },
        { "created_ms", "SINCE (UTC)", COLUMN_TIME },
    };
    struct domain_list list;
    json_t *rows;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !domain_all(tool->desk, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++) {
        const struct domain_info *domain = &list.items[i];

        json_array_append_new(rows,
                              json_pack("{s:o, s:I, s:I, s:I}", "name", output_text(domain->name),
                                        "accounts", (json_int_t)domain->n_accounts, "aliases",
                                        (json_int_t)domain->n_aliases, "created_ms",
                                        (json_int_t)domain->created_ms));
    }
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

enum outcome domain_remove_command(struct tool *tool)
{
    struct slice name;

    if (!tool_argument(tool, "DOMAIN", &name) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    if (!domain_remove(tool->desk, name, &tool->err)) {
        if (tool->err.kind == ERROR_DENIED)
            error_set(&tool->err, ERROR_DENIED,
                      SLICE_FMT " has accounts; remove them first (`postane account list " SLICE_FMT
                                "`)",
                      SLICE_ARG(name), SLICE_ARG(name));
        tool_not_found(tool, "domain", name, "domain list");
        return OUTCOME_FAILED;
    }
    printf("Mail for " SLICE_FMT " is refused now.\n", SLICE_ARG(name));
    return OUTCOME_DONE;
}
