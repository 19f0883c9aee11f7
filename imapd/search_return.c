/* search_return.c - see search_return.h. */
#include "imapd/search_return.h"

#include "imapd/fetch_item.h"
#include "imapd/reply.h"

#define ENOUGH_MAX 1000 /* results that are put in order again with each that is found */

static const struct {
    const char *name;
    unsigned bit;
} options[] = {
    { "MIN", RETURN_MIN },       { "MAX", RETURN_MAX },         { "ALL", RETURN_ALL },
    { "COUNT", RETURN_COUNT },   { "SAVE", RETURN_SAVE },       { "PARTIAL", RETURN_PARTIAL },
    { "UPDATE", RETURN_UPDATE }, { "CONTEXT", RETURN_CONTEXT }, { "RELEVANCY", RETURN_RELEVANCY },
};

/* modifier-update = "UPDATE" [ "(" fetch-att *(SP fetch-att) ")" ]: the example of RFC 5465 section
 * 7 has a space before the parenthesis. */
static bool take_update(struct call *call, struct args *args, struct search_return *ret)
{
    bool space = args->rest.len > 1 && args->rest.data[0] == ' ' && args->rest.data[1] == '(';

    if (!space && args_peek(args) != '(')
        return true;
    return (!space || args_space(args)) && fetch_items_text(call, args, &ret->items);
}

static bool take_option(struct call *call, struct args *args, struct search_return *ret)
{
    unsigned bit = 0;

    for (size_t i = 0; i < COUNT_OF(options) && bit == 0; i++)
        if (args_try_word(args, options[i].name))
            bit = options[i].bit;
    if (bit == 0)
        return args_fail(args, "I don't know this RETURN option");
    if (bit == RETURN_PARTIAL && (ret->options & RETURN_PARTIAL) != 0)
        return args_fail(args, "one PARTIAL is enough");
    ret->options |= bit;
    if (bit == RETURN_UPDATE)
        return take_update(call, args, ret);
    return bit != RETURN_PARTIAL || (args_space(args) && partial_take(args, &ret->partial));
}

static bool take_options(struct call *call, struct args *args, struct search_return *ret)
{
    if (!args_space(args) || !args_open(args))
        return false;
    while (!args_try_byte(args, ')'))
        if ((ret->options != 0 && !args_space(args)) || !take_option(call, args, ret))
            return false;
    if ((ret->options & RETURN_ALL) != 0 && (ret->options & RETURN_PARTIAL) != 0)
        return args_fail(args, "ALL and PARTIAL exclude each other"); /* RFC 9394 section 3.1 */
    return args_space(args);
}

bool search_return_take(struct call *call, struct args *args, struct search_return *ret_out)
{
    *ret_out = (struct search_return){ .extended = client_of(call)->rev2 };
    if (args_try_word(args, "RETURN")) {
        ret_out->extended = true;
        if (!take_options(call, args, ret_out))
            return false;
    }
    if (ret_out->options == 0 && ret_out->extended)
        ret_out->options = RETURN_ALL;
    return true;
}

size_t search_return_enough(const struct search_return *ret, bool *from_end_out)
{
    unsigned ends = ret->options & (RETURN_MIN | RETURN_MAX);
    const struct partial *partial = &ret->partial;

    *from_end_out = ends == RETURN_MAX;
    if ((ret->options & ~(unsigned)(RETURN_MIN | RETURN_MAX | RETURN_PARTIAL | RETURN_SAVE)) != 0 ||
        ends == (RETURN_MIN | RETURN_MAX))
        return 0;
    if ((ret->options & RETURN_PARTIAL) == 0)
        return ends != 0;
    if (ends == 0)
        *from_end_out = partial->from_end;
    return *from_end_out == partial->from_end && partial->hi <= ENOUGH_MAX ? partial->hi : 0;
}

static uint32_t number_of(const struct search_result *result, size_t i)
{
    uint32_t index = result->found[i];

    return result->uid ? view_uid(result->view, index) : index + 1;
}

/* Is this one of the messages that the client is told of, or that are saved? MIN, MAX and PARTIAL
 * without ALL and COUNT are just those (RFC 4731 section 3.2, RFC 5182 section 2.4, RFC 9394
 * section 3.2). */
static bool is_told(const struct search_return *ret, const struct search_result *result, size_t i)
{
    size_t first = 0, end = 0;

    if ((ret->options & (RETURN_MIN | RETURN_MAX | RETURN_PARTIAL)) == 0 ||
        (ret->options & (RETURN_ALL | RETURN_COUNT)) != 0)
        return true;
    if ((ret->options & RETURN_PARTIAL) != 0)
        partial_bounds(&ret->partial, result->n_found, &first, &end);
    return (i == 0 && (ret->options & RETURN_MIN) != 0) ||
           (i + 1 == result->n_found && (ret->options & RETURN_MAX) != 0) ||
           (i >= first && i < end);
}

static uint64_t highest_modseq(const struct search_return *ret, const struct search_result *result)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < result->n_found; i++)
        if (is_told(ret, result, i))
            highest = MAX(highest, view_modseq(result->view, result->found[i]));
    return highest;
}

static bool tell_plain(struct buf *out, const struct search_return *ret,
                       const struct search_result *result, struct search_telling *telling,
                       size_t enough)
{
    if (!telling->begun)
        buf_fmt(out, "* %s", result->name);
    telling->begun = true;
    for (; telling->next < result->n_found && out->len < enough; telling->next++) {
        buf_add_byte(out, ' ');
        buf_add_number(out, number_of(result, telling->next));
    }
    if (telling->next < result->n_found)
        return false;
    if (result->has_modseq && result->n_found > 0)
        buf_fmt(out, " (MODSEQ %llu)", (unsigned long long)highest_modseq(ret, result));
    buf_add_text(out, "\r\n");
    return true;
}

void search_correlator(struct buf *out, struct slice tag, const char *place, bool uid)
{
    buf_add_text(out, "* ESEARCH (TAG ");
    reply_string(out, tag);
    if (place != NULL) {
        buf_add_byte(out, ' ');
        buf_add_text(out, place);
    }
    buf_add_text(out, uid ? ") UID" : ")");
}

/* Returns what comes next. */
static size_t print_set(struct buf *out, const struct search_result *result, size_t first,
                        size_t end, size_t enough)
{
    size_t i = first;

    while (i < end && out->len < enough) {
        uint32_t lo = number_of(result, i), hi = lo;

        for (i++; i < end && number_of(result, i) == hi + 1; i++)
            hi++;
        buf_add_number(out, lo);
        if (hi > lo) {
            buf_add_byte(out, ':');
            buf_add_number(out, hi);
        }
        if (i < end)
            buf_add_byte(out, ',');
    }
    return i;
}

void search_print_set(struct buf *out, const struct search_result *result, size_t first, size_t end)
{
    print_set(out, result, first, end, SIZE_MAX);
}

static size_t print_scores(struct buf *out, const struct search_result *result, size_t first,
                           size_t end, size_t enough)
{
    size_t i = first;

    for (; i < end && out->len < enough; i++) {
        buf_add_number(out, result->scores != NULL ? result->scores[i] : 100);
        if (i + 1 < end)
            buf_add_byte(out, ' ');
    }
    return i;
}

/* The parts of an ESEARCH response, in their order. */
enum telling_part { TELL_HEAD, TELL_ALL, TELL_PARTIAL, TELL_RELEVANCY, TELL_END };

static void tell_head(struct call *call, const struct search_return *ret,
                      const struct search_result *result)
{
    struct buf *out = &call->out;
    bool some = result->n_found > 0;

    search_correlator(out, client_of(call)->tag, result->place, result->uid);
    if ((ret->options & RETURN_MIN) != 0 && some)
        buf_fmt(out, " MIN %u", number_of(result, 0));
    if ((ret->options & RETURN_MAX) != 0 && some)
        buf_fmt(out, " MAX %u", number_of(result, result->n_found - 1));
    if ((ret->options & RETURN_COUNT) != 0)
        buf_fmt(out, " COUNT %zu", result->n_found);
}

static void tell_end(struct buf *out, const struct search_return *ret,
                     const struct search_result *result)
{
    uint64_t modseq = result->has_modseq ? highest_modseq(ret, result) : 0; /* 0: nobody is told */

    if (modseq > 0)
        buf_fmt(out, " MODSEQ %llu", (unsigned long long)modseq);
    buf_add_text(out, "\r\n");
}

/* Before a list's first number. */
static void begin_list(struct buf *out, const struct search_return *ret, enum telling_part part,
                       bool empty)
{
    if (part == TELL_ALL)
        buf_add_text(out, " ALL ");
    if (part == TELL_RELEVANCY)
        buf_add_text(out, " RELEVANCY (");
    if (part != TELL_PARTIAL)
        return;
    buf_add_text(out, " PARTIAL (");
    buf_add_slice(out, ret->partial.text);
    buf_add_text(out, empty ? " NIL" : " ");
}

/* A list: of the messages, or (RFC 6203 section 4) of the scores of those that are listed, in their
 * order. */
static bool tell_list(struct buf *out, const struct search_return *ret,
                      const struct search_result *result, struct search_telling *telling,
                      size_t enough)
{
    size_t first = 0, end = result->n_found;

    if ((ret->options & RETURN_PARTIAL) != 0 && telling->part != TELL_ALL)
        partial_bounds(&ret->partial, result->n_found, &first, &end);
    if (!telling->begun) {
        begin_list(out, ret, telling->part, first == end);
        telling->begun = true;
        telling->next = first;
    }
    telling->next = telling->part == TELL_RELEVANCY
                        ? print_scores(out, result, telling->next, end, enough)
                        : print_set(out, result, telling->next, end, enough);
    if (telling->next < end)
        return false;
    if (telling->part != TELL_ALL)
        buf_add_byte(out, ')');
    return true;
}

/* esearch-response, RFC 4731 section 3.1. */
static bool tell_extended(struct call *call, const struct search_return *ret,
                          const struct search_result *result, struct search_telling *telling,
                          size_t enough)
{
    const unsigned wants[] = { [TELL_ALL] = result->n_found > 0 ? RETURN_ALL : 0,
                               [TELL_PARTIAL] = RETURN_PARTIAL,
                               [TELL_RELEVANCY] = RETURN_RELEVANCY };

    if (telling->part == TELL_HEAD) {
        tell_head(call, ret, result);
        telling->part = TELL_ALL;
    }
    while (telling->part < TELL_END) {
        if ((ret->options & wants[telling->part]) != 0 &&
            !tell_list(&call->out, ret, result, telling, enough))
            return false;
        telling->begun = false;
        telling->part++;
    }
    tell_end(&call->out, ret, result);
    return true;
}

void search_return_save(struct client *client, const struct search_return *ret,
                        const struct search_result *result)
{
    if ((ret->options & RETURN_SAVE) == 0)
        return;
    uidset_clear(&client->view.saved);
    for (size_t i = 0; i < result->n_found; i++) {
        uint32_t uid = view_uid(result->view, result->found[i]);

        if (is_told(ret, result, i))
            uidset_add(&client->view.saved, uid, uid);
    }
}

/* SAVE alone asks for no answer (RFC 5182 section 2.2, example 1). */
bool search_return_tell_part(struct call *call, const struct search_return *ret,
                             const struct search_result *result, struct search_telling *telling,
                             size_t enough)
{
    if (!ret->extended)
        return tell_plain(&call->out, ret, result, telling, enough);
    return ret->options == RETURN_SAVE || tell_extended(call, ret, result, telling, enough);
}

void search_return_tell(struct call *call, const struct search_return *ret,
                        const struct search_result *result)
{
    struct search_telling telling = { 0 };

    while (!search_return_tell_part(call, ret, result, &telling, SIZE_MAX))
        continue;
}

void search_return_fail(struct client *client, const struct search_return *ret)
{
    if ((ret->options & RETURN_SAVE) != 0)
        uidset_clear(&client->view.saved);
}
