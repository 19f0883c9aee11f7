/* cmd_copy.c - COPY (RFC 3501 section 6.4.7) and MOVE (RFC 6851), by UID too, with the codes of
 * UIDPLUS (RFC 4315).
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/expunge.h"
#include "imapd/limit.h"
#include "imapd/place.h"
#include "imapd/progress.h"
#include "imapd/reply.h"

static void print_copyuid(const struct copy_result *result, struct buf *out)
{
    buf_fmt(out, "COPYUID %u ", result->uidvalidity);
    uidset_print(&result->from, out);
    buf_add_byte(out, ' ');
    uidset_print(&result->to, out);
}

/* Who may not look into the mailbox learns nothing of it (RFC 9051 section 11.4). */
static bool tells_uids(const struct place *target)
{
    return (target->rights & RIGHT_READ) != 0;
}

/* The arguments of COPY and MOVE, and what they name. False after the reply. */
static bool take_args(struct call *call, struct args *args, struct uidset *uids, struct slice *name,
                      struct place *target_out)
{
    struct client *client = client_of(call);
    struct seqset set;
    struct error err;

    if (!args_space(args) || !args_seqset(args, &set) || !args_space(args) ||
        !args_mailbox(args, name) || !args_end(args)) {
        reply_syntax(call, args);
        return false;
    }
    if (!view_resolve(&client->view, &set, client->uid, uids)) {
        reply_bad(call, "There is no message with such a number");
        return false;
    }
    if (!place_find(call, *name, RIGHT_INSERT, target_out, &err)) {
        if (err.kind == ERROR_NOT_FOUND)
            reply_no(call, "TRYCREATE", "There is no such mailbox");
        else
            reply_error(call, &err);
        return false;
    }
    return true;
}

/* Nothing was copied. That is fine when the set names nothing, but a message that the client still
 * sees and that is gone was not copied for another reason. */
static enum next reply_nothing(struct call *call, const struct uidset *uids, const char *text)
{
    struct view_walk walk = { 0 };
    size_t index;

    if (view_next(&client_of(call)->view, uids, &walk, &index))
        return reply_no(call, "EXPUNGEISSUED", "These messages are gone");
    return reply_ok(call, text);
}

static bool copy(const struct client *client, const struct uidset *uids, const struct place *target,
                 bool move, struct copy_result *result, struct error *err)
{
    const struct copy_target to = { target->account, target->info.id,
                                    rights_flags(target->rights) };

    return mailbox_copy_to(client->selected, client->view.mailbox, uids, &to, move, result, err);
}

enum next imap_copy(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(copy_result_free) struct copy_result result = { 0 };
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);
    struct place target;
    struct slice name;
    struct error err;

    if (!take_args(call, args, &uids, &name, &target))
        return NEXT_COMMAND;
    if (limit_refuses_copy(call, &uids))
        return NEXT_COMMAND;
    if (!copy(client, &uids, &target, false, &result, &err))
        return reply_error(call, &err);
    if (result.from.count == 0)
        return reply_nothing(call, &uids, "Nothing to copy");
    if (!tells_uids(&target))
        return reply_ok(call, "COPY completed");
    print_copyuid(&result, &code);
    return reply_ok_code(call, buf_text(&code), "COPY completed");
}

/* MOVE: each turn moves some thousand messages, so if it breaks off some have been moved and others
 * not, which RFC 6851 section 3.3 allows; none is in both places or in neither. What was moved is
 * told when all has been, in turns, too. */
struct move_work {
    struct slice name;
    uint64_t target;
    struct uidset uids;       /* to be moved, then to be told */
    struct copy_result moved; /* so far */
    bool tells_uids;
    bool failed;
    struct error err;
    uint64_t done, goal;
};

static void free_move(struct move_work *work)
{
    uidset_free(&work->uids);
    copy_result_free(&work->moved);
}

static void abandon_move(struct call *call)
{
    free_move(client_of(call)->work);
}

static enum next finish_move(struct call *call)
{
    struct move_work *work = client_of(call)->work;
    uint64_t modseq = work->moved.modseq;

    free_move(work);
    return work->failed ? reply_error(call, &work->err)
                        : expunge_reply_ok(call, modseq, "MOVE completed");
}

static enum next tell_removed(struct call *call)
{
    AUTO(uidset_free) struct uidset part = { 0 };
    struct client *client = client_of(call);
    struct move_work *work = client->work;

    if (view_take(&client->view, &work->uids, client->imap->settings->change_slice, &part))
        expunge_tell(call, &part);
    if (work->uids.count == 0)
        return finish_move(call);
    client->resume = tell_removed;
    return NEXT_AGAIN;
}

/* The COPYUID of a MOVE comes untagged, before the EXPUNGEs (RFC 6851 section 4.3). */
static enum next tell_moved(struct call *call)
{
    AUTO(buf_free) struct buf code = { 0 };
    struct move_work *work = client_of(call)->work;

    if (work->tells_uids) {
        print_copyuid(&work->moved, &code);
        reply_untagged(call, "OK [%s] %s", buf_text(&code),
                       client_of(call)->limited_to > 0 ? "Some messages were not moved" : "Moved");
    }
    uidset_copy(&work->uids, &work->moved.from);
    return tell_removed(call);
}

static enum next end_move(struct call *call, const struct uidset *asked)
{
    struct move_work *work = client_of(call)->work;
    enum next next;

    if (work->moved.from.count > 0)
        return tell_moved(call);
    next = work->failed ? reply_error(call, &work->err)
                        : reply_nothing(call, asked, "Nothing to move");
    free_move(work);
    return next;
}

/* The target is looked up in each turn: handles are lent for a turn, and it may be gone. */
static bool move_part(struct call *call, const struct uidset *part, struct error *err)
{
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct move_work *work = client_of(call)->work;
    struct place target;

    if (!place_find(call, work->name, RIGHT_INSERT, &target, err))
        return false;
    if (target.info.id != work->target)
        return error_set(err, ERROR_NOT_FOUND, "the target was replaced meanwhile");
    if (!copy(client_of(call), part, &target, true, &result, err))
        return false;
    uidset_add_all(&work->moved.from, &result.from);
    uidset_add_all(&work->moved.to, &result.to);
    work->done += uidset_size(&result.from);
    if (result.from.count > 0) {
        work->moved.uidvalidity = result.uidvalidity;
        work->moved.modseq = result.modseq;
    }
    return true;
}

static enum next go_on_moving(struct call *call)
{
    AUTO(uidset_free) struct uidset part = { 0 };
    struct client *client = client_of(call);
    struct move_work *work = client->work;

    if (view_take(&client->view, &work->uids, client->imap->settings->change_slice, &part))
        work->failed = !move_part(call, &part, &work->err);
    if (work->failed || work->uids.count == 0)
        return end_move(call, &part);
    progress_set(client, work->done, work->goal);
    client->resume = go_on_moving;
    return NEXT_AGAIN;
}

/* False after the reply. */
static bool take_move(struct call *call, struct args *args, struct move_work *work)
{
    struct client *client = client_of(call);
    struct place target;

    if (!take_args(call, args, &work->uids, &work->name, &target))
        return false;
    work->target = target.info.id;
    work->tells_uids = tells_uids(&target);
    if (client->view.read_only)
        reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    else if (!rights_may_remove(client->rights))
        reply_no(call, "NOPERM", "The ACL does not allow to take messages away");
    else
        return true;
    return false;
}

enum next imap_move(struct call *call, struct args *args)
{
    struct move_work *work = ARENA_NEW(&call->arena, struct move_work);
    struct client *client = client_of(call);

    if (!take_move(call, args, work)) {
        free_move(work);
        return NEXT_COMMAND;
    }
    limit_messages(client, &work->uids);
    work->goal = view_count(&client->view, &work->uids);
    client->work = work;
    client->abandon = abandon_move;
    return go_on_moving(call);
}
