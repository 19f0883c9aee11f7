/* html.c - see html.h. One pass from the front; a struct reader is its state. */
#include "message/html.h"

#include "message/html_private.h"

#include <unistr.h>

#define REPLACEMENT 0xfffd

struct reader {
    struct slice rest;
    struct buf *out;
    size_t start;     /* of the text in *out */
    bool blank;       /* between words: a space is due before what comes next */
    bool unclosed[2]; /* no '"', no "'" comes any more: nobody needs to look again */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char at(struct slice text, size_t i)
{
    return i < text.len ? text.data[i] : '\0';
}

static void skip(struct reader *reader, size_t len)
{
    reader->rest = slice_from(reader->rest, len);
}

static void add(struct reader *reader, struct slice text)
{
    if (reader->blank && reader->out->len > reader->start)
        buf_add_byte(reader->out, ' ');
    reader->blank = false;
    buf_add_slice(reader->out, text);
}

/* Words and blanks up to the next tag or entity. */
static void take_text(struct reader *reader)
{
    struct slice rest = reader->rest;
    char *to = buf_reserve(reader->out, rest.len + 1);
    bool blank = reader->blank, some = reader->out->len > reader->start;
    size_t len = 0, i = 0;

    for (; i < rest.len && rest.data[i] != '<' && rest.data[i] != '&'; i++) {
        if (is_blank(rest.data[i])) {
            blank = true;
            continue;
        }
        if (blank && some)
            to[len++] = ' ';
        blank = false;
        some = true;
        to[len++] = rest.data[i];
    }
    buf_wrote(reader->out, len);
    reader->blank = blank;
    skip(reader, i);
}

/* Characters by number. */

/* Numbers that are no characters of Unicode but of windows-1252, which is what is meant. */
static uint32_t character_of(uint32_t number)
{
    static const uint16_t windows[32] = {
        0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
        0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178,
    };

    if (number >= 0x80 && number < 0xa0)
        return windows[number - 0x80];
    return number == 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000) ? REPLACEMENT
                                                                                     : number;
}

static int digit_value(char c, uint32_t base)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "&#233;", "&#xE9;", the ";" may be missing. Returns the length of all, 0: it is none. */
static size_t parse_number(struct slice text, uint32_t *character_out)
{
    uint32_t base = (at(text, 2) | 0x20) == 'x' ? 16 : 10, number = 0;
    size_t first = base == 16 ? 3 : 2, i = first;

    for (int value; (value = digit_value(at(text, i), base)) >= 0; i++)
        number = MIN(number * base + (uint32_t)value, 0x110000u);
    if (i == first)
        return 0;
    *character_out = character_of(number);
    return i + (at(text, i) == ';');
}

#define NAME_MAX_LENGTH 8 /* "thetasym" */

static size_t parse_name(struct slice text, uint32_t *character_out)
{
    size_t len = 0;

    while (len <= NAME_MAX_LENGTH && (is_letter(at(text, 1 + len)) || is_digit(at(text, 1 + len))))
        len++;
    if (at(text, 1 + len) != ';')
        return 0;
    *character_out = html_entity(slice_part(text, 1, len));
    return *character_out != 0 ? len + 2 : 0;
}

static void take_entity(struct reader *reader)
{
    uint32_t character = 0;
    uint8_t bytes[4];
    size_t len = at(reader->rest, 1) == '#' ? parse_number(reader->rest, &character)
                                            : parse_name(reader->rest, &character);

    if (len == 0) {
        add(reader, slice_part(reader->rest, 0, 1));
        skip(reader, 1);
        return;
    }
    skip(reader, len);
    if (character < 0x80 && is_blank((char)character))
        reader->blank = true;
    else
        add(reader, slice_make(bytes, (size_t)u8_uctomb(bytes, character, sizeof(bytes))));
}

/* Tags. */

static bool is_inline(struct slice name)
{
    static const char *const names[] = {
        "a",      "abbr", "acronym", "b",    "bdi",  "bdo",  "big",   "cite", "code",
        "data",   "del",  "dfn",     "em",   "font", "i",    "img",   "ins",  "kbd",
        "label",  "mark", "nobr",    "q",    "s",    "samp", "small", "span", "strike",
        "strong", "sub",  "sup",     "time", "tt",   "u",    "var",   "wbr",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i][0] == (at(name, 0) | 0x20) && slice_is(name, names[i]))
            return true;
    return false;
}

/* Behind an attribute's value in quotes that begins here or after blanks; 0 if there is none. */
static size_t quoted_length(struct reader *reader, struct slice text)
{
    size_t i = 0;
    ptrdiff_t end;

    while (is_blank(at(text, i)))
        i++;
    if ((at(text, i) != '"' && at(text, i) != '\'') || reader->unclosed[text.data[i] == '\''])
        return 0;
    end = slice_find(slice_from(text, i + 1), text.data[i]);
    if (end >= 0)
        return i + 1 + (size_t)end + 1;
    reader->unclosed[text.data[i] == '\''] = true;
    return 0;
}

/* The length of a tag with its ">". */
static size_t tag_length(struct reader *reader)
{
    struct slice rest = reader->rest;
    size_t i = 1;

    while (i < rest.len && rest.data[i] != '>')
        i += 1 + (rest.data[i] == '=' ? quoted_length(reader, slice_from(rest, i + 1)) : 0);
    return MIN(i + 1, rest.len);
}

/* Up to "</script" or "</style". */
static void skip_raw(struct reader *reader, const char *end)
{
    ptrdiff_t next;

    while ((next = slice_find(reader->rest, '<')) >= 0) {
        skip(reader, (size_t)next);
        if (slice_starts(reader->rest, end))
            return;
        skip(reader, 1);
    }
    skip(reader, reader->rest.len);
}

static void take_tag(struct reader *reader)
{
    size_t begin = at(reader->rest, 1) == '/' ? 2 : 1, end = begin;
    struct slice rest = reader->rest, name;

    while (end < rest.len && rest.data[end] != '>' && rest.data[end] != '/' &&
           !is_blank(rest.data[end]))
        end++;
    name = slice_part(rest, begin, end - begin);
    skip(reader, tag_length(reader));
    if (!is_inline(name))
        reader->blank = true;
    if (begin == 1 && slice_is(name, "script"))
        skip_raw(reader, "</script");
    if (begin == 1 && slice_is(name, "style"))
        skip_raw(reader, "</style");
}

/* "<!--" to "-->", which may share its dashes: "<!-->". */
static void skip_comment(struct reader *reader)
{
    ptrdiff_t end = slice_search(slice_from(reader->rest, 2), SLICE("-->"));

    skip(reader, end >= 0 ? 2 + (size_t)end + 3 : reader->rest.len);
}

/* "<!DOCTYPE ...>", "<?xml ...>" */
static void skip_declaration(struct reader *reader)
{
    ptrdiff_t end = slice_find(reader->rest, '>');

    skip(reader, end >= 0 ? (size_t)end + 1 : reader->rest.len);
}

static void take_markup(struct reader *reader)
{
    char next = at(reader->rest, 1);

    if (slice_starts(reader->rest, "<!--")) {
        skip_comment(reader);
    } else if (next == '!' || next == '?') {
        skip_declaration(reader);
    } else if (is_letter(next) || (next == '/' && is_letter(at(reader->rest, 2)))) {
        take_tag(reader);
    } else {
        add(reader, slice_part(reader->rest, 0, 1));
        skip(reader, 1);
    }
}

void html_to_text(struct slice html, struct buf *out)
{
    struct reader reader = { .rest = html, .out = out, .start = out->len };

    while (reader.rest.len > 0) {
        if (reader.rest.data[0] == '<') {
            take_markup(&reader);
        } else if (reader.rest.data[0] == '&') {
            take_entity(&reader);
        } else {
            take_text(&reader);
        }
    }
}
