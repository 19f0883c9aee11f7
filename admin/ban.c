/* ban.c - `postane ban`: list, add, remove; and `postane account logins` (storage/logbook.h). */
#include "admin/commands.h"
#include "admin/output.h"
#include "common/clock.h"
#include "storage/directory.h"
#include "storage/guard.h"
#include "storage/logbook.h"

#include <stdio.h>

#define SECOND_MS 1000ull
#define LONGEST   (3650 * 24 * 60 * 60 * SECOND_MS)

static bool open_logbook(struct tool *tool, struct logbook **logbook_out)
{
    return tool_open(tool) && logbook_open(tool->store, true, logbook_out, &tool->err);
}

static bool take_network(struct tool *tool, struct network *network_out)
{
    struct slice text;

    if (!tool_argument(tool, "NETWORK", &text))
        return false;
    if (!network_parse(text, network_out))
        return error_set(&tool->err, ERROR_INVALID,
                         "\"" SLICE_FMT "\" is no address and no network (192.0.2.7, 192.0.2.0/24, "
                         "2001:db8::/48)",
                         SLICE_ARG(slice_part(text, 0, 60)));
    network_trim(network_out);
    return true;
}

/* "30m", "12h", "7d"; 0 without the option: for ever. */
static bool take_duration(struct tool *tool, uint64_t *ms_out)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = { { 's', SECOND_MS },
                  { 'm', 60 * SECOND_MS },
                  { 'h', 60 * 60 * SECOND_MS },
                  { 'd', 24 * 60 * 60 * SECOND_MS } };
    const char *text = NULL;
    struct slice number;
    uint64_t count;

    *ms_out = 0;
    if (!tool_option(tool, "--for", &text))
        return false;
    if (text == NULL)
        return true;
    number = slice_of(text);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (number.len < 2 || number.data[number.len - 1] != units[i].unit ||
            !slice_number(slice_part(number, 0, number.len - 1), LONGEST / units[i].ms, &count) ||
            count == 0)
            continue;
        *ms_out = count * units[i].ms;
        return true;
    }
    return error_set(&tool->err, ERROR_INVALID, "--for takes a time: 90s, 30m, 12h, 7d");
}

enum outcome ban_add_command(struct tool *tool)
{
    AUTO(logbook_close) struct logbook *logbook = NULL;
    struct ban ban = { .since_ms = time_ms() };
    const char *reason = "";
    char text[NETWORK_TEXT];
    uint64_t for_ms;

    if (!take_duration(tool, &for_ms) || !tool_option(tool, "--reason", &reason) ||
        !take_network(tool, &ban.network) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (ban.network.bits == 0) {
        error_set(&tool->err, ERROR_INVALID, "that would be everybody");
        return OUTCOME_USAGE;
    }
    ban.until_ms = for_ms > 0 ? ban.since_ms + (int64_t)for_ms : 0;
    ban.reason = slice_of(reason);
    if (!open_logbook(tool, &logbook) || !logbook_ban(logbook, &ban, &tool->err))
        return OUTCOME_FAILED;
    network_print(&ban.network, text);
    printf("%s is banned.\n", text);
    return OUTCOME_DONE;
}

/* What the guard has counted goes, too: else the next wrong password would bring the ban back. */
static bool pardon(struct tool *tool, const struct network *network)
{
    AUTO(guard_close) struct guard *guard = NULL;
    AUTO(buf_free) struct buf path = { 0 };
    struct guard_options options = settings_guard(&tool->settings);

    buf_fmt(&path, "%s/guard", store_path(tool->store));
    options.path = buf_text(&path);
    if (!guard_open(&options, &guard, &tool->err))
        return false;
    guard_pardon(guard, network);
    return true;
}

enum outcome ban_remove_command(struct tool *tool)
{
    AUTO(logbook_close) struct logbook *logbook = NULL;
    struct network network;
    char text[NETWORK_TEXT];

    if (!take_network(tool, &network) || !tool_end(tool))
        return OUTCOME_USAGE;
    network_print(&network, text);
    if (!open_logbook(tool, &logbook))
        return OUTCOME_FAILED;
    if (!logbook_unban(logbook, &network, &tool->err)) {
        tool_not_found(tool, "ban", slice_of(text), "ban list");
        return OUTCOME_FAILED;
    }
    if (!pardon(tool, &network))
        return OUTCOME_FAILED;
    printf("%s is not banned any more.\n", text);
    return OUTCOME_DONE;
}

static json_t *ban_object(const struct ban *ban)
{
    char network[NETWORK_TEXT];

    network_print(&ban->network, network);
    return json_pack("{s:s, s:I, s:o, s:s, s:o}", "network", network, "since",
                     (json_int_t)ban->since_ms, "until", output_time(ban->until_ms), "by",
                     ban->automatic ? "guard" : "operator", "reason", output_text(ban->reason));
}

enum outcome ban_list_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "network", "NETWORK", COLUMN_PLAIN }, { "since", "SINCE (UTC)", COLUMN_TIME },
        { "until", "UNTIL", COLUMN_TIME },      { "by", "BY", COLUMN_PLAIN },
        { "reason", "REASON", COLUMN_PLAIN },
    };
    AUTO(logbook_close) struct logbook *logbook = NULL;
    struct ban_list bans;
    json_t *rows;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_logbook(tool, &logbook) || !logbook_bans(logbook, &tool->arena, &bans, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < bans.count; i++)
        json_array_append_new(rows, ban_object(&bans.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}

static json_t *login_object(const struct login_record *login)
{
    struct slice result = login->reason.len > 0 ? login->reason : SLICE("ok");

    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "last", (json_int_t)login->last_ms,
                     "first", (json_int_t)login->first_ms, "count", (json_int_t)login->count,
                     "protocol", output_text(login->protocol), "address",
                     output_text(login->address), "method", output_text(login->method), "result",
                     output_text(result));
}

enum outcome account_logins_command(struct tool *tool)
{
    static const struct column columns[] = {
        { "last", "LAST (UTC)", COLUMN_TIME },  { "protocol", "PROTOCOL", COLUMN_PLAIN },
        { "address", "ADDRESS", COLUMN_PLAIN }, { "method", "METHOD", COLUMN_PLAIN },
        { "result", "RESULT", COLUMN_PLAIN },   { "count", "COUNT", COLUMN_PLAIN },
        { "first", "FIRST", COLUMN_TIME },
    };
    AUTO(logbook_close) struct logbook *logbook = NULL;
    struct login_records records;
    struct account_info account;
    struct slice address;
    json_t *rows;

    if (!tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_logbook(tool, &logbook) || !tool_account(tool, address, &account) ||
        !logbook_logins(logbook, account.id, &tool->arena, &records, &tool->err))
        return OUTCOME_FAILED;
    rows = json_array();
    for (size_t i = 0; i < records.count; i++)
        json_array_append_new(rows, login_object(&records.items[i]));
    output_list(tool, columns, COUNT_OF(columns), rows);
    return OUTCOME_DONE;
}
