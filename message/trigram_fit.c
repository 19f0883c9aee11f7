/* trigram_fit.c - see trigram_fit.h. */
#include "message/trigram_fit.h"

#include "common/mem.h"

#include <stdlib.h>

/* What is known of signed texts besides. */
enum detail {
    DETAIL_PAIRS,
    DETAIL_BYTES,
    DETAIL_NONE,
};

uint64_t block_text_bytes(struct slice block)
{
    struct trigram_block read;
    uint64_t bytes = 0;

    if (!block_read(block, &read))
        return 0;
    for (size_t i = 0; i < BLOCK_TEXTS; i++)
        if (((read.listed | read.is_signed) >> i & 1) != 0)
            bytes += (uint64_t)read.sizes[i] * BLOCK_SIZE_UNIT;
    return bytes;
}

size_t block_texts(struct slice block)
{
    struct trigram_block read;

    if (!block_read(block, &read))
        return 0;
    return (size_t)__builtin_popcountll(read.listed | read.is_signed);
}

/* Signatures of the listed texts, one behind the other. */
struct signing {
    uint64_t *words;
    size_t starts[BLOCK_TEXTS], lens[BLOCK_TEXTS]; /* in words */
};

static void make_room(const struct trigram_block *block, struct signing *signing)
{
    struct block_cursor cursor = { .block = block };
    size_t counts[BLOCK_TEXTS] = { 0 }, n_words = 0;

    while (block_next(&cursor))
        for (uint64_t texts = cursor.texts & block->listed; texts != 0;)
            counts[block_take_number(&texts)]++;
    for (uint64_t texts = block->listed; texts != 0;) {
        unsigned number = block_take_number(&texts);

        signing->starts[number] = n_words;
        signing->lens[number] =
            signature_words(counts[number], (size_t)block->sizes[number] * BLOCK_SIZE_UNIT);
        n_words += signing->lens[number];
    }
    signing->words = mem_zero((n_words + 1) * sizeof(*signing->words));
}

static void sign_listed(const struct trigram_block *block, struct signing *signing)
{
    struct block_cursor cursor = { .block = block };

    make_room(block, signing);
    while (block_next(&cursor))
        for (uint64_t texts = cursor.texts & block->listed; texts != 0;) {
            unsigned number = block_take_number(&texts);

            signature_add(signing->words + signing->starts[number], signing->lens[number],
                          cursor.trigram);
        }
}

static void add_mark(struct trigram_keys *marks, uint32_t mark, uint64_t texts)
{
    marks->keys =
        mem_grow(marks->keys, &marks->room, marks->count + BLOCK_TEXTS, sizeof(*marks->keys));
    while (texts != 0)
        marks->keys[marks->count++] = mark << TRIGRAM_KEY_BITS | block_take_number(&texts);
}

/* A mark is the pair, or byte, that trigrams begin with; TRIGRAM_PAIR_END stands for the rest. */
static void make_marks(const struct trigram_block *block, uint64_t of, enum detail detail,
                       struct trigram_keys *marks)
{
    struct block_cursor cursor = { .block = block };
    uint32_t rest = detail == DETAIL_PAIRS ? 0xff : 0xffff, mark = 0;
    uint64_t texts = 0;

    if (detail == DETAIL_NONE)
        return;
    while (block_next(&cursor)) {
        if ((cursor.trigram | rest) != mark) {
            add_mark(marks, mark, texts);
            mark = cursor.trigram | rest;
            texts = 0;
        }
        texts |= cursor.texts & of;
    }
    add_mark(marks, mark, texts);
}

/* The texts that know more than that. */
static uint64_t texts_above(const struct trigram_block *block, enum detail detail)
{
    uint64_t less = block->no_bytes | (detail == DETAIL_BYTES ? block->no_pairs : 0);

    return detail == DETAIL_PAIRS ? block->listed : (block->listed | block->is_signed) & ~less;
}

/* Signed texts keep their signatures. */
static void reduce(const struct trigram_block *block, uint64_t texts, enum detail detail,
                   struct buf *bytes)
{
    struct block_change change = { .is_signed = texts };
    AUTO(trigram_keys_free) struct trigram_keys marks = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct signing signing = { 0 };

    change.no_pairs = detail == DETAIL_BYTES ? texts : 0;
    change.no_bytes = detail == DETAIL_NONE ? texts : 0;
    memcpy(change.sizes, block->sizes, sizeof(change.sizes));
    memcpy(change.signatures, block->signatures, sizeof(change.signatures));
    sign_listed(block, &signing);
    for (uint64_t listed = block->listed; listed != 0;) {
        unsigned number = block_take_number(&listed);

        change.signatures[number] =
            slice_make((const char *)(signing.words + signing.starts[number]),
                       signing.lens[number] * sizeof(*signing.words));
    }
    make_marks(block, texts, detail, &marks);
    change.keys = marks.keys;
    change.n_keys = marks.count;
    block_write(block, &change, &out);
    free(signing.words);
    buf_clear(bytes);
    buf_add_slice(bytes, buf_slice(&out));
}

static void know_less(struct buf *bytes, enum detail detail)
{
    struct trigram_block block;
    uint64_t texts;

    if (!block_read(buf_slice(bytes), &block))
        return;
    texts = texts_above(&block, detail);
    if (texts != 0)
        reduce(&block, texts, detail, bytes);
}

static bool do_fit(const struct buf *blocks, size_t count, uint64_t bytes)
{
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += blocks[i].len;
    return all <= bytes;
}

void block_fit(struct buf *blocks, size_t count, uint64_t bytes)
{
    for (size_t i = 0; i < count; i++)
        for (enum detail detail = DETAIL_PAIRS; detail <= DETAIL_BYTES; detail++)
            if (!do_fit(blocks, count, bytes))
                know_less(&blocks[i], detail);
    for (size_t i = 0; i < count; i++)
        if (!do_fit(blocks, count, bytes))
            know_less(&blocks[i], DETAIL_NONE);
}
