/* section.c - see section.h. */
#include "message/section.h"

#include "message/header.h"

#include <stdlib.h>

#define FEW_NAMES 16

static const struct {
    const char *name;
    enum section_what what;
} words[] = {
    { "HEADER", SECTION_HEADER }, { "HEADER.FIELDS", SECTION_FIELDS },
    { "TEXT", SECTION_TEXT },     { "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
    { "MIME", SECTION_MIME },
};

const char *section_word(enum section_what what)
{
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i].what == what)
            return words[i].name;
    return "";
}

/* section-part: numbers with dots; leaves what follows the last dot. */
static const char *take_path(struct slice *spec, struct section *section)
{
    bool dot = false;

    while (spec->len > 0 && spec->data[0] >= '0' && spec->data[0] <= '9') {
        size_t left = spec->len;
        struct slice number;
        uint64_t value;

        dot = slice_split(spec, '.', &number) && number.len < left;
        if (!slice_number(number, UINT32_MAX, &value) || value == 0)
            return "expected: the number of a part";
        if (section->depth == COUNT_OF(section->path))
            return "parts are not nested that deep";
        section->path[section->depth++] = (uint32_t)value;
    }
    return dot && spec->len == 0 ? "a section ends with a dot" : NULL;
}

static const char *take_word(struct slice word, struct section *section)
{
    if (word.len == 0)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_is(word, words[i].name))
            continue;
        section->what = words[i].what;
        if (section->what == SECTION_MIME && section->depth == 0)
            break; /* RFC 3501: MIME must have a number before it */
        return NULL;
    }
    return "expected: HEADER, HEADER.FIELDS, TEXT, MIME";
}

const char *section_spec_parse(struct slice spec, struct section *section)
{
    const char *error = take_path(&spec, section);

    return error != NULL ? error : take_word(spec, section);
}

bool section_picks(const struct section *section)
{
    return section->what == SECTION_FIELDS || section->what == SECTION_FIELDS_NOT;
}

/* One name, in quotes or not. */
static bool take_field(struct slice *rest, struct slice *name_out)
{
    size_t len = 0;
    bool quoted = rest->len > 0 && rest->data[0] == '"';

    if (quoted)
        *rest = slice_from(*rest, 1);
    while (len < rest->len && strchr(quoted ? "\"\\" : " ()\"\\", rest->data[len]) == NULL)
        len++;
    *name_out = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, len);
    if (!quoted)
        return len > 0;
    if (rest->len == 0 || rest->data[0] != '"')
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* SP "(" header-fld-name *(SP header-fld-name) ")" */
static bool take_fields(struct slice rest, struct arena *arena, struct section *section)
{
    size_t most = MIN(rest.len, SECTION_FIELDS_MAX);

    if (!slice_starts(rest, " ("))
        return false;
    rest = slice_from(rest, 1);
    section->fields = ARENA_ARRAY(arena, struct slice, most);
    do {
        rest = slice_from(rest, 1);
        if (section->n_fields == most || !take_field(&rest, &section->fields[section->n_fields++]))
            return false;
    } while (rest.len > 0 && rest.data[0] == ' ');
    return rest.len == 1 && rest.data[0] == ')';
}

bool section_text_parse(struct slice text, struct arena *arena, struct section *section_out)
{
    ptrdiff_t blank = slice_find(text, ' ');
    struct slice spec = slice_part(text, 0, blank < 0 ? text.len : (size_t)blank);
    struct slice rest = slice_from(text, spec.len);

    *section_out = (struct section){ 0 };
    if (section_spec_parse(spec, section_out) != NULL)
        return false;
    return section_picks(section_out) ? take_fields(rest, arena, section_out) : rest.len == 0;
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
    bool header = section->what == SECTION_HEADER || section_picks(section);

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

static int compare_names(const void *a, const void *b)
{
    return slice_compare_case(*(const struct slice *)a, *(const struct slice *)b);
}

static bool is_named(const struct slice *names, size_t count, struct slice name)
{
    if (count > FEW_NAMES)
        return bsearch(&name, names, count, sizeof(names[0]), compare_names) != NULL;
    for (size_t i = 0; i < count; i++)
        if (slice_equal_case(names[i], name))
            return true;
    return false;
}

static void free_names(struct slice **names)
{
    free(*names);
}

/* Header and list may be as long as a client likes, so that many names are sorted first. */
void section_pick(const struct section *section, struct slice header, struct buf *out)
{
    AUTO(free_names) struct slice *sorted = NULL;
    const struct slice *names = section->fields;
    size_t count = section->n_fields;
    struct header_field field;

    if (count > FEW_NAMES) {
        sorted = mem_zero(count * sizeof(*sorted));
        memcpy(sorted, names, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_names);
        names = sorted;
    }
    while (header_next(&header, &field))
        if (is_named(names, count, field.name) == (section->what == SECTION_FIELDS))
            buf_add_slice(out, field.raw);
    buf_add_text(out, "\r\n");
}
