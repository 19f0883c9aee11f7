/* mem.h - allocation that never fails, and arenas.
 *
 * Running out of memory aborts the process: whatever a client can make us allocate is checked
 * against a limit first, so this is never a client's choice.
 *
 * Threads: the functions may be called from any thread; one arena belongs to one thread at a time.
 */
#pragma once

#include "common/base.h"

/* Zeroed memory; free with free(). */
void *mem_zero(size_t size);

/* realloc() that never fails; new bytes are not cleared. */
void *mem_resize(void *memory, size_t size);

/* Makes room for `count` elements in a growing array, doubling it; new elements are not cleared.
 *     items = mem_grow(items, &room, count + 1, sizeof(*items)); */
void *mem_grow(void *array, size_t *room, size_t count, size_t element_size);

#define NEW(type) ((type *)mem_zero(sizeof(type)))

/* Overwrites secrets so that the compiler cannot leave it out. */
void mem_wipe(void *memory, size_t size);

/* An arena gives memory that lives until the arena is reset or freed: one per call. */
struct arena {
    struct arena_block *blocks;
    bool secret; /* may hold a password: all is overwritten when it is reset or freed, once */
};

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned for anything */
void arena_reset(struct arena *arena);               /* forgets everything, keeps a small block */
void arena_free(struct arena *arena);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))
