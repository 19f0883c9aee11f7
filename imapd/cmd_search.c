/* cmd_search.c - SEARCH and UID SEARCH (RFC 3501 section 6.4.4), with RETURN (RFC 4731), saved
 * results (RFC 5182) and MODSEQ (RFC 7162 section 3.1.5).
 *
 * Works through the view in slices: for each, the cheap keys first; what they leave open is looked
 * up in the stored ENVELOPEs of all at once; what is still open is read, message by message.
 *
 * Lifetime: struct search lies in the call's arena; its buffers are freed at the end or by
 * abandon().
 */
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/reply.h"
#include "imapd/search.h"
#include "message/decode.h"
#include "message/header.h"

#include <stdlib.h>

#define SLICE_BYTES (4 * 1024 * 1024) /* of messages that one call reads, and that keys look at */
#define SLICE_KEYS  16                /* with more of them a slice has fewer messages */

enum search_return {
    RETURN_MIN = 1,
    RETURN_MAX = 2,
    RETURN_ALL = 4,
    RETURN_COUNT = 8,
    RETURN_SAVE = 16,
};

struct search {
    struct client *client;
    struct search_program program;
    bool extended; /* answer with ESEARCH */
    unsigned returns;
    size_t next; /* index in the view */

    uint32_t *found; /* indexes, ascending within a slice */
    size_t n_found, room;
    size_t *open; /* indexes of this slice that need more */
    uint64_t *msgs;
    size_t n_open, n_looked;
    struct buf bytes, envelope, scratch;
    struct arena tree;
    struct search_data loaded; /* the message that is looked at, with has_message */
};

static const struct {
    const char *name;
    unsigned bit;
} return_options[] = {
    { "MIN", RETURN_MIN },     { "MAX", RETURN_MAX },   { "ALL", RETURN_ALL },
    { "COUNT", RETURN_COUNT }, { "SAVE", RETURN_SAVE },
};

static bool take_return_option(struct args *args, unsigned *returns)
{
    for (size_t i = 0; i < COUNT_OF(return_options); i++) {
        if (args_try_word(args, return_options[i].name)) {
            *returns |= return_options[i].bit;
            return true;
        }
    }
    return args_fail(args, "expected: MIN, MAX, ALL, COUNT, SAVE");
}

/* [SP "RETURN" SP "(" [option *(SP option)] ")"] */
static bool take_return(struct args *args, struct search *search)
{
    if (!args_try_word(args, "RETURN"))
        return true;
    search->extended = true;
    if (!args_space(args) || !args_open(args))
        return false;
    while (!args_try_byte(args, ')'))
        if ((search->returns != 0 && !args_space(args)) ||
            !take_return_option(args, &search->returns))
            return false;
    if (search->returns == 0)
        search->returns = RETURN_ALL;
    return args_space(args);
}

static bool take_charset(struct args *args, struct search *search)
{
    if (!args_try_word(args, "CHARSET"))
        return true;
    if (args->utf8) /* RFC 6855 section 3 */
        return args_fail(args, "CHARSET has no place after ENABLE UTF8=ACCEPT");
    if (!args_space(args) || !args_astring(args, &search->program.charset) || !args_space(args))
        return false;
    search->program.bad_charset = !charset_known(search->program.charset);
    return !search->program.bad_charset;
}

static void free_buffers(struct search *search)
{
    search_free(&search->program);
    free(search->found);
    free(search->open);
    free(search->msgs);
    buf_free(&search->bytes);
    buf_free(&search->envelope);
    buf_free(&search->scratch);
    arena_free(&search->tree);
}

static void abandon(struct call *call)
{
    free_buffers(client_of(call)->work);
}

static void add_found(struct search *search, size_t index)
{
    search->found =
        mem_grow(search->found, &search->room, search->n_found + 1, sizeof(*search->found));
    search->found[search->n_found++] = (uint32_t)index;
}

static int compare_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static struct search_data data_of(struct search *search, size_t index)
{
    return (struct search_data){ .view = &search->client->view,
                                 .index = index,
                                 .scratch = &search->scratch };
}

/* The first look, at the view only. */
static void look_at_view(struct search *search, size_t count)
{
    const struct view *view = &search->client->view;

    search->n_open = 0;
    for (size_t end = search->next + count; search->next < end; search->next++) {
        struct search_data data = data_of(search, search->next);

        if (view->gone.count > 0 && uidset_has(&view->gone, view_uid(view, search->next)))
            continue;
        switch (search_evaluate(search->program.root, &data)) {
        case SEARCH_YES:
            add_found(search, search->next);
            break;
        case SEARCH_OPEN:
            search->msgs[search->n_open] = view_msg(view, search->next);
            search->open[search->n_open++] = search->next;
            break;
        case SEARCH_NO:
            break;
        }
    }
}

/* The second look, with the stored ENVELOPE; called for each open message in order. */
static void look_at_envelope(const struct cached *cached, void *context)
{
    struct search *search = context;
    size_t index = search->open[search->n_looked++];
    struct search_data data = data_of(search, index);

    data.has_envelope = cached->envelope.len > 0;
    data.envelope = cached->envelope;
    switch (data.has_envelope ? search_evaluate(search->program.root, &data) : SEARCH_NO) {
    case SEARCH_YES:
        add_found(search, index);
        break;
    case SEARCH_OPEN:
        search->open[search->n_open++] = index;
        break;
    case SEARCH_NO:
        break;
    }
}

static void keep_envelope(const struct cached *cached, void *context)
{
    buf_add_slice(context, cached->envelope);
}

/* False with ERROR_NOT_FOUND: it is gone. */
static bool load_message(struct search *search, size_t index, struct error *err)
{
    struct account *account = search->client->selected;
    struct search_data data = data_of(search, index);
    uint64_t msg = view_msg(data.view, index);

    buf_clear(&search->bytes);
    buf_clear(&search->envelope);
    arena_reset(&search->tree);
    if ((search->program.needs & SEARCH_NEEDS_ENVELOPE) != 0 &&
        !account_cached(account, &msg, 1, keep_envelope, &search->envelope, err))
        return false;
    if (!account_read(account, msg, 0, view_size(data.view, index), &search->bytes, err))
        return false;
    data.has_envelope = search->envelope.len > 0;
    data.envelope = buf_slice(&search->envelope);
    data.has_message = true;
    data.message = buf_slice(&search->bytes);
    data.header = slice_part(data.message, 0, header_length(data.message));
    if ((search->program.needs & SEARCH_NEEDS_BODY) != 0)
        data.tree = mime_parse(&search->tree, data.message);
    search->loaded = data;
    return true;
}

/* The third look, with all of the message: it stays loaded while there are keys that have no answer
 * yet. A message that is gone does not match. */
static bool look_at_message(struct search *search, uint64_t *left, struct error *err)
{
    size_t index = search->open[search->n_looked];
    enum search_answer answer = SEARCH_NO;

    if (search->loaded.has_message || load_message(search, index, err)) {
        search->loaded.left = left;
        answer = search_evaluate(search->program.root, &search->loaded);
    } else if (err->kind != ERROR_NOT_FOUND) {
        return false;
    }
    if (answer == SEARCH_OPEN)
        return true;
    if (answer == SEARCH_YES)
        add_found(search, index);
    *left -= MIN(*left, view_size(&search->client->view, index));
    search->loaded.has_message = false;
    search->n_looked++;
    return true;
}

/* Looks at open messages until the slice's measure of bytes is full. */
static bool look_at_messages(struct search *search, struct error *err)
{
    struct account *account = search->client->selected;
    uint64_t left = SLICE_BYTES;
    bool ok = true;

    if (search->n_looked == search->n_open)
        return true;
    if (!account_hold_reads(account, err))
        return false;
    while (ok && search->n_looked < search->n_open && left > 0)
        ok = look_at_message(search, &left, err);
    account_release_reads(account);
    return ok;
}

/* Messages in the next slice. */
static size_t slice_count(const struct search *search)
{
    size_t left = search->client->view.count - search->next;
    size_t count = search->client->imap->settings->search_slice;

    if (search->program.n_keys > SLICE_KEYS)
        count = MAX(count * SLICE_KEYS / search->program.n_keys, 1);
    return MIN(left, count);
}

static bool begin_slice(struct search *search, struct error *err)
{
    size_t n_open;

    look_at_view(search, slice_count(search));
    n_open = search->n_open;
    search->n_looked = 0;
    if ((search->program.needs & SEARCH_NEEDS_ENVELOPE) == 0)
        return true;
    search->n_open = 0;
    if (n_open > 0 && !account_cached(search->client->selected, search->msgs, n_open,
                                      look_at_envelope, search, err))
        return false;
    search->n_looked = 0;
    return true;
}

static uint32_t number_of(const struct search *search, size_t i)
{
    uint32_t index = search->found[i];

    return search->client->uid ? view_uid(&search->client->view, index) : index + 1;
}

/* Is this one of the messages that the client is told of? MIN and MAX alone are just those (RFC
 * 4731 section 3.2, RFC 5182 section 2.4). */
static bool is_told(const struct search *search, size_t i)
{
    if ((search->returns & (RETURN_MIN | RETURN_MAX)) == 0 ||
        (search->returns & (RETURN_ALL | RETURN_COUNT)) != 0)
        return true;
    return (i == 0 && (search->returns & RETURN_MIN) != 0) ||
           (i + 1 == search->n_found && (search->returns & RETURN_MAX) != 0);
}

static uint64_t highest_modseq(const struct search *search)
{
    uint64_t highest = 0;

    for (size_t i = 0; i < search->n_found; i++)
        if (is_told(search, i))
            highest = MAX(highest, view_modseq(&search->client->view, search->found[i]));
    return highest;
}

static void tell_plain(struct call *call, const struct search *search)
{
    buf_add_text(&call->out, "* SEARCH");
    for (size_t i = 0; i < search->n_found; i++) {
        buf_add_byte(&call->out, ' ');
        buf_add_number(&call->out, number_of(search, i));
    }
    if (search->program.has_modseq && search->n_found > 0)
        buf_fmt(&call->out, " (MODSEQ %llu)", (unsigned long long)highest_modseq(search));
    buf_add_text(&call->out, "\r\n");
}

static void tell_all(struct call *call, const struct search *search)
{
    AUTO(uidset_free) struct uidset all = { 0 };

    for (size_t i = 0; i < search->n_found; i++)
        uidset_add(&all, number_of(search, i), number_of(search, i));
    buf_add_text(&call->out, " ALL ");
    uidset_print(&all, &call->out);
}

/* esearch-response, RFC 4731 section 3.1. */
static void tell_extended(struct call *call, const struct search *search)
{
    struct buf *out = &call->out;

    buf_add_text(out, "* ESEARCH (TAG ");
    reply_string(out, search->client->tag);
    buf_add_text(out, search->client->uid ? ") UID" : ")");
    if ((search->returns & RETURN_MIN) != 0 && search->n_found > 0)
        buf_fmt(out, " MIN %u", number_of(search, 0));
    if ((search->returns & RETURN_MAX) != 0 && search->n_found > 0)
        buf_fmt(out, " MAX %u", number_of(search, search->n_found - 1));
    if ((search->returns & RETURN_COUNT) != 0)
        buf_fmt(out, " COUNT %zu", search->n_found);
    if ((search->returns & RETURN_ALL) != 0 && search->n_found > 0)
        tell_all(call, search);
    if (search->program.has_modseq && search->n_found > 0)
        buf_fmt(out, " MODSEQ %llu", (unsigned long long)highest_modseq(search));
    buf_add_text(out, "\r\n");
}

static void save(const struct search *search)
{
    struct view *view = &search->client->view;

    uidset_clear(&view->saved);
    for (size_t i = 0; i < search->n_found; i++)
        if (is_told(search, i))
            uidset_add(&view->saved, view_uid(view, search->found[i]),
                       view_uid(view, search->found[i]));
}

static enum next finish(struct call *call, struct search *search, const struct error *err)
{
    client_of(call)->work = NULL;
    client_of(call)->abandon = NULL;
    if (err == NULL) {
        if (search->n_found > 1)
            qsort(search->found, search->n_found, sizeof(*search->found), compare_index);
        if ((search->returns & RETURN_SAVE) != 0)
            save(search);
        if (!search->extended)
            tell_plain(call, search);
        else if (search->returns != RETURN_SAVE)
            tell_extended(call, search);
    } else if ((search->returns & RETURN_SAVE) != 0) {
        uidset_clear(&client_of(call)->view.saved); /* RFC 5182 section 2.1 */
    }
    free_buffers(search);
    return err != NULL ? reply_error(call, err) : reply_ok(call, "SEARCH completed");
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct search *search = client->work;
    struct error err;

    if (search->n_looked == search->n_open && search->next == client->view.count)
        return finish(call, search, NULL);
    if (search->n_looked == search->n_open && !begin_slice(search, &err))
        return finish(call, search, &err);
    if (!look_at_messages(search, &err))
        return finish(call, search, &err);
    client->resume = go_on;
    return NEXT_AGAIN;
}

static enum next refuse(struct call *call, struct search *search, const struct args *args)
{
    search_free(&search->program);
    if (search->program.bad_charset && (search->returns & RETURN_SAVE) != 0)
        uidset_clear(&search->client->view.saved); /* RFC 5182 section 2.1 */
    if (search->program.bad_charset)
        return reply_no(call, "BADCHARSET (US-ASCII UTF-8)", "I don't know this charset");
    if (search->program.bad_number != NULL)
        return reply_bad(call, search->program.bad_number);
    return reply_syntax(call, args);
}

enum next imap_search(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct search *search = ARENA_NEW(&call->arena, struct search);
    size_t slice = client->imap->settings->search_slice;

    search->client = search->program.client = client;
    if (!args_space(args) || !take_return(args, search) || !take_charset(args, search) ||
        !search_parse(args, &search->program))
        return refuse(call, search, args);
    client->keeps_seq = search->program.has_seqs; /* RFC 7162 section 3.2.10.2 */
    if (search->program.has_modseq)
        condstore_enable(call);
    search->open = mem_zero(slice * sizeof(*search->open));
    search->msgs = mem_zero(slice * sizeof(*search->msgs));
    client->work = search;
    client->abandon = abandon;
    return go_on(call);
}
