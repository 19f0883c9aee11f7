/* commands.c - APPEND: what is done when all of its messages are there.
 *
 * All messages of one command are stored in one transaction, or none of them (RFC 3502). The answer
 * has APPENDUID (RFC 4315), a set when there are several.
 */
#include "imapd/append/append.h"
#include "imapd/limit.h"
#include "imapd/notify/notify.h"
#include "imapd/reply.h"

#include <stdlib.h>

/* What the store takes. Free it. False after the reply. */
static struct append *make_items(struct call *call, const struct place *target, struct error *err)
{
    struct client *client = client_of(call);
    struct append *items = mem_zero(client->append->n_messages * sizeof(*items));
    size_t n = 0;

    for (const struct append_message *m = client->append->messages; m != NULL; m = m->next, n++) {
        items[n] = (struct append){ .body = append_body(m),
                                    .received_ms = m->received_ms,
                                    .summary_later = true };
        if (place_flags(target, &m->flags, &items[n].flags, err))
            continue;
        free(items);
        return NULL;
    }
    return items;
}

static enum next reply_appended(struct call *call, const struct append *items, size_t count,
                                uint32_t uidvalidity, unsigned rights)
{
    AUTO(uidset_free) struct uidset uids = { 0 };

    /* Who may not look into the mailbox learns nothing of it (RFC 9051 section 6.3.12). */
    if ((rights & RIGHT_READ) == 0)
        return reply_ok(call, "APPEND completed");

    for (size_t i = 0; i < count; i++)
        uidset_add(&uids, items[i].uid_out, items[i].uid_out);
    reply_begin_ok(call);
    buf_fmt(&call->out, "[APPENDUID %u ", uidvalidity);
    uidset_print(&uids, &call->out);
    buf_add_text(&call->out, "] APPEND completed\r\n");
    return reply_end(call);
}

/* Is it the mailbox that is selected? Then the answer tells of the new messages, too. */
static bool is_here(const struct client *client, const struct place *target)
{
    return client->state == CLIENT_SELECTED && target->account == client->selected &&
           target->info.id == client->view.mailbox && !client->view.read_only &&
           notify_tells_selected(client);
}

static bool append(struct client *client, const struct place *target, struct append *items,
                   size_t count, uint32_t *uidvalidity_out, struct error *err)
{
    uint32_t recent_from;

    if (!is_here(client, target))
        return mailbox_append(target->account, target->info.id, items, count, false,
                              uidvalidity_out, err);
    if (!mailbox_append_claiming(target->account, target->info.id, items, count, &recent_from,
                                 uidvalidity_out, err))
        return false;
    if (!client->rev2)
        uidset_add(&client->view.recent, recent_from, items[count - 1].uid_out);
    return true;
}

static enum next store(struct call *call)
{
    struct client *client = client_of(call);
    size_t count = client->append->n_messages;
    struct place target;
    uint32_t uidvalidity;
    struct error err;
    enum next next;

    if (!append_find_target(call, &target))
        return NEXT_COMMAND;
    struct append *items = make_items(call, &target, &err);
    if (items == NULL)
        return reply_error(call, &err);
    if (append(client, &target, items, count, &uidvalidity, &err))
        next = reply_appended(call, items, count, uidvalidity, target.rights);
    else
        next = append_refuse(call, &err);
    free(items);
    return next;
}

static enum next go_on(struct call *call)
{
    switch (append_build(call)) {
    case APPEND_BUILT:
        return client_of(call)->append->store(call);
    case APPEND_MORE:
        client_of(call)->resume = go_on;
        return NEXT_AGAIN;
    case APPEND_REFUSED:
        break;
    }
    return NEXT_COMMAND;
}

enum next append_finish(struct call *call, struct args *args, enum next (*done)(struct call *call))
{
    if (append_go_on(call, args) != APPEND_STOP_END)
        return reply_syntax(call, args);
    if (limit_refuses_append(call, client_of(call)->append->n_messages) ||
        !append_find_replaced(call))
        return NEXT_COMMAND;
    client_of(call)->append->store = done;
    return go_on(call);
}

enum next imap_append(struct call *call, struct args *args)
{
    return append_finish(call, args, store);
}
