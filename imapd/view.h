/* view.h - the selected mailbox as this session has told its client.
 *
 * Sequence number n is index n - 1. The arrays say what the client knows: whoever changes flags and
 * tells the client (STORE, FETCH that sets \Seen) puts the new values in with view_set(), and the
 * next view_apply() finds nothing new. A message that somebody expunged stays, in `gone`, until the
 * client may hear of it (RFC 3501 section 7.4.1: never during FETCH, STORE, SEARCH).
 *
 * Compact on purpose: 40 bytes a message, in arrays of one kind, so that SEARCH and FETCH run
 * through what they need only. Pure: knows no store and no wire.
 */
#pragma once

#include "imapd/seqset.h"
#include "storage/mail.h"

struct view {
    uint64_t mailbox;
    bool read_only;    /* EXAMINE */
    bool tells_modseq; /* CONDSTORE is enabled: a new modseq is news, too */
    uint32_t uidvalidity, uidnext;
    uint64_t modseq;        /* the store's state that the arrays reflect */
    uint64_t keywords_told; /* bits of keywords named in FLAGS */

    size_t count, room;
    uint32_t *uids; /* ascending */
    uint32_t *sizes;
    uint64_t *flags, *modseqs, *msgs;
    int64_t *received_ms;

    struct uidset gone;   /* expunged, the client does not know yet; all are still in `uids` */
    uint64_t held_modseq; /* the client may know all up to here, but not `gone` */
    struct uidset recent; /* \Recent; may name UIDs that are not there */
    struct uidset saved;  /* "$", RFC 5182 */
};

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

/* Takes over what changed in the store since view->modseq. With `may_expunge` removes what is
 * gone, else keeps it. `news` starts as { 0 }. */
void view_apply(struct view *view, const struct changes *changes, bool may_expunge,
                struct view_news *news);
void view_news_free(struct view_news *news);

/* What the client knows of the message at an index; only view.c looks at the arrays themselves. */
static inline uint32_t view_uid(const struct view *view, size_t index)
{
    return view->uids[index];
}

static inline uint32_t view_size(const struct view *view, size_t index)
{
    return view->sizes[index];
}

static inline uint64_t view_flags(const struct view *view, size_t index)
{
    return view->flags[index];
}

static inline uint64_t view_modseq(const struct view *view, size_t index)
{
    return view->modseqs[index];
}

static inline uint64_t view_msg(const struct view *view, size_t index)
{
    return view->msgs[index];
}

static inline int64_t view_received_ms(const struct view *view, size_t index)
{
    return view->received_ms[index];
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

void view_free(struct view *view); /* becomes { 0 } */
