/* search_context.c - see search_context.h. */
#include "imapd/search_context.h"

#include "imapd/reply.h"

#include <stdlib.h>

/* Looked at in one go: messages of one context, and bytes of those of all contexts, counted once
 * for each key; one message may have more. */
#define LOOK_MESSAGES 500
#define LOOK_BYTES    (8 * 1024 * 1024)

static struct search_context *find(const struct client *client, struct slice tag)
{
    struct search_context *context = client->contexts;

    while (context != NULL && !slice_equal(context->tag, tag))
        context = context->next;
    return context;
}

static size_t count(const struct client *client)
{
    size_t n = 0;

    for (const struct search_context *c = client->contexts; c != NULL; c = c->next)
        n++;
    return n;
}

void search_context_refuse(struct call *call, const char *why)
{
    buf_add_text(&call->out, "* NO [NOUPDATE ");
    reply_string(&call->out, client_of(call)->tag);
    buf_fmt(&call->out, "] %s\r\n", why);
}

bool search_context_is(const struct client *client, struct slice tag)
{
    return find(client, tag) != NULL;
}

bool search_context_want(struct call *call, struct args *args, struct search_return *ret,
                         struct search_context **context_out)
{
    struct client *client = client_of(call);
    struct search_context *context;

    *context_out = NULL;
    if ((ret->options & RETURN_UPDATE) == 0)
        return true;
    if (find(client, client->tag) != NULL)
        return args_fail(args, "Tag reuse");
    if (count(client) >= SEARCH_CONTEXTS_MAX) {
        search_context_refuse(call, "Too many contexts");
        return true;
    }
    context = NEW(struct search_context);
    context->tag = slice_copy(&context->arena, client->tag);
    context->items = slice_copy(&context->arena, ret->items);
    args->rest = slice_copy(&context->arena, args->rest);
    args->arena = &context->arena;
    *context_out = context;
    return true;
}

void search_context_free(struct search_context **context)
{
    struct search_context *gone = *context;

    *context = NULL;
    if (gone == NULL)
        return;
    if (gone->order != NULL)
        gone->order->free(gone->order);
    search_free(&gone->program);
    uidset_free(&gone->matches);
    uidset_free(&gone->pending);
    uidset_free(&gone->fresh);
    uidset_free(&gone->unsaid);
    free(gone->place);
    arena_free(&gone->arena);
    free(gone);
}

static size_t sum_of_orders(const struct client *client)
{
    size_t sum = 0;

    for (const struct search_context *c = client->contexts; c != NULL; c = c->next)
        sum += c->order != NULL ? c->order->size(c->order) : 0;
    return sum;
}

void search_context_keep(struct call *call, struct search_context **context, struct search_run *run,
                         struct search_order *order, const char *place)
{
    struct client *client = client_of(call);
    struct search_context *kept = *context;

    if (kept == NULL)
        return;
    kept->order = order;
    if (run->program.n_keys > SEARCH_CONTEXT_KEYS_MAX ||
        run->program.n_reads > SEARCH_CONTEXT_READS_MAX) {
        search_context_refuse(call, "This search is too costly to be repeated");
        search_context_free(context);
        return;
    }
    if (order != NULL && sum_of_orders(client) + order->size(order) > SEARCH_ORDERS_MAX) {
        search_context_refuse(call, "There are too many messages in order");
        search_context_free(context);
        return;
    }
    kept->program = run->program;
    run->program = (struct search_program){ 0 };
    kept->uid = client->uid || place != NULL;
    kept->place = place != NULL ? slice_strdup(slice_of(place)) : NULL;
    for (size_t i = 0; i < run->n_found; i++) {
        uint32_t uid = view_uid(run->where.view, run->found[i]);

        uidset_add(&kept->matches, uid, uid);
    }
    kept->next = client->contexts;
    client->contexts = kept;
    client->view.watched = true;
    *context = NULL;
}

bool search_context_cancel(struct client *client, struct slice tag)
{
    for (struct search_context **at = &client->contexts; *at != NULL; at = &(*at)->next) {
        struct search_context *gone = *at;

        if (!slice_equal(gone->tag, tag))
            continue;
        *at = gone->next;
        search_context_free(&gone);
        return true;
    }
    return false;
}

void search_contexts_free(struct client *client)
{
    while (client->contexts != NULL)
        search_context_cancel(client, client->contexts->tag);
}

bool search_contexts_wait(const struct client *client)
{
    const struct search_context *context = client->contexts;

    while (context != NULL && context->pending.count == 0)
        context = context->next;
    return context != NULL;
}

/* A response that is begun with its first item. */
struct update {
    struct call *call;
    const struct search_context *context;
    const char *item; /* "ADDTO" or "REMOVEFROM", the last one; NULL: nothing is said yet */
};

static void begin_item(struct update *update, const char *item)
{
    struct buf *out = &update->call->out;

    if (update->item == NULL)
        search_correlator(out, update->context->tag, update->context->place, update->context->uid);
    if (update->item == item) {
        buf_add_byte(out, ' ');
        return;
    }
    if (update->item != NULL)
        buf_add_byte(out, ')');
    buf_add_byte(out, ' ');
    buf_add_text(out, item);
    buf_add_text(out, " (");
    update->item = item;
}

/* context-position SP sequence-set; position 0: in the mailbox's order. */
static void add_set(struct update *update, const char *item, size_t position,
                    const struct uidset *set)
{
    if (set->count == 0)
        return;
    begin_item(update, item);
    buf_add_number(&update->call->out, position);
    buf_add_byte(&update->call->out, ' ');
    uidset_print(set, &update->call->out);
}

static void end_update(struct update *update)
{
    if (update->item != NULL)
        buf_add_text(&update->call->out, ")\r\n");
}

static void add_one(struct update *update, const char *item, size_t position, uint32_t number)
{
    begin_item(update, item);
    buf_add_number(&update->call->out, position);
    buf_add_byte(&update->call->out, ' ');
    buf_add_number(&update->call->out, number);
}

static const char addto[] = "ADDTO", removefrom[] = "REMOVEFROM";

/* Messages that come or go, ascending: UIDs, and the numbers that the client gets. */
struct message_list {
    uint32_t *uids, *shown;
    size_t count, uids_room, shown_room;
    struct uidset numbers, all; /* as the client gets them, and UIDs */
};

static void list_add(struct message_list *list, uint32_t uid, uint32_t number)
{
    list->uids = mem_grow(list->uids, &list->uids_room, list->count + 1, sizeof(*list->uids));
    list->shown = mem_grow(list->shown, &list->shown_room, list->count + 1, sizeof(*list->shown));
    list->uids[list->count] = uid;
    list->shown[list->count++] = number;
    uidset_add(&list->numbers, number, number);
    uidset_add(&list->all, uid, uid);
}

static void list_free(struct message_list *list)
{
    free(list->uids);
    free(list->shown);
    uidset_free(&list->numbers);
    uidset_free(&list->all);
}

static uint32_t shown_of(const struct message_list *list, uint32_t uid)
{
    size_t lo = 0, hi = list->count;

    while (hi - lo > 1) {
        size_t middle = lo + (hi - lo) / 2;

        if (list->uids[middle] <= uid)
            lo = middle;
        else
            hi = middle;
    }
    return list->shown[lo];
}

/* Positions of those that go together are the same: "1 5,3,9". */
static void take_out(struct update *update, struct search_order *order,
                     const struct message_list *list)
{
    uint32_t *uids = mem_zero((list->count + 1) * sizeof(*uids));
    size_t *positions = mem_zero((list->count + 1) * sizeof(*positions));
    size_t n = order->take_out(order, &list->all, uids, positions);

    for (size_t i = 0; i < n; i++) {
        uint32_t number = shown_of(list, uids[i]);

        if (i == 0 || positions[i] != positions[i - 1]) {
            add_one(update, removefrom, positions[i], number);
        } else {
            buf_add_byte(&update->call->out, ',');
            buf_add_number(&update->call->out, number);
        }
    }
    free(uids);
    free(positions);
}

static void remove_messages(struct update *update, struct search_context *context,
                            const struct message_list *list)
{
    if (context->order == NULL)
        add_set(update, removefrom, 0, &list->numbers);
    else
        take_out(update, context->order, list);
    uidset_subtract(&context->matches, &list->all);
}

/* Numbers are those from before the EXPUNGE: the list of them is descending, the set ascends. */
static void tell_expunged(struct call *call, struct search_context *context,
                          const struct view_news *news)
{
    AUTO(list_free) struct message_list gone = { 0 };
    struct update update = { .call = call, .context = context };
    size_t i = 0;

    for (size_t r = 0; r < news->expunged.count; r++) {
        const struct uid_range *range = &news->expunged.ranges[r];

        for (uint64_t uid = range->lo; uid <= range->hi && i < news->n_expunged; uid++, i++)
            if (uidset_has(&context->matches, (uint32_t)uid))
                list_add(&gone, (uint32_t)uid,
                         context->uid ? (uint32_t)uid
                                      : news->expunged_seqs[news->n_expunged - 1 - i]);
        uidset_remove(&context->pending, range->lo, range->hi);
    }
    remove_messages(&update, context, &gone);
    end_update(&update);
}

void search_contexts_expunged(struct call *call, const struct view_news *news)
{
    if (news->n_expunged == 0)
        return;
    for (struct search_context *c = client_of(call)->contexts; c != NULL; c = c->next)
        tell_expunged(call, c, news);
}

/* A look at the view alone costs nothing, one at what is stored of the message little. */
static uint64_t cost_of(const struct search_program *program, uint64_t size)
{
    uint64_t stored = program->needs != 0 ? 1024 * program->n_keys : 0;

    return stored + size * program->n_reads * (program->has_fuzzy ? SEARCH_FUZZY_COST : 1);
}

/* Takes the next of the pending messages, as many as one go may look at. */
static void take_pending(struct client *client, struct search_context *context, uint64_t *left,
                         struct uidset *next_out)
{
    struct view_walk walk = { 0 };
    size_t index, n = 0;

    while (*left > 0 && n < LOOK_MESSAGES &&
           view_next(&client->view, &context->pending, &walk, &index)) {
        uint32_t uid = view_uid(&client->view, index);

        n++;
        *left -= MIN(*left, cost_of(&context->program, view_size(&client->view, index)));
        if (!uidset_has(&client->view.gone, uid))
            uidset_add(next_out, uid, uid);
    }
    if (view_next(&client->view, &context->pending, &walk, &index)) {
        uint32_t uid = view_uid(&client->view, index);

        uidset_remove(&context->pending, 1, uid - 1);
    } else {
        uidset_clear(&context->pending);
    }
}

/* Compares with what the client knows. */
static void compare(struct call *call, struct search_context *context, const struct uidset *looked,
                    const struct search_run *run)
{
    AUTO(list_free) struct message_list added = { 0 };
    AUTO(list_free) struct message_list removed = { 0 };
    const struct view *view = run->where.view;
    struct view_walk walk = { 0 };
    size_t index, i = 0;

    while (view_next(view, looked, &walk, &index)) {
        uint32_t uid = view_uid(view, index);
        bool matches = i < run->n_found && run->found[i] == index;
        bool known = uidset_has(&context->matches, uid);

        i += matches;
        if (matches && !known && uidset_has(&context->fresh, uid))
            uidset_add(&context->unsaid, uid, uid);
        if (matches != known)
            list_add(matches ? &added : &removed, uid, context->uid ? uid : (uint32_t)index + 1);
    }
    uidset_subtract(&context->fresh, looked);
    struct update update = { .call = call, .context = context };

    remove_messages(&update, context, &removed);
    if (context->order == NULL)
        add_set(&update, addto, 0, &added.numbers);
    for (i = 0; i < added.count; i++) {
        size_t position = 0;

        uidset_add(&context->matches, added.uids[i], added.uids[i]);
        if (context->order != NULL && view_find(view, added.uids[i], &index) &&
            context->order->insert(context->order, client_of(call)->selected, view, index,
                                   &position))
            add_one(&update, addto, position, added.shown[i]);
    }
    end_update(&update);
}

/* Looks at some messages again. A store that cannot be read leaves things as the client knows them.
 */
static void look_again(struct call *call, struct search_context *context, uint64_t *left)
{
    AUTO(uidset_free) struct uidset next = { 0 };
    struct client *client = client_of(call);
    struct search_run run = { .program = context->program };
    struct search_where where = { .view = &client->view,
                                  .keywords = &client->keywords,
                                  .settings = client->imap->settings,
                                  .among = &next };
    enum search_step step = SEARCH_STEP_MORE;
    struct error err;

    take_pending(client, context, left, &next);
    search_rebind(&context->program, &client->view, &client->keywords);
    search_run_start(&run, &where);
    while (step == SEARCH_STEP_MORE)
        step = search_run_step(&run, client->selected, &err);
    if (step == SEARCH_STEP_DONE)
        compare(call, context, &next, &run);
    else
        log_failure(&call->log, &err);
    run.program = (struct search_program){ 0 }; /* it stays the context's */
    search_run_free(&run);
}

void search_contexts_changed(struct call *call)
{
    struct client *client = client_of(call);
    struct view *view = &client->view;
    uint64_t left = LOOK_BYTES;

    if (client->contexts == NULL) {
        view->watched = false;
        uidset_clear(&view->touched);
        return;
    }
    for (struct search_context *c = client->contexts; c != NULL; c = c->next) {
        uidset_add_all(&c->pending, &view->touched);
        if (c->pending.count > 0 && left > 0)
            look_again(call, c, &left);
    }
    uidset_clear(&view->touched);
}

void search_contexts_new(struct client *client, uint32_t first, uint32_t last)
{
    for (struct search_context *c = client->contexts; c != NULL; c = c->next)
        if (c->items.len > 0)
            uidset_add(&c->fresh, first, last);
}

bool search_contexts_fetch(struct client *client, struct slice *items_out, struct uidset *uids_out)
{
    for (struct search_context *c = client->contexts; c != NULL; c = c->next) {
        if (c->unsaid.count == 0)
            continue;
        *items_out = c->items;
        *uids_out = c->unsaid;
        c->unsaid = (struct uidset){ 0 };
        return true;
    }
    return false;
}
