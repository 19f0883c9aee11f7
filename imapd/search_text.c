/* search_text.c - search keys that look into the message: its stored ENVELOPE where that is enough,
 * else its header and text parts, decoded (message/text.h).
 */
#include "imapd/search.h"

#include "message/date.h"
#include "message/decode.h"
#include "message/envelope_text.h"
#include "message/fuzzy.h"
#include "message/header.h"
#include "message/text.h"

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

static enum search_answer answer(bool yes)
{
    return yes ? SEARCH_YES : SEARCH_NO;
}

enum search_answer search_subject(const struct search_node *node, const struct search_data *data)
{
    if (!data->has_envelope)
        return SEARCH_OPEN;
    buf_clear(data->scratch);
    envelope_subject(data->envelope, data->scratch);
    return answer(data->scratch->len > 0 &&
                  finds(node, data, buf_slice(data->scratch), WEIGHT_ENVELOPE));
}

enum search_answer search_addresses(const struct search_node *node, const struct search_data *data)
{
    if (!data->has_envelope)
        return SEARCH_OPEN;
    buf_clear(data->scratch);
    envelope_addresses(data->envelope, (enum envelope_place)node->number, data->scratch);
    return answer(data->scratch->len > 0 &&
                  finds(node, data, buf_slice(data->scratch), WEIGHT_ENVELOPE));
}

/* The day as the Date field has it, whatever its zone (RFC 3501: "disregarding time and timezone").
 * A message without a Date matches none of the keys. */
enum search_answer search_sent(const struct search_node *node, const struct search_data *data,
                               int64_t *day_out)
{
    struct date date;

    if (!data->has_envelope)
        return SEARCH_OPEN;
    buf_clear(data->scratch);
    envelope_date(data->envelope, data->scratch);
    if (!date_parse(buf_slice(data->scratch), &date))
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
