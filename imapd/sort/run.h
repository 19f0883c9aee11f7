/* run.h - a search whose results are then put in order by their stored keys: SORT and THREAD.
 *
 *     search_run_step() ... done --> keys of what was found, a slice at a time --> kind->work()
 *                                        kind->add() for each, ascending            '-->
 * kind->tell()
 *
 * Each step is one turn (NEXT_AGAIN). What kinds add is in a struct that begins with this one and
 * lies in the call's arena.
 */
#pragma once

#include "imapd/client.h"
#include "imapd/search_return.h"
#include "imapd/search_run.h"
#include "message/sort_key.h"

struct sort_run;

struct sort_kind {
    /* Takes over the keys of message found[i]; sent_ms is the sent date of RFC 5256 section 2.2.
     * Without wants_keys `keys` is all empty. */
    bool (*add)(struct sort_run *run, size_t i, const struct sort_keys *keys, int64_t sent_ms,
                struct error *err);
    /* A turn's work. */
    enum search_step (*work)(struct sort_run *run, struct error *err);
    /* A turn's part of the answer; NEXT_AGAIN: there is more. */
    enum next (*tell)(struct call *call, struct sort_run *run);
    /* The answer will be NO; may be NULL. */
    void (*fail)(struct call *call, struct sort_run *run);
    void (*release)(struct sort_run *run); /* frees what the kind has */
};

struct sort_run {
    struct search_run search;
    const struct sort_kind *kind;
    bool wants_keys;
    bool found, telling;
    size_t n_added;
    bool failed; /* an add() has */
    struct error err;
};

/* SP charset SP search-key *(SP search-key) (RFC 5256 section 5), to the end of the arguments. */
bool sort_run_take(struct call *call, struct args *args, const struct search_return *ret,
                   struct sort_run *run);
/* Runs what was taken. The kind's own is ready for add() when all is found: see kind->add. */
enum next sort_run_start(struct call *call, struct sort_run *run);
/* The answer to arguments that could not be taken. `ret` may be NULL. */
enum next sort_run_refuse(struct call *call, struct sort_run *run, const struct search_return *ret,
                          const struct args *args);
