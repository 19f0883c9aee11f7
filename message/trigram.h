/* trigram.h - signatures of texts: which texts cannot have a needle, without looking at them.
 *
 * A signature is a Bloom filter of the trigrams (three bytes next to each other) of folded texts,
 * two bits for each. A text that has a needle has all of its trigrams; so when a bit of one of them
 * is not set, the needle is not there. The other way round it is only likely, and the more so the
 * longer the needle: what is left has to be looked at. A needle of less than three bytes may be
 * anywhere.
 *
 * Its size: 5 bits for each trigram that occurs, but no more than 30% of the text, since every
 * trigram of a base64 line is new, nor than SIGNATURE_MAX; the rest is more false positives.
 *
 * Pure. A struct trigrams belongs to one thread; 2 MB.
 */
#pragma once

#include "common/buf.h"

#define TRIGRAM_NEEDLE_MIN 3
#define SIGNATURE_MAX      (32 * 1024) /* bytes; always a multiple of 8, and at least 8 */

struct trigrams;

struct trigrams *trigrams_new(void);
void trigrams_free(struct trigrams **trigrams);

/* Adds one text; none of its trigrams reaches into the next one. */
void trigrams_add(struct trigrams *trigrams, struct slice folded);
/* Appends the signature of what was added since the last one. */
void trigrams_sign(struct trigrams *trigrams, struct buf *out);

#define PROBE_MAX 32

/* A needle as a signature is asked for it: of a long one, some of its trigrams. */
struct probe {
    struct {
        uint32_t first, second; /* places of the bits, as fractions of 2^32 */
    } places[PROBE_MAX];
    size_t count;
};

void probe_make(struct slice folded_needle, struct probe *probe_out);
bool signature_may_have(struct slice signature, const struct probe *probe);
