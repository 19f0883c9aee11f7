/* envelope_text.c - see envelope_text.h. */
#include "message/envelope_text.h"

#include "message/decode.h"

/* Cursor over a stored ENVELOPE, which we wrote ourselves: quoted strings, literals, NIL, lists. */
static struct slice take_string(struct slice *rest, struct buf *scratch)
{
    size_t i;
    uint64_t len;
    ptrdiff_t brace;

    if (rest->len > 0 && rest->data[0] == '"') {
        size_t start = scratch->len;

        for (i = 1; i < rest->len && rest->data[i] != '"'; i++) {
            i += rest->data[i] == '\\' && i + 1 < rest->len;
            buf_add_byte(scratch, rest->data[i]);
        }
        *rest = slice_from(*rest, i + 1);
        return slice_from(buf_slice(scratch), start);
    }
    brace = slice_find(*rest, '}');
    if (rest->len > 0 && rest->data[0] == '{' && brace > 0 &&
        slice_number(slice_part(*rest, 1, (size_t)brace - 1), rest->len, &len)) {
        struct slice text = slice_part(*rest, (size_t)brace + 3, (size_t)len);

        *rest = slice_from(*rest, (size_t)brace + 3 + (size_t)len);
        return text;
    }
    *rest = slice_from(*rest, 3); /* NIL */
    return (struct slice){ 0 };
}

static void skip_value(struct slice *rest, struct buf *scratch)
{
    unsigned depth = 0;

    do {
        if (rest->len > 0 && rest->data[0] == '(') {
            depth++;
            *rest = slice_from(*rest, 1);
        } else if (rest->len > 0 && rest->data[0] == ')') {
            depth--;
            *rest = slice_from(*rest, 1);
        } else if (rest->len > 0 && rest->data[0] == ' ') {
            *rest = slice_from(*rest, 1);
        } else {
            buf_clear(scratch);
            take_string(rest, scratch);
        }
    } while (depth > 0 && rest->len > 0);
}

/* What stands at a place of ENVELOPE: 0 date, 1 subject, 2 from ... 7 bcc. */
static struct slice envelope_at(struct slice envelope, unsigned place, struct buf *scratch)
{
    struct slice rest = slice_from(envelope, 1);

    for (unsigned i = 0; i < place; i++) {
        skip_value(&rest, scratch);
        rest = slice_from(rest, 1);
    }
    buf_clear(scratch);
    return rest;
}

/* One address of an ENVELOPE list, "(name route mailbox host)", as text: name <mailbox@host>. */
static void add_address(struct slice *rest, struct buf *scratch, struct buf *text)
{
    struct slice part;

    *rest = slice_from(*rest, 1);
    for (unsigned i = 0; i < 4; i++) {
        buf_clear(scratch);
        part = take_string(rest, scratch);
        if (i == 0 && part.len > 0) {
            header_decode(part, text);
            buf_add_byte(text, ' ');
        }
        if (i == 2) {
            buf_add_byte(text, '<');
            buf_add_slice(text, part);
            buf_add_byte(text, '@');
        }
        if (i == 3)
            buf_add_slice(text, part);
        *rest = slice_from(*rest, 1); /* SP or ")" */
    }
    buf_add_text(text, ">, ");
}

void envelope_subject(struct slice envelope, struct buf *out)
{
    AUTO(buf_free) struct buf scratch = { 0 };
    struct slice rest = envelope_at(envelope, 1, &scratch);

    header_decode(take_string(&rest, &scratch), out);
}

void envelope_date(struct slice envelope, struct buf *out)
{
    AUTO(buf_free) struct buf scratch = { 0 };
    struct slice rest = envelope_at(envelope, 0, &scratch);

    buf_add_slice(out, take_string(&rest, &scratch));
}

void envelope_addresses(struct slice envelope, enum envelope_place place, struct buf *out)
{
    AUTO(buf_free) struct buf scratch = { 0 };
    struct slice rest = envelope_at(envelope, (unsigned)place, &scratch);

    if (rest.len == 0 || rest.data[0] != '(')
        return;
    rest = slice_from(rest, 1);
    while (rest.len > 0 && rest.data[0] == '(')
        add_address(&rest, &scratch, out);
}
