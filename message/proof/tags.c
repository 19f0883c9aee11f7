/* tags.c - see tags.h. One pass over the text, and a comparison of each name with those before. */
#include "message/proof/tags.h"

#include "common/codec.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(struct slice name)
{
    if (name.len == 0 || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_letter(name.data[i]) && !(name.data[i] >= '0' && name.data[i] <= '9') &&
            name.data[i] != '_')
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Printable, or UTF-8 as the note of section 3.2 and RFC 8616 have it. */
static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < ' ' && !is_blank((char)c)) || c == 127)
            return false;
    }
    return true;
}

static bool parse_tag(struct slice text, struct tag *tag_out)
{
    ptrdiff_t equals = slice_find(text, '=');

    if (equals < 0)
        return false;
    tag_out->name = slice_trim(slice_part(text, 0, (size_t)equals));
    tag_out->whole = slice_from(text, (size_t)equals + 1);
    tag_out->value = slice_trim(tag_out->whole);
    return is_name(tag_out->name) && is_value(tag_out->value);
}

static const struct tag *find(const struct tag_list *list, struct slice name)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_equal(list->tags[i].name, name))
            return &list->tags[i];
    return NULL;
}

bool tag_list_parse(struct slice text, struct tag_list *list_out)
{
    struct slice rest = text, part;

    list_out->count = 0;
    if (text.len > TAG_LIST_SIZE)
        return false;
    while (slice_split(&rest, ';', &part)) {
        bool last = part.data + part.len == text.data + text.len; /* not even a semicolon behind */
        struct tag tag;

        if (last && slice_trim(part).len == 0 && list_out->count > 0)
            return true;
        if (list_out->count == TAGS_MAX || !parse_tag(part, &tag) || find(list_out, tag.name))
            return false;
        list_out->tags[list_out->count++] = tag;
    }
    return list_out->count > 0;
}

const struct tag *tag_find(const struct tag_list *list, const char *name)
{
    return find(list, slice_of(name));
}

bool tag_item(struct slice *rest, struct slice *item_out)
{
    if (!slice_split(rest, ':', item_out))
        return false;
    *item_out = slice_trim(*item_out);
    return true;
}

bool tag_has_item(struct slice value, const char *word)
{
    struct slice item;

    while (tag_item(&value, &item))
        if (slice_equal(item, slice_of(word)))
            return true;
    return false;
}

bool tag_base64(struct slice value, struct buf *out)
{
    AUTO(buf_free) struct buf text = { 0 };

    for (size_t i = 0; i < value.len; i++)
        if (!is_blank(value.data[i]))
            buf_add_byte(&text, value.data[i]);
    return base64_decode(buf_slice(&text), out);
}
