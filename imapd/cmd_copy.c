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
#include "storage/copying.h"

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

/* The target in a later turn: handles are lent for one, and rights may have been taken back. */
static bool find_again(struct call *call, uint64_t owner, uint64_t mailbox,
                       struct copy_target *to_out, struct error *err)
{
    unsigned rights;

    *to_out = (struct copy_target){ .mailbox = mailbox };
    if (!place_again(call, owner, mailbox, RIGHT_INSERT, &to_out->account, &rights, err))
        return false;
    to_out->flags = rights_flags(rights);
    return true;
}

static bool copy(const struct client *client, const struct uidset *uids, const struct place *target,
                 bool move, struct copy_result *result, struct error *err)
{
    const struct copy_target to = { target->account, target->info.id,
                                    rights_flags(target->rights) };

    return mailbox_copy_to(client->selected, client->view.mailbox, uids, &to, move, result, err);
}

/* COPY of more than a turn's messages: all or nothing, in steps (storage/copying.h). Others see
 * what has been copied so far; when something fails, it is taken away again, in turns, too. */
struct copy_work {
    struct uidset uids; /* to be copied */
    uint64_t owner, target;
    struct copying *copying;
    struct copy_result copied; /* so far */
    size_t turn;
    bool tells_uids;
    struct error err; /* why it is being undone */
    uint64_t done, goal;
};

static void free_copy(struct copy_work *work)
{
    uidset_free(&work->uids);
    copy_result_free(&work->copied);
    copying_free(&work->copying);
}

static void abandon_copy(struct call *call)
{
    struct copy_work *work = client_of(call)->work;
    struct account *to;
    struct error err;

    if (desk_account(call->desk, work->owner, &to, &err))
        copying_break_off(work->copying, to);
    free_copy(work);
}

static enum next reply_copied(struct call *call, const struct copy_result *result, bool tells)
{
    AUTO(buf_free) struct buf code = { 0 };

    if (!tells)
        return reply_ok(call, "COPY completed");
    print_copyuid(result, &code);
    return reply_ok_code(call, buf_text(&code), "COPY completed");
}

static enum next finish_copy(struct call *call)
{
    struct copy_work *work = client_of(call)->work;
    enum next next;

    if (work->copied.from.count > 0)
        next = reply_copied(call, &work->copied, work->tells_uids);
    else
        next = reply_no(call, "EXPUNGEISSUED", "These messages are gone");
    free_copy(work);
    return next;
}

/* What cannot be taken away now is left to whoever opens the account next. */
static enum next undo_copy(struct call *call)
{
    struct copy_work *work = client_of(call)->work;
    struct account *to;
    struct error err;
    bool end = true;
    enum next next;

    if (!place_account(call, work->owner, &to, &err) ||
        !copying_undo(work->copying, to, &end, &err)) {
        log_failure(&call->log, &err);
        end = true;
    }
    client_of(call)->resume = undo_copy;
    if (!end)
        return NEXT_AGAIN;
    next = reply_error(call, &work->err);
    free_copy(work);
    return next;
}

static bool copy_part(struct call *call, const struct uidset *part, bool last, struct error *err)
{
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct client *client = client_of(call);
    struct copy_work *work = client->work;
    struct copy_target to;

    if (!find_again(call, work->owner, work->target, &to, err))
        return false;
    if (!copying_step(work->copying, client->selected, client->view.mailbox, part, last, &to,
                      &result, err))
        return false;
    uidset_add_all(&work->copied.from, &result.from);
    uidset_add_all(&work->copied.to, &result.to);
    work->copied.uidvalidity = result.uidvalidity;
    work->done += uidset_size(&result.from);
    return true;
}

static enum next go_on_copying(struct call *call)
{
    AUTO(uidset_free) struct uidset part = { 0 };
    struct client *client = client_of(call);
    struct copy_work *work = client->work;
    bool last;

    (void)view_take(&client->view, &work->uids, work->turn, &part);
    last = work->uids.count == 0;
    if (!copy_part(call, &part, last, &work->err))
        return undo_copy(call);
    if (last)
        return finish_copy(call);
    progress_set(client, work->done, work->goal);
    client->resume = go_on_copying;
    return NEXT_AGAIN;
}

static enum next start_copying(struct call *call, struct uidset *uids, const struct place *target,
                               size_t turn)
{
    struct copy_work *work = ARENA_NEW(&call->arena, struct copy_work);
    const struct copy_target to = { target->account, target->info.id, 0 };
    struct client *client = client_of(call);
    struct error err;

    if (!copying_start(client->selected, client->view.mailbox, uids, &to, &work->copying, &err))
        return reply_error(call, &err);
    work->owner = account_id(target->account);
    work->target = target->info.id;
    work->tells_uids = tells_uids(target);
    work->turn = turn;
    work->goal = view_count(&client->view, uids);
    work->uids = *uids;
    *uids = (struct uidset){ 0 };
    client->work = work;
    client->abandon = abandon_copy;
    return go_on_copying(call);
}

/* How many messages one transaction takes along, so that it holds the account's lock for a few
 * milliseconds: between accounts it has to write all their bytes. */
#define TURN_BYTES (4 << 20)
static bool find_turn(struct call *call, const struct place *target, size_t *turn_out,
                      struct error *err)
{
    struct client *client = client_of(call);
    struct mailbox_info info;

    *turn_out = MIN(client->imap->settings->change_slice, MAIL_SLICE);
    if (target->account == client->selected)
        return true;
    if (!mailbox_by_id(client->selected, &call->arena, client->view.mailbox, &info, err))
        return false;
    if (info.bytes / TURN_BYTES > 0)
        *turn_out = MIN(*turn_out, MAX(info.n_total / (info.bytes / TURN_BYTES), 1));
    return true;
}

static enum next copy_at_once(struct call *call, const struct uidset *uids,
                              const struct place *target)
{
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct error err;

    if (!copy(client_of(call), uids, target, false, &result, &err))
        return reply_error(call, &err);
    if (result.from.count == 0)
        return reply_nothing(call, uids, "Nothing to copy");
    return reply_copied(call, &result, tells_uids(target));
}

enum next imap_copy(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    struct client *client = client_of(call);
    struct place target;
    struct slice name;
    struct error err;
    size_t turn;

    if (!take_args(call, args, &uids, &name, &target) || limit_refuses_copy(call, &uids))
        return NEXT_COMMAND;
    if (!find_turn(call, &target, &turn, &err))
        return reply_error(call, &err);
    return view_count(&client->view, &uids) <= turn ? copy_at_once(call, &uids, &target)
                                                    : start_copying(call, &uids, &target, turn);
}

/* MOVE: each turn moves some thousand messages, so if it breaks off some have been moved and others
 * not, which RFC 6851 section 3.3 allows; none is in both places or in neither. What was moved is
 * told when all has been, in turns, too. */
struct move_work {
    uint64_t owner, target;
    struct uidset uids;       /* to be moved, then to be told */
    struct copy_result moved; /* so far */
    size_t turn;
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

static bool move_part(struct call *call, const struct uidset *part, struct error *err)
{
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct client *client = client_of(call);
    struct move_work *work = client->work;
    struct copy_target to;

    if (!rights_may_remove(client->rights)) /* taken back since the last turn */
        return error_set(err, ERROR_DENIED, "the ACL does not allow it any more");
    if (!find_again(call, work->owner, work->target, &to, err))
        return false;
    if (!mailbox_copy_to(client->selected, client->view.mailbox, part, &to, true, &result, err))
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

    if (view_take(&client->view, &work->uids, work->turn, &part))
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
    struct slice name;
    struct error err;

    if (!take_args(call, args, &work->uids, &name, &target))
        return false;
    if (!find_turn(call, &target, &work->turn, &err)) {
        reply_error(call, &err);
        return false;
    }
    work->owner = account_id(target.account);
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
