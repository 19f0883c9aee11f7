/* trigram.h - the trigrams of texts (three bytes next to each other), by which an index knows what
 * a text cannot have.
 *
 * Folded texts are added; behind the last byte of each are two NULs, so that every byte begins a
 * trigram, and every two bytes do. What was added is taken in one of two ways:
 *
 *     listed    all of its trigrams; message/trigram_block.h packs those of many texts together,
 *               which costs little as texts have most of them in common
 *     signed    where there are too many, or most are of no other text, such as those of base64: a
 *               Bloom filter of the trigrams, two bits for each, and a list of the pairs of bytes
 *
 * A signature that lacks one of a needle's bits is of a text without the needle; the other way
 * round it is only likely, and the more so the longer the needle. Its size: 5 bits for each trigram
 * that occurs, but no more than 20% of the text, nor than SIGNATURE_MAX.
 * message/trigram_fit.h makes signatures of lists that take too much.
 *
 * Pure. A struct trigrams belongs to one thread; 2 MB.
 */
#pragma once

#include "common/buf.h"

#define SIGNATURE_MAX (32 * 1024) /* bytes; always a multiple of 8, and at least 8 */

struct trigrams;

struct trigrams *trigrams_new(void);
void trigrams_free(struct trigrams **trigrams);

/* Adds one text; none of its trigrams reaches into the next one. */
void trigrams_add(struct trigrams *trigrams, struct slice folded);
/* Bytes of what was added. */
size_t trigrams_bytes(const struct trigrams *trigrams);

/* Trigrams of numbered texts, each as trigram << TRIGRAM_KEY_BITS | number. */
#define TRIGRAM_KEY_BITS 6
#define TRIGRAM_PAIR_END 0xff /* the last byte of what stands for a pair */

struct trigram_keys {
    uint32_t *keys;
    size_t count, room;
};
void trigram_keys_free(struct trigram_keys *keys);

/* Takes what was added since the last one, as a list. False: it is to be signed. */
bool trigrams_list(struct trigrams *trigrams, uint32_t number,
                   struct trigram_keys *keys) MUST_CHECK;
/* The same as a signature, which is appended; and its pairs. */
void trigrams_sign(struct trigrams *trigrams, uint32_t number, struct trigram_keys *pairs,
                   struct buf *signature_out);

/* Words of 8 bytes for a signature of so many trigrams in a text of so many bytes; and one of them
 * put in. */
size_t signature_words(size_t n_trigrams, size_t text_bytes);
void signature_add(uint64_t *words, size_t n_words, uint32_t trigram);

#define PROBE_MAX 32

/* A needle as texts are asked for it: of a long one, some of its trigrams. None: it has less than
 * three bytes. */
struct probe {
    struct {
        uint32_t first, second; /* places of the bits, as fractions of 2^32 */
    } places[PROBE_MAX];
    uint32_t trigrams[PROBE_MAX];
    size_t count;
};

void probe_make(struct slice folded_needle, struct probe *probe_out);
bool signature_may_have(struct slice signature, const struct probe *probe);
