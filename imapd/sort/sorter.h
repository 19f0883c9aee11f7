/* sorter.h - puts records in the order of their bytes, with bounded memory.
 *
 *     sorter_add() --> [ run ] full --> sorted, to the file     sorter_next() <-- [ run | run | run
 * ]
 *
 * Runs are merged while they are read back: each is sorted in itself, and a heap knows which of
 * them has the least record in front. What fits one run never sees a file. Records should differ
 * (SORT's and THREAD's end with a number), or else their order is not defined.
 *
 * Bounds: one add sorts a run at most, about a megabyte. Ownership: sorter_free(); { 0 } may be
 * freed. Threads: one at a time.
 */
#pragma once

#include "storage/spill.h"

#define SORTER_RECORD_MAX 8192

struct sorter_entry {
    uint64_t prefix; /* the record's first bytes */
    uint32_t at;     /* in `bytes`: its length, then it */
};

struct sorter_run {
    uint64_t at, end; /* what of it has not been read */
    struct buf bytes; /* of the file, from the record in front on */
    size_t next;      /* in `bytes`: the length of the record in front, then it */
};

struct sorter {
    struct spill spill;
    size_t room;      /* bytes of a run */
    struct buf bytes; /* the run that is gathered */
    struct sorter_entry *entries;
    size_t n_entries, entries_room;
    size_t next; /* entry, when all is in memory */

    struct sorter_run *runs;
    size_t n_runs, runs_room;
    size_t window;  /* bytes read from a run at once */
    uint32_t *heap; /* runs, the one with the least record on top */
    size_t n_heap;
    bool begun; /* the top has been handed out */
};

void sorter_start(struct sorter *sorter, const struct store *store, size_t room);
bool sorter_add(struct sorter *sorter, struct slice record, struct error *err) MUST_CHECK;
/* No more will come. */
bool sorter_end(struct sorter *sorter, struct error *err) MUST_CHECK;
/* The next record, valid until the next call. There are as many as were added. */
bool sorter_next(struct sorter *sorter, struct slice *record_out, struct error *err) MUST_CHECK;
void sorter_free(struct sorter *sorter);
