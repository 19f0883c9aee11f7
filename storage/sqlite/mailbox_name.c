/* mailbox_name.c - what a mailbox may be called.
 *
 * UTF-8 without control characters, levels separated by "/", none of them empty, "." or "..". The
 * first level INBOX is the same in any case (RFC 3501 section 5.1): it is spelt in capitals here.
 * Letters with marks have one form, NFC (RFC 9051 section 5.1, RFC 5198).
 */
#include "storage/sqlite/account_private.h"

#include "common/codec.h"

#include <stdlib.h>
#include <uninorm.h>

/* Also the line and the paragraph separator, U+2028 and U+2029 (RFC 6855 section 3). */
static bool has_control(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool c1 = c == 0xc2 && i + 1 < name.len && (unsigned char)name.data[i + 1] < 0xa0;
        struct slice three = slice_part(name, i, MIN(name.len - i, (size_t)3));

        if (c < 0x20 || c == 0x7f || c1 || slice_equal(three, SLICE("\xe2\x80\xa8")) ||
            slice_equal(three, SLICE("\xe2\x80\xa9")))
            return true;
    }
    return false;
}

static const char *wrong_level(struct slice level)
{
    if (level.len == 0)
        return "an empty level";
    if (slice_is(level, ".") || slice_is(level, ".."))
        return "a level that is only dots";
    return NULL;
}

/* What is wrong with it, or NULL. */
static const char *wrong_name(struct slice name)
{
    struct slice rest = name, level;

    if (name.len == 0 || name.len > MAILBOX_NAME_MAX)
        return name.len == 0 ? "empty" : "too long";
    if (!utf8_valid(name) || has_control(name))
        return "control characters, or not UTF-8";
    if (name.data[name.len - 1] == '/')
        return "an empty level";
    for (size_t depth = 1; slice_split(&rest, '/', &level); depth++) {
        if (depth > MAILBOX_DEPTH_MAX)
            return "too many levels";
        if (wrong_level(level) != NULL)
            return wrong_level(level);
    }
    return NULL;
}

bool mailbox_is_below(struct slice name, struct slice superior)
{
    return name.len > superior.len && name.data[superior.len] == '/' &&
           slice_equal(slice_part(name, 0, superior.len), superior);
}

struct slice mailbox_name_nfc(struct arena *arena, struct slice name)
{
    uint8_t *normal;
    size_t len;

    if (slice_is_ascii(name) || !utf8_valid(name))
        return name;
    normal = u8_normalize(UNINORM_NFC, (const uint8_t *)name.data, name.len, NULL, &len);
    if (normal == NULL)
        return name;
    name = slice_copy(arena, slice_make((const char *)normal, len));
    free(normal);
    return name;
}

bool mailbox_name(struct slice written, struct buf *out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice name = mailbox_name_nfc(&arena, written);
    const char *wrong = wrong_name(name);
    struct slice rest = name, first;

    if (wrong != NULL)
        return error_set(err, ERROR_INVALID, "mailbox name: %s", wrong);
    buf_clear(out);
    if (slice_split(&rest, '/', &first) && slice_is(first, "INBOX")) {
        buf_add_text(out, "INBOX");
        buf_add_slice(out, slice_from(name, first.len));
    } else {
        buf_add_slice(out, name);
    }
    return true;
}
