/* view.c - see view.h. */
#include "imapd/view.h"
#include "common/mem.h"

#include <stdlib.h>

void view_changes_take(void *changes, const struct mail *mails, size_t count)
{
    struct view_changes *all = changes;

    table_append(&all->mails, mails, count);
    for (size_t i = 0; i < count; i++)
        all->flags |= mails[i].flags;
}

void view_changes_free(struct view_changes *changes)
{
    changes_free(&changes->head);
    table_free(&changes->mails);
    *changes = (struct view_changes){ 0 };
}

size_t view_lower(const struct view *view, uint32_t uid)
{
    return table_lower(&view->table, uid);
}

bool view_find(const struct view *view, uint32_t uid, size_t *index_out)
{
    *index_out = view_lower(view, uid);
    return *index_out < view->count && view_uid(view, *index_out) == uid;
}

bool view_is_recent(const struct view *view, size_t index)
{
    return view->recent.count > 0 && uidset_has(&view->recent, view_uid(view, index));
}

/* Index of the first UID over `uid`. */
static size_t upper(const struct view *view, uint32_t uid)
{
    return uid == UINT32_MAX ? view->count : view_lower(view, uid + 1);
}

size_t view_count_recent(const struct view *view)
{
    return view_count(view, &view->recent);
}

size_t view_first_unseen(const struct view *view)
{
    return table_first_lacking(&view->table, MAIL_SEEN);
}

void view_set(struct view *view, size_t index, uint64_t flags, uint64_t modseq)
{
    if (view_flags(view, index) != flags || view_modseq(view, index) != modseq)
        table_set(&view->table, index, flags, modseq);
    if (view->watched)
        uidset_add(&view->touched, view_uid(view, index), view_uid(view, index));
}

static void take_out(struct view *view, const uint32_t *indexes, size_t count)
{
    table_remove(&view->table, indexes, count);
    view->count = view->table.count;
}

/* The rows are moved together once, however many messages go. */
static void remove_rows(struct view *view, const struct uidset *uids, struct view_news *news)
{
    struct view_walk walk = { 0 };
    size_t index, room = 0;

    while (view_next(view, uids, &walk, &index)) {
        uint32_t uid = view_uid(view, index);

        news->expunged_seqs = mem_grow(news->expunged_seqs, &room, news->n_expunged + 1,
                                       sizeof(*news->expunged_seqs));
        news->expunged_seqs[news->n_expunged++] = (uint32_t)index;
        uidset_add(&news->expunged, uid, uid);
    }
    take_out(view, news->expunged_seqs, news->n_expunged);
    for (size_t i = 0; i < news->n_expunged; i++)
        news->expunged_seqs[i]++;
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
    if (uids != NULL)
        uidset_add_all(&all, uids);
    remove_rows(view, &all, news);
    reverse(news->expunged_seqs, news->n_expunged);
    uidset_free(&view->gone);
}

static void note_vanished(struct view *view, const struct uidset *vanished)
{
    struct view_walk walk = { 0 };
    size_t index;

    while (view_next(view, vanished, &walk, &index))
        uidset_add(&view->gone, view_uid(view, index), view_uid(view, index));
}

static void note_changed(struct view *view, size_t index, const struct mail *mail,
                         struct view_news *news)
{
    bool tell = view_flags(view, index) != mail->flags ||
                (view->tells_modseq && view_modseq(view, index) != mail->modseq);

    view_set(view, index, mail->flags, mail->modseq);
    if (!tell)
        return;
    news->changed =
        mem_grow(news->changed, &news->changed_room, news->n_changed + 1, sizeof(*news->changed));
    news->changed[news->n_changed++] = (uint32_t)index;
}

/* Rows of known messages; returns how many of the changes these are. */
static size_t apply_known(struct view *view, const struct view_changes *changes,
                          struct view_news *news)
{
    uint32_t last = view->count > 0 ? view_uid(view, view->count - 1) : 0;
    struct mail mail;
    size_t i = 0, index;

    for (; i < changes->mails.count; i++) {
        table_row(&changes->mails, i, &mail);
        if (mail.uid > last)
            break;
        if (view_find(view, mail.uid, &index))
            note_changed(view, index, &mail, news);
    }
    return i;
}

static void apply_new(struct view *view, struct view_changes *changes, size_t first)
{
    struct table *mails = &changes->mails;

    if (view->table.count == 0 && first == 0) {
        table_free(&view->table);
        view->table = *mails;
        *mails = (struct table){ 0 };
    } else {
        table_append_from(&view->table, mails, first);
    }
    view->count = view->table.count;
}

void view_apply(struct view *view, struct view_changes *changes, bool may_expunge,
                struct view_news *news)
{
    bool was_held = view->gone.count > 0;
    size_t n_known;
    uint32_t last;

    note_vanished(view, &changes->head.vanished);
    if (!was_held)
        view->held_modseq = view->modseq;
    if (may_expunge && view->gone.count > 0)
        view_remove(view, NULL, news);
    last = view->count > 0 ? view_uid(view, view->count - 1) : 0;
    n_known = apply_known(view, changes, news);
    news->grown = n_known < changes->mails.count;
    apply_new(view, changes, n_known);
    if (view->watched && news->grown)
        uidset_add(&view->touched, last + 1, view_uid(view, view->count - 1));
    view->uidvalidity = changes->head.uidvalidity;
    view->uidnext = changes->head.uidnext;
    view->modseq = changes->head.modseq;
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
    uidset_add(uids_out, view_uid(view, range.lo - 1), view_uid(view, range.hi - 1));
    return true;
}

static void resolve_uids(const struct view *view, struct seq_range range, struct uidset *uids_out)
{
    uint32_t last = view->count > 0 ? view_uid(view, view->count - 1) : 0;

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

        if (walk->index < view->count && view_uid(view, walk->index) < range->lo)
            walk->index = view_lower(view, range->lo);
        if (walk->index < view->count && view_uid(view, walk->index) <= range->hi) {
            *index_out = walk->index++;
            return true;
        }
    }
    return false;
}

bool view_next_since(const struct view *view, const struct uidset *uids, uint64_t modseq,
                     struct view_walk *walk, size_t *index_out)
{
    do {
        walk->index = table_skip(&view->table, walk->index, modseq);
        if (!view_next(view, uids, walk, index_out))
            return false;
    } while (view_modseq(view, *index_out) <= modseq);
    return true;
}

/* walk->range and walk->index count from the end. */
bool view_previous(const struct view *view, const struct uidset *uids, struct view_walk *walk,
                   size_t *index_out)
{
    for (; walk->range < uids->count; walk->range++) {
        const struct uid_range *range = &uids->ranges[uids->count - 1 - walk->range];
        size_t left = view->count - walk->index;

        if (left > 0 && view_uid(view, left - 1) > range->hi) {
            left = view_lower(view, range->hi + 1);
            walk->index = view->count - left;
        }
        if (left > 0 && view_uid(view, left - 1) >= range->lo) {
            *index_out = left - 1;
            walk->index++;
            return true;
        }
    }
    return false;
}

size_t view_count(const struct view *view, const struct uidset *uids)
{
    size_t count = 0;

    for (size_t i = 0; i < uids->count; i++)
        count += upper(view, uids->ranges[i].hi) - view_lower(view, uids->ranges[i].lo);
    return count;
}

/* The UID of the max-th message of a set; the last there is if there are fewer. */
static uint32_t end_of_part(const struct view *view, const struct uidset *uids, size_t max)
{
    for (size_t i = 0; i < uids->count; i++) {
        size_t first = view_lower(view, uids->ranges[i].lo);
        size_t end = upper(view, uids->ranges[i].hi);

        if (end - first > max)
            return view_uid(view, first + max - 1);
        max -= end - first;
        if (max == 0)
            return uids->ranges[i].hi;
    }
    return UINT32_MAX;
}

static bool take(struct uidset *uids, struct uid_range range, struct uidset *part_out)
{
    const struct uidset within = { &range, 1, 1 };

    *part_out = (struct uidset){ 0 };
    uidset_intersect(uids, &within, part_out);
    uidset_remove(uids, range.lo, range.hi);
    return part_out->count > 0;
}

bool view_take(const struct view *view, struct uidset *uids, size_t max, struct uidset *part_out)
{
    return take(uids, (struct uid_range){ 1, end_of_part(view, uids, max) }, part_out);
}

/* The UID of the max-th message from the end of a set; the least there is if there are fewer. */
static uint32_t start_of_part(const struct view *view, const struct uidset *uids, size_t max)
{
    for (size_t i = uids->count; i > 0; i--) {
        size_t first = view_lower(view, uids->ranges[i - 1].lo);
        size_t end = upper(view, uids->ranges[i - 1].hi);

        if (end - first > max)
            return view_uid(view, end - max);
        max -= end - first;
        if (max == 0)
            return uids->ranges[i - 1].lo;
    }
    return 1;
}

bool view_take_last(const struct view *view, struct uidset *uids, size_t max,
                    struct uidset *part_out)
{
    return take(uids, (struct uid_range){ start_of_part(view, uids, max), UINT32_MAX }, part_out);
}

void view_subtract(const struct view *view, struct uidset *uids)
{
    AUTO(uidset_free) struct uidset all = { 0 };
    struct view_walk walk = { 0 };
    size_t index;

    uidset_copy(&all, uids);
    while (view_next(view, &all, &walk, &index))
        uidset_remove(uids, view_uid(view, index), view_uid(view, index));
}

void view_free(struct view *view)
{
    table_free(&view->table);
    uidset_free(&view->gone);
    uidset_free(&view->recent);
    uidset_free(&view->saved);
    uidset_free(&view->touched);
    *view = (struct view){ 0 };
}
