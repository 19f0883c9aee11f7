/* queue.c - `postane queue`: list, show. */
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/selector.h"
#include "storage/directory.h"

#include <inttypes.h>
#include <stdio.h>

enum { MESSAGES_AT_ONCE = 500, LIMIT = 200 };

static const char *state_name(const struct queue_recipient *recipient)
{
    switch (recipient->state) {
    case QUEUE_WAITING:
        return "waiting";
    case QUEUE_HELD:
        return "held";
    case QUEUE_ENDED:
        return "ended";
    }
    return "?";
}

static const char *report_name(const struct queue_recipient *recipient)
{
    switch (recipient->report) {
    case REPORT_NONE:
        return "";
    case REPORT_FAILED:
        return "failed";
    case REPORT_DELAYED:
        return "delayed";
    case REPORT_DELIVERED:
        return "delivered";
    case REPORT_RELAYED:
        return "relayed";
    case REPORT_EXPANDED:
        return "expanded";
    }
    return "?";
}

static json_t *try_object(const struct queue_try *made)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:b}", "at_ms", (json_int_t)made->at_ms, "host",
                     output_text(made->host), "tls", output_text(made->tls), "status",
                     output_text(made->status), "reply", output_text(made->reply), "answered",
                     (int)made->answered);
}

static json_t *recipient_object(const struct queue_recipient *recipient)
{
    json_t *log = json_array();

    for (size_t i = 0; i < recipient->n_log; i++)
        json_array_append_new(log, try_object(&recipient->log[i]));
    return json_pack("{s:o, s:o, s:b, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o}", "address",
                     output_text(recipient->address), "original", output_text(recipient->original),
                     "local", (int)(recipient->account != 0), "state", state_name(recipient),
                     "report", report_name(recipient), "tries", (json_int_t)recipient->tries,
                     "next_try_ms", (json_int_t)recipient->next_try_ms, "waited_ms",
                     (json_int_t)recipient->waited_ms, "warned", (int)recipient->warned,
                     "last_reply", output_text(recipient->last_reply), "history", log);
}

static json_t *message_object(const struct queue_message *message)
{
    json_t *recipients = json_array();
    json_t *addresses = json_array();
    bool held = message->n_recipients > 0;

    for (size_t i = 0; i < message->n_recipients; i++) {
        json_array_append_new(recipients, recipient_object(&message->recipients[i]));
        json_array_append_new(addresses, output_text(message->recipients[i].address));
        held = held && message->recipients[i].state == QUEUE_HELD;
    }
    return json_pack(
        "{s:I, s:o, s:I, s:I, s:o, s:b, s:o, s:o}", "id", (json_int_t)message->id, "sender",
        message->sender.len > 0 ? output_text(message->sender) : json_string("<>"), "size",
        (json_int_t)message->size, "arrived_ms", (json_int_t)message->arrived_ms, "client",
        output_text(message->client), "held", (int)held, "to", addresses, "recipients", recipients);
}

/* In pieces: a backlog may be long. */
static bool gather(struct tool *tool, const struct queue_filter *filter, uint64_t limit,
                   json_t *rows, bool *more_out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list;
    uint64_t after = 0;

    do {
        uint64_t left = limit - json_array_size(rows);

        arena_reset(&arena);
        if (!queue_select(tool->desk, &arena, filter, after, MIN(left + 1, MESSAGES_AT_ONCE), &list,
                          &tool->err))
            return false;
        *more_out = list.count > left;
        for (size_t i = 0; i < MIN(list.count, left); i++) {
            json_array_append_new(rows, message_object(&list.items[i]));
            after = list.items[i].id;
        }
    } while (list.count > 0 && !*more_out);
    return true;
}

static bool say_there_is_more(struct tool *tool, size_t shown)
{
    struct queue_totals totals;

    if (!queue_count(tool->desk, &totals, &tool->err))
        return false;
    fflush(stdout);
    fprintf(stderr,
            "These are the oldest %zu; in all the queue has %" PRIu64 " messages for %" PRIu64
            " recipients (%" PRIu64 " held). --limit 0 shows all.\n",
            shown, totals.messages, totals.recipients, totals.held);
    return true;
}

static bool list_messages(struct tool *tool, struct selector *selector, uint64_t limit)
{
    static const struct column columns[] = {
        { "id", "ID", COLUMN_PLAIN },       { "arrived_ms", "ARRIVED (UTC)", COLUMN_TIME },
        { "size", "SIZE", COLUMN_SIZE },    { "held", "HELD", COLUMN_PLAIN },
        { "sender", "FROM", COLUMN_PLAIN }, { "to", "TO", COLUMN_PLAIN },
    };
    json_t *rows = json_array();
    bool more = false;
    size_t shown;

    if (!gather(tool, &selector->filter, limit, rows, &more)) {
        json_decref(rows);
        return false;
    }
    shown = json_array_size(rows);
    if (!tool->json && shown == 0)
        puts(selector->is_narrow ? "Nothing in the queue matches." : "The queue is empty.");
    output_list(tool, columns, COUNT_OF(columns), rows);
    return !more || say_there_is_more(tool, shown);
}

enum outcome queue_list_command(struct tool *tool)
{
    const char *limit_text = NULL;
    struct selector selector;
    uint64_t limit = LIMIT;

    if (!selector_take(tool, &selector) || !tool_option(tool, "--limit", &limit_text) ||
        (limit_text != NULL && !tool_number(tool, "--limit", limit_text, &limit)) ||
        !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !selector_resolve(tool, &selector) ||
        !list_messages(tool, &selector, limit > 0 ? limit : INT64_MAX))
        return OUTCOME_FAILED;
    return OUTCOME_DONE;
}

/* --- show --- */

/* The sender's account, where it was one of ours. */
static json_t *account_text(struct tool *tool, uint64_t account)
{
    struct account_info info;
    struct error ignored;

    if (account == 0 || !account_by_id(tool->desk, &tool->arena, account, &info, &ignored))
        return json_null();
    return output_text(info.address);
}

static void print_time(const char *before, int64_t ms)
{
    AUTO(buf_free) struct buf text = { 0 };
    json_t *number = json_integer(ms);

    output_format(number, COLUMN_TIME, &text);
    json_decref(number);
    printf("%s%s UTC", before, buf_text(&text));
}

/* Why it is still here. */
static void print_state(const struct queue_recipient *recipient)
{
    switch (recipient->state) {
    case QUEUE_WAITING:
        if (recipient->tries == 0)
            printf("not tried yet");
        else
            printf("waits after %u failed tr%s", recipient->tries,
                   recipient->tries == 1 ? "y" : "ies");
        if (recipient->next_try_ms > time_ms())
            print_time(", next try ", recipient->next_try_ms);
        else
            printf(", due now");
        break;
    case QUEUE_HELD:
        printf("held by the operator: `postane queue release` lets it go on");
        break;
    case QUEUE_ENDED:
        printf("%s, the report to the sender is being made", report_name(recipient));
        break;
    }
    puts(recipient->warned ? "; the sender knows of the delay" : "");
}

static void print_text(const char *before, struct slice text)
{
    AUTO(buf_free) struct buf out = { 0 };
    json_t *value = output_text(text);

    output_format(value, COLUMN_PLAIN, &out);
    json_decref(value);
    printf("%s%s", before, buf_text(&out));
}

static void print_try(const struct queue_try *made)
{
    print_time("    ", made->at_ms);
    print_text("  ", made->status);
    if (made->host.len > 0)
        print_text("  ", made->host);
    if (made->tls.len > 0)
        print_text(" (", made->tls);
    fputs(made->tls.len > 0 ? ")" : "", stdout);
    print_text(made->answered ? " said: " : "  ", made->reply);
    putchar('\n');
}

static void print_recipients(const struct queue_message *message)
{
    for (size_t i = 0; i < message->n_recipients; i++) {
        const struct queue_recipient *recipient = &message->recipients[i];

        print_text("\n", recipient->address);
        if (recipient->original.len > 0 &&
            !slice_equal_case(recipient->original, recipient->address))
            print_text("  for ", recipient->original);
        printf("\n  ");
        print_state(recipient);
        if (recipient->tries > recipient->n_log)
            printf("    (the last %zu of %u tries)\n", recipient->n_log, recipient->tries);
        for (size_t j = 0; j < recipient->n_log; j++)
            print_try(&recipient->log[j]);
    }
}

enum outcome queue_show_command(struct tool *tool)
{
    static const struct column about[] = {
        { "id", "id", COLUMN_PLAIN },
        { "sender", "from", COLUMN_PLAIN },
        { "account", "submitted by", COLUMN_PLAIN },
        { "client", "received from", COLUMN_PLAIN },
        { "arrived_ms", "arrived (UTC)", COLUMN_TIME },
        { "size", "size", COLUMN_SIZE },
    };
    struct queue_message message;
    json_t *object;
    uint64_t id;

    if (!selector_take_id(tool, &id) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!tool_open(tool) || !selector_find(tool, id, &message))
        return OUTCOME_FAILED;
    object = message_object(&message);
    json_object_set_new(object, "account", account_text(tool, message.account));
    output_object(tool, about, COUNT_OF(about), object);
    if (!tool->json)
        print_recipients(&message);
    return OUTCOME_DONE;
}
