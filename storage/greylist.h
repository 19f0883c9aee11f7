/* greylist.h - who has tried before: triplets of network, sender and recipient, in greylist.db.
 *
 *     unknown --first try--> waiting --a try after delay_ms--> passed --keep_ms unused--> gone
 *                               '-- keep_ms without one --> gone
 *
 * The file may be lost or removed: then everybody is new. It has at most `rows_max` triplets; the
 * longest unused go first.
 *
 * Threads: any; one handle for the process.
 */
#pragma once

#include "storage/store.h"

struct greylist;

/* A file that is damaged is made anew. */
bool greylist_open(struct store *store, uint64_t rows_max, struct greylist **greylist_out,
                   struct error *err) MUST_CHECK;
void greylist_close(struct greylist **greylist);

struct greylist_triplet {
    struct slice network, sender, recipient;
    int64_t delay_ms, keep_ms, now_ms; /* now: Unix time */
};

/* *wait_ms_out: how long it has to wait still; 0: it may pass. */
bool greylist_check(struct greylist *greylist, const struct greylist_triplet *triplet,
                    uint64_t *wait_ms_out, struct error *err) MUST_CHECK;
