/* test_sorter.c - records, keys and threads that do not fit the memory they may take: the same
 * comes out as when all is in memory. */
#include "imapd/sort/sorter.h"

#include "imapd/sort/thread.h"
#include "tests/unit/support/check.h"
#include "tests/unit/support/rig.h"

#include <stdlib.h>

static int open_store(void **state)
{
    static struct rig rig;

    rig_open(&rig);
    *state = &rig;
    return 0;
}

static int close_store(void **state)
{
    rig_close(*state);
    return 0;
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

/* A text of some letters, and the number, which tells equal texts apart. */
static struct slice make_record(uint64_t *seed, uint32_t number, char *room)
{
    size_t len = (size_t)next_random(seed) % 40;

    for (size_t i = 0; i < len; i++)
        room[i] = (char)('a' + next_random(seed) % 2);
    memcpy(room + len, &number, sizeof(number));
    return slice_make(room, len + sizeof(number));
}

static void fill(struct sorter *sorter, size_t count)
{
    uint64_t seed = 1;
    struct error err;
    char room[64];

    for (uint32_t i = 0; i < count; i++)
        assert_true(sorter_add(sorter, make_record(&seed, i, room), &err));
    assert_true(sorter_end(sorter, &err));
}

static void test_runs(void **state)
{
    const struct {
        size_t count, room;
        bool has_runs;
    } cases[] = {
        { 0, 1000, false }, { 1, 1000, false },  { 10, 1000, false },
        { 1000, 1, true },  { 1000, 500, true }, { 20000, 9000, true },
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(sorter_free) struct sorter sorter = { 0 }, whole = { 0 };
        struct slice record, wanted;
        struct error err;

        sorter_start(&sorter, rig->store, cases[i].room);
        sorter_start(&whole, NULL, SIZE_MAX / 4);
        fill(&sorter, cases[i].count);
        fill(&whole, cases[i].count);
        assert_int_equal(sorter.n_runs > 1, cases[i].has_runs);
        for (size_t n = 0; n < cases[i].count; n++) {
            AUTO(buf_free) struct buf last = { 0 };

            if (n > 0)
                buf_add_slice(&last, wanted);
            assert_true(sorter_next(&sorter, &record, &err));
            assert_true(sorter_next(&whole, &wanted, &err));
            assert_true(slice_equal(record, wanted));
            assert_true(slice_compare(buf_slice(&last), wanted) < 0);
        }
    }
}

/* No disk: no order, and no crash. */
static void test_no_file(void **state)
{
    AUTO(sorter_free) struct sorter sorter = { 0 };
    AUTO(buf_free) struct buf path = { 0 };
    struct rig *rig = *state;
    struct error err;
    bool ok = true;

    buf_fmt(&path, "mv %s/tmp %s/away", rig->path, rig->path);
    assert_int_equal(system(buf_text(&path)), 0);
    sorter_start(&sorter, rig->store, 100);
    for (int i = 0; i < 100 && ok; i++)
        ok = sorter_add(&sorter, SLICE("some bytes of a record"), &err);
    assert_false(ok);
    buf_clear(&path);
    buf_fmt(&path, "mv %s/away %s/tmp", rig->path, rig->path);
    assert_int_equal(system(buf_text(&path)), 0);
}

static void free_numbers(uint32_t **numbers)
{
    free(TAKE(*numbers));
}

static void add_words(struct spill *spill, const uint64_t *words, size_t count)
{
    struct error err;

    assert_true(spill_add(spill, words, count * sizeof(*words), &err));
}

static uint32_t word_at(const struct spill *spill, size_t at)
{
    struct error err;
    uint64_t word;

    assert_true(spill_read(spill, at * sizeof(word), &word, sizeof(word), &err));
    return intern_number(word);
}

static void test_intern(void **state)
{
    enum { COUNT = 50000, OTHERS = 70000 };
    const size_t memories[] = { SIZE_MAX / 4, 0 };
    struct rig *rig = *state;

    for (size_t i = 0; i < COUNT_OF(memories); i++) {
        AUTO(spill_free) struct spill first = { 0 }, second = { 0 };
        AUTO(intern_free) struct intern intern = { 0 };
        AUTO(free_numbers) uint32_t *numbers = mem_zero(OTHERS * sizeof(*numbers));
        struct error err;
        bool done = false;

        spill_start(&first, rig->store, memories[i]);
        spill_start(&second, rig->store, memories[i]);
        for (uint64_t n = 0; n < COUNT; n++) /* each key twice, but for key 0 */
            add_words(&first, &(uint64_t){ n / 2 * 0x9e3779b97f4a7c15ull }, 1);
        for (uint64_t n = 0; n < OTHERS; n++)
            add_words(&second, &(uint64_t){ n % 30000 * 0x9e3779b97f4a7c15ull }, 1);
        assert_true(spill_end(&first, &err) && spill_end(&second, &err));
        intern_start(&intern, &first, &second, memories[i] / 16 + 1000);
        while (!done)
            assert_true(intern_step(&intern, &done, &err));
        for (size_t n = 0; n < COUNT; n++)
            assert_int_equal(word_at(&first, n), n < 2 ? INTERN_NONE : n / 2 * 2);
        for (size_t n = 0; n < OTHERS; n++)
            numbers[n] = word_at(&second, n);
        for (size_t n = 0; n < 30000; n++) {
            if (n < COUNT / 2)
                assert_int_equal(numbers[n], n == 0 ? INTERN_NONE : n * 2);
            else
                assert_true(numbers[n] >= COUNT && numbers[n] < intern.n_numbers);
            assert_int_equal(numbers[n], numbers[n + 30000]);
        }
        assert_int_equal(intern.n_numbers, COUNT + 30000 - COUNT / 2);
    }
}

static uint32_t number(const void *context, uint32_t n)
{
    return n + 1;
}

/* Answers, some to messages that are not there, of which some were answered by others; few
 * subjects. */
static void thread_all(enum thread_algorithm algorithm, const struct store *store, size_t memory,
                       size_t piece, struct buf *text)
{
    enum { COUNT = 5000 };
    AUTO(thread_free) struct threads threads = { 0 };
    uint64_t seed = 7;
    struct error err;
    bool done = false;

    thread_start(&threads, algorithm, COUNT, store, memory);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t references[3];
        char subject = (char)('A' + next_random(&seed) % 64);
        struct thread_input input = {
            .id = i % 50 == 0 ? 0 : i + 1 - i % 7 / 6,
            .references = references,
            .n_references = (size_t)next_random(&seed) % 4,
            .subject = slice_make(&subject, next_random(&seed) % 8 != 0),
            .is_reply = next_random(&seed) % 2 == 0,
            .sent_ms = (int64_t)(next_random(&seed) % 3000) - 1500,
        };

        for (size_t k = 0; k < 3; k++)
            references[k] = 1 + next_random(&seed) % (COUNT + 1000);
        assert_true(thread_add(&threads, &input, &err));
    }
    while (!done)
        assert_true(thread_work(&threads, &done, &err));
    assert_false(threads.too_many);
    while (!thread_print(&threads, text->len + piece, number, NULL, text))
        continue;
}

static void test_threads(void **state)
{
    const enum thread_algorithm algorithms[] = { THREAD_REFERENCES, THREAD_ORDEREDSUBJECT };
    struct rig *rig = *state;

    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        AUTO(buf_free) struct buf whole = { 0 }, pieces = { 0 };

        thread_all(algorithms[i], NULL, SIZE_MAX / 4, SIZE_MAX / 4, &whole);
        thread_all(algorithms[i], rig->store, 1000, 1, &pieces);
        assert_true(whole.len > 10000);
        assert_true(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_intern),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, open_store, close_store);
}
