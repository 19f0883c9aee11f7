/* preview.c - see preview.h. */
#include "message/preview.h"

#include "message/decode.h"
#include "message/html.h"

#include <unictype.h>
#include <unistr.h>

#define PLAIN_MAX (4 * 1024)  /* bytes of a part that are looked at */
#define HTML_MAX  (64 * 1024) /* it may begin with much style */

static bool is_shown(const struct mime_part *part)
{
    return slice_is(part->type, "text") && !slice_is(part->disposition, "attachment") &&
           (slice_is(part->subtype, "plain") || slice_is(part->subtype, "html"));
}

static void decode_beginning(struct slice message, const struct mime_part *part, struct buf *out)
{
    bool html = slice_is(part->subtype, "html");
    struct slice body =
        slice_part(message, part->body_at, MIN(part->body_len, html ? HTML_MAX : PLAIN_MAX));
    AUTO(buf_free) struct buf bytes = { 0 };
    AUTO(buf_free) struct buf utf8 = { 0 };

    transfer_decode(part->encoding, body, &bytes);
    text_to_utf8(mime_param(part, "charset"), buf_slice(&bytes), html ? &utf8 : out);
    if (html)
        html_to_text(buf_slice(&utf8), out);
}

static bool is_blank(ucs4_t character)
{
    return character <= ' ' || character == 0x7f || uc_is_space(character) ||
           uc_is_general_category_withtable(character, UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf);
}

/* The first characters, each run of blanks, controls and invisible ones being one space. */
static void squeeze(struct slice text, struct buf *out)
{
    size_t start = out->len, count = 0;
    bool blank = false;
    ucs4_t character;

    while (text.len > 0 && count < PREVIEW_CHARACTERS) {
        int len = u8_mbtoucr(&character, (const uint8_t *)text.data, text.len);
        size_t bytes = len > 0 ? (size_t)len : 1;
        bool skip = len <= 0 || is_blank(character);

        if (!skip && blank && out->len > start) {
            buf_add_byte(out, ' ');
            count++;
        }
        if (!skip && count < PREVIEW_CHARACTERS) {
            buf_add(out, text.data, bytes);
            count++;
        }
        blank = skip;
        text = slice_from(text, bytes);
    }
}

/* Depth first; messages inside are not gone into. */
static bool write_first(struct slice message, const struct mime_part *part, struct buf *out)
{
    AUTO(buf_free) struct buf text = { 0 };
    size_t start = out->len;

    if (is_shown(part)) {
        decode_beginning(message, part, &text);
        squeeze(buf_slice(&text), out);
        return out->len > start;
    }
    if (!part->is_multipart)
        return false;
    for (part = part->children; part != NULL; part = part->next)
        if (write_first(message, part, out))
            return true;
    return false;
}

void preview_write(struct slice message, const struct mime_part *root, struct buf *out)
{
    write_first(message, root, out);
}
