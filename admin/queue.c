/* queue.c - `postane queue`: list, show, retry, remove. */
#include "storage/queue_operate.h"

#include "admin/commands.h"
#include "admin/output.h"

#include <inttypes.h>
#include <stdio.h>

enum { MESSAGES_AT_ONCE = 500 };

static json_t *recipient_object(const struct queue_recipient *recipient)
{
    return json_pack("{s:o, s:b, s:I, s:I, s:o}", "address", output_text(recipient->address),
                     "local", (int)(recipient->account != 0), "tries", (json_int_t)recipient->tries,
                     "next_try_ms", (json_int_t)recipient->next_try_ms, "last_reply",
                     output_text(recipient->last_reply));
}

static json_t *message_object(const struct queue_message *message)
{
    json_t *recipients = json_array();
    json_t *addresses = json_array();

    for (size_t i = 0; i < message->n_recipients; i++) {
        json_array_append_new(recipients, recipient_object(&message->recipients[i]));
        json_array_append_new(addresses, output_text(message->recipients[i].address));
    }
    return json_pack("{s:I, s:o, s:I, s:I, s:o, s:o}", "id", (json_int_t)message->id, "sender",
                     message->sender.len > 0 ? output_text(message->sender) : json_string("<>"),
                     "size", (json_int_t)message->size, "arrived_ms",
                     (json_int_t)message->arrived_ms, "to", addresses, "recipients", recipients);
}

/* All of the queue, in pieces: a backlog may be long. */
static bool gather(struct tool *tool, json_t *rows)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    uint64_t after = 0;

    do {
        arena_reset(&arena);
        if (!queue_find(tool->desk, &arena, QUEUE_ALL, 0, after, MESSAGES_AT_ONCE, &list,
                        &tool->err))
            return false;
        for (size_t i = 0; i < list.count; i++) {
            json_array_append_new(rows, message_object(&list.items[i]));
            after = list.items[i].id;
        }
    } while (list.count > 0);
    return true;
}

enum outcome queue_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "id", "ID", COLUMN_PLAIN },    { "arrived_ms", "ARRIVED (UTC)", COLUMN_TIME },
        { "size", "SIZE", COLUMN_SIZE }, { "sender", "FROM", COLUMN_PLAIN },
        { "to", "TO", COLUMN_PLAIN },
    };
    json_t *rows;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool))
        return OUTCOME_FAILED;
    rows = json_array();
    if (!gather(tool, rows)) {
        json_decref(rows);
        return OUTCOME_FAILED;
    }
    if (!tool->json && json_array_size(rows) == 0)
        printf("The queue is empty.\n");
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

static bool take_id(struct tool *tool, uint64_t *id_out)
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

static bool find(struct tool *tool, uint64_t id, struct queue_message *message_out)
{
    if (queue_by_id(tool->desk, &tool->arena, id, message_out, &tool->err))
        return true;
    if (tool->err.kind == ERROR_NOT_FOUND)
        error_set(&tool->err, ERROR_NOT_FOUND,
                  "no message %" PRIu64 " in the queue; it may have been delivered", id);
    return false;
}

enum outcome queue_show_command(struct tool *tool)
{
    static const struct column about[] = {
        { "id", "id", COLUMN_PLAIN },
        { "sender", "from", COLUMN_PLAIN },
        { "arrived_ms", "arrived (UTC)", COLUMN_TIME },
        { "size", "size", COLUMN_SIZE },
    };
    static const struct column recipients[] = {
        { "address", "TO", COLUMN_PLAIN },
        { "tries", "TRIES", COLUMN_PLAIN },
        { "next_try_ms", "NEXT TRY (UTC)", COLUMN_TIME },
        { "last_reply", "LAST REPLY", COLUMN_PLAIN },
    };
    struct queue_message message;
    json_t *object;
    json_t *rows;
    uint64_t id;

    if (!take_id(tool, &id) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !find(tool, id, &message))
        return OUTCOME_FAILED;
    object = message_object(&message);
    rows = json_incref(json_object_get(object, "recipients"));
    output_object(tool, about, COUNT_OF(about), object);
    if (tool->json)
        json_decref(rows);
    else
        output_list(tool, recipients, COUNT_OF(recipients), rows);
    return OUTCOME_DONE;
}

enum outcome queue_retry_command(struct tool *tool)
{
    bool all = tool_flag(tool, "--all");
    struct queue_message message;
    uint64_t id = 0, count;

    if ((!all && !take_id(tool, &id)) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || (!all && !find(tool, id, &message)) ||
        !queue_operate(tool->desk, ORDER_RETRY, &(struct queue_filter){ .message = id }, &count,
                       &tool->err))
        return OUTCOME_FAILED;
    printf("%" PRIu64 " recipients are due now.\n", count);
    return OUTCOME_DONE;
}

enum outcome queue_remove_command(struct tool *tool)
{
    bool yes = tool_flag(tool, "--yes");
    struct queue_message message;
    uint64_t id, count;

    if (!take_id(tool, &id) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !find(tool, id, &message))
        return OUTCOME_FAILED;
    if (!yes && !tool_confirm(tool, "Drop this message for good, without telling its sender?"))
        return OUTCOME_FAILED;
    if (!queue_operate(tool->desk, ORDER_REMOVE, &(struct queue_filter){ .message = id }, &count,
                       &tool->err))
        return OUTCOME_FAILED;
    printf("Message %" PRIu64 " is gone.\n", id);
    return OUTCOME_DONE;
}
