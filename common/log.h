/* log.h - one event, one line.
 *
 *     log_info(&log, "login", F_TEXT("user", user), F_NUM("ms", elapsed));
 *     2026-11-22T21:40:00.123Z info imapd[2a] login user="bob" ms=12
 *
 * Levels: error = a person must act; warn = degraded; info = one per session or mail event;
 * debug = protocol lines, secrets masked. Event names are fixed words. Text is escaped, so a client
 * cannot forge lines; passwords and message content are never fields.
 * Format: logfmt by default, JSON objects by setting. Lines go to standard error, one write() each.
 *
 * Threads: any.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Who speaks: copied into each line. */
struct log {
    const char *daemon; /* "imapd" */
    uint64_t session;   /* 0: the daemon itself */
};

struct log_field {
    const char *name;
    enum { FIELD_TEXT, FIELD_NUM } type;
    struct slice text;
    int64_t number;
};

#define F_TEXT(name, slice) ((struct log_field){ (name), FIELD_TEXT, (slice), 0 })
#define F_STR(name, string) ((struct log_field){ (name), FIELD_TEXT, slice_of(string), 0 })
#define F_NUM(name, number) ((struct log_field){ (name), FIELD_NUM, { NULL, 0 }, (number) })
#define F_ERR(err)          F_STR("error", (err)->text)

/* Process-wide, set once before threads start. */
void log_setup(enum log_level level, bool json);

void log_event(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count);
bool log_wants(enum log_level level);

#define LOG_AT(log, level, event, ...)                                                             \
    log_event((log), (level), (event), (const struct log_field[]){ __VA_ARGS__ },                  \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

/* Event "storage": what went wrong in the store. A warning when it passes by itself, an error when
 * a person must act; nothing when the client is the cause (no such mailbox, over quota). */
void log_failure(const struct log *log, const struct error *err);

#define log_error(log, event, ...) LOG_AT(log, LOG_ERROR, event, __VA_ARGS__)
#define log_warn(log, event, ...)  LOG_AT(log, LOG_WARN, event, __VA_ARGS__)
#define log_info(log, event, ...)  LOG_AT(log, LOG_INFO, event, __VA_ARGS__)
#define log_debug(log, event, ...)                                                                 \
    do {                                                                                           \
        if (log_wants(LOG_DEBUG))                                                                  \
            LOG_AT(log, LOG_DEBUG, event, __VA_ARGS__);                                            \
    } while (0)
