/* output.c - JSON values as JSON, as aligned tables, as lines of "title: value". */
#include "admin/output.h"

#include "common/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

json_t *output_time(int64_t ms)
{
    return ms == 0 ? json_null() : json_integer((json_int_t)ms);
}

json_t *output_text(struct slice text)
{
    AUTO(buf_free) struct buf escaped = { 0 };

    if (text.len == 0)
        return json_string("");
    if (utf8_valid(text) && memchr(text.data, '\0', text.len) == NULL)
        return json_stringn(text.data, text.len);
    quoted_string(text, &escaped);
    return json_stringn(escaped.data, escaped.len);
}

/* U+0080 to U+009F as UTF-8: terminals take them for ESC and a letter. */
static bool is_c1(const char *text)
{
    return text[0] == '\xc2' && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;
}

static void add_printable(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool control = (unsigned char)*text < 0x20 || *text == 0x7f || is_c1(text);

        if (control && *text == '\xc2')
            text++;
        buf_add_byte(out, control ? '?' : *text);
    }
}

static void add_size(struct buf *out, json_int_t bytes)
{
    static const char *const units[] = { "B", "KB", "MB", "GB", "TB", "PB", "EB" };
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1024 && unit + 1 < COUNT_OF(units)) {
        size /= 1024;
        unit++;
    }
    buf_fmt(out, unit == 0 || size >= 100 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

static void add_time(struct buf *out, json_int_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    char text[32];
    struct tm when;

    if (gmtime_r(&seconds, &when) == NULL)
        return;
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when);
    buf_add_text(out, text);
}

static void add_number(struct buf *out, json_int_t number, enum column_form form)
{
    switch (form) {
    case COLUMN_PLAIN:
        buf_fmt(out, "%" JSON_INTEGER_FORMAT, number);
        return;
    case COLUMN_SIZE:
        add_size(out, number);
        return;
    case COLUMN_LIMIT:
        if (number == 0)
            buf_add_byte(out, '-');
        else
            add_size(out, number);
        return;
    case COLUMN_TIME:
        add_time(out, number);
        return;
    }
    abort();
}

static void add_members(const json_t *array, enum column_form form, struct buf *out)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (i > 0)
            buf_add_byte(out, ' ');
        output_format(item, form, out);
    }
}

void output_format(const json_t *value, enum column_form form, struct buf *out)
{
    if (json_is_string(value))
        add_printable(out, json_string_value(value));
    else if (json_is_integer(value))
        add_number(out, json_integer_value(value), form);
    else if (json_is_boolean(value))
        buf_add_text(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_array(value))
        add_members(value, form, out);
    else
        buf_add_byte(out, '-');
}

/* Columns on a terminal: characters, not bytes. */
static size_t width_of(const struct buf *text)
{
    size_t width = 0;

    for (size_t i = 0; i < text->len; i++)
        width += ((unsigned char)text->data[i] & 0xc0) != 0x80;
    return width;
}

static void print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

static void pad(size_t width, size_t wanted)
{
    printf("%*s", (int)(wanted > width ? wanted - width : 0), "");
}

/* One line of the table; `row` NULL is the line of titles. The last column is not padded. */
static void print_row(const struct column *columns, size_t n_columns, const size_t *widths,
                      const json_t *row)
{
    AUTO(buf_free) struct buf cell = { 0 };

    for (size_t i = 0; i < n_columns; i++) {
        const json_t *value = json_object_get(row, columns[i].key);
        bool last = i + 1 == n_columns;

        buf_clear(&cell);
        if (row == NULL)
            buf_add_text(&cell, columns[i].title);
        else
            output_format(value, columns[i].form, &cell);
        if (json_is_integer(value))
            pad(width_of(&cell), widths[i]);
        fputs(buf_text(&cell), stdout);
        if (!json_is_integer(value) && !last)
            pad(width_of(&cell), widths[i]);
        fputs(last ? "\n" : "  ", stdout);
    }
}

static size_t column_width(const struct column *column, const json_t *rows)
{
    AUTO(buf_free) struct buf cell = { 0 };
    size_t width = strlen(column->title);
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        buf_clear(&cell);
        output_format(json_object_get(row, column->key), column->form, &cell);
        width = MAX(width, width_of(&cell));
    }
    return width;
}

void output_list(const struct tool *tool, const struct column *columns, size_t n_columns,
                 json_t *rows)
{
    AUTO(arena_free) struct arena arena = { 0 };
    size_t *widths = ARENA_ARRAY(&arena, size_t, n_columns);
    const json_t *row;
    size_t i;

    if (tool->json) {
        print_json(rows);
        return;
    }
    for (i = 0; i < n_columns; i++)
        widths[i] = column_width(&columns[i], rows);
    if (json_array_size(rows) > 0)
        print_row(columns, n_columns, widths, NULL);
    json_array_foreach(rows, i, row) print_row(columns, n_columns, widths, row);
    json_decref(rows);
}

void output_object(const struct tool *tool, const struct column *columns, size_t n_columns,
                   json_t *object)
{
    AUTO(buf_free) struct buf value = { 0 };

    if (tool->json) {
        print_json(object);
        return;
    }
    for (size_t i = 0; i < n_columns; i++) {
        buf_clear(&value);
        output_format(json_object_get(object, columns[i].key), columns[i].form, &value);
        printf("%-18s %s\n", columns[i].title, buf_text(&value));
    }
    json_decref(object);
}
