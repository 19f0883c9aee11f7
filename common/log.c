/* log.c - one event, one line.
 *
 * A line is built in memory and leaves in one write(), so that lines of several threads and
 * processes do not mix. Fields are cut at TEXT_MAX bytes: a pipe takes up to 4096 bytes in one
 * piece, and nobody reads a log line of 64 KB.
 *
 * Threads: any. The two settings below are the process's, written before threads start.
 */
#include "common/log.h"

#include "common/buf.h"
#include "common/codec.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX 800

static struct {
    enum log_level level;
    bool json;
} settings = { LOG_INFO, false };

void log_setup(enum log_level level, bool json)
{
    settings.level = level;
    settings.json = json;
}

bool log_wants(enum log_level level)
{
    return level <= settings.level;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };

    return names[level];
}

/* RFC 3339 in UTC with milliseconds. */
static void add_time(struct buf *line)
{
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    buf_fmt(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
            utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
}

static void add_value(struct buf *line, const struct log_field *field)
{
    struct slice text = slice_part(field->text, 0, TEXT_MAX);

    if (field->type == FIELD_NUM)
        buf_fmt(line, "%" PRId64, field->number);
    else if (settings.json)
        json_quote(text, line);
    else
        quoted_string(text, line);
}

static void add_logfmt(struct buf *line, const struct log *log, enum log_level level,
                       const char *event, const struct log_field *fields, size_t count)
{
    add_time(line);
    buf_fmt(line, " %s %s", level_name(level), log->daemon);
    if (log->session != 0)
        buf_fmt(line, "[%" PRIx64 "]", log->session);
    buf_fmt(line, " %s", event);
    for (size_t i = 0; i < count; i++) {
        buf_fmt(line, " %s=", fields[i].name);
        add_value(line, &fields[i]);
    }
}

static void add_json(struct buf *line, const struct log *log, enum log_level level,
                     const char *event, const struct log_field *fields, size_t count)
{
    buf_add_text(line, "{\"time\":\"");
    add_time(line);
    buf_fmt(line, "\",\"level\":\"%s\",\"daemon\":\"%s\"", level_name(level), log->daemon);
    if (log->session != 0)
        buf_fmt(line, ",\"session\":\"%" PRIx64 "\"", log->session);
    buf_fmt(line, ",\"event\":\"%s\"", event);
    for (size_t i = 0; i < count; i++) {
        buf_fmt(line, ",\"%s\":", fields[i].name);
        add_value(line, &fields[i]);
    }
    buf_add_byte(line, '}');
}

void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count)
{
    AUTO(buf_free) struct buf line = { 0 };
    int saved_errno = errno;

    if (!log_wants(level))
        return;
    if (settings.json)
        add_json(&line, log, level, event, fields, count);
    else
        add_logfmt(&line, log, level, event, fields, count);
    buf_add_byte(&line, '\n');
    while (write(STDERR_FILENO, line.data, line.len) < 0 && errno == EINTR)
        continue;
    errno = saved_errno;
}

void log_failure(const struct log *log, const struct error *err)
{
    switch (err->kind) {
    case ERROR_TEMPORARY:
        log_warn(log, "storage", F_STR("kind", error_kind_name(err->kind)), F_ERR(err));
        return;
    case ERROR_NONE:
    case ERROR_NEWER:
    case ERROR_INTERNAL:
        log_error(log, "storage", F_STR("kind", error_kind_name(err->kind)), F_ERR(err));
        return;
    case ERROR_NOT_FOUND:
    case ERROR_EXISTS:
    case ERROR_INVALID:
    case ERROR_DENIED:
    case ERROR_OVER_QUOTA:
    case ERROR_LIMIT:
        return;
    }
}
