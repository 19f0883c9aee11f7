/* section.c - see section.h. */
#include "imapd/section.h"

#include "imapd/reply.h"

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
        /* fields has room for one more. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        fields[section->n_fields++] = name;
    } while (args_try_byte(args, ' '));
    section->fields = fields;
    return args_close(args);
}

/* "<" number64 "." nz-number64 ">" (RFC 9051 section 9) */
static bool take_partial(struct args *args, struct section *section)
{
    if (!args_try_byte(args, '<'))
        return true;
    section->partial = true;
    if (!args_number64(args, &section->from) || !args_try_byte(args, '.') ||
        !args_nz_number64(args, &section->length) || !args_try_byte(args, '>'))
        return args_fail(args, "expected: <from.length>");
    return true;
}

bool section_parse(struct args *args, struct section *section_out)
{
    size_t len = 0;
    const char *error;
    struct slice spec;

    *section_out = (struct section){ 0 };
    while (len < args->rest.len && args->rest.data[len] != ']' && args->rest.data[len] != ' ')
        len++;
    spec = slice_part(args->rest, 0, len);
    error = section_spec_parse(spec, section_out);
    if (error != NULL)
        return args_fail(args, error);
    args->rest = slice_from(args->rest, len);
    if (section_picks(section_out) && !take_fields(args, section_out))
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

void section_print(const char *name, const struct section *section, struct buf *out)
{
    const char *dot = section->depth > 0 && section->what != SECTION_ALL ? "." : "";

    buf_add_text(out, name);
    buf_add_byte(out, '[');
    for (size_t i = 0; i < section->depth; i++)
        buf_fmt(out, i == 0 ? "%u" : ".%u", section->path[i]);
    buf_fmt(out, "%s%s", dot, section_word(section->what));
    for (size_t i = 0; i < section->n_fields; i++) {
        buf_add_text(out, i == 0 ? " (" : " ");
        if (is_atom(section->fields[i]))
            buf_add_slice(out, section->fields[i]);
        else
            reply_string(out, section->fields[i]);
    }
    buf_add_text(out, section->n_fields > 0 ? ")]" : "]");
    if (section->partial)
        buf_fmt(out, "<%llu>", (unsigned long long)section->from);
}
