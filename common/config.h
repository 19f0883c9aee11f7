/* config.h - reads a config file against a table of typed keys.
 *
 * The syntax is inih's: [section], key = value, ; or # comments; and "key += value", which goes on
 * with a text where a line would be too long. A table row says where the value
 * goes in the caller's struct, its type, default, range and help. Whatever the file has that the
 * table does not know, or that does not fit, is an error naming file, line and, for a misspelt
 * key, the nearest right one.
 *
 *     postane.conf:12: [smtp] message_size_mx: no such key; did you mean message_size_max?
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

enum config_type {
    CONFIG_TEXT,     /* char *, owned by the struct */
    CONFIG_SECRET,   /* the same, but never printed: only whether it is set */
    CONFIG_BOOL,     /* bool; yes/no, true/false, on/off, 1/0 */
    CONFIG_NUMBER,   /* uint64_t */
    CONFIG_SIZE,     /* uint64_t, in bytes; suffixes K M G (1024) */
    CONFIG_DURATION, /* uint64_t, in milliseconds; suffixes ms s m h d; a bare number is seconds */
    CONFIG_CHOICE,   /* uint64_t, an index into `choices` ("a|b|c") */
};

struct config_key {
    const char *section, *name;
    enum config_type type;
    size_t offset; /* of the field in the struct to fill */
    const char *fallback;
    uint64_t min, max; /* numbers, sizes, durations */
    const char *choices;
    const char *help; /* one sentence */
};

/* Fills `settings` with defaults, then with the file's values; `path` NULL: defaults only. */
bool config_load(const struct config_key *keys, size_t count, const char *path, void *settings,
                 struct error *err) MUST_CHECK;

/* Prints every key with its value, help and default in the file's own syntax, so that the output
 * is a config file again, but for the secrets, which stand in comments. With json: an array of
 * {section, key, value, default, type, help}; the value of a secret is "set" or "unset". */
void config_print(const struct config_key *keys, size_t count, const void *settings, bool json,
                  struct buf *out);

void config_free(const struct config_key *keys, size_t count, void *settings); /* the texts */
