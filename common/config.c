/* config.c - reads a config file against a table of typed keys, and prints it.
 *
 * inih splits lines into section, key and value; it does not tell line numbers, so we hand it the
 * lines ourselves and count. It has room for lines of a fixed length only: a longer one is an
 * error here, where it would silently become two there. The first error ends the reading.
 */
#include "common/config_private.h"

#include "common/codec.h"
#include "common/mem.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_SHOWN 60

#define HELP_WIDTH  96  /* columns of a comment */
#define VALUE_WIDTH 140 /* with a name in front, what inih reads as one line */

struct reading {
    const struct config_key *keys;
    size_t count;
    const char *path;
    FILE *file;
    int line;    /* number of the last line read */
    bool *given; /* by key: was it in the file already? */
    void *settings;
    struct error *err;
    int failed_at; /* line of the first error; 0: none so far */
};

static void fail(struct reading *reading)
{
    if (reading->failed_at == 0)
        reading->failed_at = reading->line;
}

/* Number of letters to insert, drop or change (Levenshtein), for short names. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_SHOWN + 1];

    if (b.len > NAME_MAX_SHOWN)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t changed = diagonal + (a.data[i - 1] != b.data[j - 1]);

            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.len];
}

/* The nearer name wins; what differs in more than a third of its letters is no misspelling. */
static void consider(const char *given, const char *name, size_t *best, const char **nearest)
{
    struct slice a = slice_of(given), b = slice_of(name);
    size_t distance = edit_distance(a, b);

    if (distance < *best && distance <= MAX(MAX(a.len, b.len) / 3, 1)) {
        *best = distance;
        *nearest = name;
    }
}

static bool section_exists(const struct reading *reading, const char *section)
{
    for (size_t i = 0; i < reading->count; i++)
        if (strcmp(reading->keys[i].section, section) == 0)
            return true;
    return false;
}

static bool unknown_section(struct reading *reading, const char *section)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < reading->count; i++)
        consider(section, reading->keys[i].section, &best, &nearest);
    if (nearest == NULL)
        return error_set(reading->err, ERROR_INVALID, "[%s]: no such section", section);
    return error_set(reading->err, ERROR_INVALID, "[%s]: no such section; did you mean [%s]?",
                     section, nearest);
}

/* The nearest name in the same section, or else the same name in another one. */
static bool unknown_key(struct reading *reading, const char *section, const char *name)
{
    const char *nearest = NULL, *elsewhere = NULL;
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < reading->count; i++) {
        const struct config_key *key = &reading->keys[i];

        if (strcmp(key->section, section) == 0)
            consider(name, key->name, &best, &nearest);
        else if (strcmp(key->name, name) == 0)
            elsewhere = key->section;
    }
    if (nearest != NULL)
        return error_set(reading->err, ERROR_INVALID, "%s: no such key; did you mean %s?", name,
                         nearest);
    if (elsewhere != NULL)
        return error_set(reading->err, ERROR_INVALID, "%s: no such key; did you mean [%s] %s?",
                         name, elsewhere, name);
    return error_set(reading->err, ERROR_INVALID, "%s: no such key", name);
}

/* "name += more" goes on with a text that was given before: inih reads short lines only. */
static bool take_plus(const char *name, struct slice *base_out)
{
    *base_out = slice_of(name);
    if (base_out->len == 0 || base_out->data[base_out->len - 1] != '+')
        return false;
    *base_out = slice_trim(slice_part(*base_out, 0, base_out->len - 1));
    return true;
}

static bool add_to_key(struct reading *reading, size_t index, const char *value)
{
    const struct config_key *key = &reading->keys[index];
    AUTO(buf_free) struct buf whole = { 0 };
    const char *before;

    if (!config_is_text(key->type) || !reading->given[index])
        return error_set(reading->err, ERROR_INVALID,
                         "%s: += is for a text that stands above with =", key->name);
    before = *(char **)((char *)reading->settings + key->offset);
    buf_fmt(&whole, "%s%s%s", before, before[0] != '\0' && value[0] != '\0' ? " " : "", value);
    return config_value_set(key, buf_slice(&whole), reading->settings, reading->err);
}

static bool set_key(struct reading *reading, const char *section, const char *name,
                    const char *value)
{
    AUTO(buf_free) struct buf base_text = { 0 };
    struct slice base;
    bool adds = take_plus(name, &base);

    /* As it would behind a blank: in "name = ;x" inih sees a comment, in "name =;x" it does not. */
    if (value[0] == ';')
        return error_set(reading->err, ERROR_INVALID, "%s: a value cannot begin with ;", name);
    for (size_t i = 0; i < reading->count; i++) {
        const struct config_key *key = &reading->keys[i];

        if (strcmp(key->section, section) != 0 || !slice_equal(slice_of(key->name), base))
            continue;
        if (adds)
            return add_to_key(reading, i, value);
        if (reading->given[i])
            return error_set(reading->err, ERROR_INVALID, "%s: given twice", name);
        reading->given[i] = true;
        return config_value_set(key, slice_of(value), reading->settings, reading->err);
    }
    buf_add_slice(&base_text, base);
    return unknown_key(reading, section, buf_text(&base_text));
}

/* inih's handler: 1 is success. */
static int on_pair(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct error why;

    if (reading->failed_at != 0)
        return 0;
    if (!section_exists(reading, section)) {
        unknown_section(reading, section);
    } else {
        if (set_key(reading, section, name, value))
            return 1;
        why = *reading->err;
        error_set(reading->err, why.kind, "[%s] %s", section, why.text);
    }
    fail(reading);
    return 0;
}

static bool ends_line(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && text[len - 1] == '\n';
}

/* inih's reader, as fgets(). Blanks in front are dropped: to inih they mean that the line belongs
 * to the value before. */
static char *next_line(char *line, int size, void *user)
{
    struct reading *reading = user;
    size_t blanks;

    if (reading->failed_at != 0 || fgets(line, size, reading->file) == NULL)
        return NULL;
    reading->line++;
    if (!ends_line(line) && !feof(reading->file)) {
        if (strlen(line) + 1 == (size_t)size)
            error_set(reading->err, ERROR_INVALID,
                      "line too long (at most %d bytes); go on with another one: name += more",
                      size - 2);
        else
            error_set(reading->err, ERROR_INVALID, "a line has a NUL in it");
        fail(reading);
        return NULL;
    }
    blanks = strspn(line, " \t");
    memmove(line, line + blanks, strlen(line) - blanks + 1);
    return line;
}

static bool read_file(struct reading *reading)
{
    int bad_line = ini_parse_stream(next_line, reading, on_pair, reading);

    if (ferror(reading->file))
        return error_errno(reading->err, "%s", reading->path);
    if (bad_line > 0 && (reading->failed_at == 0 || bad_line < reading->failed_at)) {
        reading->failed_at = bad_line;
        error_set(reading->err, ERROR_INVALID, "expected [section] or key = value");
    }
    if (reading->failed_at == 0)
        return true;
    return error_wrap(reading->err, "%s:%d", reading->path, reading->failed_at);
}

/* A default that does not fit its own row is our bug. */
static void set_defaults(const struct config_key *keys, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        struct error err;

        if (config_is_text(keys[i].type))
            *(char **)((char *)settings + keys[i].offset) = NULL;
        if (!config_value_set(&keys[i], slice_of(keys[i].fallback), settings, &err)) {
            fprintf(stderr, "default of [%s] %s\n", keys[i].section, err.text);
            abort();
        }
    }
}

static void close_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
    *file = NULL;
}

static void free_given(bool **given)
{
    free(*given);
    *given = NULL;
}

bool config_load(const struct config_key *keys, size_t count, const char *path, void *settings,
                 struct error *err)
{
    AUTO(close_file) FILE *file = NULL;
    AUTO(free_given) bool *given = mem_zero(count * sizeof(bool));
    struct reading reading = {
        .keys = keys, .count = count, .path = path, .given = given, .settings = settings, .err = err
    };

    set_defaults(keys, count, settings);
    if (path == NULL)
        return true;
    reading.file = file = fopen(path, "re");
    if (file == NULL ? !error_errno(err, "%s", path) : !read_file(&reading)) {
        config_free(keys, count, settings);
        return false;
    }
    return true;
}

void config_free(const struct config_key *keys, size_t count, void *settings)
{
    for (size_t i = 0; i < count; i++) {
        char **text = (char **)((char *)settings + keys[i].offset);

        if (!config_is_text(keys[i].type))
            continue;
        free(*text);
        *text = NULL;
    }
}

/* Takes as many words off the front as fit into `max` bytes, at least one. */
static struct slice take_words(struct slice *rest, size_t max)
{
    struct slice part = slice_part(*rest, 0, max);
    ptrdiff_t end = rest->len > max ? slice_find_last(part, ' ') : (ptrdiff_t)rest->len;

    if (end < 0)
        end = slice_find(*rest, ' ');
    if (end < 0)
        end = (ptrdiff_t)rest->len;
    part = slice_part(*rest, 0, (size_t)end);
    *rest = slice_trim(slice_from(*rest, (size_t)end));
    return part;
}

static void print_help(const char *help, struct buf *out)
{
    struct slice rest = slice_of(help);

    buf_add_byte(out, '\n');
    while (rest.len > 0) {
        struct slice line = take_words(&rest, HELP_WIDTH);
        buf_fmt(out, "; " SLICE_FMT "\n", SLICE_ARG(line));
    }
}

/* A single blank in the middle of a text, which "+=" puts back; a line must not begin with ";". */
static bool may_break(struct slice text, size_t at)
{
    return text.data[at] == ' ' && !isspace((unsigned char)text.data[at - 1]) &&
           !isspace((unsigned char)text.data[at + 1]) && text.data[at + 1] != ';';
}

/* Takes what fits into `max` bytes off the front. */
static struct slice take_line(struct slice *rest, size_t max)
{
    struct slice whole = *rest;
    size_t end = whole.len;

    for (size_t i = 1; whole.len > max && i + 1 < whole.len && (i <= max || end == whole.len); i++)
        if (may_break(whole, i))
            end = i;
    *rest = slice_from(whole, MIN(end + 1, whole.len));
    return slice_part(whole, 0, end);
}

/* Without blanks where there is no room for them: a line of that kind was read. */
static void print_line(const struct config_key *key, const char *sign, struct slice line,
                       struct buf *out)
{
    const char *blank = line.len > VALUE_WIDTH ? "" : " ";

    buf_fmt(out, "%s%s%s%s%s" SLICE_FMT "\n", key->type == CONFIG_SECRET ? "; " : "", key->name,
            blank, sign, blank, SLICE_ARG(line));
}

/* In several lines, when one would be too long to be read again. */
static void print_value(const struct config_key *key, const void *settings, struct buf *out)
{
    AUTO(buf_free) struct buf value = { 0 };
    struct slice rest;

    config_value_print(key, settings, &value);
    rest = buf_slice(&value);
    print_line(key, "=", take_line(&rest, VALUE_WIDTH), out);
    while (rest.len > 0)
        print_line(key, "+=", take_line(&rest, VALUE_WIDTH), out);
}

static void print_pair(const struct config_key *key, const void *settings, struct buf *out)
{
    print_help(key->help, out);
    if (key->type == CONFIG_CHOICE)
        buf_fmt(out, "; One of %s.\n", key->choices);
    buf_fmt(out, "; Default: %s\n", key->fallback[0] != '\0' ? key->fallback : "(empty)");
    print_value(key, settings, out);
}

static void print_file(const struct config_key *keys, size_t count, const void *settings,
                       struct buf *out)
{
    const char *section = "";

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) != 0)
            buf_fmt(out, "%s[%s]\n", i == 0 ? "" : "\n", keys[i].section);
        section = keys[i].section;
        print_pair(&keys[i], settings, out);
    }
}

static void add_member(struct buf *out, const char *name, struct slice value)
{
    buf_fmt(out, "%s\"%s\": ", out->len > 0 && out->data[out->len - 1] == '{' ? "" : ", ", name);
    json_quote(value, out);
}

static void print_object(const struct config_key *key, const void *settings, struct buf *out)
{
    AUTO(buf_free) struct buf value = { 0 };

    config_value_print(key, settings, &value);
    buf_add_byte(out, '{');
    add_member(out, "section", slice_of(key->section));
    add_member(out, "key", slice_of(key->name));
    add_member(out, "value", buf_slice(&value));
    add_member(out, "default", slice_of(key->fallback));
    add_member(out, "type", slice_of(config_type_name(key->type)));
    add_member(out, "help", slice_of(key->help));
    buf_add_byte(out, '}');
}

void config_print(const struct config_key *keys, size_t count, const void *settings, bool json,
                  struct buf *out)
{
    if (!json) {
        print_file(keys, count, settings, out);
        return;
    }
    buf_add_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i == 0 ? "\n  " : ",\n  ");
        print_object(&keys[i], settings, out);
    }
    buf_add_text(out, "\n]\n");
}
