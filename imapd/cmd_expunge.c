/* cmd_expunge.c - EXPUNGE and UID EXPUNGE (RFC 3501 section 6.4.3, RFC 4315 section 2.1), CLOSE
 * (RFC 3501 section 6.4.2), and how the client is told what a command of its own took away.
 *
 * A turn looks at some thousand messages. Others see what it removed at once: an expunge that
 * breaks off has removed some of the messages.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/expunge.h"
#include "imapd/limit.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "storage/acl.h"

struct expunge_work {
    struct uidset uids; /* still to be looked at */
    size_t turn;        /* messages */
    bool closes;        /* CLOSE tells nothing */
    uint64_t modseq;    /* of the mailbox, after the last turn that removed some; 0: none has */
    uint64_t done, goal;
};

void expunge_tell(struct call *call, const struct uidset *removed)
{
    AUTO(view_news_free) struct view_news news = { 0 };

    view_remove(&client_of(call)->view, removed, &news);
    reply_news(call, &news);
}

enum next expunge_reply_ok(struct call *call, uint64_t modseq, const char *text)
{
    AUTO(buf_free) struct buf code = { 0 };

    if (modseq == 0 || !client_of(call)->condstore)
        return reply_ok(call, text);
    buf_fmt(&code, "HIGHESTMODSEQ %llu", (unsigned long long)modseq);
    return reply_ok_code(call, buf_text(&code), text);
}

static void abandon(struct call *call)
{
    struct expunge_work *work = client_of(call)->work;

    uidset_free(&work->uids);
}

/* After CLOSE nobody is there to hear that the mailbox is gone, and without the right it expunges
 * nothing (RFC 4314 section 4). */
static enum next finish(struct call *call, const struct error *err)
{
    struct expunge_work *work = client_of(call)->work;

    uidset_free(&work->uids);
    if (err != NULL &&
        !(work->closes && (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_DENIED)))
        return reply_error(call, err);
    if (!work->closes)
        return expunge_reply_ok(call, work->modseq, "EXPUNGE completed");
    client_unselect(client_of(call));
    return reply_ok(call, "CLOSE completed");
}

static bool expunge_part(struct call *call, const struct uidset *part, struct error *err)
{
    AUTO(uidset_free) struct uidset expunged = { 0 };
    struct client *client = client_of(call);
    struct expunge_work *work = client->work;
    uint64_t modseq;

    if ((client->rights & RIGHT_EXPUNGE) == 0) /* taken back since the last turn */
        return error_set(err, ERROR_DENIED, "the ACL does not allow it any more");
    if (!mailbox_expunge(client->selected, client->view.mailbox, part, false, &expunged, &modseq,
                         err))
        return false;
    work->done += uidset_size(&expunged);
    if (expunged.count > 0)
        work->modseq = modseq;
    if (!work->closes)
        expunge_tell(call, &expunged);
    return true;
}

static enum next go_on(struct call *call)
{
    AUTO(uidset_free) struct uidset part = { 0 };
    struct client *client = client_of(call);
    struct expunge_work *work = client->work;
    struct error err;

    if (view_take(&client->view, &work->uids, work->turn, &part) &&
        !expunge_part(call, &part, &err))
        return finish(call, &err);
    if (work->uids.count == 0)
        return finish(call, NULL);
    progress_set(client, work->done, work->goal);
    client->resume = go_on;
    return NEXT_AGAIN;
}

/* To look at a message costs much less than to remove it. */
#define LOOK_FACTOR 16

static bool start(struct call *call, struct expunge_work *work, struct error *err)
{
    struct client *client = client_of(call);
    struct mailbox_info info;

    client->work = work;
    client->abandon = abandon;
    if (!mailbox_by_id(client->selected, &call->arena, client->view.mailbox, &info, err))
        return false;
    work->turn = client->imap->settings->change_slice;
    if (info.n_deleted <= work->turn)
        work->turn *= LOOK_FACTOR;
    work->goal = info.n_deleted;
    return true;
}

static enum next run(struct call *call, struct expunge_work *work)
{
    struct error err;

    return start(call, work, &err) ? go_on(call) : finish(call, &err);
}

enum next imap_expunge(struct call *call, struct args *args)
{
    struct expunge_work *work = ARENA_NEW(&call->arena, struct expunge_work);
    struct client *client = client_of(call);
    struct seqset set = { 0 };

    if ((client->uid && (!args_space(args) || !args_seqset(args, &set))) || !args_end(args))
        return reply_syntax(call, args);
    if (client->view.read_only)
        return reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    if ((client->rights & RIGHT_EXPUNGE) == 0)
        return reply_no(call, "NOPERM", "The ACL does not allow to expunge messages");
    if (!client->uid)
        uidset_add(&work->uids, 1, UINT32_MAX);
    else if (!view_resolve(&client->view, &set, true, &work->uids))
        return reply_bad(call, "There is no such message");
    if (client->uid)
        limit_deleted(client, &work->uids);
    return run(call, work);
}

/* Removes \Deleted messages without telling; HIGHESTMODSEQ may not be told either (RFC 7162 section
 * 3.2.8). */
enum next imap_close(struct call *call, struct args *args)
{
    struct expunge_work *work = ARENA_NEW(&call->arena, struct expunge_work);
    struct client *client = client_of(call);

    if (!args_end(args))
        return reply_syntax(call, args);
    if (client->view.read_only || (client->rights & RIGHT_EXPUNGE) == 0) {
        client_unselect(client);
        return reply_ok(call, "CLOSE completed");
    }
    work->closes = true;
    uidset_add(&work->uids, 1, UINT32_MAX);
    return run(call, work);
}
