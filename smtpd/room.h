/* room.h - is there room in a mailbox: quotas, remembered for a moment.
 *
 * RCPT asks for every recipient; the answer "enough" is good for a second, so that a burst to one
 * account reads its quota once. A "no" is never remembered. What slips through in that second is
 * refused at delivery and returned to its sender.
 *
 * Threads: any worker; one lock inside, not held while reading.
 */
#pragma once

#include "storage/account.h"

struct room;

enum room_state {
    ROOM_ENOUGH,
    ROOM_FULL,  /* may have room later */
    ROOM_NEVER, /* larger than the whole quota */
};

struct room *room_new(void);
void room_free(struct room **room);
void room_forget(struct room *room); /* quotas were changed */

bool room_for(struct room *room, struct desk *desk, uint64_t account, uint64_t size,
              enum room_state *state_out, struct error *err) MUST_CHECK;
