/* resync.c - see resync.h. */
#include "imapd/resync.h"
#include "imapd/args.h"
#include "imapd/reply.h"

#define OUT_ENOUGH (256 * 1024)

struct resync_work {
    uint64_t modseq;
    struct uidset known;
    struct view_walk walk;
    enum next (*finish)(struct call *call);
};

/* Sets of what the client knows have numbers only: "*" and "$" mean nothing yet. */
static bool take_known(struct args *args, struct seqset *set_out)
{
    if (!args_seqset(args, set_out))
        return false;
    return (!set_out->saved && !seqset_has_star(set_out)) ||
           args_fail(args, "numbers were expected");
}

static bool take_match(struct args *args, struct resync_args *resync)
{
    return args_may_name_seqs(args) && args_open(args) && take_known(args, &resync->match_seqs) &&
           args_space(args) && take_known(args, &resync->match_uids) && args_close(args);
}

bool resync_take(struct args *args, struct resync_args *resync_out)
{
    if (!args_open(args) || !args_nz_number(args, &resync_out->uidvalidity) || !args_space(args) ||
        !args_number64(args, &resync_out->modseq))
        return false;
    if (resync_out->modseq == 0)
        return args_fail(args, "a modseq over zero was expected");
    if (args_try_byte(args, ' ') && args_peek(args) != '(') {
        resync_out->has_known = true;
        if (!take_known(args, &resync_out->known))
            return false;
        args_try_byte(args, ' ');
    }
    if (args_peek(args) == '(' && !take_match(args, resync_out))
        return false;
    return args_close(args);
}

/* Walks the numbers of two sets side by side. */
struct pair_walk {
    const struct seqset *set;
    size_t range;
    uint32_t offset;
};

static bool next_number(struct pair_walk *walk, uint32_t *number_out)
{
    const struct seq_range *range;

    if (walk->range == walk->set->count)
        return false;
    range = &walk->set->ranges[walk->range];
    *number_out = range->lo + walk->offset;
    if (*number_out == range->hi) {
        walk->range++;
        walk->offset = 0;
    } else {
        walk->offset++;
    }
    return true;
}

/* The greatest UID up to which the client has missed no expunge (section 3.2.5.2). The n-th number
 * of one set belongs to the n-th of the other; both ascend, so the first pair that does not match
 * ends it. */
static uint32_t last_match(const struct view *view, const struct resync_args *args)
{
    struct pair_walk seqs = { .set = &args->match_seqs }, uids = { .set = &args->match_uids };
    uint32_t seq, uid, match = 0;

    while (next_number(&seqs, &seq) && next_number(&uids, &uid)) {
        if (seq > view->count || view_uid(view, seq - 1) != uid)
            break;
        match = uid;
    }
    return match;
}

static bool tell_vanished(struct call *call, const struct resync_args *args,
                          const struct uidset *known, struct error *err)
{
    AUTO(changes_free) struct changes changes = { 0 };
    const struct view *view = &client_of(call)->view;
    uint32_t match = last_match(view, args);

    if (!mailbox_changes_each(client_of(call)->selected, view->mailbox, args->modseq,
                              args->has_known ? known : NULL, NULL, &changes, err))
        return false;
    if (match > 0)
        uidset_remove(&changes.vanished, 1, match);
    /* What happened since the view was read is told later. */
    view_subtract(view, &changes.vanished);
    if (changes.vanished.count == 0)
        return true;
    buf_add_text(&call->out, "* VANISHED (EARLIER) ");
    uidset_print(&changes.vanished, &call->out);
    buf_add_text(&call->out, "\r\n");
    return true;
}

static void abandon(struct call *call)
{
    struct resync_work *work = client_of(call)->work;

    uidset_free(&work->known);
}

static enum next tell_changed(struct call *call)
{
    struct client *client = client_of(call);
    struct resync_work *work = client->work;
    size_t index;

    while (view_next_since(&client->view, &work->known, work->modseq, &work->walk, &index)) {
        reply_fetch_flags(call, index);
        if (call->out.len >= OUT_ENOUGH)
            return NEXT_AGAIN;
    }
    uidset_free(&work->known);
    return work->finish(call);
}

static void known_uids(const struct resync_args *args, struct uidset *known_out)
{
    if (!args->has_known)
        uidset_add(known_out, 1, UINT32_MAX);
    for (size_t i = 0; i < args->known.count; i++)
        uidset_add(known_out, args->known.ranges[i].lo, args->known.ranges[i].hi);
}

enum next resync(struct call *call, const struct resync_args *args,
                 enum next (*finish)(struct call *call))
{
    struct client *client = client_of(call);
    struct resync_work *work = ARENA_NEW(&call->arena, struct resync_work);
    struct error err;

    *work = (struct resync_work){ .modseq = args->modseq, .finish = finish };
    known_uids(args, &work->known);
    if (!tell_vanished(call, args, &work->known, &err)) {
        uidset_free(&work->known);
        client_unselect(client);
        return reply_error(call, &err);
    }
    client->work = work;
    client->resume = tell_changed;
    client->abandon = abandon;
    return tell_changed(call);
}
