/* view.c - see view.h. */
#include "imapd/view.h"
#include "common/mem.h"

#include <stdlib.h>

size_t view_lower(const struct view *view, uint32_t uid)
{
    size_t lo = 0, hi = view->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (view->uids[middle] < uid)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

bool view_find(const struct view *view, uint32_t uid, size_t *index_out)
{
    *index_out = view_lower(view, uid);
    return *index_out < view->count && view->uids[*index_out] == uid;
}

bool view_is_recent(const struct view *view, size_t index)
{
    return view->recent.count > 0 && uidset_has(&view->recent, view->uids[index]);
}

/* Index of the first UID over `uid`. */
static size_t upper(const struct view *view, uint32_t uid)
{
    return uid == UINT32_MAX ? view->count : view_lower(view, uid + 1);
}

size_t view_count_recent(const struct view *view)
{
    size_t count = 0;

    for (size_t i = 0; i < view->recent.count; i++)
        count +=
            upper(view, view->recent.ranges[i].hi) - view_lower(view, view->recent.ranges[i].lo);
    return count;
}

size_t view_first_unseen(const struct view *view)
{
    size_t i = 0;

    while (i < view->count && (view->flags[i] & MAIL_SEEN) != 0)
        i++;
    return i;
}

void view_set(struct view *view, size_t index, uint64_t flags, uint64_t modseq)
{
    view->flags[index] = flags;
    view->modseqs[index] = modseq;
}

/* Exactly `room` places in every array: a quiet mailbox wastes nothing. */
static void resize(struct view *view, size_t room)
{
    view->room = room;
    view->uids = mem_resize(view->uids, room * sizeof(*view->uids));
    view->sizes = mem_resize(view->sizes, room * sizeof(*view->sizes));
    view->flags = mem_resize(view->flags, room * sizeof(*view->flags));
    view->modseqs = mem_resize(view->modseqs, room * sizeof(*view->modseqs));
    view->msgs = mem_resize(view->msgs, room * sizeof(*view->msgs));
    view->received_ms = mem_resize(view->received_ms, room * sizeof(*view->received_ms));
}

static void move_row(struct view *view, size_t to, size_t from)
{
    view->uids[to] = view->uids[from];
    view->sizes[to] = view->sizes[from];
    view->flags[to] = view->flags[from];
    view->modseqs[to] = view->modseqs[from];
    view->msgs[to] = view->msgs[from];
    view->received_ms[to] = view->received_ms[from];
}

static void put_row(struct view *view, size_t to, const struct mail *mail)
{
    view->uids[to] = mail->uid;
    view->sizes[to] = mail->size;
    view->flags[to] = mail->flags;
    view->modseqs[to] = mail->modseq;
    view->msgs[to] = mail->msg;
    view->received_ms[to] = mail->received_ms;
}

/* The arrays are moved together once, however many messages go. */
static void remove_rows(struct view *view, const struct uidset *uids, struct view_news *news)
{
    struct view_walk walk = { 0 };
    size_t index, to = 0, from = 0;
    size_t room = 0;

    while (view_next(view, uids, &walk, &index)) {
        if (news->n_expunged == 0)
            from = to = index;
        while (from < index)
            move_row(view, to++, from++);
        from++;
        news->expunged_seqs = mem_grow(news->expunged_seqs, &room, news->n_expunged + 1,
                                       sizeof(*news->expunged_seqs));
        news->expunged_seqs[news->n_expunged++] = (uint32_t)index + 1;
        uidset_add(&news->expunged, view->uids[index], view->uids[index]);
    }
    if (news->n_expunged == 0)
        return;
    while (from < view->count)
        move_row(view, to++, from++);
    view->count = to;
}

static void reverse(uint32_t *items, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        uint32_t item = items[i];

        items[i] = items[count - 1 - i];
        items[count - 1 - i] = item;
    }
}

void view_remove(struct view *view, const struct uidset *uids, struct view_news *news)
{
    AUTO(uidset_free) struct uidset all = { 0 };

    uidset_copy(&all, &view->gone);
    for (size_t i = 0; uids != NULL && i < uids->count; i++)
        uidset_add(&all, uids->ranges[i].lo, uids->ranges[i].hi);
    remove_rows(view, &all, news);
    reverse(news->expunged_seqs, news->n_expunged);
    uidset_free(&view->gone);
}

static void note_vanished(struct view *view, const struct uidset *vanished)
{
    struct view_walk walk = { 0 };
    size_t index;

    while (view_next(view, vanished, &walk, &index))
        uidset_add(&view->gone, view->uids[index], view->uids[index]);
}

static void note_changed(struct view *view, size_t index, const struct mail *mail,
                         struct view_news *news)
{
    bool tell = view->flags[index] != mail->flags ||
                (view->tells_modseq && view->modseqs[index] != mail->modseq);

    view_set(view, index, mail->flags, mail->modseq);
    if (!tell)
        return;
    news->changed =
        mem_grow(news->changed, &news->changed_room, news->n_changed + 1, sizeof(*news->changed));
    news->changed[news->n_changed++] = (uint32_t)index;
}

void view_apply(struct view *view, const struct changes *changes, bool may_expunge,
                struct view_news *news)
{
    uint32_t last = view->count > 0 ? view->uids[view->count - 1] : 0;
    size_t i = 0, index;
    bool was_held = view->gone.count > 0;

    note_vanished(view, &changes->vanished);
    if (!was_held)
        view->held_modseq = view->modseq;
    if (may_expunge && view->gone.count > 0)
        view_remove(view, NULL, news);
    for (; i < changes->count && changes->mails[i].uid <= last; i++)
        if (view_find(view, changes->mails[i].uid, &index))
            note_changed(view, index, &changes->mails[i], news);
    news->grown = i < changes->count;
    if (view->count + changes->count - i > view->room)
        resize(view, view->count + changes->count - i);
    for (; i < changes->count; i++)
        put_row(view, view->count++, &changes->mails[i]);
    view->uidvalidity = changes->uidvalidity;
    view->uidnext = changes->uidnext;
    view->modseq = changes->modseq;
}

void view_news_free(struct view_news *news)
{
    uidset_free(&news->expunged);
    free(news->expunged_seqs);
    free(news->changed);
    *news = (struct view_news){ 0 };
}

/* "n:*" names the last message even when n is past it (RFC 3501 section 6.4.8); what the client
 * named as a number must be there. */
static bool resolve_seqs(const struct view *view, struct seq_range range, struct uidset *uids_out)
{
    if ((range.lo != SEQSET_STAR && range.hi != SEQSET_STAR && range.hi > view->count))
        return false;
    if (view->count == 0)
        return true;
    if (range.hi == SEQSET_STAR)
        range.hi = (uint32_t)view->count;
    if (range.lo == SEQSET_STAR || range.lo > range.hi)
        range.lo = range.hi;
    uidset_add(uids_out, view->uids[range.lo - 1], view->uids[range.hi - 1]);
    return true;
}

static void resolve_uids(const struct view *view, struct seq_range range, struct uidset *uids_out)
{
    uint32_t last = view->count > 0 ? view->uids[view->count - 1] : 0;

    if (last == 0)
        return;
    if (range.hi == SEQSET_STAR) {
        range.hi = last;
        if (range.lo == SEQSET_STAR || range.lo > last)
            range.lo = last;
    }
    if (range.lo <= last)
        uidset_add(uids_out, range.lo, MIN(range.hi, last));
}

bool view_resolve(const struct view *view, const struct seqset *set, bool by_uid,
                  struct uidset *uids_out)
{
    *uids_out = (struct uidset){ 0 };
    if (set->saved)
        uidset_copy(uids_out, &view->saved);
    for (size_t i = 0; i < set->count; i++) {
        if (by_uid) {
            resolve_uids(view, set->ranges[i], uids_out);
        } else if (!resolve_seqs(view, set->ranges[i], uids_out)) {
            uidset_free(uids_out);
            return false;
        }
    }
    return true;
}

bool view_next(const struct view *view, const struct uidset *uids, struct view_walk *walk,
               size_t *index_out)
{
    for (; walk->range < uids->count; walk->range++) {
        const struct uid_range *range = &uids->ranges[walk->range];

        if (walk->index < view->count && view->uids[walk->index] < range->lo)
            walk->index = view_lower(view, range->lo);
        if (walk->index < view->count && view->uids[walk->index] <= range->hi) {
            *index_out = walk->index++;
            return true;
        }
    }
    return false;
}

void view_subtract(const struct view *view, struct uidset *uids)
{
    AUTO(uidset_free) struct uidset all = { 0 };
    struct view_walk walk = { 0 };
    size_t index;

    uidset_copy(&all, uids);
    while (view_next(view, &all, &walk, &index))
        uidset_remove(uids, view->uids[index], view->uids[index]);
}

void view_free(struct view *view)
{
    free(view->uids);
    free(view->sizes);
    free(view->flags);
    free(view->modseqs);
    free(view->msgs);
    free(view->received_ms);
    uidset_free(&view->gone);
    uidset_free(&view->recent);
    uidset_free(&view->saved);
    *view = (struct view){ 0 };
}
