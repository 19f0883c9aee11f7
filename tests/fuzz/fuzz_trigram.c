/* fuzz_trigram.c - blocks of trigrams: any bytes as one, and one of texts that the input is,
 * changed and fitted. What a block says of its texts is true. */
#include "message/trigram_fit.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Texts of the input in a block; those taken out are empty. */
struct world {
    struct trigrams *trigrams;
    struct slice texts[BLOCK_TEXTS];
    uint64_t there;
    struct buf bytes;
};

static bool ask(const struct trigram_block *block, struct slice needle, uint64_t *has_out,
                uint64_t *cannot_out)
{
    struct block_needle made;

    if (needle.len == 0 || slice_find(needle, '\0') >= 0)
        return false;
    block_needle_make(needle, &made);
    block_ask(block, &made, has_out, cannot_out);
    if ((*has_out & *cannot_out) != 0)
        abort();
    return true;
}

/* A damaged search.db. */
static void check_any(struct slice bytes)
{
    struct trigram_block block;
    struct block_cursor cursor = { .block = &block };
    uint64_t has, cannot;

    if (!block_read(bytes, &block))
        return;
    for (size_t steps = 0; block_next(&cursor); steps++)
        if (steps > bytes.len)
            abort();
    ask(&block, SLICE("a"), &has, &cannot);
    ask(&block, SLICE("ab"), &has, &cannot);
    ask(&block, SLICE("abcdef"), &has, &cannot);
    (void)block_text_bytes(bytes);
    (void)block_texts(bytes);
}

static void add_text(struct world *world, unsigned number, struct slice text,
                     struct block_change *change, struct trigram_keys *keys, struct buf *signatures)
{
    size_t at = signatures->len;

    world->texts[number] = text;
    world->there |= 1ull << number;
    change->sizes[number] = block_size_of(text.len);
    trigrams_add(world->trigrams, text);
    if (trigrams_list(world->trigrams, number, keys)) {
        change->listed |= 1ull << number;
    } else {
        trigrams_sign(world->trigrams, number, keys, signatures);
        change->is_signed |= 1ull << number;
        change->signatures[number] = slice_from(buf_slice(signatures), at);
    }
}

/* Some texts more, and some gone: one change of the block. Each has a number of its own. */
static void change_block(struct world *world, struct slice *rest, unsigned step)
{
    struct block_change change = { .gone = step % 3 == 2 ? world->there & 0x1111 << step : 0 };
    struct trigram_keys keys = { 0 };
    struct trigram_block old;
    AUTO(buf_free) struct buf signatures = { 0 };
    AUTO(buf_free) struct buf out = { 0 };
    struct slice text;

    buf_reserve(&signatures, BLOCK_TEXTS * 2048);
    world->there &= ~change.gone;
    for (unsigned i = 0; i < 4 && slice_split(rest, '\0', &text); i++)
        add_text(world, (step * 7 + i * 17) % BLOCK_TEXTS, text, &change, &keys, &signatures);
    change.gone &= ~(change.listed | change.is_signed);
    change.keys = keys.keys;
    change.n_keys = keys.count;
    if (!block_read(buf_slice(&world->bytes), &old))
        abort();
    block_write(&old, &change, &out);
    buf_clear(&world->bytes);
    buf_add_slice(&world->bytes, buf_slice(&out));
    trigram_keys_free(&keys);
}

static void check_needle(const struct world *world, const struct trigram_block *block,
                         struct slice needle)
{
    uint64_t has, cannot;

    if (!ask(block, needle, &has, &cannot))
        return;
    if (((has | cannot) & ~world->there) != 0)
        abort();
    for (size_t i = 0; i < BLOCK_TEXTS; i++) {
        bool is_there = slice_search(world->texts[i], needle) >= 0;

        if ((world->there >> i & 1) != 0 && ((is_there ? cannot : has) >> i & 1) != 0)
            abort();
    }
}

static void check_truth(const struct world *world)
{
    struct trigram_block block;

    if (!block_read(buf_slice(&world->bytes), &block))
        abort();
    for (size_t i = 0; i < BLOCK_TEXTS; i++)
        for (size_t len = 1; len <= world->texts[i].len && len < 40; len *= 2)
            check_needle(world, &block, slice_part(world->texts[i], i % 5, len));
    check_needle(world, &block, SLICE("the"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trigrams *trigrams;
    struct slice rest = slice_make(data, size);
    struct world world = { 0 };

    check_any(rest);
    if (size == 0)
        return 0;
    if (trigrams == NULL)
        trigrams = trigrams_new();
    world.trigrams = trigrams;
    rest = slice_from(rest, 1);
    for (unsigned step = 0; rest.len > 0 && step < 16; step++)
        change_block(&world, &rest, step);
    check_truth(&world);
    block_fit(&world.bytes, 1, world.bytes.len * data[0] / 256);
    check_truth(&world);
    check_any(buf_slice(&world.bytes));
    buf_free(&world.bytes);
    return 0;
}
