/* address.c - lists of addresses, as senders write them and not only as the grammar has them.
 *
 * A list is read word by word. Words collect until a character tells what they were:
 *
 *     "<"  a display name                    "@"  a local part (its last word; the rest is a name)
 *     ":"  the name of a group               "," ";" end   an address without a domain
 *
 * Texts are put together in three areas of the arena, each as large as the value: every byte of
 * the value goes at most once into each.
 */
#include "message/address.h"

struct area {
    char *data;
    size_t len;
};

struct parser {
    struct arena *arena;
    struct slice rest;
    struct area names, addresses, comments;
    struct slice comment; /* the last one of this address */
    struct address_list *list;
    size_t room, max;
    bool in_group;
};

/* The words in front of a special character. */
struct words {
    size_t names_at; /* where they start in the names area */
    size_t last_at;  /* where the last run of words joined by dots starts there */
    size_t local_at; /* the same run without blanks, in the addresses area */
    bool any;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What no word goes on over; 8-bit characters are letters like others (RFC 6532). */
static bool is_special(char c)
{
    return is_blank(c) || strchr("()<>@,;:\"[]", c) != NULL;
}

static void area_add(struct area *area, char c)
{
    area->data[area->len++] = c;
}

static struct slice area_from(const struct area *area, size_t start)
{
    return slice_make(area->data + start, area->len - start);
}

static char peek(const struct parser *parser)
{
    return parser->rest.len > 0 ? parser->rest.data[0] : '\0';
}

static bool at_end(const struct parser *parser)
{
    return parser->rest.len == 0;
}

static char take(struct parser *parser)
{
    char c = parser->rest.data[0];

    parser->rest = slice_from(parser->rest, 1);
    return c;
}

static bool take_if(struct parser *parser, char c)
{
    if (at_end(parser) || parser->rest.data[0] != c)
        return false;
    take(parser);
    return true;
}

/* The character after a backslash is meant as it is; line ends of folding are left out. */
static void add_quoted(struct parser *parser, struct area *first, struct area *second)
{
    char c = take(parser);

    if (c == '\\' && !at_end(parser))
        c = take(parser);
    else if (c == '\r' || c == '\n')
        return;
    area_add(first, c);
    if (second != NULL)
        area_add(second, c);
}

static void parse_comment(struct parser *parser)
{
    size_t start = parser->comments.len;
    size_t depth = 1;

    take(parser);
    while (!at_end(parser)) {
        char c = peek(parser);

        if (c == '(')
            depth++;
        else if (c == ')' && --depth == 0)
            break;
        add_quoted(parser, &parser->comments, NULL);
    }
    take_if(parser, ')');
    parser->comment = slice_trim(area_from(&parser->comments, start));
}

/* Returns whether there was something to skip. */
static bool skip_blanks(struct parser *parser)
{
    bool any = false;

    for (;; any = true) {
        if (peek(parser) == '(')
            parse_comment(parser);
        else if (!at_end(parser) && is_blank(peek(parser)))
            take(parser);
        else
            return any;
    }
}

static void parse_quoted_string(struct parser *parser)
{
    take(parser);
    while (!at_end(parser) && peek(parser) != '"')
        add_quoted(parser, &parser->names, &parser->addresses);
    take_if(parser, '"');
}

static void parse_atom(struct parser *parser)
{
    while (!at_end(parser) && !is_special(peek(parser))) {
        char c = take(parser);

        area_add(&parser->names, c);
        area_add(&parser->addresses, c);
    }
}

static bool at_word(const struct parser *parser)
{
    return !at_end(parser) && (peek(parser) == '"' || !is_special(peek(parser)));
}

/* phrase and local-part, which look alike until something follows. Words with only dots between
 * them (and blanks there, RFC 5322 section 4.4) are one run: what a local part can be. */
static struct words parse_words(struct parser *parser)
{
    struct words words = { parser->names.len, parser->names.len, parser->addresses.len, false };
    bool dot_before = false;
    bool blank = false;

    for (; at_word(parser); blank = skip_blanks(parser)) {
        bool dot = peek(parser) == '.';

        if (blank && words.any && !dot && !dot_before) {
            area_add(&parser->names, ' ');
            words.last_at = parser->names.len;
            words.local_at = parser->addresses.len;
        } else if (blank && words.any && !dot) {
            area_add(&parser->names, ' ');
        }
        if (peek(parser) == '"')
            parse_quoted_string(parser);
        else
            parse_atom(parser);
        dot_before = parser->names.len > 0 && parser->names.data[parser->names.len - 1] == '.';
        words.any = true;
    }
    return words;
}

static void add_item(struct parser *parser, struct address address)
{
    struct address_list *list = parser->list;

    if (list->count == parser->room) {
        size_t room = parser->room == 0 ? 4 : parser->room * 2;
        struct address *items = ARENA_ARRAY(parser->arena, struct address, room);

        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        parser->room = room;
    }
    list->items[list->count++] = address;
}

/* An open group keeps one place for its end. */
static bool has_room(const struct parser *parser, size_t count)
{
    return parser->list->count + count + parser->in_group <= parser->max;
}

static void add_address(struct parser *parser, struct address address)
{
    skip_blanks(parser);
    if (address.name.len == 0)
        address.name = parser->comment;
    if (has_room(parser, 1))
        add_item(parser, address);
}

/* Atoms and dots, without the blanks between them, or a literal in brackets. */
static struct slice parse_domain(struct parser *parser)
{
    size_t start = parser->addresses.len;

    skip_blanks(parser);
    if (peek(parser) == '[') {
        while (!at_end(parser) && peek(parser) != ']' && peek(parser) != '>')
            area_add(&parser->addresses, take(parser));
        if (take_if(parser, ']'))
            area_add(&parser->addresses, ']');
        return area_from(&parser->addresses, start);
    }
    while (!at_end(parser) && !is_special(peek(parser))) {
        char last;

        while (!at_end(parser) && !is_special(peek(parser)))
            area_add(&parser->addresses, take(parser));
        skip_blanks(parser);
        last = parser->addresses.data[parser->addresses.len - 1];
        if (peek(parser) != '.' && last != '.')
            break;
    }
    return area_from(&parser->addresses, start);
}

/* obs-route: "@a,@b:" */
static struct slice parse_route(struct parser *parser)
{
    size_t start = parser->addresses.len;

    while (!at_end(parser) && peek(parser) != ':' && peek(parser) != '>') {
        char c = take(parser);

        if (!is_blank(c))
            area_add(&parser->addresses, c);
    }
    take_if(parser, ':');
    return area_from(&parser->addresses, start);
}

/* Passes over what is wrong inside "<...>"; what looks like the next address ends it too. */
static void end_angle(struct parser *parser)
{
    while (!at_end(parser) && peek(parser) != '>' && peek(parser) != ',' && peek(parser) != '<')
        take(parser);
    take_if(parser, '>');
}

static void parse_angle(struct parser *parser, struct slice name)
{
    struct address address = { .kind = ADDRESS_MAILBOX, .name = name };
    struct words words;

    take(parser);
    skip_blanks(parser);
    if (peek(parser) == '@')
        address.route = parse_route(parser);
    skip_blanks(parser);
    words = parse_words(parser);
    address.local = area_from(&parser->addresses, words.local_at);
    if (take_if(parser, '@'))
        address.domain = parse_domain(parser);
    end_angle(parser);
    add_address(parser, address);
}

/* What stands before "@": the last run is the local part. */
static void parse_bare(struct parser *parser, const struct words *words)
{
    struct address address = { .kind = ADDRESS_MAILBOX };
    size_t name_len = words->last_at - words->names_at;

    address.name = slice_trim(slice_make(parser->names.data + words->names_at, name_len));
    address.local = area_from(&parser->addresses, words->local_at);
    take(parser);
    address.domain = parse_domain(parser);
    add_address(parser, address);
}

/* One word alone is a local user; several are the name of somebody whose address is missing. */
static void parse_no_domain(struct parser *parser, const struct words *words, struct slice name)
{
    struct address address = { .kind = ADDRESS_MAILBOX };

    if (words->last_at > words->names_at)
        address.name = name;
    else
        address.local = area_from(&parser->addresses, words->local_at);
    add_address(parser, address);
}

static void end_group(struct parser *parser)
{
    if (!parser->in_group)
        return;
    parser->in_group = false;
    add_item(parser, (struct address){ .kind = ADDRESS_GROUP_END });
}

/* Groups do not nest: one inside a group ends it. One that does not fit ends the list. */
static void start_group(struct parser *parser, struct slice name)
{
    end_group(parser);
    if (!has_room(parser, 2)) {
        parser->rest.len = 0;
        return;
    }
    add_item(parser, (struct address){ .kind = ADDRESS_GROUP_START, .name = name });
    parser->in_group = true;
}

/* Takes at least one byte. */
static void parse_item(struct parser *parser)
{
    struct words words = parse_words(parser);
    struct slice name = area_from(&parser->names, words.names_at);

    switch (peek(parser)) {
    case '<':
        parse_angle(parser, name);
        break;
    case '@':
        parse_bare(parser, &words);
        break;
    case ':':
        take(parser);
        start_group(parser, name);
        break;
    case ';':
        if (words.any)
            parse_no_domain(parser, &words, name);
        take(parser);
        end_group(parser);
        break;
    default:
        if (words.any)
            parse_no_domain(parser, &words, name);
        else
            take(parser);
        break;
    }
}

void address_list_parse(struct arena *arena, struct slice value, size_t max,
                        struct address_list *list_out)
{
    struct parser parser = { .arena = arena, .rest = value, .list = list_out, .max = max };

    *list_out = (struct address_list){ NULL, 0 };
    if (slice_trim(value).len == 0)
        return;
    parser.names.data = arena_alloc(arena, value.len * 3);
    parser.addresses.data = parser.names.data + value.len;
    parser.comments.data = parser.addresses.data + value.len;
    while (!at_end(&parser) && has_room(&parser, 1)) {
        parser.comment = (struct slice){ NULL, 0 };
        skip_blanks(&parser);
        if (!at_end(&parser))
            parse_item(&parser);
    }
    end_group(&parser);
}
