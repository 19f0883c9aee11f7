/* text.c - the text of a message, decoded and searched (folded in fold.c). */
#include "message/text.h"

#include "message/decode.h"
#include "message/header.h"
#include "message/html.h"

#define WINDOW       8192 /* bytes folded at a time when searching, or more for a long needle */
#define SHORT_NEEDLE 64   /* bounds the time of a search that looks at bytes twice */

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
    /* The root is above all of them. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    while (part != root && part->next == NULL)
        part = part->parent;
    return part == root ? NULL : part->next;
}

static void decode_text(struct slice message, const struct mime_part *part, struct buf *out)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    AUTO(buf_free) struct buf utf8 = { 0 };
    struct slice body = slice_part(message, part->body_at, MIN(part->body_len, TEXT_PART_MAX));
    bool encoded =
        slice_is(part->encoding, "base64") || slice_is(part->encoding, "quoted-printable");

    if (encoded) {
        transfer_decode(part->encoding, body, &bytes);
        body = buf_slice(&bytes);
    }
    if (!slice_is(part->subtype, "html")) {
        text_to_utf8(mime_param(part, "charset"), body, out);
        return;
    }
    text_to_utf8(mime_param(part, "charset"), body, &utf8);
    html_to_text(buf_slice(&utf8), out);
}

/* The names that a part has as an attachment, each with a line end. */
static void add_names(const struct mime_part *part, struct buf *out)
{
    struct slice name = mime_param(part, "name");

    for (size_t i = 0; i < part->n_disposition_params; i++) {
        const struct mime_param *param = &part->disposition_params[i];

        if (slice_is(param->name, "filename")) {
            buf_add_slice(out, param->value);
            buf_add_text(out, "\r\n");
            break;
        }
    }
    if (name.len > 0) {
        buf_add_slice(out, name);
        buf_add_text(out, "\r\n");
    }
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
        add_names(part, text_out);
        if (text)
            decode_text(walk->message, part, text_out);
        if (text_out->len > 0)
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

/* Looks for a folded ASCII needle as it stands, without folding a copy: goes from one place of its
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
    if (folded_needle.len <= SHORT_NEEDLE && slice_is_ascii(folded_needle)) {
        if (ascii_contains(text, folded_needle))
            return true; /* ASCII folds to itself, whatever is beside it */
        if (slice_is_ascii(text))
            return false;
    }
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
