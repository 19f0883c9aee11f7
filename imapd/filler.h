/* filler.h - fills the search indexes of all accounts (storage/search.h), in a thread of its own.
 *
 *     start: every account once     notice: that account, once it has been quiet for a second
 *
 * The thread has the lowest priority there is and a desk of its own, so that it takes nothing from
 * deliveries and sessions but what they leave. A piece that fails is tried again a minute later.
 *
 * Threads: the calls below on the loop thread; they never wait for the filling, but for its end.
 */
#pragma once

#include "storage/store.h"

struct filler;

/* Aborts when there are no threads, as at start. Errors: of desk_open(). */
bool filler_new(struct store *store, const struct log *log, struct filler **filler_out,
                struct error *err) MUST_CHECK;
/* After the piece in hand. NULL inside is fine. */
void filler_free(struct filler **filler);

void filler_note(struct filler *filler, uint64_t account); /* its mail has changed */

/* Of all accounts that have been looked at: ,"messages":N,"indexed":N */
void filler_report(struct filler *filler, struct buf *out);
