/* search_text.c - search keys that look into the message: its stored ENVELOPE where that is enough,
 * else its header and text parts, decoded (message/text.h).
 */
#include "imapd/search.h"

#include "message/date.h"
#include "message/decode.h"
#include "message/fuzzy.h"
#include "message/header.h"
#include "message/text.h"

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

/* RFC 6203 section 4: words in the subject or an address say more of a message than words in it. */
enum weight { WEIGHT_ENVELOPE = 100, WEIGHT_HEADER = 90, WEIGHT_BODY = 75 };

static bool finds(const struct search_node *node, const struct search_data *data, struct slice text,
                  enum weight weight)
{
    unsigned score;

    if (!node->fuzzy)
        return text_contains(text, node->needle);
    score = fuzzy_score(text, node->needle) * (unsigned)weight / 100;
    *data->score = MAX(*data->score, score);
    return score > 0;
}

static bool finds_decoded(const struct search_node *node, const struct search_data *data,
                          struct slice raw)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (slice_search(raw, SLICE("=?")) < 0)
        return finds(node, data, raw, WEIGHT_ENVELOPE);
    header_decode(raw, &text);
    return finds(node, data, buf_slice(&text), WEIGHT_ENVELOPE);
}

static enum search_answer answer(bool yes)
{
    return yes ? SEARCH_YES : SEARCH_NO;
}

enum search_answer search_subject(const struct search_node *node, const struct search_data *data)
{
    struct slice rest;

    if (!data->has_envelope)
        return SEARCH_OPEN;
    rest = envelope_at(data->envelope, 1, data->scratch);
    if (slice_starts(rest, "NIL"))
        return SEARCH_NO;
    return answer(finds_decoded(node, data, take_string(&rest, data->scratch)));
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

enum search_answer search_addresses(const struct search_node *node, const struct search_data *data)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct slice rest;

    if (!data->has_envelope)
        return SEARCH_OPEN;
    rest = envelope_at(data->envelope, (unsigned)node->number, data->scratch);
    if (rest.len == 0 || rest.data[0] != '(')
        return SEARCH_NO;
    rest = slice_from(rest, 1);
    while (rest.len > 0 && rest.data[0] == '(')
        add_address(&rest, data->scratch, &text);
    return answer(finds(node, data, buf_slice(&text), WEIGHT_ENVELOPE));
}

/* The day as the Date field has it, whatever its zone (RFC 3501: "disregarding time and timezone").
 * A message without a Date matches none of the keys. */
enum search_answer search_sent(const struct search_node *node, const struct search_data *data,
                               int64_t *day_out)
{
    struct slice rest;
    struct date date;

    if (!data->has_envelope)
        return SEARCH_OPEN;
    rest = envelope_at(data->envelope, 0, data->scratch);
    if (!date_parse(take_string(&rest, data->scratch), &date))
        return SEARCH_NO;
    *day_out = day_of(date.year, date.month, date.day);
    return SEARCH_YES;
}

enum search_answer search_header(const struct search_node *node, const struct search_data *data)
{
    struct slice rest = data->header;
    struct header_field field;

    if (!data->has_message)
        return SEARCH_OPEN;
    while (header_next(&rest, &field)) {
        AUTO(buf_free) struct buf text = { 0 };

        if (!slice_equal_case(field.name, node->field))
            continue;
        if (node->needle.len == 0)
            return SEARCH_YES;
        header_decode(field.value, &text);
        if (finds(node, data, buf_slice(&text), WEIGHT_HEADER))
            return SEARCH_YES;
    }
    return SEARCH_NO;
}

enum search_answer search_body(const struct search_node *node, const struct search_data *data)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct text_walk walk;

    if (!data->has_message)
        return SEARCH_OPEN;
    if (node->needle.len == 0)
        return SEARCH_YES;
    text_walk_start(&walk, data->message, data->tree);
    while (text_walk_next(&walk, &text))
        if (finds(node, data, buf_slice(&text), WEIGHT_BODY))
            return SEARCH_YES;
    return SEARCH_NO;
}

enum search_answer search_whole_text(const struct search_node *node, const struct search_data *data)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (!data->has_message)
        return SEARCH_OPEN;
    text_of_header(data->header, &text);
    if (finds(node, data, buf_slice(&text), WEIGHT_HEADER))
        return SEARCH_YES;
    return search_body(node, data);
}
