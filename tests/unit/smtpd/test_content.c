/* test_content.c - where the header of a message ends, and what is kept of messages that have none.
 * Each is fed in pieces of several sizes.
 */
#include "smtpd/content.h"
#include "tests/unit/smtpd/post.h"
#include "tests/unit/support/check.h"

#include <stdlib.h>

static int open_post(void **state)
{
    *state = NEW(struct post);
    post_open(*state);
    return 0;
}

static int close_post(void **state)
{
    post_close(*state);
    free(*state);
    return 0;
}

/* `piece`: bytes at a time. Returns the largest size of what was held back. */
static size_t feed(struct content *content, struct slice message, size_t piece)
{
    size_t held = 0;

    for (; message.len > 0; message = slice_from(message, piece)) {
        content_add(content, slice_part(message, 0, piece));
        held = MAX(held, content->head.len);
    }
    return held;
}

static struct content new_content(struct post *post, const struct submit_facts *facts)
{
    struct content content = { .size_max = 64 << 20, .hops_max = 50, .submit = facts };

    content_start(&content, post->smtpd.store);
    return content;
}

static const struct {
    const char *name;
    const char *line; /* again and again */
    bool ends;        /* with an empty line */
    enum content_fault want;
} big[] = {
    { "fields", "X-Field: value\r\n", false, CONTENT_HEADER_TOO_BIG },
    { "fields and an end", "X-Field: value\r\n", true, CONTENT_HEADER_TOO_BIG },
    { "one field", "X-Field: value", false, CONTENT_HEADER_TOO_BIG },
    { "a folded field", "X:\r\n value\r\n", false, CONTENT_HEADER_TOO_BIG },
    { "no field", "this is no field\r\n", false, CONTENT_GOOD },
    { "no field and an end", "this is no field\r\n", true, CONTENT_GOOD },
};

/* Authentication-Results in our name is taken out; the header as it came is kept for those who
 * verify it. */
static void test_forged_results(void **state)
{
    static const char forged[] = "A: 1\r\nAuthentication-Results: mx.test;\r\n spf=pass\r\n"
                                 "Authentication-Results: other.test; spf=pass\r\nB: 2\r\n\r\n";
    static const char clean[] =
        "A: 1\r\nAuthentication-Results: other.test; spf=pass\r\nB: 2\r\n\r\nbody\r\n";
    static const size_t pieces[] = { 1, 7, 1000 };

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct content content = new_content(*state, NULL);
        struct slice bytes;
        struct error err;

        content.authserv_id = SLICE("mx.test");
        feed(&content, slice_of(forged), pieces[i]);
        feed(&content, SLICE("body\r\n"), pieces[i]);
        assert_true(content_finish(&content));
        assert_true(body_bytes(content.body, &bytes, &err));
        assert_true(slice_equal(bytes, slice_of(clean)));
        assert_true(slice_equal(buf_slice(&content.original), slice_of(forged)));
        content_free(&content);
    }
}

/* A megabyte without an empty line is not kept in memory. */
static void test_big(void **state)
{
    static const size_t pieces[] = { 1000, 65536 };

    for (size_t i = 0; i < COUNT_OF(big) * COUNT_OF(pieces); i++) {
        size_t row = i / COUNT_OF(pieces), piece = pieces[i % COUNT_OF(pieces)];
        AUTO(buf_free) struct buf message = { 0 };
        struct content content = new_content(*state, NULL);

        while (message.len < 1 << 20)
            buf_add_text(&message, big[row].line);
        buf_add_text(&message, big[row].ends ? "\r\nbody\r\n" : "");
        if (feed(&content, buf_slice(&message), piece) > CONTENT_HEADER_MAX + piece)
            fail_msg("%s, %zu at a time: too much is held back", big[row].name, piece);
        (void)content_finish(&content);
        if (content.fault != big[row].want)
            fail_msg("%s, %zu at a time: %d", big[row].name, piece, (int)content.fault);
        if (content.fault == CONTENT_GOOD)
            assert_int_equal(body_size(content.body), message.len);
        content_free(&content);
    }
}

static const struct {
    const char *message, *want_end; /* what was handed in ends so */
} submitted[] = {
    { "Subject: x\r\n\r\nHello\r\n", "\r\n\r\nHello\r\n" },
    { "Subject: x\r\nno field\r\nTo: a\r\n\r\nHello\r\n",
      "\r\n\r\nno field\r\nTo: a\r\n\r\nHello\r\n" },
    { "Dear Eve,\r\n\r\nHello\r\n", "\r\n\r\nDear Eve,\r\n\r\nHello\r\n" },
    { "Dear Eve,\r\n", "\r\n\r\nDear Eve,\r\n" },
    { "\r\nHello\r\n", "\r\n\r\nHello\r\n" },
};

/* Whatever a user's program writes where the header should be, nothing of it is lost. */
static void test_nothing_is_lost(void **state)
{
    const struct submit_facts facts = { .hostname = SLICE("x"), .sender = SLICE("bob@x") };

    for (size_t i = 0; i < COUNT_OF(submitted); i++) {
        for (size_t piece = 1; piece < 64; piece += 21) {
            struct content content = new_content(*state, &facts);
            struct slice bytes, want = slice_of(submitted[i].want_end);
            struct error err;

            feed(&content, slice_of(submitted[i].message), piece);
            assert_true(content_finish(&content));
            assert_true(body_bytes(content.body, &bytes, &err));
            assert_true(bytes.len > want.len);
            if (!slice_equal(slice_from(bytes, bytes.len - want.len), want))
                fail_msg("%s: " SLICE_FMT, submitted[i].message, SLICE_ARG(bytes));
            content_free(&content);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_post, close_post)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_forged_results), TEST(test_big),
                                        TEST(test_nothing_is_lost) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
