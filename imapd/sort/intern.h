/* intern.h - numbers for 64-bit keys: the same key has the same number, with bounded memory.
 *
 * The keys are 8-byte words in two spills, and each word's number takes its place. A key that
 * occurs in the first spill has the number of its first word there; all others are numbered on from
 * there. A key of 0 is none, and stays.
 *
 *     for each part of the keys, by their highest bits:
 *         the table is emptied; all words are read; those of this part are looked up, and replaced
 *
 * So memory is for the keys of one part. A number has its key's highest bits beside it, which tells
 * it from keys whose turn is still to come. The caller sees to it that keys are spread evenly.
 */
#pragma once

#include "storage/spill.h"

#define INTERN_NONE UINT32_MAX

struct intern {
    struct spill *spills[2]; /* the second may be NULL */
    unsigned bits;           /* that tell the part */
    uint64_t part;
    unsigned spill; /* that is read */
    uint64_t at;

    uint64_t *keys; /* open addressing; 0: a free place */
    uint32_t *numbers;
    size_t size, count; /* size: a power of 2 */
    uint32_t n_numbers; /* those below are given */
    uint64_t *words;    /* that are looked at */
};

/* The spills have been ended. About `part_keys` keys are looked at together. */
void intern_start(struct intern *intern, struct spill *first, struct spill *second,
                  size_t part_keys);
/* A turn's work. */
bool intern_step(struct intern *intern, bool *done_out, struct error *err) MUST_CHECK;
void intern_free(struct intern *intern);

/* What a word is once all is done; INTERN_NONE for key 0. */
static inline uint32_t intern_number(uint64_t word)
{
    return (uint32_t)word - 1;
}
