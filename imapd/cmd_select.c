/* cmd_select.c - SELECT, EXAMINE (RFC 3501 section 6.3.1; CONDSTORE and QRESYNC: RFC 7162),
 * UNSELECT (RFC 3691), CHECK. What QRESYNC adds is in resync.c, CLOSE in cmd_expunge.c. */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/list_reply.h"
#include "imapd/objectid.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/resync.h"
#include "imapd/view/snapshot.h"

struct select_args {
    struct slice name;
    bool condstore, has_resync;
    struct resync_args resync;
};

static bool take_param(struct args *args, struct select_args *select)
{
    if (args_try_word(args, "CONDSTORE")) {
        select->condstore = true;
        return true;
    }
    if (args_try_word(args, "QRESYNC")) {
        select->has_resync = true;
        return args_space(args) && resync_take(args, &select->resync);
    }
    return args_fail(args, "there is no such parameter");
}

/* select-params = "(" select-param *(SP select-param) ")" */
static bool take_params(struct args *args, struct select_args *select)
{
    if (!args_open(args))
        return false;
    do {
        if (!take_param(args, select))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

static bool take_select(struct args *args, struct select_args *select, bool qresync)
{
    if (!args_space(args) || !args_mailbox(args, &select->name))
        return false;
    if (!args_at_end(args) && (!args_space(args) || !take_params(args, select)))
        return false;
    if (select->has_resync && !qresync)
        return args_fail(args, "QRESYNC is not enabled"); /* RFC 7162 section 3.2.5 */
    return args_end(args);
}

/* `recent` is claimed unless we only look. */
static bool open_view(struct call *call, const struct place *place, bool read_only,
                      struct error *err)
{
    struct client *client = client_of(call);
    struct view *view = &client->view;
    uint64_t mailbox = place->info.id;
    uint32_t first;

    if (!mailbox_recent(place->account, mailbox, !read_only, &first, err))
        return false;
    *view = (struct view){ .mailbox = mailbox,
                           .read_only = read_only,
                           .tells_modseq = client->condstore };
    if (!view_open(view, call->desk, place->account, snapshots_max(client), err) ||
        !keywords_load(&client->keywords, place->account, err)) {
        view_free(view);
        return false;
    }
    if (first < view->uidnext && !client->rev2)
        uidset_add(&view->recent, MAX(first, 1), view->uidnext - 1);
    client->selected = place->account;
    client->selected_id = account_id(place->account);
    client->rights = place->rights;
    client->rights_changed = false;
    client->state = CLIENT_SELECTED;
    return true;
}

/* What only IMAP4rev1 has: RFC 3501 section 6.3.1. A number of a message is nothing for UIDONLY. */
static void tell_recent_and_unseen(struct call *call)
{
    const struct client *client = client_of(call);
    size_t unseen;

    if (client->rev2)
        return;
    reply_untagged(call, "%zu RECENT", view_count_recent(&client->view));
    if (client->uidonly)
        return;
    unseen = view_first_unseen(&client->view);
    if (unseen < client->view.count)
        reply_untagged(call, "OK [UNSEEN %zu] First unseen", unseen + 1);
}

/* RFC 9051 section 6.3.2, 7.3.5, 7.4.1, 7.1. */
static void tell_view(struct call *call, const struct place *place, struct slice written)
{
    const struct view *view = &client_of(call)->view;

    reply_flags(call);
    reply_permanent_flags(call);
    reply_untagged(call, "%zu EXISTS", view->count);
    tell_recent_and_unseen(call);
    if (client_of(call)->rev2)
        list_reply_one(call, &place->info, written);
    reply_untagged(call, "OK [UIDVALIDITY %u] UIDs valid", view->uidvalidity);
    reply_untagged(call, "OK [UIDNEXT %u] Next UID", view->uidnext);
    buf_add_text(&call->out, "* OK [MAILBOXID (");
    objectid_mailbox(&call->out, place->account, place->info.id);
    buf_add_text(&call->out, ")] Mailbox\r\n");
    if (place->account == client_of(call)->account) /* RFC 4467 section 8 */
        reply_untagged(call, "OK [URLMECH INTERNAL] URLs can be authorized");
    reply_untagged(call, "OK [HIGHESTMODSEQ %llu] Highest", (unsigned long long)view->modseq);
}

/* RFC 4314 section 5.2: "i", "e", and the rights on flags that others see. */
static bool may_write(const struct client *client)
{
    unsigned writes = RIGHT_INSERT | RIGHT_EXPUNGE | RIGHT_WRITE | RIGHT_DELETE_MESSAGES;

    if (account_reader(client->selected) == 0)
        writes |= RIGHT_SEEN;
    return (client->rights & writes) != 0;
}

static enum next finish_select(struct call *call)
{
    const struct client *client = client_of(call);

    if (!client->view.read_only && !may_write(client))
        return reply_ok_code(call, "READ-ONLY", "SELECT completed");
    if (client->view.read_only)
        return reply_ok_code(call, "READ-ONLY", "EXAMINE completed");
    return reply_ok_code(call, "READ-WRITE", "SELECT completed");
}

/* A mailbox that was selected is left, even if the new one cannot be (RFC 3501 section 6.3.1). */
static void leave(struct call *call)
{
    struct client *client = client_of(call);

    if (client->state != CLIENT_SELECTED)
        return;
    client_unselect(client);
    reply_untagged(call, "OK [CLOSED] Previous mailbox is closed"); /* RFC 7162 section 3.2.11 */
}

static enum next select_mailbox(struct call *call, struct args *args, bool read_only)
{
    struct select_args *select = ARENA_NEW(&call->arena, struct select_args);
    struct client *client = client_of(call);
    struct place place;
    struct error err;

    if (!take_select(args, select, client->qresync))
        return reply_syntax(call, args);
    leave(call);
    if (select->condstore)
        condstore_enable(call);
    if (!place_find(call, select->name, RIGHT_READ, &place, &err) ||
        !open_view(call, &place, read_only, &err))
        return reply_error(call, &err);
    tell_view(call, &place, args->written_name);
    if (!select->has_resync || select->resync.uidvalidity != client->view.uidvalidity)
        return finish_select(call);
    return resync(call, &select->resync, finish_select);
}

enum next imap_select(struct call *call, struct args *args)
{
    return select_mailbox(call, args, false);
}

enum next imap_examine(struct call *call, struct args *args)
{
    return select_mailbox(call, args, true);
}

enum next imap_unselect(struct call *call, struct args *args)
{
    if (!args_end(args))
        return reply_syntax(call, args);
    client_unselect(client_of(call));
    return reply_ok(call, "UNSELECT completed");
}

/* There is nothing to check: what was answered is on disk. */
enum next imap_check(struct call *call, struct args *args)
{
    return args_end(args) ? reply_ok(call, "CHECK completed") : reply_syntax(call, args);
}
