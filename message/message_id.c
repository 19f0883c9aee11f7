/* message_id.c - see message_id.h.
 *
 * More is taken for valid than the grammar allows, since what programs make up is compared only: it
 * must have a "@" with something on both sides, and no blanks outside of quotes.
 */
#include "message/message_id.h"

#include "common/crypto.h"

/* Appends what a quoted string or domain literal holds; `text` starts behind its first byte.
 * Returns how many bytes it has up to and with `end`; 0: it has no end. */
static size_t take_quoted(struct slice text, char end, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == end)
            return i + 1;
        i += text.data[i] == '\\' && i + 1 < text.len;
        buf_add_byte(out, text.data[i]);
    }
    return 0;
}

/* What stands up to `end`; *used_out counts `end`, too. False: nothing, or no such thing. */
static bool take_side(struct slice text, char end, size_t *used_out, struct buf *out)
{
    size_t start = out->len;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        size_t quoted;

        if (text.data[i] == end) {
            *used_out = i + 1;
            return out->len > start;
        }
        if (c == '"') {
            quoted = take_quoted(slice_from(text, i + 1), '"', out);
            if (quoted == 0)
                return false;
            i += quoted;
        } else if (c <= ' ' || c == 0x7f || c == '<' || c == '>') {
            return false;
        } else {
            buf_add_byte(out, text.data[i]);
        }
    }
    return false;
}

static bool take_id(struct slice text, size_t *used_out, struct buf *out)
{
    size_t left, right;

    buf_clear(out);
    if (!take_side(text, '@', &left, out))
        return false;
    buf_add_byte(out, '@');
    if (!take_side(slice_from(text, left), '>', &right, out))
        return false;
    *used_out = left + right;
    return true;
}

bool message_id_next(struct slice *rest, struct buf *id_out)
{
    ptrdiff_t open;
    size_t used;

    while ((open = slice_find(*rest, '<')) >= 0) {
        *rest = slice_from(*rest, (size_t)open + 1);
        if (take_id(*rest, &used, id_out)) {
            *rest = slice_from(*rest, used);
            return true;
        }
    }
    return false;
}

uint64_t message_id_hash(struct slice id)
{
    unsigned char digest[HASH_SIZE];
    struct hash hash;
    uint64_t name;

    hash_init(&hash);
    hash_add(&hash, id.data, id.len);
    hash_end(&hash, digest);
    memcpy(&name, digest, sizeof(name));
    return name != 0 ? name : 1;
}
