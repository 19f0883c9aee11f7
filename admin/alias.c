/* alias.c - `postane alias`: add, list, remove. */
#include "admin/commands.h"
#include "admin/output.h"
#include "storage/directory.h"

#include <stdio.h>

enum outcome alias_add_command(struct tool *tool)
{
    struct slice address;
    struct slice *targets;
    size_t n_targets = 0;

    if (!tool_argument(tool, "ADDRESS", &address))
        return OUTCOME_USAGE;
    targets = ARENA_ARRAY(&tool->arena, struct slice, tool->n_args + 1);
    do {
        if (!tool_argument(tool, "TARGET", &targets[n_targets++]))
            return OUTCOME_USAGE;
    } while (tool_has_argument(tool));
    if (!tool_open(tool) || !alias_add(tool->desk, address, targets, n_targets, &tool->err))
        return OUTCOME_FAILED;
    printf("Mail for " SLICE_FMT " is sent on now.\n", SLICE_ARG(address));
    return OUTCOME_DONE;
}

static json_t *target_array(const struct alias_info *alias)
{
    json_t *targets = json_array();

    for (size_t i = 0; i < alias->n_targets; i++)
        json_array_append_new(targets, output_text(alias->targets[i]));
    return targets;
}

enum outcome alias_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "address", "ADDRESS", COLUMN_PLAIN },
        { "targets", "GOES TO", COLUMN_PLAIN },
    };
    struct alias_list list;
    json_t *rows;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !alias_all(tool->desk, &tool->arena, &list, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < list.count; i++)
        json_array_append_new(rows,
                              json_pack("{s:o, s:o}", "address", output_text(list.items[i].address),
                                        "targets", target_array(&list.items[i])));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

enum outcome alias_remove_command(struct tool *tool)
{
    struct slice address;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    if (!alias_remove(tool->desk, address, &tool->err)) {
        tool_not_found(tool, "alias", address, "alias list");
        return OUTCOME_FAILED;
    }
    printf("The alias " SLICE_FMT " is gone.\n", SLICE_ARG(address));
    return OUTCOME_DONE;
}
