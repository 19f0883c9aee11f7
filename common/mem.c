/* mem.c - allocation that never fails, and arenas.
 *
 * An arena is a list of blocks, newest first; memory is cut off the newest until it is full. Blocks
 * double in size, so a call that needs much gets there quickly. What does not fit a block of that
 * size gets one of its own.
 *
 *     arena -> [8 KB, in use] -> [4 KB, full] -> [2 KB, full]     reset: -> [2 KB, empty]
 */
#include "common/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK   2048 /* what an idle session keeps */
#define LARGEST_BLOCK ((size_t)256 << 10)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(max_align_t) unsigned char data[];
};

static void *checked(void *memory, size_t size)
{
    if (memory == NULL && size != 0) {
        fprintf(stderr, "out of memory: %zu bytes\n", size);
        abort();
    }
    return memory;
}

void *mem_zero(size_t size)
{
    return checked(calloc(1, size), size);
}

void *mem_resize(void *memory, size_t size)
{
    return checked(realloc(memory, MAX(size, 1)), size);
}

void *mem_grow(void *array, size_t *room, size_t count, size_t element_size)
{
    size_t size;

    if (count <= *room)
        return array;
    *room = MAX(count, MAX(*room * 2, 8));
    if (__builtin_mul_overflow(*room, element_size, &size))
        return checked(NULL, SIZE_MAX);
    return mem_resize(array, size);
}

void mem_wipe(void *memory, size_t size)
{
    if (size != 0)
        explicit_bzero(memory, size);
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t room = arena->blocks == NULL ? FIRST_BLOCK : arena->blocks->size * 2;
    struct arena_block *block;

    room = MAX(MIN(room, LARGEST_BLOCK), size);
    block = checked(malloc(sizeof(*block) + room), room);
    block->next = arena->blocks;
    block->size = room;
    block->used = 0;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    struct arena_block *block = arena->blocks;
    void *memory;

    if (size > SIZE_MAX / 2)
        return checked(NULL, size);
    size = (MAX(size, 1) + align - 1) / align * align;
    if (block == NULL || block->size - block->used < size)
        block = add_block(arena, size);
    memory = block->data + block->used;
    block->used += size;
    return memset(memory, 0, size);
}

static void wipe_secrets(struct arena *arena)
{
    if (!arena->secret)
        return;
    for (struct arena_block *block = arena->blocks; block != NULL; block = block->next)
        mem_wipe(block->data, block->used);
    arena->secret = false;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;

    wipe_secrets(arena);

    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        if (block->size == FIRST_BLOCK && kept == NULL)
            kept = block;
        else
            free(block);
    }
    if (kept != NULL) {
        kept->next = NULL;
        kept->used = 0;
    }
    arena->blocks = kept;
}

void arena_free(struct arena *arena)
{
    wipe_secrets(arena);
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
}
