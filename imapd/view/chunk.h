/* chunk.h - up to a thousand messages of a view, packed; shared by the views that agree on them.
 *
 * A column holds each value less what was expected of it, in as many bytes as the greatest
 * difference takes: none at all when the UIDs follow one another or all came at the same time.
 * Flags are numbers of a palette, since few combinations occur side by side. A message takes 8 to
 * 16 bytes so.
 *
 * A chunk with more than one reference is never written: chunk_own() first.
 *
 * Threads: references are counted without locks, so all views that share chunks belong to sessions
 * of one worker (cache.h).
 */
#pragma once

#include "storage/mail.h"

#include <endian.h>

#define CHUNK_ROWS    1024 /* at most */
#define CHUNK_PALETTE 256  /* combinations of flags at most; with more, flags are stored whole */

enum chunk_column {
    CHUNK_UID,   /* less the index */
    CHUNK_FLAGS, /* number in the palette, or the flags themselves when there is none */
    CHUNK_MODSEQ,
    CHUNK_SIZE,
    CHUNK_MSG, /* less the index */
    CHUNK_RECEIVED,
    CHUNK_SAVED, /* less the time received, where that is shorter */
    CHUNK_COLUMNS,
};

struct chunk_part {
    int64_t base;   /* of all values */
    uint64_t mask;  /* of the bytes that hold the rest: 0 or 2^(8 * width) - 1 */
    uint32_t at;    /* in bytes[] */
    uint32_t width; /* bytes for each value, 0..8 */
};

struct chunk {
    unsigned refs;
    uint16_t count, room;             /* rows */
    uint16_t n_palette, palette_room; /* room 0: no palette */
    bool saved_is_delay;              /* CHUNK_SAVED is counted from CHUNK_RECEIVED */
    uint32_t len;                     /* of bytes[] */
    uint64_t last_modseq;             /* no row has a greater one */
    struct chunk_part parts[CHUNK_COLUMNS];
    unsigned char bytes[]; /* the palette, the columns, and 8 more so that any value can be read
                              as 8 bytes; 8-byte aligned */
};

/* Packs rows, with places for `room` of them in all; has one reference. */
struct chunk *chunk_new(const struct mail *rows, size_t count, size_t room);
struct chunk *chunk_share(struct chunk *chunk); /* one more reference */
void chunk_drop(struct chunk **chunk);          /* one less */

/* The same rows in a chunk that only the caller has; takes over his reference. */
struct chunk *chunk_own(struct chunk *chunk);

/* Both change an own chunk, or leave it as it is and return false where the values do not fit: the
 * caller packs it anew. */
bool chunk_set(struct chunk *chunk, size_t row, uint64_t flags, uint64_t modseq);
bool chunk_append(struct chunk *chunk, const struct mail *mail);

void chunk_row(const struct chunk *chunk, size_t row, struct mail *mail_out);
bool chunk_equal(const struct chunk *a, const struct chunk *b); /* all rows are the same */
size_t chunk_bytes(const struct chunk *chunk);                  /* of memory */
/* False: no row lacks these flags; true: there may be one. */
bool chunk_may_lack(const struct chunk *chunk, uint64_t flags);

static inline int64_t chunk_value(const struct chunk *chunk, enum chunk_column column, size_t row)
{
    const struct chunk_part *part = &chunk->parts[column];
    uint64_t rest;

    memcpy(&rest, &chunk->bytes[part->at + row * part->width], sizeof(rest));
    return (int64_t)((uint64_t)part->base + (le64toh(rest) & part->mask));
}

static inline uint32_t chunk_uid(const struct chunk *chunk, size_t row)
{
    return (uint32_t)chunk_value(chunk, CHUNK_UID, row) + (uint32_t)row;
}

static inline uint64_t chunk_flags(const struct chunk *chunk, size_t row)
{
    uint64_t value = (uint64_t)chunk_value(chunk, CHUNK_FLAGS, row);

    if (chunk->palette_room > 0)
        memcpy(&value, &chunk->bytes[value * sizeof(value)], sizeof(value));
    return value;
}

static inline uint64_t chunk_msg(const struct chunk *chunk, size_t row)
{
    return (uint64_t)chunk_value(chunk, CHUNK_MSG, row) + row;
}

static inline int64_t chunk_saved_ms(const struct chunk *chunk, size_t row)
{
    int64_t value = chunk_value(chunk, CHUNK_SAVED, row);

    if (chunk->saved_is_delay)
        value = (int64_t)((uint64_t)value + (uint64_t)chunk_value(chunk, CHUNK_RECEIVED, row));
    return value;
}
