/* changes.c - see changes.h. */
#include "smtpd/milter/changes.h"

#include "message/header.h"

#include <stdlib.h>

/* A header while it is changed: whole fields, with their line ends. */
struct fields {
    struct arena arena;
    struct slice *items;
    size_t count, room;
    struct slice end; /* the empty line, if there is one */
};

static void insert(struct fields *fields, size_t at, struct slice raw)
{
    fields->items =
        mem_grow(fields->items, &fields->room, fields->count + 1, sizeof(*fields->items));
    memmove(&fields->items[at + 1], &fields->items[at],
            (fields->count - at) * sizeof(*fields->items));
    fields->items[at] = raw;
    fields->count++;
}

static void take_out(struct fields *fields, size_t at)
{
    fields->count--;
    memmove(&fields->items[at], &fields->items[at + 1],
            (fields->count - at) * sizeof(*fields->items));
}

static void read_fields(struct slice header, struct fields *fields)
{
    struct header_field field;

    while (header_next(&header, &field))
        insert(fields, fields->count, field.raw);
    fields->end = slice_part(header, 0, header_end_length(header));
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == ':')
            return false;
    return name.len > 0;
}

static void add_line(struct buf *out, struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] != '\r')
            buf_add_byte(out, line.data[i]);
    buf_add_text(out, "\r\n");
}

/* Lines after the first begin with a blank, or they would be fields of their own. */
static void add_value(struct buf *out, struct slice value)
{
    struct slice line;
    bool is_first = true;

    while (slice_split(&value, '\n', &line)) {
        if (!is_first && slice_trim(line).len == 0)
            continue;
        if (!is_first && line.data[0] != ' ' && line.data[0] != '\t')
            buf_add_byte(out, '\t');
        add_line(out, line);
        is_first = false;
    }
    if (is_first)
        buf_add_text(out, "\r\n");
}

static struct slice print_field(struct fields *fields, const struct milter_task *task,
                                const struct frame_reply *change)
{
    AUTO(buf_free) struct buf text = { 0 };

    buf_add_slice(&text, change->name);
    buf_add_text(&text, task->has_leading_blanks ? ":" : ": ");
    add_value(&text, change->value);
    return slice_copy(&fields->arena, buf_slice(&text));
}

/* The index-th field of that name, from 1 on; count: there is none. */
static size_t find(const struct fields *fields, struct slice name, uint32_t index)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct slice rest = fields->items[i];
        struct header_field field;

        if (header_next(&rest, &field) && slice_equal_case(field.name, name) && --index == 0)
            return i;
    }
    return fields->count;
}

/* An empty value takes the field away; a field that is not there is added. */
static void change_field(struct fields *fields, const struct milter_task *task,
                         const struct frame_reply *change)
{
    size_t at = find(fields, change->name, MAX(change->index, 1));

    if (at < fields->count && change->value.len == 0)
        take_out(fields, at);
    else if (at < fields->count)
        fields->items[at] = print_field(fields, task, change);
    else if (change->value.len > 0)
        insert(fields, fields->count, print_field(fields, task, change));
}

static void apply(struct fields *fields, const struct milter_task *task,
                  const struct frame_reply *change)
{
    if (!is_name(change->name))
        return;
    if (change->kind == SMFIR_ADDHEADER)
        insert(fields, fields->count, print_field(fields, task, change));
    else if (change->kind == SMFIR_INSHEADER)
        insert(fields, MIN(change->index, fields->count), print_field(fields, task, change));
    else if (change->kind == SMFIR_CHGHEADER)
        change_field(fields, task, change);
}

/* A header may end without a line end, where there is nothing behind it. */
static void print(const struct fields *fields, bool has_body, struct buf *out)
{
    bool has_end = fields->end.len > 0 || has_body;

    for (size_t i = 0; i < fields->count; i++) {
        struct slice raw = fields->items[i];

        buf_add_slice(out, raw);
        if (raw.len > 0 && raw.data[raw.len - 1] != '\n' && (i + 1 < fields->count || has_end))
            buf_add_text(out, "\r\n");
    }
    if (has_end)
        buf_add_text(out, "\r\n");
}

bool changes_header(const struct milter_task *task)
{
    for (const struct milter_change *change = task->first_change; change != NULL;
         change = change->next)
        if (change->reply.kind == SMFIR_ADDHEADER || change->reply.kind == SMFIR_INSHEADER ||
            change->reply.kind == SMFIR_CHGHEADER)
            return true;
    return false;
}

void changes_apply(const struct milter_task *task, struct slice header, bool has_body,
                   struct buf *out)
{
    struct fields fields = { 0 };

    read_fields(header, &fields);
    for (const struct milter_change *change = task->first_change; change != NULL;
         change = change->next)
        apply(&fields, task, &change->reply);
    print(&fields, has_body, out);
    free(fields.items);
    arena_free(&fields.arena);
}
