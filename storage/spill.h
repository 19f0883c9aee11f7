/* spill.h - bytes that a command sets aside while it works: in memory as long as they are few, then
 * in a file of the data directory's tmp/ that has lost its name already.
 *
 *     spill_start() -> spill_add()... -> spill_end() -> spill_read(), spill_change(), spill_take()
 *
 * Nothing of it outlives the command, so nothing is synced; what a crash leaves between the making
 * of the file and the loss of its name is the sweeper's.
 *
 * Threads: one at a time. Ownership: spill_free(). { 0 } is empty and may be freed.
 */
#pragma once

#include "storage/store.h"

struct spill {
    const struct store *store;
    size_t room;      /* bytes of memory before there is a file */
    struct buf bytes; /* all, or what is not yet in the file */
    bool has_file;
    int fd;
    uint64_t size;
};

/* Where a reader stands: from the start on with { 0 }. */
struct spill_reader {
    uint64_t at; /* of what comes behind `bytes` */
    size_t next, len;
    unsigned char bytes[16 * 1024];
};

void spill_start(struct spill *spill, const struct store *store, size_t room);
bool spill_add(struct spill *spill, const void *data, size_t len, struct error *err) MUST_CHECK;
/* Before the first read: what is in memory beside a file goes into it, too. */
bool spill_end(struct spill *spill, struct error *err) MUST_CHECK;

/* Both lie within what was added. */
bool spill_read(const struct spill *spill, uint64_t at, void *data, size_t len,
                struct error *err) MUST_CHECK;
bool spill_change(struct spill *spill, uint64_t at, const void *data, size_t len,
                  struct error *err) MUST_CHECK;

/* The next `len` bytes, which are there; len divides the reader's size. */
bool spill_take(const struct spill *spill, struct spill_reader *reader, void *data, size_t len,
                struct error *err) MUST_CHECK;

void spill_free(struct spill *spill);
