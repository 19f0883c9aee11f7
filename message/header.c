/* header.c - splits a message header into its fields.
 *
 * One memchr() for each line; nothing is copied but values that are folded.
 */
#include "message/header.h"

/* Bytes of the first line with its line end. */
static size_t line_length(struct slice text)
{
    const char *end = text.len == 0 ? NULL : memchr(text.data, '\n', text.len);

    return end == NULL ? text.len : (size_t)(end - text.data) + 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_empty_line(struct slice text)
{
    return text.len == 0 || text.data[0] == '\n' ||
           (text.data[0] == '\r' && text.len > 1 && text.data[1] == '\n');
}

/* Length of the field name, 0 if the line is no field: a name is printable ASCII (RFC 5322 section
 * 2.2), which the obsolete syntax separates from the colon by blanks (section 4.5). */
static size_t name_length(struct slice line, size_t *colon_out)
{
    size_t end = 0;

    while (end < line.len && line.data[end] > ' ' && line.data[end] < 127 && line.data[end] != ':')
        end++;
    *colon_out = end;
    while (*colon_out < line.len && is_blank(line.data[*colon_out]))
        (*colon_out)++;
    return *colon_out < line.len && line.data[*colon_out] == ':' ? end : 0;
}

/* What may stand before a field without being one: the mbox "From " line, and a continuation of
 * nothing. */
static bool is_passed_over(struct slice text)
{
    return is_blank(text.data[0]) || (text.len >= 5 && memcmp(text.data, "From ", 5) == 0);
}

static size_t field_length(struct slice text, size_t first_line)
{
    size_t len = first_line;

    while (len < text.len && is_blank(text.data[len]))
        len += line_length(slice_from(text, len));
    return len;
}

static struct slice without_line_end(struct slice value)
{
    if (value.len > 0 && value.data[value.len - 1] == '\n')
        value.len--;
    if (value.len > 0 && value.data[value.len - 1] == '\r')
        value.len--;
    return value;
}

bool header_next(struct slice *rest, struct header_field *field_out)
{
    while (!is_empty_line(*rest)) {
        size_t line = line_length(*rest);
        size_t colon;
        size_t name = name_length(slice_part(*rest, 0, line), &colon);

        if (name > 0) {
            field_out->raw = slice_part(*rest, 0, field_length(*rest, line));
            field_out->name = slice_part(*rest, 0, name);
            field_out->value = without_line_end(slice_from(field_out->raw, colon + 1));
            *rest = slice_from(*rest, field_out->raw.len);
            return true;
        }
        if (!is_passed_over(*rest))
            return false;
        *rest = slice_from(*rest, line);
    }
    return false;
}

bool header_find(struct slice header, const char *name, struct header_field *field_out)
{
    while (header_next(&header, field_out))
        if (slice_is(field_out->name, name))
            return true;
    return false;
}

size_t header_length(struct slice message)
{
    struct slice rest = message;
    struct header_field field;

    while (header_next(&rest, &field))
        continue;
    return message.len - rest.len + header_end_length(rest);
}

size_t header_whole_length(struct slice message)
{
    struct slice rest = message;
    struct header_field field;

    while (header_next(&rest, &field))
        continue;
    while (!is_empty_line(rest))
        rest = slice_from(rest, line_length(rest));
    return message.len - rest.len + header_end_length(rest);
}

size_t header_end_length(struct slice rest)
{
    return rest.len > 0 && is_empty_line(rest) ? line_length(rest) : 0;
}

struct slice header_unfold(struct arena *arena, struct slice value)
{
    struct slice trimmed = slice_trim(value);
    char *text;
    size_t len = 0;

    if (slice_find(trimmed, '\n') < 0)
        return trimmed;
    text = arena_alloc(arena, trimmed.len);
    for (size_t i = 0; i < trimmed.len; i++) {
        bool line_end =
            trimmed.data[i] == '\n' || (trimmed.data[i] == '\r' && trimmed.data[i + 1] == '\n');

        if (!line_end)
            text[len++] = trimmed.data[i];
    }
    return slice_make(text, len);
}
