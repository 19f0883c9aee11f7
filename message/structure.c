/* structure.c - BODY and BODYSTRUCTURE, RFC 3501 section 7.4.2.
 *
 *     leaf:      (type subtype (params) id description encoding octets [...] | md5 disp lang loc)
 *     multipart: ((part)(part) subtype | (params) disp lang loc)
 *
 * [...] is the number of lines of a text, and envelope, structure and lines of a message. What is
 * behind "|" is left out of BODY. Depth is bounded by the tree's.
 */
#include "message/summary_private.h"

/* A parameter that is not ASCII goes out as RFC 2231 has it, whatever the message had: literals
 * with 8-bit bytes are more than many clients expect here. */
static void add_extended_param(const struct mime_param *param, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] = "!#$&+-.^_`{|}~";

    buf_add_byte(out, '"');
    buf_add_slice(out, param->name);
    buf_add_text(out, "*\" \"utf-8''");
    for (size_t i = 0; i < param->value.len; i++) {
        unsigned char c = (unsigned char)param->value.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (letter || (c != '\0' && strchr(plain, c) != NULL)) {
            buf_add_byte(out, (char)c);
        } else {
            buf_add_byte(out, '%');
            buf_add_byte(out, hex[c >> 4]);
            buf_add_byte(out, hex[c & 15]);
        }
    }
    buf_add_byte(out, '"');
}

static void add_param(const struct mime_param *param, struct buf *out)
{
    if (slice_is_ascii(param->name) && !slice_is_ascii(param->value)) {
        add_extended_param(param, out);
        return;
    }
    add_string(param->name, out);
    buf_add_byte(out, ' ');
    add_string(param->value, out);
}

static void add_params(const struct mime_param *params, size_t count, struct buf *out)
{
    if (count == 0) {
        buf_add_text(out, "NIL");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(out, i == 0 ? '(' : ' ');
        add_param(&params[i], out);
    }
    buf_add_byte(out, ')');
}

/* A text without a charset is in the default one, and clients like to read that. */
static void add_type_params(const struct mime_part *part, struct buf *out)
{
    bool charset = !slice_is(part->type, "text") || mime_param(part, "charset").len > 0;

    if (!charset && part->n_params == 0) {
        buf_add_text(out, "(\"charset\" \"us-ascii\")");
        return;
    }
    add_params(part->params, part->n_params, out);
    if (!charset) {
        buf_truncate(out, out->len - 1);
        buf_add_text(out, " \"charset\" \"us-ascii\")");
    }
}

/* Tags of RFC 3282, separated by commas; a list even when there is only one. */
static void add_language(struct slice language, struct buf *out)
{
    struct slice rest = language;
    struct slice tag;
    bool any = false;

    while (slice_split(&rest, ',', &tag)) {
        tag = slice_trim(tag);
        if (tag.len == 0)
            continue;
        buf_add_byte(out, any ? ' ' : '(');
        add_string(tag, out);
        any = true;
    }
    buf_add_text(out, any ? ")" : "NIL");
}

static void add_disposition(const struct mime_part *part, struct buf *out)
{
    if (part->disposition.len == 0) {
        buf_add_text(out, "NIL");
        return;
    }
    buf_add_byte(out, '(');
    add_string(part->disposition, out);
    buf_add_byte(out, ' ');
    add_params(part->disposition_params, part->n_disposition_params, out);
    buf_add_byte(out, ')');
}

/* What BODYSTRUCTURE has behind BODY, from the disposition on. */
static void add_extension(const struct mime_part *part, struct buf *out)
{
    buf_add_byte(out, ' ');
    add_disposition(part, out);
    buf_add_byte(out, ' ');
    add_language(part->language, out);
    buf_add_byte(out, ' ');
    add_nstring(part->location, out);
}

static void add_multipart(struct arena *arena, struct slice message, const struct mime_part *part,
                          bool extended, struct buf *out)
{
    for (const struct mime_part *child = part->children; child != NULL; child = child->next)
        structure_write(arena, message, child, extended, out);
    buf_add_byte(out, ' ');
    add_string(part->subtype, out);
    if (extended) {
        buf_add_byte(out, ' ');
        add_params(part->params, part->n_params, out);
        add_extension(part, out);
    }
}

/* message/rfc822 must come with what is inside (body-type-msg). A message that is encoded is only
 * bytes, and the grammar forbids to call them by that name. */
static void add_media_type(const struct mime_part *part, struct buf *out)
{
    bool closed = !part->is_message && slice_is(part->type, "message") &&
                  (slice_is(part->subtype, "rfc822") || slice_is(part->subtype, "global"));

    if (closed) {
        buf_add_text(out, "\"application\" \"octet-stream\"");
        return;
    }
    add_string(part->type, out);
    buf_add_byte(out, ' ');
    add_string(part->subtype, out);
}

static void add_message(struct arena *arena, struct slice message, const struct mime_part *inner,
                        bool extended, struct buf *out)
{
    int64_t sent_ms;

    buf_add_byte(out, ' ');
    envelope_write(arena, slice_part(message, inner->header_at, inner->header_len), out, &sent_ms);
    buf_add_byte(out, ' ');
    structure_write(arena, message, inner, extended, out);
}

static void add_leaf(struct arena *arena, struct slice message, const struct mime_part *part,
                     bool extended, struct buf *out)
{
    add_media_type(part, out);
    buf_add_byte(out, ' ');
    add_type_params(part, out);
    buf_add_byte(out, ' ');
    add_nstring(part->id, out);
    buf_add_byte(out, ' ');
    add_nstring(part->description, out);
    buf_add_byte(out, ' ');
    add_string(part->encoding, out);
    buf_add_byte(out, ' ');
    buf_add_number(out, part->body_len);
    if (part->is_message)
        add_message(arena, message, part->children, extended, out);
    if (part->is_message || slice_is(part->type, "text")) {
        buf_add_byte(out, ' ');
        buf_add_number(out, part->body_lines);
    }
    if (extended) {
        buf_add_byte(out, ' ');
        add_nstring(part->md5, out);
        add_extension(part, out);
    }
}

void structure_write(struct arena *arena, struct slice message, const struct mime_part *part,
                     bool extended, struct buf *out)
{
    buf_add_byte(out, '(');
    if (part->is_multipart)
        add_multipart(arena, message, part, extended, out);
    else
        add_leaf(arena, message, part, extended, out);
    buf_add_byte(out, ')');
}
