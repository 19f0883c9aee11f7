/* text.c - the text of a message, decoded, folded, searched.
 *
 * Folding a character as in RFC 5051: title case, then its decomposition, canonical or not, and so
 * on with each part of that. ASCII, which is most of what there is, only gets upper case.
 */
#include "message/text.h"

#include "message/decode.h"
#include "message/header.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#define WINDOW          8192 /* bytes folded at a time when searching, or more for a long needle */
#define DECOMPOSE_DEPTH 8    /* Unicode has chains of 3 */
#define SHORT_NEEDLE    64   /* bounds the time of a search that looks at bytes twice */

void text_walk_start(struct text_walk *walk, struct slice message, const struct mime_part *root)
{
    *walk = (struct text_walk){ .message = message, .root = root, .next = root };
}

/* The part behind this one, depth first; NULL behind the last. */
static const struct mime_part *part_after(const struct mime_part *part,
                                          const struct mime_part *root)
{
    if (part->children != NULL)
        return part->children;
    while (part != root && part->next == NULL)
        part = part->parent;
    return part == root ? NULL : part->next;
}

static void decode_text(struct slice message, const struct mime_part *part, struct buf *out)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    struct slice body = slice_part(message, part->body_at, MIN(part->body_len, TEXT_PART_MAX));
    bool encoded =
        slice_is(part->encoding, "base64") || slice_is(part->encoding, "quoted-printable");

    if (encoded) {
        transfer_decode(part->encoding, body, &bytes);
        body = buf_slice(&bytes);
    }
    text_to_utf8(mime_param(part, "charset"), body, out);
}

bool text_walk_next(struct text_walk *walk, struct buf *text_out)
{
    buf_clear(text_out);
    while (walk->next != NULL) {
        const struct mime_part *part = walk->next;
        bool inner = part->parent != NULL && part->parent->is_message;
        bool text =
            slice_is(part->type, "text") || (slice_is(part->type, "message") && !part->is_message);

        walk->next = part_after(part, walk->root);
        if (inner)
            text_of_header(
                slice_part(walk->message, part->header_at, MIN(part->header_len, TEXT_PART_MAX)),
                text_out);
        if (text)
            decode_text(walk->message, part, text_out);
        if (inner || text)
            return true;
    }
    return false;
}

void text_of_header(struct slice header, struct buf *out)
{
    struct header_field field;

    while (header_next(&header, &field)) {
        buf_add_slice(out, field.name);
        buf_add_text(out, ": ");
        header_decode(field.value, out);
        buf_add_text(out, "\r\n");
    }
}

static char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Room for one character at *to is 4 bytes; a decomposition has at most UC_DECOMPOSITION_MAX_LENGTH
 * of them. */
static void add_character(ucs4_t character, struct buf *out)
{
    uint8_t *to = (uint8_t *)buf_reserve(out, 4);
    int len = u8_uctomb(to, character, 4);

    buf_wrote(out, len > 0 ? (size_t)len : 0);
}

static void fold_character(ucs4_t character, size_t depth, struct buf *out)
{
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    ucs4_t title = uc_totitle(character);
    int tag;
    int count = depth < DECOMPOSE_DEPTH ? uc_decomposition(title, &tag, parts) : -1;

    if (count <= 0) {
        add_character(title, out);
        return;
    }
    for (int i = 0; i < count; i++)
        fold_character(parts[i], depth + 1, out);
}

/* Returns how many bytes the character had. */
static size_t fold_next(struct slice text, struct buf *out)
{
    ucs4_t character;
    int len = u8_mbtoucr(&character, (const uint8_t *)text.data, text.len);

    if (len <= 0) {
        buf_add_byte(out, text.data[0]);
        return 1;
    }
    fold_character(character, 0, out);
    return (size_t)len;
}

static void fold_ascii(struct slice text, struct buf *out)
{
    char *to = buf_reserve(out, text.len);

    for (size_t i = 0; i < text.len; i++)
        to[i] = ascii_upper(text.data[i]);
    buf_wrote(out, text.len);
}

void text_fold(struct slice text, struct buf *out)
{
    while (text.len > 0) {
        size_t ascii = slice_ascii_length(text);

        fold_ascii(slice_part(text, 0, ascii), out);
        text = slice_from(text, ascii);
        if (text.len > 0)
            text = slice_from(text, fold_next(text, out));
    }
}

/* The first bytes of the text to fold at once, not ending inside a character. */
static struct slice window_of(struct slice text, size_t window)
{
    size_t len = MIN(text.len, window);

    if (len < text.len)
        while (len > window - 4 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
            len--;
    return slice_part(text, 0, len);
}

/* Which byte of the needle is the rarest in most texts: what is no letter, else by English. */
static size_t rarest(struct slice needle)
{
    static const char common[] = "ETAOINSRHLDCUMFPGWYBVKXJQZ";
    const char *rank = common, *found;
    size_t best = 0;

    for (size_t i = 0; i < needle.len; i++) {
        found = needle.data[i] == ' ' ? common : memchr(common, needle.data[i], sizeof(common) - 1);
        if (found == NULL)
            return i;
        if (found > rank) {
            rank = found;
            best = i;
        }
    }
    return best;
}

static bool same_folded(const char *text, struct slice needle)
{
    for (size_t i = 0; i < needle.len; i++)
        if (ascii_upper(text[i]) != needle.data[i])
            return false;
    return true;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *next_byte(const char *from, const char *end, char byte)
{
    const char *found = from < end ? memchr(from, byte, (size_t)(end - from)) : NULL;

    return found != NULL ? found : end;
}

/* Looks for a folded ASCII needle in ASCII without folding a copy: goes from one place of its
 * rarest byte to the next. */
static bool ascii_contains(struct slice text, struct slice needle)
{
    size_t at = rarest(needle);
    char upper = needle.data[at], lower = ascii_lower(upper);
    const char *from, *end, *next_upper, *next_lower;

    if (text.len < needle.len)
        return false;
    from = text.data + at;
    end = text.data + text.len - (needle.len - 1 - at);
    next_upper = next_byte(from, end, upper);
    next_lower = lower != upper ? next_byte(from, end, lower) : end;
    while (next_upper < end || next_lower < end) {
        from = MIN(next_upper, next_lower);
        if (same_folded(from - at, needle))
            return true;
        if (from == next_upper)
            next_upper = next_byte(from + 1, end, upper);
        else
            next_lower = next_byte(from + 1, end, lower);
    }
    return false;
}

bool text_contains(struct slice text, struct slice folded_needle)
{
    AUTO(buf_free) struct buf folded = { 0 };
    size_t size = MAX(folded_needle.len, WINDOW); /* each byte is looked at twice at most */

    if (folded_needle.len == 0)
        return true;
    if (slice_is_ascii(text) && !slice_is_ascii(folded_needle))
        return false;
    if (folded_needle.len <= SHORT_NEEDLE && slice_is_ascii(text))
        return ascii_contains(text, folded_needle);
    while (text.len > 0) {
        struct slice window = window_of(text, size);

        text_fold(window, &folded);
        if (slice_search(buf_slice(&folded), folded_needle) >= 0)
            return true;
        text = slice_from(text, window.len);
        if (folded.len >= folded_needle.len)
            buf_drop(&folded, folded.len - (folded_needle.len - 1));
    }
    return false;
}
