/* search_return.c - see search_return.h. */
#include "imapd/search_return.h"

#include "imapd/reply.h"

static const struct {
    const char *name;
    unsigned bit;
} options[] = {
    { "MIN", RETURN_MIN },     { "MAX", RETURN_MAX },   { "ALL", RETURN_ALL },
    { "COUNT", RETURN_COUNT }, { "SAVE", RETURN_SAVE },
};

static bool take_option(struct args *args, struct search_return *ret)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (args_try_word(args, options[i].name)) {
            ret->options |= options[i].bit;
            return true;
        }
    }
    return args_fail(args, "expected: MIN, MAX, ALL, COUNT, SAVE");
}

bool search_return_take(struct args *args, struct search_return *ret_out)
{
    *ret_out = (struct search_return){ 0 };
    if (!args_try_word(args, "RETURN"))
        return true;
    ret_out->extended = true;
    if (!args_space(args) || !args_open(args))
        return false;
    while (!args_try_byte(args, ')'))
        if ((ret_out->options != 0 && !args_space(args)) || !take_option(args, ret_out))
            return false;
    if (ret_out->options == 0)
        ret_out->options = RETURN_ALL;
    return args_space(args);
}

static uint32_t number_of(const struct client *client, const struct search_result *result, size_t i)
{
    uint32_t index = result->found[i];

    return client->uid ? view_uid(result->view, index) : index + 1;
}

/* Is this one of the messages that the client is told of? MIN and MAX alone are just those (RFC
 * 4731 section 3.2, RFC 5182 section 2.4). */
static bool is_told(const struct search_return *ret, const struct search_result *result, size_t i)
{
    if ((ret->options & (RETURN_MIN | RETURN_MAX)) == 0 ||
        (ret->options & (RETURN_ALL | RETURN_COUNT)) != 0)
        return true;
    return (i == 0 && (ret->options & RETURN_MIN) != 0) ||
           (i + 1 == result->n_found && (ret->options & RETURN_MAX) != 0);
}

static uint64_t highest_modseq(const struct search_return *ret, const struct search_result *result)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < result->n_found; i++)
        if (is_told(ret, result, i))
            highest = MAX(highest, view_modseq(result->view, result->found[i]));
    return highest;
}

static void tell_plain(struct call *call, const struct search_return *ret,
                       const struct search_result *result)
{
    buf_fmt(&call->out, "* %s", result->name);
    for (size_t i = 0; i < result->n_found; i++) {
        buf_add_byte(&call->out, ' ');
        buf_add_number(&call->out, number_of(client_of(call), result, i));
    }
    if (result->has_modseq && result->n_found > 0)
        buf_fmt(&call->out, " (MODSEQ %llu)", (unsigned long long)highest_modseq(ret, result));
    buf_add_text(&call->out, "\r\n");
}

static void tell_all(struct call *call, const struct search_result *result)
{
    AUTO(uidset_free) struct uidset all = { 0 };

    for (size_t i = 0; i < result->n_found; i++) {
        uint32_t number = number_of(client_of(call), result, i);

        uidset_add(&all, number, number);
    }
    buf_add_text(&call->out, " ALL ");
    uidset_print(&all, &call->out);
}

/* esearch-response, RFC 4731 section 3.1. */
static void tell_extended(struct call *call, const struct search_return *ret,
                          const struct search_result *result)
{
    const struct client *client = client_of(call);
    struct buf *out = &call->out;

    buf_add_text(out, "* ESEARCH (TAG ");
    reply_string(out, client->tag);
    buf_add_text(out, client->uid ? ") UID" : ")");
    if ((ret->options & RETURN_MIN) != 0 && result->n_found > 0)
        buf_fmt(out, " MIN %u", number_of(client, result, 0));
    if ((ret->options & RETURN_MAX) != 0 && result->n_found > 0)
        buf_fmt(out, " MAX %u", number_of(client, result, result->n_found - 1));
    if ((ret->options & RETURN_COUNT) != 0)
        buf_fmt(out, " COUNT %zu", result->n_found);
    if ((ret->options & RETURN_ALL) != 0 && result->n_found > 0)
        tell_all(call, result);
    if (result->has_modseq && result->n_found > 0)
        buf_fmt(out, " MODSEQ %llu", (unsigned long long)highest_modseq(ret, result));
    buf_add_text(out, "\r\n");
}

static void save(struct view *view, const struct search_return *ret,
                 const struct search_result *result)
{
    uidset_clear(&view->saved);
    for (size_t i = 0; i < result->n_found; i++) {
        uint32_t uid = view_uid(view, result->found[i]);

        if (is_told(ret, result, i))
            uidset_add(&view->saved, uid, uid);
    }
}

void search_return_tell(struct call *call, const struct search_return *ret,
                        const struct search_result *result)
{
    if ((ret->options & RETURN_SAVE) != 0)
        save(&client_of(call)->view, ret, result);
    if (!ret->extended)
        tell_plain(call, ret, result);
    else if (ret->options != RETURN_SAVE)
        tell_extended(call, ret, result);
}

void search_return_fail(struct call *call, const struct search_return *ret)
{
    if ((ret->options & RETURN_SAVE) != 0)
        uidset_clear(&client_of(call)->view.saved);
}
