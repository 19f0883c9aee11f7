/* view.h - the selected mailbox as this session has told its client.
 *
 * Sequence number n is index n - 1. The rows say what the client knows: whoever changes flags and
 * tells the client (STORE, FETCH that sets \Seen) puts the new values in with view_set(), and the
 * next view_apply() finds nothing new. A message that somebody expunged stays, in `gone`, until the
 * client may hear of it (RFC 3501 section 7.4.1: never during FETCH, STORE, SEARCH).
 *
 * Compact on purpose: about 12 bytes a message, in chunks that the sessions of a worker share as
 * far as they know the same (view/table.h, view/snapshot.h). Pure: knows no store and no wire.
 */
#pragma once

#include "imapd/seqset.h"
#include "imapd/view/table.h"

struct view {
    uint64_t mailbox;
    bool read_only;    /* EXAMINE */
    bool tells_modseq; /* CONDSTORE is enabled: a new modseq is news, too */
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;        /* the store's state that the rows reflect */
    uint64_t keywords_told; /* bits of keywords named in FLAGS */

    size_t count;
    struct table table; /* `count` rows; look at them with the functions below */

    struct uidset gone;   /* expunged, the client does not know yet; all are still in the table */
    uint64_t held_modseq; /* the client may know all up to here, but not `gone` */
    struct uidset recent; /* \Recent; may name UIDs that are not there */
    struct uidset saved;  /* "$", RFC 5182 */

    bool watched;          /* collect what changes: searches are kept up to date */
    struct uidset touched; /* messages that changed or came; may name UIDs that are not there */
};

/* What changed in the store since view->modseq. */
struct view_changes {
    struct changes head; /* without its mails */
    struct table mails;
    uint64_t flags; /* those that any of them has */
};
/* Adds mails; a mail_sink with the changes as context. */
void view_changes_take(void *changes, const struct mail *mails, size_t count);
void view_changes_free(struct view_changes *changes);

/* What view_apply() changed, to be told to the client in this order: expunges, size, flags. */
struct view_news {
    struct uidset expunged;  /* UIDs, for VANISHED */
    uint32_t *expunged_seqs; /* descending: each is right when the ones before it are done */
    size_t n_expunged;
    bool grown;        /* new messages at the end */
    uint32_t *changed; /* indexes (after expunges) of known messages with other flags or
                          modseq */
    size_t n_changed, changed_room;
};

/* Takes over what changed in the store since view->modseq; takes the rows out of `changes` where
 * the view has none. With `may_expunge` removes what is gone, else keeps it. `news` starts as
 * { 0 }. */
void view_apply(struct view *view, struct view_changes *changes, bool may_expunge,
                struct view_news *news);
void view_news_free(struct view_news *news);

/* What the client knows of the message at an index. */
static inline uint32_t view_uid(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return chunk_uid(chunk, row);
}

static inline uint32_t view_size(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return (uint32_t)chunk_value(chunk, CHUNK_SIZE, row);
}

static inline uint64_t view_flags(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return chunk_flags(chunk, row);
}

static inline uint64_t view_modseq(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return (uint64_t)chunk_value(chunk, CHUNK_MODSEQ, row);
}

static inline uint64_t view_msg(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return chunk_msg(chunk, row);
}

static inline int64_t view_received_ms(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return chunk_value(chunk, CHUNK_RECEIVED, row);
}

static inline int64_t view_saved_ms(const struct view *view, size_t index)
{
    size_t row;
    const struct chunk *chunk = table_at(&view->table, index, &row);

    return chunk_saved_ms(chunk, row);
}

/* Index of a UID; false when it is not there. */
bool view_find(const struct view *view, uint32_t uid, size_t *index_out);
size_t view_lower(const struct view *view, uint32_t uid); /* index of the first UID >= uid */
bool view_is_recent(const struct view *view, size_t index);
size_t view_count_recent(const struct view *view);
size_t view_first_unseen(const struct view *view); /* index; count if there is none */

/* The client is told these values by the caller. */
void view_set(struct view *view, size_t index, uint64_t flags, uint64_t modseq);

/* Removes messages that the caller expunged (EXPUNGE, MOVE) and earlier ones in `gone`; fills the
 * expunge part of `news`. */
void view_remove(struct view *view, const struct uidset *uids, struct view_news *news);

/* The messages a set names, as UIDs; gaps between UIDs may be included, UIDs over the last one are
 * not. False: a sequence number that is not there (BAD), `uids_out` is empty then. With `by_uid` it
 * cannot fail. Free `uids_out`. */
bool view_resolve(const struct view *view, const struct seqset *set, bool by_uid,
                  struct uidset *uids_out) MUST_CHECK;

/* Takes out of a set what is in the view: what is gone by the store, but not yet for the client. */
void view_subtract(const struct view *view, struct uidset *uids);

/* Walks the messages of a set in order; start with { 0 }. The view may not change meanwhile (it
 * does not, within one command: news are applied at its end). */
struct view_walk {
    size_t range, index;
};
bool view_next(const struct view *view, const struct uidset *uids, struct view_walk *walk,
               size_t *index_out);
/* The same, of those with a greater modseq. */
bool view_next_since(const struct view *view, const struct uidset *uids, uint64_t modseq,
                     struct view_walk *walk, size_t *index_out);
/* The same from the last message to the first. */
bool view_previous(const struct view *view, const struct uidset *uids, struct view_walk *walk,
                   size_t *index_out);

/* How many messages a set names. */
size_t view_count(const struct view *view, const struct uidset *uids);

/* For commands that change many messages a turn at a time: takes the first up to `max` messages
 * out of a set, with the gaps between them and, when they are the last, all behind them. False:
 * there are none. Free `part_out`. */
bool view_take(const struct view *view, struct uidset *uids, size_t max, struct uidset *part_out);
/* The same from the end. */
bool view_take_last(const struct view *view, struct uidset *uids, size_t max,
                    struct uidset *part_out);

void view_free(struct view *view); /* becomes { 0 } */
