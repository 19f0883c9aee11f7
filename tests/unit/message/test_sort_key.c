/* test_sort_key.c - base subjects (RFC 5256 section 2.1), msg-ids, and stored sort keys. */
#include "message/base_subject.h"
#include "message/message_id.h"
#include "message/sort_key.h"
#include "tests/unit/message/exact.h"
#include "tests/unit/support/check.h"

static const struct {
    const char *subject, *base;
    bool reply;
} subjects[] = {
    { "", "", false },
    { "plain", "plain", false },
    { "  a \t b\r\n c  ", "a b c", false },
    { "Re: a", "a", true },
    { "RE:a", "a", true },
    { "re : a", "a", true },
    { "Re[2]: a", "a", true },
    { "re [2] : a", "a", true },
    { "re [2 : a", "re [2 : a", false },
    { "Fw: a", "a", true },
    { "FWD: a", "a", true },
    { "forward: a", "forward: a", false },
    { "Re: Fwd: Re: a", "a", true },
    { "[list] a", "a", false },
    { "[list] Re: a", "a", true },
    { "Re: [list] a", "a", true },
    { "[a] [b] re: [c] d", "d", true },
    { "[list]", "[list]", false },
    { "[a][b]", "[b]", false },
    { "[a", "[a", false },
    { "[a[b] c", "[a[b] c", false },
    { "a (fwd)", "a", true },
    { "a (fwd) (FWD) ", "a", true },
    { "a (fwd", "a (fwd", false },
    { "(fwd)", "", true },
    { "[fwd: a]", "a", true },
    { "[Fwd: Re: [list] a (fwd)]", "a", true },
    { "[fwd: [fwd: a] ]", "a", true },
    { "[fwd: a] b", "b", false }, /* it is a blob */
    { "[fwd:]", "", true },
    { "re:", "", true },
    { "Re: ", "", true },
    { "re", "re", false },
    { "Re:Re:", "", true },
    { "Aw: a", "Aw: a", false },
};

static void test_base_subjects(void **state)
{
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        AUTO(exact_free) struct slice subject = exact(slice_of(subjects[i].subject));
        AUTO(buf_free) struct buf base = { 0 };
        bool reply = base_subject(subject, &base);

        check_text(subjects[i].subject, &base, subjects[i].base);
        assert_int_equal(reply, subjects[i].reply);
    }
}

static const struct {
    const char *value, *ids; /* each with a blank behind it */
} ids[] = {
    { "", "" },
    { "<a@b>", "a@b " },
    { " <a@b>\t<c@d>", "a@b c@d " },
    { "<a@b><c@d>", "a@b c@d " },
    { "<\"a\"@b>", "a@b " },
    { "<\"a\\b\"@c>", "ab@c " },
    { "<x.\"y z\"@c>", "x.y z@c " },
    { "<a@[1.2]>", "a@[1.2] " },
    { "<a@b@c>", "a@b@c " },
    { "a@b", "" },
    { "<ab>", "" },
    { "<@b>", "" },
    { "<a@>", "" },
    { "<a b@c>", "" },
    { "<a@b", "" },
    { "<\"a@b>", "" },
    { "<<a@b>", "a@b " },
    { "<bad> joe <a@b> (x)", "a@b " },
    { "Your message of \"Mon\" <a@b>", "a@b " },
};

static void test_ids(void **state)
{
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        AUTO(exact_free) struct slice value = exact(slice_of(ids[i].value));
        AUTO(buf_free) struct buf all = { 0 };
        AUTO(buf_free) struct buf id = { 0 };
        struct slice rest = value;

        while (message_id_next(&rest, &id)) {
            buf_add_slice(&all, buf_slice(&id));
            buf_add_byte(&all, ' ');
        }
        check_text(ids[i].value, &all, ids[i].ids);
    }
}

static uint64_t hash_of(const char *id)
{
    return message_id_hash(slice_of(id));
}

static const char full[] =
    "Date: Mon, 2 Mar 2026 11:00:00 +0100\r\nSubject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "From: =?utf-8?q?J=C3=B6rg?= <joerg@Example.test>, x@y\r\nTo:\r\nTo: Bob@b.test\r\n"
    "Cc: friends: a@b;\r\nMessage-ID: <4@x>\r\nReferences: <1@x> <\"2\"@x>\r\n <3@x>\r\n"
    "In-Reply-To: <9@x>\r\n\r\n";

static void test_keys(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf written = { 0 };
    struct sort_keys keys;

    sort_keys_write(&arena, slice_of(full), &written);
    assert_true(sort_keys_read(buf_slice(&written), &keys));
    assert_true(keys.has_date && keys.is_reply);
    assert_int_equal(keys.sent_ms, INT64_C(1772445600000));
    assert_true(slice_equal(keys.texts[SORT_SUBJECT], SLICE("GRU\xcc\x88\xc3\x9f"
                                                            "E")));
    assert_true(slice_equal(keys.texts[SORT_FROM], SLICE("JOERG")));
    assert_true(slice_equal(keys.texts[SORT_TO], SLICE("BOB")));
    assert_true(slice_equal(keys.texts[SORT_CC], SLICE("FRIENDS")));
    assert_true(slice_equal(keys.texts[SORT_DISPLAY_FROM], SLICE("JO\xcc\x88RG")));
    assert_true(slice_equal(keys.texts[SORT_DISPLAY_TO], SLICE("BOB@B.TEST")));
    assert_int_equal(keys.id, hash_of("4@x"));
    assert_int_equal(keys.n_references, 3);
    assert_int_equal(sort_reference(&keys, 0), hash_of("1@x"));
    assert_int_equal(sort_reference(&keys, 1), hash_of("2@x"));
    assert_int_equal(sort_reference(&keys, 2), hash_of("3@x"));
}

static void test_reply_without_references(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf written = { 0 };
    struct sort_keys keys;

    sort_keys_write(&arena,
                    SLICE("References: none\r\nIn-Reply-To: joe@x <1@x> <2@x>\r\n"
                          "Date: soon\r\n\r\n"),
                    &written);
    assert_true(sort_keys_read(buf_slice(&written), &keys));
    assert_false(keys.has_date || keys.is_reply);
    assert_int_equal(keys.id, 0);
    assert_int_equal(keys.n_references, 1);
    assert_int_equal(sort_reference(&keys, 0), hash_of("1@x"));
}

/* Whatever is cut off: read within bounds, or refused. */
static void test_truncated(void **state)
{
    for (size_t len = 0; len <= strlen(full); len++) {
        AUTO(exact_free) struct slice header = exact(slice_make(full, len));
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf written = { 0 };
        struct sort_keys keys;

        sort_keys_write(&arena, header, &written);
        assert_true(sort_keys_read(buf_slice(&written), &keys));
        for (size_t cut = 0; cut < written.len; cut++) {
            AUTO(exact_free) struct slice part = exact(slice_part(buf_slice(&written), 0, cut));

            if (sort_keys_read(part, &keys))
                assert_true(keys.n_references < 3);
        }
    }
}

/* Of long texts and many references the stored keys stay small. */
static void test_limits(void **state)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf header = { 0 };
    AUTO(buf_free) struct buf written = { 0 };
    struct sort_keys keys;

    buf_add_text(&header, "Subject: ");
    for (size_t i = 0; i < 50000; i++)
        buf_add_text(&header, "[a]");
    buf_add_text(&header, "\r\nReferences:");
    for (size_t i = 0; i < 5000; i++)
        buf_fmt(&header, "\r\n <%zu@x>", i);
    sort_keys_write(&arena, buf_slice(&header), &written);
    assert_true(sort_keys_read(buf_slice(&written), &keys));
    assert_int_equal(keys.n_references, SORT_REFERENCES_MAX);
    assert_int_equal(sort_reference(&keys, SORT_REFERENCES_MAX - 1), hash_of("4999@x"));
    assert_true(written.len <= 32 + SORT_TEXTS * SORT_TEXT_MAX + SORT_REFERENCES_MAX * 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_subjects), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_keys),          cmocka_unit_test(test_reply_without_references),
        cmocka_unit_test(test_truncated),     cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
