/* news.c - what happened in the selected mailbox, told to its client (RFC 3501 section 7.3, 7.4,
 * RFC 7162 section 3.1.4, 3.2.10). The other part of reply.h.
 *
 * EXPUNGE first, then EXISTS and RECENT, then FETCH with the numbers that hold by then.
 */
#include "imapd/command.h"
#include "imapd/notify/notify.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/search_context.h"
#include "imapd/view/snapshot.h"

bool reply_may_expunge(const struct client *client)
{
    const struct command *command = client->command;

    if (client->keeps_seq)
        return false;
    return command == NULL || client->uid || (command->flags & COMMAND_KEEPS_SEQ) == 0;
}

void reply_flags(struct call *call)
{
    struct client *client = client_of(call);

    buf_add_text(&call->out, "* FLAGS ");
    flags_print(&client->keywords, MAIL_SYSTEM_FLAGS | client->keywords.known, false, &call->out);
    buf_add_text(&call->out, "\r\n");
    client->view.keywords_told = client->keywords.known;
}

void reply_permanent_flags(struct call *call)
{
    struct client *client = client_of(call);
    uint64_t flags = rights_flags(client->rights) & (MAIL_SYSTEM_FLAGS | client->keywords.known);
    struct buf *out = &call->out;

    client->rights_changed = false;
    if (client->view.read_only) {
        reply_untagged(call, "OK [PERMANENTFLAGS ()] Read-only");
        return;
    }
    buf_add_text(out, "* OK [PERMANENTFLAGS ");
    flags_print(&client->keywords, flags, false, out);
    if ((client->rights & RIGHT_WRITE) == 0 || keywords_full(&client->keywords)) {
        buf_add_text(out, "] These can be changed\r\n");
        return;
    }
    buf_truncate(out, out->len - 1);
    buf_add_text(out, " \\*)] Keywords can be made\r\n");
}

/* A keyword that came up since FLAGS was told is told before it is used. */
static void tell_keywords(struct call *call)
{
    const struct client *client = client_of(call);

    if (client->keywords.known == client->view.keywords_told)
        return;
    reply_flags(call);
    if (keywords_full(&client->keywords)) /* RFC 9051 section 7.1, of PERMANENTFLAGS */
        reply_permanent_flags(call);
}

/* FETCH is hot with 100,000 messages: no format strings here. */
void reply_fetch_begin(struct call *call, size_t index)
{
    const struct client *client = client_of(call);
    struct buf *out = &call->out;

    buf_add_text(out, "* ");
    buf_add_number(out, client->uidonly ? view_uid(&client->view, index) : index + 1);
    buf_add_text(out, client->uidonly ? " UIDFETCH (" : " FETCH (");
}

/* Beside flags: RFC 7162 section 3.2.4, RFC 9051 section 7.5.2. UIDFETCH has it in front. */
static bool wants_uid(const struct client *client)
{
    return !client->uidonly && (client->uid || client->condstore || client->rev2 ||
                                client->notify != NULL); /* RFC 5465 section 5.1 */
}

void reply_fetch_flags(struct call *call, size_t index)
{
    const struct client *client = client_of(call);
    const struct view *view = &client->view;
    struct buf *out = &call->out;

    tell_keywords(call);
    reply_fetch_begin(call, index);
    if (wants_uid(client)) {
        buf_add_text(out, "UID ");
        buf_add_number(out, view_uid(view, index));
        buf_add_byte(out, ' ');
    }
    buf_add_text(out, "FLAGS ");
    flags_print(&client->keywords, view_flags(view, index), view_is_recent(view, index), out);
    if (client->condstore) {
        buf_add_text(out, " MODSEQ (");
        buf_add_number(out, view_modseq(view, index));
        buf_add_byte(out, ')');
    }
    buf_add_text(out, ")\r\n");
}

static void tell_expunged(struct call *call, const struct view_news *news)
{
    struct buf *out = &call->out;

    if (news->n_expunged == 0)
        return;
    if (client_of(call)->qresync || client_of(call)->uidonly) { /* RFC 9586 section 3.4 */
        buf_add_text(out, "* VANISHED ");
        uidset_print(&news->expunged, out);
        buf_add_text(out, "\r\n");
        return;
    }
    for (size_t i = 0; i < news->n_expunged; i++) {
        buf_add_text(out, "* ");
        buf_add_number(out, news->expunged_seqs[i]);
        buf_add_text(out, " EXPUNGE\r\n");
    }
}

void reply_news(struct call *call, const struct view_news *news)
{
    struct client *client = client_of(call);

    search_contexts_expunged(call, news);
    tell_expunged(call, news);
    if (news->grown) {
        reply_untagged(call, "%zu EXISTS", client->view.count);
        if (!client->rev2)
            reply_untagged(call, "%zu RECENT", view_count_recent(&client->view));
    }
    tell_keywords(call);
    for (size_t i = 0; notify_tells_flags(client) && i < news->n_changed; i++)
        reply_fetch_flags(call, news->changed[i]);
}

/* The first session that is told of a new message has it as \Recent (RFC 3501 section 2.3.2);
 * IMAP4rev2 knows no \Recent, but the message is not new any more for others. */
static bool claim_recent(struct call *call, struct error *err)
{
    struct client *client = client_of(call);
    struct view *view = &client->view;
    uint32_t first;

    if (!mailbox_recent(client->selected, view->mailbox, !view->read_only, &first, err))
        return false;
    if (first < view->uidnext && !client->rev2)
        uidset_add(&view->recent, first, view->uidnext - 1);
    return true;
}

/* While expunges are held back, modseqs beyond theirs may have been told: a client that kept those
 * would never hear of the expunges, should the connection break (RFC 7162 section 3.2). */
static void tell_held_modseq(struct call *call, bool was_held)
{
    const struct client *client = client_of(call);
    bool is_held = client->view.gone.count > 0;

    if (client->qresync && (was_held || is_held))
        reply_untagged(
            call, "OK [HIGHESTMODSEQ %llu] %s",
            (unsigned long long)(is_held ? client->view.held_modseq : client->view.modseq),
            is_held ? "VANISHED is delayed" : "Highest");
}

bool reply_sync(struct call *call, bool may_expunge, struct error *err)
{
    AUTO(view_changes_free) struct view_changes changes = { 0 };
    AUTO(view_news_free) struct view_news news = { 0 };
    struct client *client = client_of(call);
    struct view *view = &client->view;
    bool was_held = view->gone.count > 0;
    uint32_t uidnext = view->uidnext;

    if (!notify_tells_selected(client))
        return true;
    if (client->rights_changed) /* RFC 4314 section 5.1.1 */
        reply_permanent_flags(call);
    if (!view_changes_read(client->selected, view->mailbox, view->modseq, &changes, err) ||
        !keywords_learn(&client->keywords, client->selected, changes.flags, err))
        return false;
    view_apply(view, &changes, may_expunge, &news);
    view_offer(view, call->desk, client->selected, snapshots_max(client));
    if (news.grown && !claim_recent(call, err))
        return false;
    reply_news(call, &news);
    if (news.grown)
        notify_note_new(client, uidnext);
    search_contexts_changed(call);
    tell_held_modseq(call, was_held);
    return true;
}
