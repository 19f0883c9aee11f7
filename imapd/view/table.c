/* table.c - see table.h. */
#include "imapd/view/table.h"

#include "common/mem.h"

#include <assert.h>
#include <stdlib.h>

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->n_chunks; i++)
        chunk_drop(&table->chunks[i]);
    free(table->chunks);
    free(table->starts);
    free(table->hint);
    *table = (struct table){ 0 };
}

static void reserve(struct table *table, size_t room)
{
    if (table->hint == NULL)
        table->hint = NEW(size_t);
    if (room <= table->room)
        return;
    table->room = MAX(room, table->room + table->room / 2);
    /* After table_free() all is null. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    table->chunks = mem_resize(table->chunks, table->room * sizeof(struct chunk *));
    table->starts = mem_resize(table->starts, (table->room + 1) * sizeof(table->starts[0]));
}

static void push(struct table *table, struct chunk *chunk)
{
    reserve(table, table->n_chunks + 1);
    /* After table_free() all is null. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    table->starts[table->n_chunks] = (uint32_t)table->count;
    table->chunks[table->n_chunks++] = chunk;
    table->count += chunk->count;
    table->starts[table->n_chunks] = (uint32_t)table->count;
}

/* Takes the last chunk off; the caller has its reference then. */
static struct chunk *pop(struct table *table)
{
    struct chunk *chunk = table->chunks[--table->n_chunks];

    table->count -= chunk->count;
    *table->hint = 0;
    return chunk;
}

void table_seek(const struct table *table, size_t index)
{
    size_t lo = 0, hi = table->n_chunks;

    assert(index < table->count);
    while (hi - lo > 1) {
        size_t middle = lo + (hi - lo) / 2;

        if (table->starts[middle] <= index)
            lo = middle;
        else
            hi = middle;
    }
    *table->hint = lo;
}

/* Rows on their way into chunks. */
struct packer {
    struct mail rows[CHUNK_ROWS];
    size_t count;
};

static void pack(struct table *table, struct packer *packer, size_t room)
{
    if (packer->count > 0)
        push(table, chunk_new(packer->rows, packer->count, room));
    packer->count = 0;
}

static void packer_add(struct table *table, struct packer *packer, const struct mail *mail)
{
    packer->rows[packer->count++] = *mail;
    if (packer->count == CHUNK_ROWS)
        pack(table, packer, CHUNK_ROWS);
}

static void unpack(const struct chunk *chunk, struct packer *packer)
{
    packer->count = chunk->count;
    for (size_t i = 0; i < chunk->count; i++)
        chunk_row(chunk, i, &packer->rows[i]);
}

/* Rows that fit into the last chunk as it is. */
static size_t append_in_place(struct table *table, const struct mail *rows, size_t count)
{
    struct chunk **last = &table->chunks[table->n_chunks - 1];
    size_t i = 0;

    if ((*last)->count == (*last)->room)
        return 0;
    *last = chunk_own(*last);
    while (i < count && chunk_append(*last, &rows[i]))
        i++;
    table->count += i;
    table->starts[table->n_chunks] = (uint32_t)table->count;
    return i;
}

void table_append(struct table *table, const struct mail *rows, size_t count)
{
    size_t i = table->n_chunks > 0 ? append_in_place(table, rows, count) : 0;
    struct packer *packer;

    if (i == count)
        return;
    packer = mem_zero(sizeof(*packer));
    if (table->n_chunks > 0 && table->chunks[table->n_chunks - 1]->count < CHUNK_ROWS) {
        struct chunk *last = pop(table);

        unpack(last, packer);
        chunk_drop(&last);
    }
    for (; i < count; i++)
        packer_add(table, packer, &rows[i]);
    pack(table, packer, MIN(packer->count + packer->count / 4 + 4, CHUNK_ROWS));
    free(packer);
}

void table_append_from(struct table *table, const struct table *from, size_t first)
{
    struct mail *rows = mem_zero(CHUNK_ROWS * sizeof(*rows));

    while (first < from->count) {
        size_t count = MIN(from->count - first, CHUNK_ROWS);

        for (size_t i = 0; i < count; i++)
            table_row(from, first + i, &rows[i]);
        table_append(table, rows, count);
        first += count;
    }
    free(rows);
}

void table_set(struct table *table, size_t index, uint64_t flags, uint64_t modseq)
{
    struct packer *packer;
    struct chunk **chunk;
    size_t row;

    table_at(table, index, &row);
    chunk = &table->chunks[*table->hint];
    *chunk = chunk_own(*chunk);
    if (chunk_set(*chunk, row, flags, modseq))
        return;
    packer = mem_zero(sizeof(*packer));
    unpack(*chunk, packer);
    packer->rows[row].flags = flags;
    packer->rows[row].modseq = modseq;
    struct chunk *wider = chunk_new(packer->rows, packer->count, (*chunk)->room);
    chunk_drop(chunk);
    *chunk = wider;
    free(packer);
}

/* Is the chunk better added as it is? Not if it is small, or fits behind the rows that wait: chunks
 * shall not become ever smaller. */
static bool stays_whole(const struct packer *packer, const struct chunk *chunk)
{
    return packer->count + chunk->count > CHUNK_ROWS ||
           (packer->count == 0 && chunk->count > CHUNK_ROWS / 2);
}

/* Adds a chunk's rows but those of `indexes`, counted from `start`; returns how many of them there
 * were. */
static size_t keep_chunk(struct table *table, struct packer *packer, struct chunk *chunk,
                         size_t start, const uint32_t *indexes, size_t count)
{
    size_t used = 0;
    struct mail mail;

    if ((count == 0 || indexes[0] >= start + chunk->count) && stays_whole(packer, chunk)) {
        pack(table, packer, packer->count);
        push(table, chunk_share(chunk));
        return 0;
    }
    for (size_t row = 0; row < chunk->count; row++) {
        if (used < count && indexes[used] == start + row) {
            used++;
            continue;
        }
        chunk_row(chunk, row, &mail);
        packer_add(table, packer, &mail);
    }
    return used;
}

void table_remove(struct table *table, const uint32_t *indexes, size_t count)
{
    struct table old = *table;
    struct packer *packer;
    size_t first, used = 0;

    if (count == 0)
        return;
    table_seek(&old, indexes[0]);
    first = *old.hint;
    packer = mem_zero(sizeof(*packer));
    *table = (struct table){ 0 };
    reserve(table, old.n_chunks);
    for (size_t i = 0; i < first; i++)
        push(table, chunk_share(old.chunks[i]));
    for (size_t i = first; i < old.n_chunks; i++)
        used +=
            keep_chunk(table, packer, old.chunks[i], old.starts[i], indexes + used, count - used);
    assert(used == count);
    pack(table, packer, packer->count);
    table_free(&old);
    free(packer);
}

void table_share(struct table *to, const struct table *from)
{
    table_free(to);
    reserve(to, from->n_chunks);
    for (size_t i = 0; i < from->n_chunks; i++)
        push(to, chunk_share(from->chunks[i]));
}

void table_unite(struct table *table, const struct table *from)
{
    for (size_t i = 0, k = 0; i < table->n_chunks && k < from->n_chunks;) {
        if (table->starts[i] == from->starts[k] && table->chunks[i] != from->chunks[k] &&
            chunk_equal(table->chunks[i], from->chunks[k])) {
            chunk_drop(&table->chunks[i]);
            table->chunks[i] = chunk_share(from->chunks[k]);
        }
        if (table->starts[i + 1] <= from->starts[k + 1])
            i++;
        else
            k++;
    }
}

static size_t lower_in(const struct chunk *chunk, uint32_t uid)
{
    size_t lo = 0, hi = chunk->count;

    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (chunk_uid(chunk, middle) < uid)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static uint32_t last_uid(const struct table *table, size_t at)
{
    return chunk_uid(table->chunks[at], table->chunks[at]->count - 1u);
}

size_t table_lower(const struct table *table, uint32_t uid)
{
    size_t lo = 0, hi = table->n_chunks, at = table->hint != NULL ? *table->hint : 0;

    if (at < hi && chunk_uid(table->chunks[at], 0) < uid && last_uid(table, at) >= uid)
        lo = hi = at;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;

        if (last_uid(table, middle) < uid)
            lo = middle + 1;
        else
            hi = middle;
    }
    if (lo == table->n_chunks)
        return table->count;
    /* There are chunks, so reserve() has made it.
     * NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    *table->hint = lo;
    return table->starts[lo] + lower_in(table->chunks[lo], uid);
}

size_t table_first_lacking(const struct table *table, uint64_t flags)
{
    for (size_t i = 0; i < table->n_chunks; i++) {
        const struct chunk *chunk = table->chunks[i];

        if (!chunk_may_lack(chunk, flags))
            continue;
        for (size_t row = 0; row < chunk->count; row++)
            if ((chunk_flags(chunk, row) & flags) != flags)
                return table->starts[i] + row;
    }
    return table->count;
}

size_t table_skip(const struct table *table, size_t index, uint64_t modseq)
{
    while (index < table->count) {
        size_t row;
        const struct chunk *chunk = table_at(table, index, &row);

        if (chunk->last_modseq > modseq)
            break;
        index += chunk->count - row;
    }
    return index;
}

void table_row(const struct table *table, size_t index, struct mail *mail_out)
{
    size_t row;
    const struct chunk *chunk = table_at(table, index, &row);

    chunk_row(chunk, row, mail_out);
}

size_t table_bytes(const struct table *table)
{
    size_t bytes = table->room * (sizeof(struct chunk *) + sizeof(table->starts[0]));

    for (size_t i = 0; i < table->n_chunks; i++)
        bytes += chunk_bytes(table->chunks[i]);
    return bytes;
}

bool table_is_shared(const struct table *table)
{
    for (size_t i = 0; i < table->n_chunks; i++)
        if (table->chunks[i]->refs > 1)
            return true;
    return false;
}
