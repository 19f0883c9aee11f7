/* search_attempt.c - what a process that dies while it fills search.db leaves for the next one.
 *
 * A message over which imapd crashes, or is killed since it takes all memory, would be the first
 * that it takes up when it has been started again. So before each piece it is written into
 * search.lock where the piece begins and how often it was begun:
 *
 *     pieces --TRIES without end--> message by message, up to the piece's last --TRIES--> passed
 * over
 *
 * A message that is passed over is one that the index knows nothing of; searches read it. Nothing
 * is synced: after a power failure it is begun anew.
 */
#include "storage/sqlite/search_private.h"

#include <unistd.h>

#define TRIES 2

void search_attempt_begin(int lock, uint64_t last, struct search_attempt *attempt_out)
{
    struct search_attempt known;

    *attempt_out = (struct search_attempt){ .last = last };
    if (pread(lock, &known, sizeof(known), 0) == (ssize_t)sizeof(known)) {
        attempt_out->careful = known.careful;
        if (known.last == last)
            *attempt_out = known;
    }
    if (!search_attempt_is_careful(attempt_out) && attempt_out->tries >= TRIES) {
        attempt_out->careful = attempt_out->until;
        attempt_out->tries = 0;
    }
}

bool search_attempt_is_careful(const struct search_attempt *attempt)
{
    return attempt->last < attempt->careful;
}

bool search_attempt_is_enough(const struct search_attempt *attempt)
{
    return search_attempt_is_careful(attempt) && attempt->tries >= TRIES;
}

static void write_down(int lock, const struct search_attempt *attempt)
{
    ssize_t written = pwrite(lock, attempt, sizeof(*attempt), 0);

    (void)written; /* without it a crash is not noticed, no more */
}

void search_attempt_note(int lock, struct search_attempt *attempt, uint64_t until)
{
    attempt->until = until;
    attempt->tries++;
    write_down(lock, attempt);
}

void search_attempt_end(int lock, struct search_attempt *attempt)
{
    attempt->tries = 0;
    write_down(lock, attempt);
}
