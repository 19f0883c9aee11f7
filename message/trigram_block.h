/* trigram_block.h - what 64 texts have of trigrams, packed, and asked for needles.
 *
 * Of listed texts a block knows each trigram, so the answer for a needle of up to three bytes is
 * exact both ways, and for a longer one it is only unsure about texts that have all of its
 * trigrams. Of signed texts (message/trigram.h) it knows the pairs of bytes: exact for up to two
 * bytes; of `no_pairs` among them only the single bytes, of `no_bytes` not even these. Nothing is
 * said of needles with a NUL, nor of texts that are not in the block.
 *
 * The bytes, in the machine's order:
 *
 *     64 bits for the listed texts, 64 for the signed ones, 64 each for no_pairs and no_bytes
 *     for each text its size, 16 bits, in 16 bytes, rounded down; the greatest: that or more
 *     for each signed text the length of its signature, 16 bits, in words of 8 bytes
 *     256 bits for the first bytes of trigrams, and for each that there is where its section ends,
 *     counted from the first section's start, 32 bits
 *     sections, of groups: the second byte, the group's length in 16 bits, its entries
 *     the signatures
 *
 * An entry is the third byte, a tag, and what the tag says follows:
 *
 *     0..63      nothing: the text of this number has the trigram
 *     64 + n     n numbers of texts that have it
 *     128 + n    n numbers of the texts in the block that have it not
 *     255        64 bits
 *
 * Pure. A block's slices point into its bytes.
 */
#pragma once

#include "message/trigram.h"

#define BLOCK_TEXTS 64 /* 1 << TRIGRAM_KEY_BITS */

/* Takes the number of a text, the least, out of a bit for each; there is one. */
static inline unsigned block_take_number(uint64_t *texts)
{
    unsigned number = (unsigned)__builtin_ctzll(*texts);

    *texts &= *texts - 1;
    return number;
}

struct trigram_block {
    uint64_t listed, is_signed;
    uint64_t no_pairs, no_bytes; /* among the signed ones, not both */
    struct slice ends, sections; /* ends: 32 bits each */
    uint64_t firsts[4];
    uint16_t sizes[BLOCK_TEXTS];
    struct slice signatures[BLOCK_TEXTS];
};

/* False: these bytes are no block, and *block_out is an empty one. No bytes are one. */
bool block_read(struct slice bytes, struct trigram_block *block_out) MUST_CHECK;

struct block_change {
    uint64_t gone;              /* texts that are taken out */
    uint64_t listed, is_signed; /* new ones, also in place of old ones */
    uint64_t no_pairs, no_bytes;
    uint32_t *keys; /* of the new ones; put in order */
    size_t n_keys;
    uint16_t sizes[BLOCK_TEXTS];
    struct slice signatures[BLOCK_TEXTS];
};

#define BLOCK_SIZE_UNIT 16
uint16_t block_size_of(size_t text_bytes);

/* The changed block's bytes; appended. */
void block_write(const struct trigram_block *old, const struct block_change *change,
                 struct buf *out);

/* Goes over what a block has, in order of the trigrams; begins with the block, all else 0. */
struct block_cursor {
    const struct trigram_block *block;
    unsigned first, second; /* `first` is of the section behind this one */
    struct slice section, group;
    uint32_t trigram;
    uint64_t texts; /* numbers of those that have it, a bit each */
};
bool block_next(struct block_cursor *cursor) MUST_CHECK;

struct block_needle {
    struct slice folded;
    struct probe probe;
};
void block_needle_make(struct slice folded, struct block_needle *needle_out);

/* A bit for each text: surely has it, surely has it not. */
void block_ask(const struct trigram_block *block, const struct block_needle *needle,
               uint64_t *has_out, uint64_t *cannot_out);
