/* param.c - parameters of MIME fields, with the continuations of RFC 2231.
 *
 *     filename*0*=utf-8''na%C3%AF; filename*1="ve"   is   filename=naïve
 *
 * All pieces are collected first, as written; then the ones of one name are joined in the order of
 * their numbers. PARAMS_MAX bounds the work of looking for them.
 */
#include "message/param.h"

#include "message/decode.h"

struct piece {
    struct slice name;  /* without "*0*" */
    struct slice value; /* unquoted */
    uint64_t number;    /* of the continuation; 0 for what is not continued */
    bool continued;     /* name*0 or name*0* */
    bool extended;      /* name* or name*0*: percent-encoded */
    bool taken;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Any character but the tspecials of RFC 2045 and blanks; 8-bit ones are let through. */
static bool is_token(char c)
{
    return (unsigned char)c > ' ' && c != 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Skips blanks and comments. Comments nest: a count is enough, and the end of the value ends all.
 */
static void skip_blanks(struct slice *rest)
{
    size_t depth = 0, i;

    for (i = 0; i < rest->len; i++) {
        char c = rest->data[i];

        if (c == '(')
            depth++;
        else if (depth > 0 && c == ')')
            depth--;
        else if (depth > 0 && c == '\\')
            i++;
        else if (depth == 0 && !is_blank(c))
            break;
    }
    *rest = slice_from(*rest, i);
}

struct slice param_token(struct slice *rest)
{
    struct slice token;
    size_t len = 0;

    skip_blanks(rest);
    while (len < rest->len && is_token(rest->data[len]))
        len++;
    token = slice_part(*rest, 0, len);
    *rest = slice_from(*rest, len);
    skip_blanks(rest);
    return token;
}

bool param_byte(struct slice *rest, char byte)
{
    if (rest->len == 0 || rest->data[0] != byte)
        return false;
    *rest = slice_from(*rest, 1);
    return true;
}

/* Bytes to the closing quote; all when it is missing. */
static size_t quoted_length(struct slice text)
{
    size_t i = 1;

    while (i < text.len && text.data[i] != '"')
        i += text.data[i] == '\\' ? 2 : 1;
    return MIN(i, text.len);
}

static struct slice quoted_string(struct arena *arena, struct slice *rest)
{
    size_t end = quoted_length(*rest);
    char *text = arena_alloc(arena, end);
    size_t len = 0;

    for (size_t i = 1; i < end; i++) {
        if (rest->data[i] == '\\' && i + 1 < end)
            i++;
        text[len++] = rest->data[i];
    }
    *rest = slice_from(*rest, end + 1);
    return slice_make(text, len);
}

/* Up to the next ";" or a comment that stands off: "name=a file.txt (an example)". */
static struct slice bare_value(struct slice *rest)
{
    size_t len = 0;
    struct slice value;

    while (len < rest->len && rest->data[len] != ';' &&
           !(rest->data[len] == '(' && (len == 0 || is_blank(rest->data[len - 1]))))
        len++;
    value = slice_trim(slice_part(*rest, 0, len));
    *rest = slice_from(*rest, len);
    return value;
}

/* Passes over what is left before the next parameter, quoted strings as a whole. */
static void skip_to_semicolon(struct slice *rest)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < rest->len && (quoted || rest->data[i] != ';'); i++) {
        if (rest->data[i] == '"')
            quoted = !quoted;
        else if (rest->data[i] == '\\')
            i++;
    }
    *rest = slice_from(*rest, i);
}

/* Cuts "*", "*n" or "*n*" off the end of a name (RFC 2231 section 7). */
static void split_name(struct piece *piece)
{
    struct slice name = piece->name;
    ptrdiff_t star;

    piece->extended = name.len > 1 && name.data[name.len - 1] == '*';
    if (piece->extended)
        name.len--;
    star = slice_find_last(name, '*');
    if (star > 0 && slice_number(slice_from(name, (size_t)star + 1), PARAMS_MAX, &piece->number)) {
        piece->continued = true;
        name.len = (size_t)star;
    }
    piece->name = name;
}

static bool next_piece(struct arena *arena, struct slice *rest, struct piece *piece_out)
{
    while (rest->len > 0) {
        struct piece piece = { .taken = false };

        skip_to_semicolon(rest);
        if (!param_byte(rest, ';'))
            return false;
        piece.name = param_token(rest);
        if (piece.name.len == 0 || !param_byte(rest, '='))
            continue;
        skip_blanks(rest);
        piece.value =
            rest->len > 0 && rest->data[0] == '"' ? quoted_string(arena, rest) : bare_value(rest);
        split_name(&piece);
        *piece_out = piece;
        return true;
    }
    return false;
}

static void percent_decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int byte = text.data[i] == '%' ? hex_byte_after(text, i) : -1;

        buf_add_byte(out, byte >= 0 ? (char)byte : text.data[i]);
        i += byte >= 0 ? 2 : 0;
    }
}

/* Takes charset'language' off the front of an extended value. */
static struct slice take_charset(struct slice *value)
{
    ptrdiff_t first = slice_find(*value, '\'');
    ptrdiff_t second = first < 0 ? -1 : slice_find(slice_from(*value, (size_t)first + 1), '\'');
    struct slice charset = { NULL, 0 };

    if (second >= 0) {
        charset = slice_part(*value, 0, (size_t)first);
        *value = slice_from(*value, (size_t)(first + 1 + second + 1));
    }
    return charset;
}

static struct piece *find_piece(struct piece *pieces, size_t count, struct slice name,
                                uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].continued && pieces[i].number == number &&
            slice_equal_case(pieces[i].name, name))
            return &pieces[i];
    return NULL;
}

/* A number that is missing ends the value; a piece given twice counts once. */
static struct slice join_pieces(struct arena *arena, struct piece *pieces, size_t count,
                                struct piece *first)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct slice charset = { NULL, 0 };

    if (first->extended)
        charset = take_charset(&first->value);
    for (struct piece *piece = first; piece != NULL;) {
        if (piece->extended)
            percent_decode(piece->value, &bytes);
        else
            buf_add_slice(&bytes, piece->value);
        piece->taken = true;
        piece = piece->continued ? find_piece(pieces, count, first->name, piece->number + 1) : NULL;
    }
    text_to_utf8(charset, buf_slice(&bytes), &text);
    return slice_copy(arena, buf_slice(&text));
}

/* Encoded words are not for boundaries, which may look like them and are compared byte by byte. */
static struct slice plain_value(struct arena *arena, const struct piece *piece)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (slice_is(piece->name, "boundary") || slice_search(piece->value, SLICE("=?")) < 0)
        return piece->value;
    header_decode(piece->value, &text);
    return slice_copy(arena, buf_slice(&text));
}

static bool is_known(const struct mime_param *params, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_case(params[i].name, name))
            return true;
    return false;
}

/* The extended form of a parameter wins over the plain one, which is there for old readers
 * (RFC 6266 section 4.3 says so for HTTP; mail does the same). So they go first. */
static size_t join_all(struct arena *arena, struct piece *pieces, size_t count,
                       struct mime_param *params)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        struct piece *piece = &pieces[i];

        if (piece->taken || piece->number != 0 || !(piece->extended || piece->continued) ||
            is_known(params, n, piece->name))
            continue;
        params[n].name = piece->name;
        params[n++].value = join_pieces(arena, pieces, count, piece);
    }
    return n;
}

static size_t add_plain(struct arena *arena, struct piece *pieces, size_t count,
                        struct mime_param *params, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].extended || pieces[i].continued || is_known(params, n, pieces[i].name))
            continue;
        params[n].name = pieces[i].name;
        params[n++].value = plain_value(arena, &pieces[i]);
    }
    return n;
}

void params_parse(struct arena *arena, struct slice rest, struct mime_param **params_out,
                  size_t *count_out)
{
    struct piece pieces[PARAMS_MAX];
    size_t count = 0;

    while (count < PARAMS_MAX && next_piece(arena, &rest, &pieces[count]))
        count++;
    *count_out = 0;
    if (count == 0)
        return;
    *params_out = ARENA_ARRAY(arena, struct mime_param, count);
    *count_out = join_all(arena, pieces, count, *params_out);
    *count_out = add_plain(arena, pieces, count, *params_out, *count_out);
}
