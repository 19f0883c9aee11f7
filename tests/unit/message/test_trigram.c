/* test_trigram.c - a signature never denies a needle that is there, and denies most others. */
#include "message/trigram.h"

#include "message/text.h"
#include "tests/unit/message/exact.h"

#include <stdio.h>
#include <time.h>
#include <unistr.h>

static uint64_t state_of_random = 1;

static size_t below(size_t n)
{
    state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
    return (size_t)((state_of_random >> 33) % n);
}

/* A character of one of many scripts, some of which fold to others or to several. */
static void add_random(struct buf *out)
{
    static const uint32_t first[] = { 'a',    'A',    ' ',    0xc0,   0x130,  0x370,   0x400,
                                      0x5d0,  0x600,  0xe00,  0x1e00, 0x1f00, 0x3040,  0x4e00,
                                      0xac00, 0xfb00, 0xff00, 0x300,  0x2100, 0x1f300, 0x1d400 };
    uint8_t bytes[4];
    uint32_t character = first[below(COUNT_OF(first))] + (uint32_t)below(40);

    buf_add(out, bytes, (size_t)u8_uctomb(bytes, character, 4));
}

static void add_text(struct trigrams *trigrams, struct slice text)
{
    AUTO(buf_free) struct buf folded = { 0 };

    text_fold(text, &folded);
    trigrams_add(trigrams, buf_slice(&folded));
}

static void sign(struct trigrams *trigrams, struct buf *out)
{
    struct trigram_keys pairs = { 0 };

    trigrams_sign(trigrams, 0, &pairs, out);
    trigram_keys_free(&pairs);
}

static bool may_have(struct buf *signature, struct slice needle)
{
    AUTO(buf_free) struct buf folded = { 0 };
    struct probe probe;

    text_fold(needle, &folded);
    probe_make(buf_slice(&folded), &probe);
    return signature_may_have(buf_slice(signature), &probe);
}

/* Any part of any of the texts, by characters, is one that it may have. */
static void test_never_denies(void **state)
{
    AUTO(trigrams_free) struct trigrams *trigrams = trigrams_new();

    state_of_random = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)state_of_random);
    for (int round = 0; round < 2000; round++) {
        struct buf texts[3] = { { 0 }, { 0 }, { 0 } };
        AUTO(buf_free) struct buf signature = { 0 };
        size_t ends[3][400], counts[3];

        for (size_t i = 0; i < 3; i++) {
            counts[i] = below(round % 10 == 0 ? 399 : 40);
            for (size_t n = 0; n < counts[i]; n++) {
                ends[i][n] = texts[i].len;
                add_random(&texts[i]);
            }
            ends[i][counts[i]] = texts[i].len;
            add_text(trigrams, buf_slice(&texts[i]));
        }
        sign(trigrams, &signature);
        assert_int_equal(signature.len % 8, 0);
        for (size_t i = 0; i < 3; i++)
            for (size_t n = 0; n < 20; n++) {
                size_t from = below(counts[i] + 1), to = from + below(counts[i] - from + 1);

                assert_true(may_have(&signature, slice_part(buf_slice(&texts[i]), ends[i][from],
                                                            ends[i][to] - ends[i][from])));
            }
        for (size_t i = 0; i < 3; i++)
            buf_free(&texts[i]);
    }
}

static void test_denies(void **state)
{
    AUTO(trigrams_free) struct trigrams *trigrams = trigrams_new();
    AUTO(buf_free) struct buf signature = { 0 };
    unsigned wrong = 0;

    state_of_random = 7;
    add_text(trigrams, SLICE("The quick brown fox jumps over the lazy dog, and what not else."));
    sign(trigrams, &signature);
    for (int i = 0; i < 1000; i++) {
        char needle[8];

        for (size_t n = 0; n < sizeof(needle); n++)
            needle[n] = (char)('0' + below(10));
        wrong += may_have(&signature, slice_make(needle, sizeof(needle)));
    }
    assert_true(wrong < 20);
    assert_false(may_have(&signature, SLICE("zebrafish")));
    assert_true(may_have(&signature, SLICE("qx"))); /* too short to say */
    assert_true(may_have(&signature, SLICE("")));
}

/* Nothing of one signature is in the next, small or full. */
static void test_apart(void **state)
{
    AUTO(trigrams_free) struct trigrams *trigrams = trigrams_new();
    AUTO(buf_free) struct buf large = { 0 };
    AUTO(buf_free) struct buf one = { 0 };
    AUTO(buf_free) struct buf two = { 0 };

    while (large.len < 400000)
        buf_add_byte(&large, (char)below(256));
    trigrams_add(trigrams, buf_slice(&large));
    sign(trigrams, &one);
    assert_int_equal(one.len, SIGNATURE_MAX);
    for (size_t at = 0; at + 40 < large.len; at += 1000) {
        struct probe probe;

        probe_make(slice_part(buf_slice(&large), at, 40), &probe);
        assert_true(signature_may_have(buf_slice(&one), &probe));
    }
    sign(trigrams, &two);
    assert_int_equal(two.len, 8);
    for (size_t i = 0; i < two.len; i++)
        assert_int_equal(two.data[i], 0);
}

/* Which texts are listed. */
static void test_list(void **state)
{
    AUTO(trigrams_free) struct trigrams *trigrams = trigrams_new();
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf signature = { 0 };
    struct trigram_keys keys = { 0 };

    trigrams_add(trigrams, SLICE("ABAB"));
    trigrams_add(trigrams, SLICE("C"));
    assert_true(trigrams_list(trigrams, 5, &keys));
    assert_int_equal(keys.count, 5); /* ABA BAB AB. B.. C.. */
    assert_int_equal(keys.keys[0], (0x414241 << TRIGRAM_KEY_BITS) + 5);
    assert_int_equal(keys.keys[4], (0x430000 << TRIGRAM_KEY_BITS) + 5);
    assert_true(trigrams_list(trigrams, 6, &keys)); /* nothing was added */
    assert_int_equal(keys.count, 5);
    while (text.len < 3000)
        buf_add_byte(&text, (char)('A' + below(60)));
    trigrams_add(trigrams, buf_slice(&text));
    assert_false(trigrams_list(trigrams, 7, &keys));
    assert_int_equal(keys.count, 5);
    trigrams_sign(trigrams, 7, &keys, &signature);
    assert_int_equal(signature.len, (3000 / 5 + 7) / 8 * 8);
    assert_int_equal(keys.keys[5] >> TRIGRAM_KEY_BITS & 0xff, TRIGRAM_PAIR_END);
    assert_true(keys.count > 1000 && keys.count <= 5 + 60 * 60 + 2);
    trigram_keys_free(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_never_denies),
        cmocka_unit_test(test_denies),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
