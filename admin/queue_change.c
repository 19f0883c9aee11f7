/* queue_change.c - `postane queue`: hold, release, retry, remove. */
#include "admin/commands.h"
#include "admin/selector.h"

#include <inttypes.h>
#include <stdio.h>

/* An ID, options that select, or --all: what a change is about must be said. */
static bool take_target(struct tool *tool, struct selector *selector)
{
    bool all = tool_flag(tool, "--all");

    if (!selector_take(tool, selector))
        return false;
    if (tool_has_argument(tool) && !selector_take_id(tool, &selector->filter.message))
        return false;
    if (!all && !selector->is_narrow && selector->filter.message == 0)
        return error_set(&tool->err, ERROR_INVALID,
                         "say which: an ID, --account, --sender, --destination, --recipient, "
                         "--held, or --all");
    return tool_end(tool);
}

/* Opens the store, and looks whether the one message that was named is there. */
static bool find_target(struct tool *tool, struct selector *selector)
{
    struct queue_message message;

    return tool_open(tool) && selector_resolve(tool, selector) &&
           (selector->filter.message == 0 ||
            selector_find(tool, selector->filter.message, &message));
}

static enum outcome carry_out(struct tool *tool, enum queue_order order,
                              const struct selector *selector, const char *what)
{
    uint64_t count;

    if (!queue_operate(tool->desk, order, &selector->filter, &count, &tool->err))
        return OUTCOME_FAILED;
    printf("%" PRIu64 " recipient%s %s.\n", count, count == 1 ? "" : "s", what);
    return OUTCOME_DONE;
}

static enum outcome change(struct tool *tool, enum queue_order order, const char *what)
{
    struct selector selector;

    if (!take_target(tool, &selector))
        return OUTCOME_USAGE;
    if (!find_target(tool, &selector))
        return OUTCOME_FAILED;
    return carry_out(tool, order, &selector, what);
}

enum outcome queue_hold_command(struct tool *tool)
{
    return change(tool, ORDER_HOLD, "held until `postane queue release`");
}

enum outcome queue_release_command(struct tool *tool)
{
    return change(tool, ORDER_RELEASE, "released, due now");
}

enum outcome queue_retry_command(struct tool *tool)
{
    return change(tool, ORDER_RETRY, "due now; what is held stays so");
}

enum outcome queue_remove_command(struct tool *tool)
{
    bool yes = tool_flag(tool, "--yes");
    struct selector selector;

    if (!take_target(tool, &selector))
        return OUTCOME_USAGE;
    if (!find_target(tool, &selector))
        return OUTCOME_FAILED;
    if (!yes && !tool_confirm(tool, "Drop these from the queue for good, without telling the "
                                    "senders?"))
        return OUTCOME_FAILED;
    return carry_out(tool, ORDER_REMOVE, &selector, "gone");
}
