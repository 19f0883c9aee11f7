/* table.h - the messages of a mailbox in order, in chunks that tables share (chunk.h).
 *
 *     starts:   0       1024      1200      2224        index of each chunk's first row
 *     chunks: [ 1024 ] [ 176 ] [ 1024 ] [ 300 ... ]     those before the last may be short, too
 *
 * To look at a row costs a look at the chunk used last, and a binary search where that was another.
 *
 * Threads: as chunk.h. { 0 } is an empty table.
 */
#pragma once

#include "imapd/view/chunk.h"

struct table {
    size_t count; /* rows */
    struct chunk **chunks;
    uint32_t *starts; /* n_chunks + 1 of them; the last is `count` */
    size_t n_chunks, room;
    size_t *hint; /* the chunk looked at last: not a part of what a table says */
};

void table_free(struct table *table); /* becomes { 0 } */

/* Adds rows at the end; their UIDs are greater than all that are there. */
void table_append(struct table *table, const struct mail *rows, size_t count);
/* Adds the rows of another table, from one on. */
void table_append_from(struct table *table, const struct table *from, size_t first);
void table_set(struct table *table, size_t index, uint64_t flags, uint64_t modseq);
/* Takes out the rows of some indexes, ascending. Copies only the chunks they are in. */
void table_remove(struct table *table, const uint32_t *indexes, size_t count);

/* Makes `to` the same as `from`, sharing all of it. */
void table_share(struct table *to, const struct table *from);
/* Takes `from`'s chunks in the place of `table`'s where they hold the same rows. */
void table_unite(struct table *table, const struct table *from);

/* Index of the first row with a UID >= uid. */
size_t table_lower(const struct table *table, uint32_t uid);
/* Index of the first row that lacks some of the flags; `count` if there is none. */
size_t table_first_lacking(const struct table *table, uint64_t flags);
/* `index`, or where the next chunk begins in which a modseq may be greater; `count` if none is. */
size_t table_skip(const struct table *table, size_t index, uint64_t modseq);
void table_row(const struct table *table, size_t index, struct mail *mail_out);

size_t table_bytes(const struct table *table);   /* of memory, shared or not */
bool table_is_shared(const struct table *table); /* another one has some of its chunks */

void table_seek(const struct table *table, size_t index); /* sets the hint */

/* The chunk of a row, and the row's place in it. */
static inline const struct chunk *table_at(const struct table *table, size_t index, size_t *row_out)
{
    size_t at = *table->hint;

    if (index < table->starts[at] || index >= table->starts[at + 1]) {
        table_seek(table, index);
        at = *table->hint;
    }
    *row_out = index - table->starts[at];
    return table->chunks[at];
}
