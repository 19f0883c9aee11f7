/* search_run.h - runs a SEARCH program over a mailbox in bounded steps.
 *
 *     run.program parsed --search_bind()--> search_run_start() --search_run_step()--> ... DONE
 *
 * Works through the view in slices: for each, the cheap keys first; of what they leave open the
 * index says what cannot match; then the stored ENVELOPEs of all are looked at; what is still open
 * is read, message by message.
 *
 * With `enough` it goes from that end, and stops where what it has found cannot change any more.
 *
 * Knows no client and no wire: the view may be the selected mailbox or another one, and must stay
 * as it is until the run is done. Ownership: buffers of the run; free with search_run_free(), which
 * also frees the program. Threads: one worker at a time.
 */
#pragma once

#include "imapd/search.h"
#include "imapd/search_index.h"

enum search_step { SEARCH_STEP_MORE, SEARCH_STEP_DONE, SEARCH_STEP_FAILED };

/* Where a program runs; what it points to outlives the run. */
struct search_where {
    const struct view *view;
    const struct keywords *keywords;
    const struct settings *settings;
    const struct uidset *among; /* UIDs to look at; NULL: all */
    size_t enough;              /* so many of the first, or with from_end of the last; 0: all */
    bool from_end;
};

struct search_run {
    struct search_program program; /* parsed and bound before the start */
    struct search_where where;
    struct search_index index;
    size_t next; /* index in the view; with `among` it is the view's end once all were looked at */
    struct view_walk walk; /* with `among` */
    size_t shift;          /* from `next` to the index, modulo its size; 0 unless from_end */
    struct uidset among;   /* of the run's own, if where.among points here */

    uint32_t *found; /* indexes; ascending once the run is done */
    size_t n_found, room;
    uint8_t *scores;   /* of what was found, 1 to 100, once the run is done; NULL without FUZZY */
    uint8_t *score_at; /* the same by index in the view */

    struct object_ids *objects; /* of this slice, if keys need them */
    size_t *objects_at;         /* their indexes, ascending */
    size_t n_objects;

    size_t *open; /* indexes of this slice that need more */
    uint64_t *msgs;
    size_t n_open, n_looked;
    struct buf bytes, envelope, scratch;
    struct arena tree;
    struct search_data loaded; /* the message that is looked at, with has_message */
};

void search_run_start(struct search_run *run, const struct search_where *where);

/* The next bounded piece of work. `account`: the mailbox's, as lent for this call. Messages that
 * are gone from the store meanwhile do not match. */
enum search_step search_run_step(struct search_run *run, struct account *account,
                                 struct error *err);

void search_run_free(struct search_run *run);
