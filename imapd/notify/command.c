/* command.c - NOTIFY (RFC 5465 section 3.1), and what is said while no command is in hand. */
#include "imapd/command.h"
#include "imapd/args.h"
#include "imapd/fetch_item.h"
#include "imapd/metadata.h"
#include "imapd/notify/notify.h"
#include "imapd/reply.h"
#include "imapd/search_context.h"
#include "storage/metadata.h"

#include <stdlib.h>

/* In place of what was asked for before; the session is woken between commands from here on. */
static void install(struct call *call, struct notify **notify)
{
    struct client *client = client_of(call);

    notify_free(&client->notify);
    client->notify = TAKE(*notify);
    client->watch_anew = true;
    call->hears = true;
}

static bool sync_selected(struct call *call, struct error *err)
{
    return client_of(call)->state != CLIENT_SELECTED || reply_sync(call, true, err);
}

/* Changes of annotations are told from here on. */
static bool begin_metadata(struct call *call, struct error *err)
{
    struct client *client = client_of(call);
    const unsigned events = NOTIFY_MAILBOX_METADATA_CHANGE | NOTIFY_SERVER_METADATA_CHANGE;
    struct metadata_list list;

    if (client->metadata || (client->notify->events & events) == 0)
        return true;
    return metadata_changed(client->account, client->account_id, UINT64_MAX, &call->arena, &list,
                            &client->metadata_told, err);
}

static enum next refuse(struct call *call)
{
    AUTO(buf_free) struct buf code = { 0 };

    buf_add_text(&code, "BADEVENT (");
    notify_print_events(&code);
    buf_add_text(&code, ")");
    return reply_no(call, buf_text(&code), "There are other events only");
}

static enum next set(struct call *call, struct notify **notify)
{
    struct error err;
    size_t start;

    if ((*notify)->unknown_event)
        return refuse(call);
    if (!sync_selected(call, &err)) /* what has come together until here, section 3.1 */
        return reply_error(call, &err);
    start = call->out.len;
    if (!notify_begin(call, *notify, &err)) {
        buf_truncate(&call->out, start);
        if (err.kind == ERROR_LIMIT)
            return reply_no(call, "NOTIFICATIONOVERFLOW", "Too many mailboxes");
        return reply_error(call, &err);
    }
    install(call, notify);
    if (!begin_metadata(call, &err))
        return reply_error(call, &err);
    return reply_ok(call, "NOTIFY completed");
}

/* notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE") */
enum next imap_notify(struct call *call, struct args *args)
{
    AUTO(notify_free) struct notify *notify = NEW(struct notify);

    if (!args_space(args))
        return reply_syntax(call, args);
    if (args_try_word(args, "NONE")) {
        if (!args_end(args))
            return reply_syntax(call, args);
        install(call, &notify);
        return reply_ok(call, "NOTIFY completed");
    }
    if (!args_try_word(args, "SET") || !notify_take(call, args, notify))
        return reply_syntax(call, args);
    return set(call, &notify);
}

/* More than we are willing to watch: as after NOTIFY NONE (section 5.8). */
static void overflow(struct call *call)
{
    struct notify *none = NEW(struct notify);

    reply_untagged(call, "OK [NOTIFICATIONOVERFLOW] Too many mailboxes");
    install(call, &none);
}

static void look(struct call *call, const struct notice_topic *topic, bool quiet)
{
    struct error err;

    if (notify_look(call, topic, quiet, &err))
        return;
    if (err.kind == ERROR_LIMIT)
        overflow(call);
    else
        log_failure(&call->log, &err);
}

void notify_hear_others(struct call *call)
{
    struct client *client = client_of(call);
    struct notice_topic topic = call->notice;
    struct error err;

    if (client->notify == NULL)
        return;
    if (topic.key != 0 && topic.key != client->account_id &&
        !notify_watches(client->notify, topic.key))
        return; /* of an account of which nothing is watched but the selected mailbox */
    look(call, &topic, false);
    if (!metadata_news(call, &err))
        log_failure(&call->log, &err);
}

enum next notify_hear(struct call *call)
{
    struct client *client = client_of(call);
    struct error err;

    if (client->notify == NULL)
        return NEXT_COMMAND;
    if (client->state == CLIENT_SELECTED && !reply_sync(call, !client->notify->delayed, &err)) {
        if (err.kind == ERROR_NOT_FOUND)
            return reply_bye(call, "NONEXISTENT", "Selected mailbox was deleted");
        log_failure(&call->log, &err);
    }
    notify_hear_others(call);
    return NEXT_COMMAND;
}

/* What this client puts there itself is no news to it (section 5.2). */
static bool is_own(const struct client *client)
{
    static const char *const names[] = { "APPEND", "COPY", "MOVE", "REPLACE" };

    for (size_t i = 0; client->command != NULL && i < COUNT_OF(names); i++)
        if (strcmp(client->command->name, names[i]) == 0)
            return true;
    return false;
}

void notify_note_new(struct client *client, uint32_t first)
{
    if (is_own(client))
        return;
    search_contexts_new(client, first, client->view.uidnext - 1);
    if (client->notify != NULL && client->notify->items.len > 0)
        uidset_add(&client->notify->pending, first, client->view.uidnext - 1);
}

/* What is to be told of new messages next. */
static bool take_pending(struct client *client, struct slice *items_out, struct uidset *uids_out)
{
    struct notify *notify = client->notify;

    if (notify == NULL || notify->pending.count == 0)
        return search_contexts_fetch(client, items_out, uids_out);
    *items_out = notify->items;
    *uids_out = notify->pending;
    notify->pending = (struct uidset){ 0 };
    return true;
}

enum next notify_tell_pending(struct call *call, enum next (*then)(struct call *call))
{
    struct client *client = client_of(call);
    struct uidset uids;
    struct slice items;

    while (take_pending(client, &items, &uids)) {
        struct args args = { .rest = items,
                             .arena = &call->arena,
                             .utf8 = client_utf8(client),
                             .utf8_accept = client->utf8 };
        enum next next = NEXT_COMMAND;

        if (client->state == CLIENT_SELECTED)
            next = fetch_tell(call, &args, &uids);
        else
            uidset_free(&uids);
        if (next != NEXT_COMMAND)
            return next;
    }
    return then(call);
}

void notify_before_change(struct call *call)
{
    if (client_of(call)->notify != NULL)
        look(call, &(struct notice_topic){ 0 }, false);
}

void notify_after_change(struct call *call)
{
    if (client_of(call)->notify != NULL)
        look(call, &(struct notice_topic){ 0 }, true);
}
