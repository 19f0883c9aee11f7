/* section.c - see section.h. */
#include "imapd/section.h"

#include "imapd/reply.h"
#include "message/header.h"

static const struct {
    const char *name;
    enum section_what what;
} words[] = {
    { "HEADER", SECTION_HEADER }, { "HEADER.FIELDS", SECTION_FIELDS },
    { "TEXT", SECTION_TEXT },     { "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
    { "MIME", SECTION_MIME },
};

/* section-part: numbers with dots; leaves what follows the last dot. */
static bool take_path(struct args *args, struct slice *spec, struct section *section)
{
    const char *end = spec->data + spec->len;
    bool dot = false;

    while (spec->len > 0 && spec->data[0] >= '0' && spec->data[0] <= '9') {
        struct slice number;
        uint64_t value;

        dot = slice_split(spec, '.', &number) && number.data + number.len < end;
        if (!slice_number(number, UINT32_MAX, &value) || value == 0)
            return args_fail(args, "expected: the number of a part");
        if (section->depth == COUNT_OF(section->path))
            return args_fail(args, "parts are not nested that deep");
        section->path[section->depth++] = (uint32_t)value;
    }
    return !dot || spec->len > 0 || args_fail(args, "a section ends with a dot");
}

static bool take_word(struct args *args, struct slice word, struct section *section)
{
    if (word.len == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_is(word, words[i].name))
            continue;
        section->what = words[i].what;
        if (section->what == SECTION_MIME && section->depth == 0)
            break; /* RFC 3501: MIME must have a number before it */
        return true;
    }
    return args_fail(args, "expected: HEADER, HEADER.FIELDS, TEXT, MIME");
}

/* header-list = "(" header-fld-name *(SP header-fld-name) ")" */
static bool take_fields(struct args *args, struct section *section)
{
    size_t room = 0;
    struct slice *fields = NULL;

    if (!args_space(args) || !args_open(args))
        return false;
    do {
        struct slice name;

        if (section->n_fields == SECTION_FIELDS_MAX || !args_astring(args, &name))
            return args_fail(args, "expected: names of header fields");
        if (section->n_fields == room) {
            struct slice *more = ARENA_ARRAY(args->arena, struct slice, room = room * 2 + 8);

            if (section->n_fields > 0)
                memcpy(more, fields, section->n_fields * sizeof(*fields));
            fields = more;
        }
        fields[section->n_fields++] = name;
    } while (args_try_byte(args, ' '));
    section->fields = fields;
    return args_close(args);
}

/* "<" number "." nz-number ">" */
static bool take_partial(struct args *args, struct section *section)
{
    if (!args_try_byte(args, '<'))
        return true;
    section->partial = true;
    if (!args_number(args, &section->from) || !args_try_byte(args, '.') ||
        !args_nz_number(args, &section->length) || !args_try_byte(args, '>'))
        return args_fail(args, "expected: <from.length>");
    return true;
}

bool section_parse(struct args *args, struct section *section_out)
{
    size_t len = 0;
    struct slice spec;

    *section_out = (struct section){ 0 };
    while (len < args->rest.len && args->rest.data[len] != ']' && args->rest.data[len] != ' ')
        len++;
    spec = slice_part(args->rest, 0, len);
    if (!take_path(args, &spec, section_out) || !take_word(args, spec, section_out))
        return false;
    args->rest = slice_from(args->rest, len);
    if ((section_out->what == SECTION_FIELDS || section_out->what == SECTION_FIELDS_NOT) &&
        !take_fields(args, section_out))
        return false;
    if (!args_try_byte(args, ']'))
        return args_fail(args, "expected: ]");
    return take_partial(args, section_out);
}

static bool is_atom(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || strchr("(){%*\"\\]", text.data[i]) != NULL ||
            text.data[i] == 127)
            return false;
    return text.len > 0;
}

void section_print(const struct section *section, struct buf *out)
{
    const char *dot = section->depth > 0 && section->what != SECTION_ALL ? "." : "";

    buf_add_text(out, "BODY[");
    for (size_t i = 0; i < section->depth; i++)
        buf_fmt(out, i == 0 ? "%u" : ".%u", section->path[i]);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (section->what == words[i].what)
            buf_fmt(out, "%s%s", dot, words[i].name);
    for (size_t i = 0; i < section->n_fields; i++) {
        buf_add_text(out, i == 0 ? " (" : " ");
        if (is_atom(section->fields[i]))
            buf_add_slice(out, section->fields[i]);
        else
            reply_string(out, section->fields[i]);
    }
    buf_add_text(out, section->n_fields > 0 ? ")]" : "]");
    if (section->partial)
        buf_fmt(out, "<%u>", section->from);
}

bool section_is_header(const struct section *section)
{
    return section->depth == 0 && section->what != SECTION_ALL && section->what != SECTION_TEXT;
}

bool section_is_whole(const struct section *section)
{
    return section->depth == 0 && section->what == SECTION_ALL;
}

bool section_find(const struct section *section, const struct mime_part *root, size_t *at_out,
                  size_t *len_out)
{
    const struct mime_part *part = mime_find(root, section->path, section->depth);
    bool header = section->what == SECTION_HEADER || section->what == SECTION_FIELDS ||
                  section->what == SECTION_FIELDS_NOT;

    if (part == NULL)
        return false;
    if (section_is_whole(section)) {
        *at_out = 0;
        *len_out = part->body_at + part->body_len;
        return true;
    }
    /* HEADER and TEXT of a part are those of the message inside it. */
    if (section->depth > 0 && (header || section->what == SECTION_TEXT)) {
        if (!part->is_message || part->children == NULL)
            return false;
        part = part->children;
    }
    header = header || section->what == SECTION_MIME;
    *at_out = header ? part->header_at : part->body_at;
    *len_out = header ? part->header_len : part->body_len;
    return true;
}

static bool is_named(const struct section *section, struct slice name)
{
    for (size_t i = 0; i < section->n_fields; i++)
        if (slice_equal_case(section->fields[i], name))
            return true;
    return false;
}

void section_pick(const struct section *section, struct slice header, struct buf *out)
{
    struct header_field field;

    while (header_next(&header, &field))
        if (is_named(section, field.name) == (section->what == SECTION_FIELDS))
            buf_add_slice(out, field.raw);
    buf_add_text(out, "\r\n");
}
