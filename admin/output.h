/* output.h - what a command shows: gathered once as JSON, printed as JSON or for people.
 *
 *     json_t *rows = json_array();
 *     json_array_append_new(rows, json_pack("{s:o, s:I}", "name", output_text(name), ...));
 *     output_list(tool, columns, COUNT_OF(columns), rows);       takes rows
 *
 * Texts may come from strangers (sender addresses): control characters never reach a terminal.
 */
#pragma once

#include "admin/tool.h"

#include <jansson.h>

enum column_form {
    COLUMN_PLAIN, /* text, number, yes/no, arrays with blanks between */
    COLUMN_SIZE,  /* bytes: "1.5 MB" */
    COLUMN_LIMIT, /* the same, and 0 is "-" */
    COLUMN_TIME,  /* milliseconds since 1970: "2026-11-22 21:40:00" UTC */
};

struct column {
    const char *key;   /* in the JSON object */
    const char *title; /* for people */
    enum column_form form;
};

/* A JSON text; bytes that are no UTF-8 are escaped. */
json_t *output_text(struct slice text);
json_t *output_time(int64_t ms); /* Unix time; 0: null */

/* An array of objects: a JSON array, or a table with titles. Takes `rows`. */
void output_list(const struct tool *tool, const struct column *columns, size_t n_columns,
                 json_t *rows);

/* One object: JSON, or a line per column. Takes `object`. */
void output_object(const struct tool *tool, const struct column *columns, size_t n_columns,
                   json_t *object);

/* How one value looks to people. */
void output_format(const json_t *value, enum column_form form, struct buf *out);
