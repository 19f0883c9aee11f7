/* selector.c - see selector.h. */
#include "admin/selector.h"

#include "storage/directory.h"

#include <inttypes.h>

static struct slice text_of(const char *value)
{
    return slice_of(value != NULL ? value : "");
}

bool selector_take(struct tool *tool, struct selector *selector)
{
    *selector = (struct selector){ 0 };
    if (!tool_option(tool, "--account", &selector->account) ||
        !tool_option(tool, "--sender", &selector->sender) ||
        !tool_option(tool, "--destination", &selector->destination) ||
        !tool_option(tool, "--recipient", &selector->recipient))
        return false;
    selector->filter.held = tool_flag(tool, "--held");
    selector->filter.sender = text_of(selector->sender);
    selector->filter.destination = text_of(selector->destination);
    selector->filter.recipient = text_of(selector->recipient);
    selector->is_narrow = selector->filter.held || selector->account != NULL ||
                          selector->sender != NULL || selector->destination != NULL ||
                          selector->recipient != NULL;
    return true;
}

bool selector_take_id(struct tool *tool, uint64_t *id_out)
{
    struct slice text;

    if (!tool_argument(tool, "ID", &text))
        return false;
    if (slice_number(text, INT64_MAX, id_out) && *id_out > 0)
        return true;
    return error_set(&tool->err, ERROR_INVALID,
                     SLICE_FMT " is no message number; `postane queue list` shows them",
                     SLICE_ARG(text));
}

bool selector_resolve(struct tool *tool, struct selector *selector)
{
    struct account_info account;

    if (selector->account == NULL)
        return true;
    if (!tool_account(tool, slice_of(selector->account), &account))
        return false;
    selector->filter.account = account.id;
    return true;
}

bool selector_find(struct tool *tool, uint64_t id, struct queue_message *message_out)
{
    if (queue_by_id(tool->desk, &tool->arena, id, message_out, &tool->err))
        return true;
    if (tool->err.kind == ERROR_NOT_FOUND)
        error_set(&tool->err, ERROR_NOT_FOUND,
                  "no message %" PRIu64 " in the queue; it may have been delivered", id);
    return false;
}
