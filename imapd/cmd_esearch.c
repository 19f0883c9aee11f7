/* cmd_esearch.c - ESEARCH (RFC 7377): one search in several mailboxes.
 *
 *     names of the mailboxes --> find, read the view, search_run_step() ..., answer --> the next
 *
 * The selected mailbox is searched as its client knows it, others as they are when their turn
 * comes. Who may not read a mailbox hears nothing of it. A mailbox is found anew at each step: its
 * account is lent for one run only, and it may go.
 *
 * Lifetime: struct esearch lies in the call's arena; buffers are freed at the end or by abandon().
 */
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/limit.h"
#include "imapd/mailbox_filter.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/search_call.h"
#include "imapd/search_context.h"
#include "imapd/search_run.h"
#include "imapd/view/snapshot.h"

struct esearch {
    struct mailbox_filter filter;
    struct mailbox_names names;
    bool selected; /* is the first */
    size_t next;   /* of the names */

    struct search_return ret;
    struct search_context *context; /* with UPDATE, of the selected mailbox alone */
    struct search_program program;  /* runs have copies */
    struct search_run run;
    bool running;
    uint64_t looked_at; /* messages, of all mailboxes */
    bool counted;       /* those of the mailbox at hand, too */
    bool too_many;

    /* Of the mailbox at hand. */
    struct slice name; /* empty: it is the selected one */
    unsigned needs;
    struct view view; /* unless it is the selected one */
    struct keywords keywords;
};

/* ["IN" SP "(" source-mbox ")" SP]; no scope-options are defined. */
static bool take_source(struct args *args, struct esearch *esearch)
{
    esearch->selected = true;
    if (!args_try_word(args, "IN"))
        return true;
    if (!args_space(args) || !args_open(args) || !mailbox_filter_take(args, &esearch->filter) ||
        !args_close(args) || !args_space(args))
        return false;
    esearch->selected = false;
    for (size_t i = 0; i < esearch->filter.count; i++)
        esearch->selected |= esearch->filter.items[i].source == SOURCE_SELECTED;
    return true;
}

/* RFC 7377 section 2.2. */
static bool check_source(struct args *args, const struct client *client,
                         const struct esearch *esearch)
{
    bool only = esearch->selected;

    for (size_t i = 0; i < esearch->filter.count; i++)
        only = only && esearch->filter.items[i].source == SOURCE_SELECTED;
    if (esearch->selected && client->state != CLIENT_SELECTED)
        return args_fail(args, "no mailbox is selected");
    if (!only && (esearch->ret.options & (RETURN_SAVE | RETURN_UPDATE)) != 0)
        return args_fail(args, "SAVE and UPDATE are for the selected mailbox alone");
    return true;
}

static void close_mailbox(struct esearch *esearch)
{
    search_run_free(&esearch->run);
    view_free(&esearch->view);
    keywords_free(&esearch->keywords);
    esearch->running = esearch->counted = false;
}

static void abandon(struct call *call)
{
    struct esearch *esearch = client_of(call)->work;

    close_mailbox(esearch);
    search_context_free(&esearch->context);
}

static void print_place(struct call *call, const struct esearch *esearch, struct slice name,
                        struct buf *out)
{
    buf_add_text(out, "MAILBOX ");
    reply_mailbox(client_of(call), out, name);
    buf_fmt(out, " UIDVALIDITY %u", esearch->run.where.view->uidvalidity);
}

/* A mailbox where nothing was found has no answer (RFC 7377 section 2.1). */
static void tell(struct call *call, struct esearch *esearch, struct slice name)
{
    AUTO(buf_free) struct buf place = { 0 };
    struct search_result result = {
        .view = esearch->run.where.view,
        .found = esearch->run.found,
        .n_found = esearch->run.n_found,
        .scores = esearch->run.scores,
        .has_modseq = esearch->program.has_modseq,
        .uid = true,
    };

    search_return_save(client_of(call), &esearch->ret, &result);
    print_place(call, esearch, name, &place);
    result.place = buf_text(&place);
    if (result.n_found > 0)
        search_return_tell(call, &esearch->ret, &result);
    search_context_keep(call, &esearch->context, &esearch->run, NULL, result.place);
}

/* As its client knows it; "" when it is not there any more. */
static struct slice selected_name(struct call *call)
{
    AUTO(buf_free) struct buf name = { 0 };
    struct client *client = client_of(call);
    struct account_info owner;
    struct mailbox_info info;
    struct error err;

    if (!mailbox_by_id(client->selected, &call->arena, client->view.mailbox, &info, &err))
        return SLICE("");
    if (client->selected_id == client->account_id)
        return info.name;
    if (!account_by_id(call->desk, &call->arena, client->selected_id, &owner, &err))
        return SLICE("");
    buf_add_slice(&name, place_prefix(&call->arena, &owner));
    buf_add_slice(&name, info.name);
    return slice_copy(&call->arena, buf_slice(&name));
}

static bool read_view(struct call *call, struct esearch *esearch, const struct place *place,
                      struct error *err)
{
    const struct client *client = client_of(call);
    size_t snapshots = snapshots_max(client);
    uint32_t first;

    esearch->view = (struct view){ .mailbox = place->info.id, .read_only = true };
    if (!view_open(&esearch->view, call->desk, place->account, snapshots, err) ||
        !keywords_load(&esearch->keywords, place->account, err) ||
        !mailbox_recent(place->account, place->info.id, false, &first, err))
        return false;
    if (!client->rev2 && first < esearch->view.uidnext)
        uidset_add(&esearch->view.recent, MAX(first, 1), esearch->view.uidnext - 1);
    return true;
}

static bool start(struct call *call, struct esearch *esearch, const struct view *view,
                  const struct keywords *keywords)
{
    struct search_where where = { .view = view,
                                  .keywords = keywords,
                                  .settings = client_of(call)->imap->settings };

    esearch->run.program = esearch->program;
    esearch->running = true;
    search_run_start(&esearch->run, &where);
    return search_bind(&esearch->run.program, view, keywords);
}

/* All mailboxes together are not to have more messages to look at than a SEARCH (RFC 9738). */
static bool is_too_much(const struct client *client, struct esearch *esearch)
{
    const struct view *view = esearch->run.where.view;
    uint64_t left = limit_max(client) - esearch->looked_at;

    esearch->looked_at +=
        view->count <= left ? view->count : limit_count(&esearch->run.program, view);
    esearch->too_many = esearch->looked_at > limit_max(client);
    return esearch->too_many;
}

static bool is_selected(const struct client *client, const struct place *place)
{
    return client->state == CLIENT_SELECTED && place->account == client->selected &&
           place->info.id == client->view.mailbox;
}

/* Begins with the next mailbox that can be read; ESEARCH is done when there is none. Sequence
 * numbers over the last are no error here (RFC 7377 section 2), so binding cannot fail. */
static bool next_mailbox(struct call *call, struct esearch *esearch, struct error *err)
{
    struct client *client = client_of(call);
    const struct mailbox_name *name = &esearch->names.items[esearch->next++];
    struct place place;

    if (!place_find(call, name->name, name->needs, &place, err))
        return err->kind == ERROR_NOT_FOUND || err->kind == ERROR_DENIED;
    if (is_selected(client, &place)) {
        if (esearch->selected) /* it had its turn */
            return true;
        esearch->name = name->name;
        return start(call, esearch, &client->view, &client->keywords);
    }
    esearch->name = name->name;
    esearch->needs = name->needs;
    return read_view(call, esearch, &place, err) &&
           start(call, esearch, &esearch->view, &esearch->keywords);
}

/* The account of the mailbox at hand. False with ERROR_NOT_FOUND, ERROR_DENIED: it is gone. */
static bool find_account(struct call *call, const struct esearch *esearch,
                         struct account **account_out, struct error *err)
{
    struct place place;

    *account_out = client_of(call)->selected;
    if (esearch->run.where.view == &client_of(call)->view)
        return true;
    if (!place_find(call, esearch->name, esearch->needs, &place, err))
        return false;
    *account_out = place.account;
    return place.info.id == esearch->view.mailbox ||
           error_set(err, ERROR_NOT_FOUND, "another mailbox has its name");
}

static enum search_step step(struct call *call, struct esearch *esearch, struct error *err)
{
    struct account *account;
    enum search_step step;

    if (!esearch->running && esearch->next == esearch->names.count)
        return SEARCH_STEP_DONE;
    if (!esearch->running)
        return next_mailbox(call, esearch, err) ? SEARCH_STEP_MORE : SEARCH_STEP_FAILED;
    if (!find_account(call, esearch, &account, err)) {
        close_mailbox(esearch);
        return err->kind == ERROR_NOT_FOUND || err->kind == ERROR_DENIED ? SEARCH_STEP_MORE
                                                                         : SEARCH_STEP_FAILED;
    }
    if (!esearch->counted && is_too_much(client_of(call), esearch))
        return SEARCH_STEP_FAILED;
    esearch->counted = true;
    step = search_run_step(&esearch->run, account, err);
    if (step != SEARCH_STEP_DONE)
        return step;
    tell(call, esearch, esearch->name.len > 0 ? esearch->name : selected_name(call));
    close_mailbox(esearch);
    return SEARCH_STEP_MORE;
}

static enum next finish(struct call *call, struct esearch *esearch, const struct error *err)
{
    client_of(call)->work = NULL;
    client_of(call)->abandon = NULL;
    close_mailbox(esearch);
    search_context_free(&esearch->context);
    if (err == NULL)
        return reply_ok(call, "ESEARCH completed");
    search_return_fail(client_of(call), &esearch->ret);
    if (esearch->too_many)
        return limit_refuse(call, "Too many messages to search");
    return reply_error(call, err);
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct esearch *esearch = client->work;
    struct error err;

    switch (step(call, esearch, &err)) {
    case SEARCH_STEP_MORE:
        break;
    case SEARCH_STEP_DONE:
        return finish(call, esearch, NULL);
    case SEARCH_STEP_FAILED:
        return finish(call, esearch, &err);
    }
    client->resume = go_on;
    return NEXT_AGAIN;
}

static enum next begin(struct call *call, struct esearch *esearch)
{
    struct client *client = client_of(call);
    struct error err;

    client->keeps_seq = esearch->program.has_seqs;
    if (esearch->program.has_modseq)
        condstore_enable(call);
    client->work = esearch;
    client->abandon = abandon;
    if (!mailbox_filter_expand(call, &esearch->filter, &esearch->names, &err) ||
        (esearch->selected && !start(call, esearch, &client->view, &client->keywords)))
        return finish(call, esearch, &err);
    return go_on(call);
}

static enum next refuse(struct call *call, struct esearch *esearch, const struct args *args)
{
    enum next next = search_call_refuse(call, &esearch->program, &esearch->ret, args);

    search_context_free(&esearch->context);
    return next;
}

/* esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program */
enum next imap_esearch(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct esearch *esearch = ARENA_NEW(&call->arena, struct esearch);

    esearch->program.lenient = true;
    search_call_prepare(call, &esearch->program);
    if (!args_space(args) || !take_source(args, esearch) ||
        !search_return_take(call, args, &esearch->ret) || !check_source(args, client, esearch) ||
        !search_context_want(call, args, &esearch->ret, &esearch->context) ||
        !search_take_charset(args, &esearch->program) || !search_parse(args, &esearch->program) ||
        !search_call_check(args, &esearch->ret, &esearch->program))
        return refuse(call, esearch, args);
    esearch->ret.extended = true;
    if (esearch->ret.options == 0)
        esearch->ret.options = RETURN_ALL;
    return begin(call, esearch);
}
