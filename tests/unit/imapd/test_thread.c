/* test_thread.c - threads (RFC 5256) that are awkward: loops, duplicates, dummies, great depth.
 * Random ones are compared with a reference in tests/e2e/test_sort.py. */
#include "imapd/sort/thread.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

#define R(...)                                                                                     \
    (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)
#define NO_REFERENCES NULL, 0
#define MESSAGES_MAX  6

struct thread_case {
    const char *name;
    struct thread_input messages[MESSAGES_MAX];
    size_t count;
    const char *threads;
};

static uint32_t number(const void *context, uint32_t n)
{
    return n + 1;
}

static void finish(struct threads *threads)
{
    struct error err;
    bool done = false;

    while (!done)
        assert_true(thread_work(threads, &done, &err));
}

static void build(struct threads *threads, const struct thread_input *messages, size_t count)
{
    struct error err;

    thread_start(threads, THREAD_REFERENCES, count, NULL, SIZE_MAX / 4);
    for (size_t i = 0; i < count; i++)
        assert_true(thread_add(threads, &messages[i], &err));
    finish(threads);
}

static void check(const char *name, const struct thread_input *messages, size_t count,
                  const char *want)
{
    AUTO(thread_free) struct threads threads = { 0 };
    AUTO(buf_free) struct buf text = { 0 };

    build(&threads, messages, count);
    while (!thread_print(&threads, text.len + 1, number, NULL, &text))
        continue;
    if (!buf_is(&text, want))
        fail_msg("%s: got %s", name, buf_text(&text));
}

static void test_links(void **state)
{
    const struct thread_case cases[] = {
        { "one", { { 1, NO_REFERENCES, SLICE("A"), false, 0 } }, 1, "(1)" },
        { "by date",
          { { 1, NO_REFERENCES, SLICE("A"), false, 5 },
            { 2, NO_REFERENCES, SLICE("B"), false, 1 } },
          2,
          "(2)(1)" },
        { "the child comes first",
          { { 2, R(1), SLICE("A"), true, 2 }, { 1, NO_REFERENCES, SLICE("A"), false, 1 } },
          2,
          "(2 1)" },
        { "a message of its own parent", { { 1, R(1), SLICE("A"), false, 1 } }, 1, "(1)" },
        { "two that name each other",
          { { 1, R(2), SLICE("A"), false, 1 }, { 2, R(1), SLICE("B"), false, 2 } },
          2,
          "(2 1)" },
        { "the same id twice",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 },
            { 1, NO_REFERENCES, SLICE("B"), false, 2 },
            { 2, R(1), SLICE("C"), false, 3 } },
          3,
          "(1 3)(2)" },
        { "siblings of a missing parent",
          { { 1, R(9), SLICE("A"), false, 1 }, { 2, R(9), SLICE("B"), false, 2 } },
          2,
          "((1)(2))" },
        { "the only child of missing ancestors",
          { { 1, R(7, 8, 9), SLICE("A"), false, 1 } },
          1,
          "(1)" },
        { "a missing one in the middle",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 }, { 2, R(1, 9), SLICE("B"), false, 2 } },
          2,
          "(1 2)" },
        { "the last reference replaces a link",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 },
            { 4, R(1, 2, 3), SLICE("B"), false, 4 },
            { 3, NO_REFERENCES, SLICE("C"), false, 3 },
            { 2, NO_REFERENCES, SLICE("D"), false, 2 } },
          4,
          "(1)(4)(3 2)" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(cases[i].name, cases[i].messages, cases[i].count, cases[i].threads);
}

static void test_subjects(void **state)
{
    const struct thread_case cases[] = {
        { "a reply without references",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 }, { 2, NO_REFERENCES, SLICE("A"), true, 2 } },
          2,
          "(1 2)" },
        { "a reply that is older",
          { { 1, NO_REFERENCES, SLICE("A"), true, 1 }, { 2, NO_REFERENCES, SLICE("A"), false, 2 } },
          2,
          "(2 1)" },
        { "two of the same subject",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 },
            { 2, NO_REFERENCES, SLICE("A"), false, 2 } },
          2,
          "((1)(2))" },
        { "three of the same subject",
          { { 1, NO_REFERENCES, SLICE("A"), false, 1 },
            { 2, NO_REFERENCES, SLICE("A"), false, 2 },
            { 3, NO_REFERENCES, SLICE("A"), true, 3 } },
          3,
          "((1)(2)(3))" },
        { "no subject",
          { { 1, NO_REFERENCES, SLICE(""), false, 1 }, { 2, NO_REFERENCES, SLICE(""), false, 2 } },
          2,
          "(1)(2)" },
        { "two missing parents",
          { { 1, R(8), SLICE("A"), true, 1 },
            { 2, R(8), SLICE("B"), false, 2 },
            { 3, R(9), SLICE("A"), true, 3 },
            { 4, R(9), SLICE("C"), false, 4 },
            { 5, NO_REFERENCES, SLICE("A"), false, 5 } },
          5,
          "((1)(2)(3)(4)(5))" },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(cases[i].name, cases[i].messages, cases[i].count, cases[i].threads);
}

/* Each one a reply to the one before it, or the one behind it: nothing may recurse. */
static void test_deep(void **state)
{
    enum { DEPTH = 200000 };

    for (int up = 0; up <= 1; up++) {
        AUTO(thread_free) struct threads threads = { 0 };
        AUTO(buf_free) struct buf text = { 0 };
        struct error err;

        thread_start(&threads, THREAD_REFERENCES, DEPTH, NULL, SIZE_MAX / 4);
        for (uint64_t i = 1; i <= DEPTH; i++) {
            uint64_t id = up ? DEPTH + 1 - i : i, parent = id + 1000000 - 1;
            struct thread_input input = { .id = id + 1000000, .sent_ms = (int64_t)i };

            input.references = &parent;
            input.n_references = id > 1 ? 1 : 0;
            assert_true(thread_add(&threads, &input, &err));
        }
        finish(&threads);
        assert_true(thread_print(&threads, SIZE_MAX, number, NULL, &text));
        assert_int_equal(slice_find(slice_from(buf_slice(&text), 1), '('), -1);
    }
}

/* Ids that no message has cost memory: there is an end to it. */
static void test_too_many_ids(void **state)
{
    enum { COUNT = 25000 };
    AUTO(thread_free) struct threads threads = { 0 };
    uint64_t references[100], next = 1;
    struct thread_input input = { .references = references, .n_references = 100 };
    struct error err;

    thread_start(&threads, THREAD_REFERENCES, COUNT, NULL, SIZE_MAX / 4);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < 100; k++)
            references[k] = next++;
        assert_true(thread_add(&threads, &input, &err));
    }
    assert_false(threads.too_many);
    finish(&threads);
    assert_true(threads.too_many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_too_many_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
