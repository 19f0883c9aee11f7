/* session.c - one session: takes commands, runs them, goes on with those that take longer. */
#include "common/session.h"
#include "imapd/args.h"
#include "imapd/capability.h"
#include "imapd/client.h"
#include "imapd/command.h"
#include "imapd/notify/notify.h"
#include "imapd/place.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "imapd/search_context.h"

#include <stdlib.h>

/* Of another's mailbox the rights may have changed since the last command. */
static bool lend_anothers(struct call *call, struct error *err)
{
    struct client *client = client_of(call);
    unsigned rights;

    if (!place_account(call, client->selected_id, &client->selected, err) ||
        !acl_rights(client->selected, client->view.mailbox, client->account_id, &rights, err))
        return false;
    client->rights_changed = client->rights_changed || rights != client->rights;
    client->rights = rights;
    return true;
}

bool client_lend_account(struct call *call, struct error *err)
{
    struct client *client = client_of(call);

    client->selected = NULL;
    desk_begin_turn(call->desk);
    if (!desk_account(call->desk, client->account_id, &client->account, err))
        return false;
    if (client->state != CLIENT_SELECTED)
        return true;
    client->selected = client->account;
    return client->selected_id == client->account_id || lend_anothers(call, err);
}

/* The selected mailbox is another's, and its account is gone or it may not be read any more: that
 * ends the session (RFC 4314 section 5.1.1 allows it), as the deletion of the mailbox does. */
static bool may_go_on(const struct client *client)
{
    return client->state != CLIENT_SELECTED ||
           (client->selected != NULL && (client->rights & RIGHT_READ) != 0);
}

void client_unselect(struct client *client)
{
    search_contexts_free(client);
    view_free(&client->view);
    client->memo.msg = client->binary.msg = 0; /* numbers of another account may come next */
    client->selected = NULL;
    if (client->state == CLIENT_SELECTED)
        client->state = CLIENT_AUTHENTICATED;
}

static void *open_client(struct call *call, void *context)
{
    struct client *client = NEW(struct client);

    client->imap = context;
    client->own_key = call->key;
    client->state = CLIENT_NOT_AUTHENTICATED;
    return client;
}

/* All but what belongs to the connection. */
static void free_user(struct call *call)
{
    struct client *client = client_of(call);

    if (client->abandon != NULL)
        client->abandon(call);
    if (client->sink != NULL)
        client->sink->drop(call);
    login_free(&client->login);
    notify_free(&client->notify);
    search_contexts_free(client);
    view_free(&client->view);
    keywords_free(&client->keywords);
}

void client_forget_user(struct call *call)
{
    struct client *client = client_of(call);

    free_user(call);
    *client = (struct client){ .imap = client->imap,
                               .own_key = client->own_key,
                               .state = CLIENT_NOT_AUTHENTICATED,
                               .input = client->input,
                               .failures = client->failures };
    call->key = client->own_key;
    call->credential = 0;
    call->careful = true;
    call->hears = false;
    call_watch(call, NULL, 0);
}

static void close_client(struct call *call)
{
    struct client *client = client_of(call);

    free_user(call);
    input_free(&client->input);
    free(client);
}

static enum next greet(struct call *call)
{
    buf_add_text(&call->out, "* OK [CAPABILITY ");
    capability_print(call, &call->out);
    buf_add_text(&call->out, "] Postane is ready\r\n");
    return NEXT_COMMAND;
}

static enum next run_command(struct call *call, struct args *args)
{
    const struct command *command = client_of(call)->command;
    bool names = (command->flags & COMMAND_NAMES) != 0;
    enum next next;

    if (names)
        notify_before_change(call);
    next = command->run(call, args);
    if (names)
        notify_after_change(call);
    return next;
}

static enum next dispatch(struct call *call)
{
    struct client *client = client_of(call);
    struct args args = {
        .rest = buf_slice(&client->input.command),
        .arena = &call->arena,
        .utf8 = client_utf8(client),
        .utf8_accept = client->utf8,
        .uidonly = client->uidonly,
    };
    struct slice name;
    bool has_tag = command_head(&args, &client->tag, &name, &client->uid);

    progress_begin(client);
    client->command = command_find(client, name, client->uid);
    log_debug(&call->log, "command", F_STR("name", client->command->name));
    if (!has_tag)
        return reply_syntax(call, &args);
    if (client->input.nul)
        return reply_bad(call, "NUL is not allowed");
    if ((client->command->flags & COMMAND_HEAVY) != 0 && ceiling_state() == CEILING_SCARCE)
        return reply_no(call, "UNAVAILABLE", "Too much to do for this now, try again later");
    return run_command(call, &args);
}

static enum next take_command(struct call *call)
{
    switch (input_collect(call)) {
    case INPUT_MORE:
        return NEXT_INPUT;
    case INPUT_COMPLETE:
        return dispatch(call);
    case INPUT_ANSWERED:
        break;
    }
    return NEXT_COMMAND;
}

/* The account was removed, or its store cannot be opened: there is nothing to be done here. */
static enum next lose_account(struct call *call, const struct error *err)
{
    log_failure(&call->log, err);
    if (err->kind == ERROR_NOT_FOUND && client_of(call)->selected_id != client_of(call)->account_id)
        return reply_bye(call, "NONEXISTENT", "Selected mailbox was deleted");
    if (err->kind == ERROR_NOT_FOUND)
        return reply_bye(call, NULL, "Account was removed");
    return reply_bye(call, reply_error_code(err->kind), "Account cannot be opened");
}

/* Notices of another account's mailbox, while it is selected, and of others that NOTIFY is about.
 */
static void watch_others(struct call *call)
{
    struct client *client = client_of(call);
    bool other = client->state == CLIENT_SELECTED && client->selected_id != client->account_id;
    uint64_t selected = other ? client->selected_id : 0;
    uint64_t keys[NOTIFY_OWNERS_MAX + 1];
    size_t count = 0;

    if (selected == client->watched && !client->watch_anew)
        return;
    if (selected != 0)
        keys[count++] = selected;
    for (size_t i = 0; client->notify != NULL && i < client->notify->n_owners; i++)
        if (client->notify->owners[i] != selected)
            keys[count++] = client->notify->owners[i];
    call_watch(call, keys, count);
    client->watched = selected;
    client->watch_anew = false;
}

static enum next wait_for_command(struct call *call)
{
    return NEXT_COMMAND;
}

/* The worker's desk serves everybody: it is told anew for whom it works. The slow lane has none. */
static void read_as(struct call *call)
{
    const struct client *client = client_of(call);
    bool apart = client->imap->settings->shared_seen == SHARED_SEEN_PRIVATE;

    if (call->desk != NULL)
        desk_read_as(call->desk, apart ? client->account_id : 0);
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct error err;
    enum next next;

    read_as(call);
    if (client->account_id != 0 && !client_lend_account(call, &err))
        return lose_account(call, &err);
    if (!may_go_on(client))
        return reply_bye(call, "NOPERM", "Selected mailbox is not shared any more");
    if (client->resume != NULL)
        next = client->resume(call);
    else
        next = call->why == WHY_NOTICE ? notify_hear(call) : take_command(call);
    if (next == NEXT_COMMAND && client->resume == NULL &&
        (client->notify != NULL || client->contexts != NULL))
        next = notify_tell_pending(call, wait_for_command);
    if (next == NEXT_AGAIN)
        progress_tell(call);
    watch_others(call);
    client->account = client->selected = NULL;
    return client->state == CLIENT_LOGOUT ? NEXT_CLOSE : next;
}

static enum next run(struct call *call)
{
    switch (call->why) {
    case WHY_START:
        return greet(call);
    case WHY_SECURED:
        return NEXT_COMMAND;
    case WHY_INPUT:
    case WHY_AGAIN:
    case WHY_NOTICE:
        return go_on(call);
    case WHY_TIMEOUT:
        return reply_bye(call, NULL, "Silent for too long");
    case WHY_STOP:
        return reply_bye(call, NULL, "Server is going down");
    case WHY_ENDED:
        break;
    }
    return NEXT_CLOSE;
}

const struct protocol imap_protocol = {
    .name = "imap",
    .open = open_client,
    .run = run,
    .close = close_client,
};
