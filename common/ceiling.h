/* ceiling.h - how much memory the process may have, and how much it has: [limits] memory.
 *
 *     0 ------ PLENTY ------ 3/4 ------ TIGHT ------ 7/8 ------ SCARCE ------ the ceiling
 *
 * What counts is the memory that is the process's own (RssAnon: not what is mapped of databases and
 * libraries, which the kernel takes back as it likes). It is measured while there is something to
 * do, so nothing that was forgotten in an account can grow unseen. From TIGHT on sessions get
 * smaller buffers and caches are dropped; when it is SCARCE nobody new comes in, and what would
 * take much is refused with the protocol's "later". Sessions that are there go on.
 *
 * What a client makes us keep while we wait for the rest is held: ceiling_hold() says no when all
 * that is held would be more than half of the ceiling, or when memory is scarce; then it is
 * refused, or goes to a file. So many clients who send the beginnings of much cannot fill the
 * memory, however fast they are.
 *
 * Threads: all but ceiling_set() and ceiling_look() from any. There is one for the process, as
 * there is one memory.
 */
#pragma once

#include "common/error.h"

enum ceiling_state {
    CEILING_PLENTY,
    CEILING_TIGHT,
    CEILING_SCARCE,
};

/* Before any thread. 0: none, it is always PLENTY. The file it measures by stays open. */
bool ceiling_set(size_t bytes, struct error *err) MUST_CHECK;

/* Measures, if the last time is long enough ago, and returns what is so now. One thread at a time.
 */
enum ceiling_state ceiling_look(uint64_t now_ms);

enum ceiling_state ceiling_state(void);
size_t ceiling_bytes(void); /* what was set */
size_t ceiling_used(void);  /* as it was last measured */
size_t ceiling_held(void);

/* What one owner holds; all zero at first. */
struct held {
    size_t bytes;
};

/* From now on it is so many. False when that is more than before and too much: nothing changes.
 * ceiling_hold(held, 0) always works. */
bool ceiling_hold(struct held *held, size_t bytes);
