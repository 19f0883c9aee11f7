/* summary.c - all that IMAP shows of a message, and the strings that it is made of. */
#include "message/summary_private.h"

#include "message/preview.h"
#include "message/sort_key.h"

/* Characters that a quoted string cannot have; the others may need a backslash. */
static bool is_quotable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        signed char c = text.data[i];

        if (c <= 0 || c == '\r' || c == '\n')
            return false;
    }
    return true;
}

static void add_quoted(struct slice text, struct buf *out)
{
    char *start = buf_reserve(out, text.len * 2 + 2);
    char *to = start;

    *to++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            *to++ = '\\';
        *to++ = text.data[i];
    }
    *to++ = '"';
    buf_wrote(out, (size_t)(to - start));
}

static void add_literal(struct slice text, struct buf *out)
{
    size_t n_nul = 0;

    for (size_t i = 0; i < text.len; i++)
        n_nul += text.data[i] == '\0';
    buf_add_byte(out, '{');
    buf_add_number(out, text.len - n_nul);
    buf_add_text(out, "}\r\n");
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\0')
            buf_add_byte(out, text.data[i]);
}

void add_string(struct slice text, struct buf *out)
{
    if (is_quotable(text))
        add_quoted(text, out);
    else
        add_literal(text, out);
}

void add_nstring(struct slice text, struct buf *out)
{
    if (text.len == 0)
        buf_add_text(out, "NIL");
    else
        add_string(text, out);
}

void summary_make(struct slice message, struct summary *summary_out)
{
    AUTO(arena_free) struct arena arena = { 0 };
    const struct mime_part *root = mime_parse(&arena, message);

    *summary_out = (struct summary){ .header_len = root->header_len };
    envelope_write(&arena, slice_part(message, 0, root->header_len), &summary_out->envelope,
                   &summary_out->sent_ms);
    preview_write(message, root, &summary_out->preview);
    sort_keys_write(&arena, slice_part(message, 0, root->header_len), &summary_out->sort_keys);
    structure_write(&arena, message, root, true, &summary_out->body_structure);
    structure_write(&arena, message, root, false, &summary_out->body);
}

void summary_free(struct summary *summary)
{
    buf_free(&summary->envelope);
    buf_free(&summary->body_structure);
    buf_free(&summary->body);
    buf_free(&summary->sort_keys);
    buf_free(&summary->preview);
}
