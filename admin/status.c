/* status.c - `postane status`: what the daemons say about themselves, and the queue. */
#include "admin/commands.h"
#include "admin/output.h"
#include "admin/report.h"

#include <inttypes.h>
#include <stdio.h>

/* What the daemon answers, or that it does not run. */
static json_t *ask(const struct tool *tool, const char *daemon)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct error err;
    json_t *answer = NULL;

    if (report_read(tool->settings.data, daemon, &text, &err))
        answer = json_loadb(text.data, text.len, 0, NULL);
    else if (err.kind == ERROR_NOT_FOUND)
        return json_pack("{s:s, s:s}", "daemon", daemon, "state", "stopped");
    if (!json_is_object(answer)) {
        json_decref(answer);
        return json_pack("{s:s, s:s}", "daemon", daemon, "state", "silent");
    }
    json_object_set_new(answer, "state", json_string("running"));
    return answer;
}

static void add_uptime(json_t *row)
{
    json_int_t s = json_integer_value(json_object_get(row, "uptime_ms")) / 1000;
    char text[48];

    if (json_object_get(row, "uptime_ms") == NULL)
        return;
    if (s >= 86400)
        snprintf(text, sizeof(text), "%" PRIdMAX "d %" PRIdMAX "h", (intmax_t)(s / 86400),
                 (intmax_t)(s / 3600 % 24));
    else
        snprintf(text, sizeof(text), "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60),
                 (int)(s % 60));
    json_object_set_new(row, "uptime", json_string(text));
}

/* Whatever else the daemon tells, as "key=value" words. */
static void add_details(json_t *row)
{
    static const char *const shown[] = {
        "daemon", "state", "pid", "uptime_ms", "uptime", "sessions"
    };
    AUTO(buf_free) struct buf details = { 0 };
    const char *key;
    json_t *value;

    json_object_foreach(row, key, value)
    {
        bool has_column = false;

        for (size_t i = 0; i < COUNT_OF(shown); i++)
            has_column |= strcmp(key, shown[i]) == 0;
        if (has_column)
            continue;
        buf_fmt(&details, "%s%s=", details.len > 0 ? " " : "", key);
        output_format(value, COLUMN_PLAIN, &details);
    }
    json_object_set_new(row, "details", output_text(buf_slice(&details)));
}

enum outcome status_command(struct tool *tool)
{
    static const char *const daemons[] = { "smtpd", "imapd", "pop3d" };
    static const struct column columns[] = {
        { "daemon", "DAEMON", COLUMN_PLAIN },     { "state", "STATE", COLUMN_PLAIN },
        { "pid", "PID", COLUMN_PLAIN },           { "uptime", "UP", COLUMN_PLAIN },
        { "sessions", "SESSIONS", COLUMN_PLAIN }, { "details", "", COLUMN_PLAIN },
    };
    size_t running = 0;
    json_t *rows;

    if (!tool_end(tool))
        return OUTCOME_USAGE;
    rows = json_array();
    for (size_t i = 0; i < COUNT_OF(daemons); i++) {
        json_t *row = ask(tool, daemons[i]);

        running += strcmp(json_string_value(json_object_get(row, "state")), "running") == 0;
        if (!tool->json) {
            add_uptime(row);
            add_details(row);
        }
        json_array_append_new(rows, row);
    }
    output_list(tool, columns, COUNT_OF(columns), rows);
    if (running > 0)
        return OUTCOME_DONE;
    error_set(&tool->err, ERROR_NOT_FOUND, "no daemon runs on %s; `postane serve` starts them",
              tool->settings.data);
    return OUTCOME_FAILED;
}
