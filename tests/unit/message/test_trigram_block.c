/* test_trigram_block.c - what a block says of its texts is true, through all changes. */
#include "message/trigram_fit.h"

#include "tests/unit/message/exact.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state_of_random = 1;

static size_t below(size_t n)
{
    state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
    return (size_t)((state_of_random >> 33) % n);
}

/* What should be in the block, and its bytes. */
struct world {
    struct trigrams *trigrams;
    struct buf texts[BLOCK_TEXTS];
    bool there[BLOCK_TEXTS];
    struct buf bytes;
};

static void world_free(struct world *world)
{
    trigrams_free(&world->trigrams);
    for (size_t i = 0; i < BLOCK_TEXTS; i++)
        buf_free(&world->texts[i]);
    buf_free(&world->bytes);
}

/* Of a small alphabet, so that much is in common; or of all bytes but NUL, to be signed. */
static void make_text(struct buf *text)
{
    size_t kind = below(8), len = kind == 0 ? 3000 : below(300);

    buf_clear(text);
    for (size_t i = 0; i < len; i++)
        buf_add_byte(text, kind == 0   ? (char)(1 + below(255))
                           : kind == 1 ? (char)(0xf8 + below(8))
                                       : (char)('A' + below(4) * below(4)));
}

static void fit(struct buf *bytes)
{
    uint64_t texts = block_text_bytes(buf_slice(bytes));
    size_t n_texts = block_texts(buf_slice(bytes)), before = bytes->len;

    block_fit(bytes, 1, before);
    assert_int_equal(bytes->len, before);
    block_fit(bytes, 1, below(before));
    if (below(4) != 0)
        return;
    block_fit(bytes, 1, 0);
    assert_true(bytes->len <= texts / 5 + 24 * n_texts + 100);
    assert_int_equal(block_text_bytes(buf_slice(bytes)), texts);
}

static void change(struct world *world)
{
    struct trigram_keys keys = { 0 };
    struct block_change change = { 0 };
    struct trigram_block old;
    AUTO(buf_free) struct buf signatures = { 0 };
    AUTO(buf_free) struct buf out = { 0 };

    buf_reserve(&signatures, BLOCK_TEXTS * 1024);
    for (unsigned i = 0; i < BLOCK_TEXTS; i++) {
        size_t what = below(12), at = signatures.len;

        if (what == 0) {
            change.gone |= 1ull << i;
            world->there[i] = false;
        }
        if (what != 1)
            continue;
        make_text(&world->texts[i]);
        change.sizes[i] = block_size_of(world->texts[i].len);
        world->there[i] = true;
        trigrams_add(world->trigrams, buf_slice(&world->texts[i]));
        if (trigrams_list(world->trigrams, i, &keys)) {
            change.listed |= 1ull << i;
        } else {
            trigrams_sign(world->trigrams, i, &keys, &signatures);
            change.is_signed |= 1ull << i;
            change.signatures[i] = slice_from(buf_slice(&signatures), at);
        }
    }
    change.keys = keys.keys;
    change.n_keys = keys.count;
    assert_true(block_read(buf_slice(&world->bytes), &old));
    block_write(&old, &change, &out);
    buf_clear(&world->bytes);
    buf_add_slice(&world->bytes, buf_slice(&out));
    if (below(8) == 0)
        fit(&world->bytes);
    trigram_keys_free(&keys);
}

/* Bytes of the longest needle of which the answer is sure both ways. */
static size_t most_exact(const struct trigram_block *block, size_t text)
{
    return (block->listed >> text & 1) != 0     ? 3
           : (block->no_bytes >> text & 1) != 0 ? 0
           : (block->no_pairs >> text & 1) != 0 ? 1
                                                : 2;
}

static void ask(const struct world *world, const struct trigram_block *block, struct slice bytes)
{
    struct block_needle needle;
    uint64_t has, cannot;

    block_needle_make(bytes, &needle);
    block_ask(block, &needle, &has, &cannot);
    for (size_t i = 0; i < BLOCK_TEXTS; i++) {
        bool is_there = slice_search(buf_slice(&world->texts[i]), bytes) >= 0;

        if (!world->there[i]) {
            assert_false((has | cannot) >> i & 1);
            continue;
        }
        assert_true((block->listed | block->is_signed) >> i & 1);
        assert_false(is_there ? cannot >> i & 1 : has >> i & 1);
        if (bytes.len <= most_exact(block, i))
            assert_true(is_there ? has >> i & 1 : cannot >> i & 1);
    }
}

static void ask_all(const struct world *world)
{
    struct trigram_block block;

    assert_true(block_read(buf_slice(&world->bytes), &block));
    for (size_t i = 0; i < 300; i++) {
        struct slice text = buf_slice(&world->texts[below(BLOCK_TEXTS)]);
        size_t len = 1 + below(i % 10 == 0 ? 100 : 6);
        char random[2] = { (char)(1 + below(255)), (char)(1 + below(255)) };

        if (text.len >= len)
            ask(world, &block, slice_part(text, below(text.len - len + 1), len));
        ask(world, &block, slice_make(random, 1 + i % 2));
    }
}

static void test_true(void **state)
{
    state_of_random = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)state_of_random);
    for (size_t round = 0; round < 20; round++) {
        AUTO(world_free) struct world world = { .trigrams = trigrams_new() };

        for (size_t i = 0; i < 20; i++) {
            change(&world);
            ask_all(&world);
        }
    }
}

static void test_says_nothing(void **state)
{
    AUTO(world_free) struct world world = { .trigrams = trigrams_new() };
    struct trigram_block block;
    uint64_t has, cannot;
    struct block_needle needle;

    change(&world);
    assert_true(block_read(buf_slice(&world.bytes), &block));
    block_needle_make(SLICE("A\0"), &needle);
    block_ask(&block, &needle, &has, &cannot);
    assert_int_equal(has | cannot, 0);
    block_needle_make((struct slice){ 0 }, &needle);
    block_ask(&block, &needle, &has, &cannot);
    assert_int_equal(has | cannot, 0);
}

/* Whatever the bytes are: nothing is read outside them. */
static void test_damaged(void **state)
{
    AUTO(world_free) struct world world = { .trigrams = trigrams_new() };

    change(&world);
    for (size_t i = 0; i < 3000; i++) {
        struct trigram_block block;
        size_t len = i % 3 == 0 ? below(world.bytes.len) : world.bytes.len;
        char *bytes = malloc(len + 1);
        struct block_change nothing = { 0 };
        AUTO(buf_free) struct buf out = { 0 };

        memcpy(bytes, world.bytes.data, len);
        for (size_t k = 0; k < i % 3 && len > 0; k++)
            bytes[below(i % 2 == 0 ? MIN(len, 100) : len)] ^= (char)(1 + below(255));
        if (block_read(slice_make(bytes, len), &block)) {
            struct block_needle needle;
            uint64_t has, cannot;

            for (size_t first = 1; first < 256; first += 3) {
                char text[] = { (char)first, (char)below(256), (char)below(256), 'A' };

                block_needle_make(slice_make(text, 1 + i % 4), &needle);
                block_ask(&block, &needle, &has, &cannot);
            }
            block_write(&block, &nothing, &out);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true),
        cmocka_unit_test(test_says_nothing),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
