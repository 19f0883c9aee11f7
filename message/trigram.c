/* trigram.c - see trigram.h.
 *
 * A bitmap of all 2^24 trigrams says which of them are there already; those that are, are listed.
 * When the list is full, the signature has the greatest size anyhow and is written at once.
 */
#include "message/trigram.h"

#include "common/mem.h"

#include <stdlib.h>

#define BITS_EACH    5
#define TRIGRAMS_MAX (SIGNATURE_MAX * 8 / BITS_EACH)
#define SEEN_WORDS   ((1 << 24) / 64)
#define WORD_BYTES   sizeof(uint64_t)
#define LISTED_MAX   16384 /* bounds the lists of a block */
#define SHORT_TEXT   2048  /* bytes; new trigrams are no sign of base64 in a shorter text */

struct trigrams {
    uint64_t seen[SEEN_WORDS];
    uint32_t list[TRIGRAMS_MAX];
    size_t count, text_bytes;
    uint64_t full[SIGNATURE_MAX / WORD_BYTES];
    bool is_full;
};

struct places {
    uint32_t first, second;
};

static struct places places_of(uint32_t trigram)
{
    uint64_t hash = (trigram + 1) * 0x9e3779b97f4a7c15ull;

    hash = (hash ^ (hash >> 32)) * 0xbf58476d1ce4e5b9ull;
    hash ^= hash >> 29;
    return (struct places){ (uint32_t)(hash >> 32), (uint32_t)hash };
}

static size_t scale(uint32_t place, size_t n_bits)
{
    return (size_t)(((uint64_t)place * n_bits) >> 32);
}

void signature_add(uint64_t *words, size_t n_words, uint32_t trigram)
{
    size_t n_bits = n_words * 64;
    struct places places = places_of(trigram);
    size_t first = scale(places.first, n_bits), second = scale(places.second, n_bits);

    words[first / 64] |= 1ull << (first % 64);
    words[second / 64] |= 1ull << (second % 64);
}

struct trigrams *trigrams_new(void)
{
    return NEW(struct trigrams);
}

void trigrams_free(struct trigrams **trigrams)
{
    free(TAKE(*trigrams));
}

void trigram_keys_free(struct trigram_keys *keys)
{
    free(keys->keys);
    *keys = (struct trigram_keys){ 0 };
}

static void list_is_full(struct trigrams *trigrams)
{
    for (size_t i = 0; i < trigrams->count; i++)
        signature_add(trigrams->full, COUNT_OF(trigrams->full), trigrams->list[i]);
    trigrams->is_full = true;
}

static void add_new(struct trigrams *trigrams, uint32_t trigram)
{
    if (trigrams->is_full) {
        signature_add(trigrams->full, COUNT_OF(trigrams->full), trigram);
        return;
    }
    trigrams->list[trigrams->count++] = trigram;
    if (trigrams->count == TRIGRAMS_MAX)
        list_is_full(trigrams);
}

static inline void add_one(struct trigrams *trigrams, uint32_t trigram)
{
    uint64_t *word = &trigrams->seen[trigram / 64], bit = 1ull << (trigram % 64);

    if ((*word & bit) != 0)
        return;
    *word |= bit;
    add_new(trigrams, trigram);
}

/* Whether one is there already nobody can guess: so each is written behind the list, which grows by
 * those that were not. The list has room for all of these. */
static uint32_t add_quickly(struct trigrams *trigrams, const unsigned char *bytes, size_t count,
                            uint32_t trigram)
{
    size_t end = trigrams->count;

    for (size_t i = 0; i < count; i++) {
        uint64_t *word, there;

        trigram = (trigram << 8 | bytes[i]) & 0xffffff;
        word = &trigrams->seen[trigram / 64];
        there = *word >> (trigram % 64) & 1;
        *word |= 1ull << (trigram % 64);
        trigrams->list[end] = trigram;
        end += 1 - there;
    }
    trigrams->count = end;
    return trigram;
}

void trigrams_add(struct trigrams *trigrams, struct slice folded)
{
    const unsigned char *bytes = (const unsigned char *)folded.data;
    uint32_t trigram = 0;

    trigrams->text_bytes += folded.len;
    if (folded.len == 0)
        return;
    trigram = bytes[0];
    if (folded.len > 1)
        trigram = trigram << 8 | bytes[1];
    for (size_t i = 2, n; i < folded.len; i += n) {
        n = MIN(folded.len - i, TRIGRAMS_MAX - 1 - trigrams->count);
        n = trigrams->is_full ? 0 : n;
        trigram = add_quickly(trigrams, bytes + i, n, trigram);
        if (n == 0) {
            n = 1;
            trigram = (trigram << 8 | bytes[i]) & 0xffffff;
            add_one(trigrams, trigram);
        }
    }
    if (folded.len > 1)
        add_one(trigrams, trigram << 8 & 0xffffff);
    add_one(trigrams, trigram << 16 & 0xffffff);
}

size_t trigrams_bytes(const struct trigrams *trigrams)
{
    return trigrams->text_bytes;
}

static void clear(struct trigrams *trigrams)
{
    if (trigrams->is_full) {
        memset(trigrams->seen, 0, sizeof(trigrams->seen));
        memset(trigrams->full, 0, sizeof(trigrams->full));
    }
    for (size_t i = 0; i < trigrams->count; i++)
        trigrams->seen[trigrams->list[i] / 64] = 0;
    trigrams->count = trigrams->text_bytes = 0;
    trigrams->is_full = false;
}

static uint32_t *add_keys(struct trigram_keys *keys, size_t count)
{
    uint32_t *added;

    /* Also for none there is a place. */
    keys->keys = mem_grow(keys->keys, &keys->room, keys->count + count + 1, sizeof(*keys->keys));
    added = keys->keys + keys->count;
    keys->count += count;
    return added;
}

bool trigrams_list(struct trigrams *trigrams, uint32_t number, struct trigram_keys *keys)
{
    uint32_t *added;

    if (trigrams->count > LISTED_MAX ||
        (trigrams->text_bytes > SHORT_TEXT && trigrams->count * 5 > trigrams->text_bytes * 3))
        return false;
    added = add_keys(keys, trigrams->count);
    for (size_t i = 0; i < trigrams->count; i++)
        added[i] = trigrams->list[i] << TRIGRAM_KEY_BITS | number;
    clear(trigrams);
    return true;
}

/* Goes over the bitmap: 256 trigrams begin with the same pair. */
static void add_pairs(const struct trigrams *trigrams, uint32_t number, struct trigram_keys *pairs)
{
    const uint64_t *words = trigrams->seen;

    for (uint32_t pair = 0; pair < 1 << 16; pair++, words += 4)
        if ((words[0] | words[1] | words[2] | words[3]) != 0)
            *add_keys(pairs, 1) = (pair << 8 | TRIGRAM_PAIR_END) << TRIGRAM_KEY_BITS | number;
}

size_t signature_words(size_t n_trigrams, size_t text_bytes)
{
    size_t bits = MIN(n_trigrams * BITS_EACH, text_bytes * 8 / 5);

    return MIN(MAX((bits + 63) / 64, 1), SIGNATURE_MAX / WORD_BYTES);
}

void trigrams_sign(struct trigrams *trigrams, uint32_t number, struct trigram_keys *pairs,
                   struct buf *signature_out)
{
    size_t n_words = signature_words(trigrams->count, trigrams->text_bytes);
    uint64_t *words = trigrams->full;

    add_pairs(trigrams, number, pairs);
    if (trigrams->is_full)
        n_words = SIGNATURE_MAX / WORD_BYTES;
    else
        for (size_t i = 0; i < trigrams->count; i++)
            signature_add(words, n_words, trigrams->list[i]);
    buf_add(signature_out, words, n_words * WORD_BYTES);
    memset(words, 0, n_words * WORD_BYTES);
    clear(trigrams);
}

/* Of a needle with more trigrams than places, every n-th. */
void probe_make(struct slice folded_needle, struct probe *probe_out)
{
    const unsigned char *bytes = (const unsigned char *)folded_needle.data;
    size_t n_trigrams = folded_needle.len < 3 ? 0 : folded_needle.len - 2;
    size_t step = (n_trigrams + PROBE_MAX - 1) / PROBE_MAX;

    probe_out->count = 0;
    for (size_t i = 0; i < n_trigrams; i += step) {
        uint32_t trigram = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        struct places places = places_of(trigram);

        probe_out->trigrams[probe_out->count] = trigram;
        probe_out->places[probe_out->count].first = places.first;
        probe_out->places[probe_out->count++].second = places.second;
    }
}

/* The words may lie anywhere in a row of the database. */
static bool has_bit(struct slice signature, size_t bit)
{
    return ((unsigned char)signature.data[bit / 8] >> (bit % 8) & 1) != 0;
}

bool signature_may_have(struct slice signature, const struct probe *probe)
{
    size_t n_bits = signature.len * 8;

    for (size_t i = 0; i < probe->count; i++)
        if (!has_bit(signature, scale(probe->places[i].first, n_bits)) ||
            !has_bit(signature, scale(probe->places[i].second, n_bits)))
            return false;
    return true;
}
