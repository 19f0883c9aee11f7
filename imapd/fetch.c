/* fetch.c - FETCH and UID FETCH (RFC 3501 section 6.4.5), CHANGEDSINCE and VANISHED of RFC 7162.
 *
 *     begin ----> \Seen of some thousand ----> slice of messages: stored texts, then line by line
 *                    ^                             ^------ NEXT_AGAIN, a bounded reply each --'
 *                    '------------------- when their lines are written ----------------------'
 *
 * The view does not change while the command runs; a message that another client expunged meanwhile
 * is still readable for some minutes, and else answered with NIL (RFC 2180 section 4.1.3).
 *
 * Lifetime: struct fetch lies in the call's arena; its buffers are freed at the end or by
 * abandon().
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/fetch_item.h"
#include "imapd/limit.h"
#include "imapd/progress.h"
#include "imapd/reply.h"
#include "storage/acl.h"

#define REPLY_BYTES (128 * 1024)      /* of one call; a message's line may go beyond it */
#define REPLY_TIGHT (16 * 1024)       /* ... while memory is short */
#define READ_BYTES  (4 * 1024 * 1024) /* of one call; then others get their turn */

/* fetch-modifiers: "(" [CHANGEDSINCE n [VANISHED]] [PARTIAL range] ")", in any order */
static bool take_modifiers(struct fetch *fetch, struct args *args)
{
    if (args_at_end(args))
        return true;
    if (!args_space(args) || !args_open(args))
        return false;
    do {
        if (args_try_word(args, "CHANGEDSINCE")) {
            fetch->changed_only = true;
            if (!args_space(args) || !args_number64(args, &fetch->changed_since))
                return false;
        } else if (args_try_word(args, "VANISHED")) {
            fetch->vanished = true;
        } else if (fetch->client->uid && fetch->partial.hi == 0 && args_try_word(args, "PARTIAL")) {
            if (!args_space(args) || !partial_take(args, &fetch->partial))
                return false;
        } else {
            return args_fail(args, "expected: CHANGEDSINCE, VANISHED, or PARTIAL with UID FETCH");
        }
    } while (args_try_byte(args, ' '));
    /* RFC 7162 section 3.2.6 */
    if (fetch->vanished && (!fetch->changed_only || !fetch->client->qresync || !fetch->client->uid))
        return args_fail(args, "VANISHED needs UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
    return args_close(args) && args_end(args);
}

static bool is_wanted(const struct fetch *fetch, size_t index)
{
    return !fetch->changed_only || view_modseq(&fetch->client->view, index) > fetch->changed_since;
}

/* RFC 9738 section 3.1: by the range alone, however many there are. */
static bool is_too_long(const struct fetch *fetch)
{
    const struct partial *partial = &fetch->partial;

    return partial->hi > 0 && partial->hi - partial->lo >= limit_max(fetch->client);
}

/* PARTIAL picks messages before CHANGEDSINCE looks at them (RFC 9394 section 3.4). */
static void pick_page(struct fetch *fetch)
{
    const struct view *view = &fetch->client->view;
    struct uidset page = { 0 };
    struct view_walk walk = { 0 };
    size_t index, first, end, count = 0, i = 0;

    while (view_next(view, &fetch->uids, &walk, &index))
        count++;
    partial_bounds(&fetch->partial, count, &first, &end);
    walk = (struct view_walk){ 0 };
    for (; i < end && view_next(view, &fetch->uids, &walk, &index); i++)
        if (i >= first)
            uidset_add(&page, view_uid(view, index), view_uid(view, index));
    uidset_free(&fetch->uids);
    fetch->uids = page;
}

/* What was cut down goes from the highest UID to the lowest (RFC 9738 section 3.1). */
static bool next_message(const struct fetch *fetch, struct view_walk *walk, size_t *index_out)
{
    const struct view *view = &fetch->client->view;

    return fetch->backwards ? view_previous(view, &fetch->uids, walk, index_out)
                            : view_next(view, &fetch->uids, walk, index_out);
}

/* Marks the next messages as \Seen in one go; their FLAGS are told with their line. */
static bool set_seen(struct fetch *fetch, struct error *err)
{
    AUTO(uidset_free) struct uidset unseen = { 0 };
    AUTO(flags_result_free) struct flags_result result = { 0 };
    const struct flag_change change = { .op = FLAGS_ADD, .flags = MAIL_SEEN };
    struct client *client = fetch->client;
    struct view *view = &client->view;
    struct view_walk walk = fetch->walk;
    size_t index;

    fetch->n_marked = 0;
    while (fetch->n_marked < client->imap->settings->change_slice &&
           next_message(fetch, &walk, &index)) {
        fetch->n_marked++;
        if ((view_flags(view, index) & MAIL_SEEN) == 0 && is_wanted(fetch, index))
            uidset_add(&unseen, view_uid(view, index), view_uid(view, index));
    }
    if (unseen.count == 0)
        return true;
    if (!mailbox_store_flags(client->selected, view->mailbox, &unseen, &change, &result, err))
        return err->kind == ERROR_LIMIT; /* \Seen is not kept, but there is something to read */
    for (size_t i = 0; i < result.count; i++) {
        if (!view_find(view, result.mails[i].uid, &index))
            continue;
        view_set(view, index, result.mails[i].flags, result.mails[i].modseq);
        uidset_add(&fetch->seen, result.mails[i].uid, result.mails[i].uid);
    }
    return true;
}

/* What the client asked about, as far as there ever was something. */
static void asked_uids(const struct fetch *fetch, const struct seqset *set, struct uidset *asked)
{
    uint32_t last = MAX(fetch->client->view.uidnext, 2) - 1;

    if (set->saved)
        uidset_copy(asked, &fetch->uids);
    for (size_t i = 0; i < set->count; i++) {
        uint32_t lo = set->ranges[i].lo == SEQSET_STAR ? last : set->ranges[i].lo;
        uint32_t hi = set->ranges[i].hi == SEQSET_STAR ? last : set->ranges[i].hi;

        uidset_add(asked, MIN(lo, hi), MAX(lo, hi));
    }
}

/* VANISHED (EARLIER): what is gone of the set since CHANGEDSINCE. */
static bool tell_vanished(struct fetch *fetch, const struct seqset *set, struct error *err)
{
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(uidset_free) struct uidset asked = { 0 };
    AUTO(uidset_free) struct uidset gone = { 0 };
    struct client *client = fetch->client;

    asked_uids(fetch, set, &asked);
    if (!mailbox_changes_each(client->selected, client->view.mailbox, fetch->changed_since, NULL,
                              NULL, &changes, err))
        return false;
    uidset_intersect(&changes.vanished, &asked, &gone);
    view_subtract(&client->view, &gone);
    if (gone.count == 0)
        return true;
    buf_add_text(&fetch->call->out, "* VANISHED (EARLIER) ");
    uidset_print(&gone, &fetch->call->out);
    buf_add_text(&fetch->call->out, "\r\n");
    return true;
}

static size_t keep_text(struct fetch *fetch, enum fetch_needs what, struct slice text)
{
    if ((fetch->needs & (unsigned)what) == 0)
        return 0;
    buf_add_slice(&fetch->texts, text);
    return text.len;
}

static unsigned parts_of(const struct fetch *fetch)
{
    return (fetch->needs & FETCH_NEEDS_CACHE) == FETCH_NEEDS_ENVELOPE ? CACHED_ENVELOPE
                                                                      : CACHED_ALL;
}

static void keep_texts(const struct cached *cached, void *context)
{
    struct fetch *fetch = context;
    struct fetch_cached *kept = &fetch->cached[fetch->n_cached];

    kept->index = fetch->slice[fetch->n_cached++];
    kept->envelope_at = fetch->texts.len;
    kept->envelope_len = keep_text(fetch, FETCH_NEEDS_ENVELOPE, cached->envelope);
    kept->structure_at = fetch->texts.len;
    kept->structure_len = keep_text(fetch, FETCH_NEEDS_STRUCTURE, cached->body_structure);
    kept->body_at = fetch->texts.len;
    kept->body_len = keep_text(fetch, FETCH_NEEDS_BODY, cached->body);
    kept->preview_at = fetch->texts.len;
    kept->preview_len = keep_text(fetch, FETCH_NEEDS_PREVIEW, cached->preview);
    kept->header_len = cached->header_len;
}

static bool take_objects(struct fetch *fetch, const uint64_t *msgs, struct error *err)
{
    if (fetch->objects == NULL)
        fetch->objects = ARENA_ARRAY(&fetch->call->arena, struct object_ids, FETCH_SLICE_MAX);
    return account_objects(fetch->client->selected, msgs, fetch->n_slice, fetch->objects, err);
}

/* Asked anew for each slice: rights may have been taken back. */
static bool sets_seen(const struct fetch *fetch)
{
    return (fetch->needs & FETCH_SETS_SEEN) != 0 && !fetch->unasked &&
           !fetch->client->view.read_only && (fetch->client->rights & RIGHT_SEEN) != 0;
}

/* Takes the next messages of the set, with their stored texts if some item wants them. */
static bool next_slice(struct fetch *fetch, struct error *err)
{
    const struct view *view = &fetch->client->view;
    bool marks = sets_seen(fetch);
    uint64_t msgs[FETCH_SLICE_MAX];
    size_t index;

    fetch->at = fetch->n_slice = fetch->n_cached = 0;
    buf_clear(&fetch->texts);
    while (fetch->n_slice < FETCH_SLICE_MAX) {
        if (marks && fetch->n_marked == 0 && !set_seen(fetch, err))
            return false;
        if (!next_message(fetch, &fetch->walk, &index))
            break;
        fetch->n_marked -= marks;
        if (!is_wanted(fetch, index))
            continue;
        msgs[fetch->n_slice] = view_msg(view, index);
        fetch->slice[fetch->n_slice++] = index;
    }
    if ((fetch->needs & FETCH_NEEDS_OBJECTS) != 0 && !take_objects(fetch, msgs, err))
        return false;
    return fetch->n_slice == 0 || (fetch->needs & FETCH_NEEDS_CACHE) == 0 ||
           account_summaries(fetch->client->selected, parts_of(fetch), msgs, fetch->n_slice,
                             keep_texts, fetch, err);
}

static bool has_item(const struct fetch *fetch, const char *name)
{
    for (size_t i = 0; i < fetch->n_items; i++)
        if (strcmp(fetch->items[i].kind->name, name) == 0)
            return true;
    return false;
}

/* The flags that this FETCH changed are part of its answer (RFC 3501 section 6.4.5), with UID and
 * MODSEQ as RFC 7162 section 3.2.4 has it. */
static void tell_seen(struct fetch *fetch, size_t index)
{
    const struct client *client = fetch->client;
    struct buf *out = &fetch->call->out;

    if (fetch->seen.count == 0 || !uidset_has(&fetch->seen, view_uid(&client->view, index)))
        return;
    if (!has_item(fetch, "FLAGS")) {
        buf_add_text(out, " FLAGS ");
        flags_print(&client->keywords, view_flags(&client->view, index),
                    view_is_recent(&client->view, index), out);
    }
    if (client->condstore && !client->uidonly && !has_item(fetch, "UID")) {
        buf_add_text(out, " UID ");
        buf_add_number(out, view_uid(&client->view, index));
    }
    if (client->condstore && !has_item(fetch, "MODSEQ"))
        buf_fmt(out, " MODSEQ (%llu)", (unsigned long long)view_modseq(&client->view, index));
}

/* Much may have to be read for a short answer. */
static bool is_enough(const struct fetch *fetch)
{
    bool plenty = ceiling_state() == CEILING_PLENTY;

    return fetch->call->out.len >= (plenty ? REPLY_BYTES : REPLY_TIGHT) ||
           fetch->n_read >= READ_BYTES;
}

/* "* n FETCH (...)": goes on where the last call stopped. */
static enum fetch_result write_message(struct fetch *fetch, size_t index, struct error *err)
{
    struct buf *out = &fetch->call->out;

    if (!fetch->inside) {
        reply_fetch_begin(fetch->call, index);
        fetch->inside = true;
        fetch->item = 0;
    }
    while (fetch->item < fetch->n_items) {
        enum fetch_result result;

        if (fetch->item > 0 && !fetch->streaming)
            buf_add_byte(out, ' ');
        result = fetch_write_item(fetch, &fetch->items[fetch->item], index, err);
        if (result != FETCH_DONE)
            return result;
        fetch->item++;
        if (fetch->item < fetch->n_items && is_enough(fetch))
            return FETCH_MORE;
    }
    tell_seen(fetch, index);
    buf_add_text(out, ")\r\n");
    fetch->inside = false;
    return FETCH_DONE;
}

/* The messages of the slice that go into one reply. */
static enum fetch_result write_messages(struct fetch *fetch, struct error *err)
{
    enum fetch_result result = FETCH_DONE;

    while (result == FETCH_DONE && fetch->at < fetch->n_slice && !is_enough(fetch)) {
        result = write_message(fetch, fetch->slice[fetch->at], err);
        fetch->at += result == FETCH_DONE;
    }
    return result;
}

static bool write_slice(struct fetch *fetch, struct error *err)
{
    struct account *account = fetch->client->selected;
    bool hold = (fetch->needs & FETCH_NEEDS_BYTES) != 0 && fetch->at + 1 < fetch->n_slice;
    enum fetch_result result;

    if (hold && !account_hold_reads(account, err))
        return false;
    result = write_messages(fetch, err);
    if (hold)
        account_release_reads(account);
    return result != FETCH_FAILED;
}

static void abandon(struct call *call)
{
    fetch_free(client_of(call)->work);
}

static enum next finish_unasked(struct call *call, struct fetch *fetch, const struct error *err)
{
    struct client *client = client_of(call);
    bool broken = err != NULL && fetch->inside;
    enum next (*then)(struct call *) = fetch->then;

    client->resume = then;
    client->abandon = NULL;
    client->work = NULL;
    fetch_free(fetch);
    if (err != NULL)
        log_failure(&call->log, err);
    if (broken)
        return NEXT_CLOSE;
    call->why = WHY_INPUT; /* there may be some that came meanwhile */
    return then != NULL ? then(call) : NEXT_COMMAND;
}

static enum next finish(struct call *call, struct fetch *fetch, const struct error *err)
{
    bool inside = fetch->inside, missed = fetch->missed, unknown_cte = fetch->unknown_cte;

    if (fetch->unasked)
        return finish_unasked(call, fetch, err);
    client_of(call)->abandon = NULL;
    client_of(call)->work = NULL;
    fetch_free(fetch);
    if (err != NULL && inside) {
        /* Within a message's line there is no way to say NO. */
        log_error(&call->log, "storage", F_STR("kind", error_kind_name(err->kind)), F_ERR(err));
        return NEXT_CLOSE;
    }
    if (err != NULL)
        return reply_error(call, err);
    if (unknown_cte)
        return reply_no(call, "UNKNOWN-CTE", "A part is encoded in an unknown way");
    if (missed)
        return reply_ok_code(call, "EXPUNGEISSUED", "Some messages were gone already");
    return reply_ok(call, "FETCH completed");
}

static enum next go_on(struct call *call)
{
    struct client *client = client_of(call);
    struct fetch *fetch = client->work;
    struct error err;

    fetch->call = call;
    fetch->n_read = 0;
    do {
        if (fetch->at == fetch->n_slice && !next_slice(fetch, &err))
            return finish(call, fetch, &err);
        if (fetch->n_slice == 0)
            return finish(call, fetch, NULL);
        if (!write_slice(fetch, &err))
            return finish(call, fetch, &err);
    } while (fetch->at == fetch->n_slice && !is_enough(fetch));
    fetch_unload(fetch);
    client->resume = go_on;
    if (!fetch->inside)
        progress_set(client, fetch->walk.index, client->view.count);
    return NEXT_AGAIN;
}

/* The messages are known; what does the command do before its first line? */
static bool prepare(struct fetch *fetch, const struct seqset *set, struct error *err)
{
    if (fetch->client->uid && !fetch->client->uidonly)
        fetch_add_item(fetch, "UID");
    if (fetch->changed_only) {
        condstore_enable(fetch->call);
        fetch_add_item(fetch, "MODSEQ");
    }
    if (has_item(fetch, "MODSEQ"))
        condstore_enable(fetch->call);
    return !fetch->vanished || tell_vanished(fetch, set, err);
}

enum next imap_fetch(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct fetch *fetch = ARENA_NEW(&call->arena, struct fetch);
    struct seqset set;
    struct error err;

    fetch->call = call;
    fetch->client = client;
    if (!args_space(args) || !args_seqset(args, &set) || !args_space(args) ||
        !fetch_take_items(fetch, args) || !take_modifiers(fetch, args))
        return reply_syntax(call, args);
    if (!view_resolve(&client->view, &set, client->uid, &fetch->uids)) {
        fetch_free(fetch);
        return reply_bad(call, "There is no message with such a number");
    }
    if (is_too_long(fetch)) {
        fetch_free(fetch);
        return limit_refuse(call, "The range of PARTIAL is too long");
    }
    if (fetch->partial.hi > 0)
        pick_page(fetch);
    else
        fetch->backwards = limit_messages(client, &fetch->uids);
    if (!prepare(fetch, &set, &err))
        return finish(call, fetch, &err);
    client->work = fetch;
    client->abandon = abandon;
    return go_on(call);
}

enum next fetch_tell(struct call *call, struct args *items, struct uidset *uids)
{
    struct client *client = client_of(call);
    struct fetch *fetch = ARENA_NEW(&call->arena, struct fetch);

    fetch->call = call;
    fetch->client = client;
    fetch->unasked = true;
    fetch->then = client->resume;
    fetch->uids = *uids;
    *uids = (struct uidset){ 0 };
    if (!fetch_take_items(fetch, items)) /* modes that were enabled since forbid it */
        return finish_unasked(call, fetch, NULL);
    if (!client->uidonly && (client->condstore || client->rev2))
        fetch_add_item(fetch, "UID");
    if (client->condstore && has_item(fetch, "FLAGS")) /* RFC 7162 section 3.1 */
        fetch_add_item(fetch, "MODSEQ");
    client->work = fetch;
    client->abandon = abandon;
    return go_on(call);
}
