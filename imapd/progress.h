/* progress.h - how far a long command has come, told to its client now and then: INPROGRESS (RFC
 * 9585).
 *
 * A command that returns NEXT_AGAIN between two lines of its answer says how far it is; whether
 * that is told is decided in one place, by the time since the last word.
 */
#pragma once

#include "imapd/client.h"

/* Right before NEXT_AGAIN, never in the middle of a response. `goal` 0: not known. */
void progress_set(struct client *client, uint64_t done, uint64_t goal);

/* session.c's part: a command begins; it has returned NEXT_AGAIN. */
void progress_begin(struct client *client);
void progress_tell(struct call *call);
