/* intern.c - see intern.h. */
#include "imapd/sort/intern.h"

#include "common/mem.h"

#include <stdlib.h>

#define CHUNK_WORDS ((size_t)8 * 1024)
#define TURN_CHUNKS 16
#define FIRST_SIZE  1024
#define BITS_MAX    16

void intern_start(struct intern *intern, struct spill *first, struct spill *second,
                  size_t part_keys)
{
    uint64_t count = first->size / sizeof(uint64_t);

    *intern = (struct intern){ .spills = { first, second }, .n_numbers = (uint32_t)count };
    while (intern->bits < BITS_MAX && count >> intern->bits > part_keys)
        intern->bits++;
    intern->words = mem_zero(CHUNK_WORDS * sizeof(*intern->words));
}

/* The place of a key, or the free one where it goes. */
static size_t place_of(const struct intern *intern, uint64_t key)
{
    size_t at = (size_t)(key << intern->bits >> 20);

    while (intern->keys[at & (intern->size - 1)] != 0 &&
           intern->keys[at & (intern->size - 1)] != key)
        at++;
    return at & (intern->size - 1);
}

static void grow_table(struct intern *intern)
{
    struct intern old = *intern;

    intern->size = MAX(old.size * 2, FIRST_SIZE);
    intern->keys = mem_zero(intern->size * sizeof(*intern->keys));
    intern->numbers = mem_zero(intern->size * sizeof(*intern->numbers));
    for (size_t i = 0; i < old.size; i++) {
        size_t place;

        if (old.keys[i] == 0)
            continue;
        place = place_of(intern, old.keys[i]);
        intern->keys[place] = old.keys[i];
        intern->numbers[place] = old.numbers[i];
    }
    free(old.keys);
    free(old.numbers);
}

static uint32_t number_of(struct intern *intern, uint64_t key, uint64_t position)
{
    size_t place;

    if (intern->count * 4 >= intern->size * 3)
        grow_table(intern);
    place = place_of(intern, key);
    if (intern->keys[place] == 0) {
        intern->keys[place] = key;
        intern->numbers[place] = intern->spill == 0 ? (uint32_t)position : intern->n_numbers++;
        intern->count++;
    }
    return intern->numbers[place];
}

static uint64_t part_of(const struct intern *intern, uint64_t key)
{
    return intern->bits == 0 ? 0 : key >> (64 - intern->bits);
}

/* Replaces the words of this part; says whether there were any. */
static bool replace(struct intern *intern, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        uint64_t key = intern->words[i];

        if (key == 0 || part_of(intern, key) != intern->part)
            continue;
        intern->words[i] = number_of(intern, key, intern->at / sizeof(key) + i) + 1ull;
        if (intern->bits > 0)
            intern->words[i] |= intern->part << (64 - intern->bits);
        any = true;
    }
    return any;
}

/* The spill is at its end: on to the next, or to the next part. False: that was the last. */
static bool go_on(struct intern *intern)
{
    intern->at = 0;
    intern->spill++;
    if (intern->spill < COUNT_OF(intern->spills) && intern->spills[intern->spill] != NULL)
        return true;
    intern->spill = 0;
    intern->count = 0;
    if (intern->size > 0)
        memset(intern->keys, 0, intern->size * sizeof(*intern->keys));
    return ++intern->part < 1ull << intern->bits;
}

bool intern_step(struct intern *intern, bool *done_out, struct error *err)
{
    *done_out = false;
    for (size_t n = 0; n < TURN_CHUNKS && !*done_out; n++) {
        struct spill *spill = intern->spills[intern->spill];
        size_t len = (size_t)MIN(CHUNK_WORDS * sizeof(uint64_t), spill->size - intern->at);

        if (!spill_read(spill, intern->at, intern->words, len, err))
            return false;
        if (replace(intern, len / sizeof(uint64_t)) &&
            !spill_change(spill, intern->at, intern->words, len, err))
            return false;
        intern->at += len;
        if (intern->at == spill->size)
            *done_out = !go_on(intern);
    }
    return true;
}

void intern_free(struct intern *intern)
{
    free(intern->keys);
    free(intern->numbers);
    free(intern->words);
    *intern = (struct intern){ 0 };
}
