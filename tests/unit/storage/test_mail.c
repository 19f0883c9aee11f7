/* test_mail.c - appending, reading, summaries, quota, replays. */
#include "tests/unit/storage/mail_fixture.h"

#include "message/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void filled(struct buf *out, const char *head, size_t len)
{
    buf_add_text(out, head);
    while (out->len < len)
        buf_add_byte(out, (char)('A' + (out->len * 7 + out->len / 251) % 57));
}

/* The message as it must come back. */
static void assert_reads(struct fixture *f, uint64_t msg, struct slice want)
{
    static const size_t chunks[] = { 1000, 4093, 1 << 20 };

    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        AUTO(buf_free) struct buf got = { 0 };
        size_t before;

        do {
            before = got.len;
            must(account_read(f->account, msg, got.len, chunks[i], &got, &f->err));
            assert_true(got.len - before <= chunks[i]);
        } while (got.len > before);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
    }
}

static void check_hash(struct fixture *f, uint64_t msg, struct slice want)
{
    unsigned char digest[HASH_SIZE];
    AUTO(buf_free) struct buf sql = { 0 };
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, want.data, want.len);
    hash_end(&hash, digest);
    buf_fmt(&sql, "SELECT hash = x'");
    for (size_t i = 0; i < HASH_SIZE; i++)
        buf_fmt(&sql, "%02x", digest[i]);
    buf_fmt(&sql, "' FROM msg WHERE id = %llu", (unsigned long long)msg);
    assert_int_equal(count_rows(f, buf_text(&sql)), 1);
}

/* Inline and large, with and without prefix: bytes, hash, size, summary. */
static void test_append_and_read(void **state)
{
    static const struct {
        const char *prefix;
        size_t len;
        bool large;
    } cases[] = {
        { "", 0, false },
        { "", 1, false },
        { "", INLINE_MAX, false },
        { "", INLINE_MAX + 1, true },
        { "", 3 << 20, true },
        { "Received: x\r\n", 100, false },
        { "Received: x\r\n", INLINE_MAX, false },
        { "Received: x\r\n", INLINE_MAX + 1, true },
        { "Received: x\r\n", 1 << 20, true },
        { "Received: x\r\n", 0, false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf whole = { 0 };
        AUTO(buf_free) struct buf rest = { 0 };
        AUTO(buf_free) struct buf path = { 0 };
        uint32_t uidvalidity;

        if (cases[i].len > 40)
            filled(&rest, "Subject: hello\r\n\r\n", cases[i].len);
        else
            filled(&rest, "", cases[i].len);
        buf_add_text(&whole, cases[i].prefix);
        buf_add_slice(&whole, buf_slice(&rest));
        AUTO(body_free) struct body *body = new_body(f, buf_slice(&rest));
        assert_int_equal(body_is_large(body), cases[i].large);
        struct append item = { .body = body, .prefix = slice_of(cases[i].prefix) };
        must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
        assert_int_equal(item.uid_out, i + 1);

        struct mail mail = look_mail(f, f->inbox, item.uid_out);
        assert_int_equal(mail.size, whole.len);
        assert_reads(f, mail.msg, buf_slice(&whole));
        check_hash(f, mail.msg, buf_slice(&whole));
        account_big_path(f->account, mail.msg, &path);
        assert_int_equal(access(buf_text(&path), F_OK) == 0, cases[i].large);
    }
}

/* Every range of a message whose prefix is in the database and whose rest is a file. */
static void test_read_over_the_seam(void **state)
{
    AUTO(buf_free) struct buf rest = { 0 };
    AUTO(buf_free) struct buf whole = { 0 };
    struct fixture *f = *state;
    uint32_t uidvalidity;

    filled(&rest, "Subject: seam\r\n\r\n", INLINE_MAX + 10);
    AUTO(body_free) struct body *body = new_body(f, buf_slice(&rest));
    struct append item = { .body = body, .prefix = SLICE("Received: seam\r\n") };
    must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
    buf_add_slice(&whole, item.prefix);
    buf_add_slice(&whole, buf_slice(&rest));
    uint64_t msg = look_mail(f, f->inbox, 1).msg;

    for (size_t offset = 0; offset <= item.prefix.len + 3; offset++)
        for (size_t len = 0; len <= item.prefix.len + 5; len++) {
            AUTO(buf_free) struct buf got = { 0 };
            must(account_read(f->account, msg, offset, len, &got, &f->err));
            assert_int_equal(got.len, len);
            assert_memory_equal(len > 0 ? got.data : "", whole.data + offset, len);
        }
    AUTO(buf_free) struct buf got = { 0 };
    must(account_read(f->account, msg, whole.len - 3, 100, &got, &f->err));
    assert_int_equal(got.len, 3);
    must(account_read(f->account, msg, whole.len + 1000, 100, &got, &f->err));
    must(account_read(f->account, msg, UINT64_MAX, SIZE_MAX, &got, &f->err));
    assert_int_equal(got.len, 3);
    fails(account_read(f->account, msg + 1, 0, 10, &got, &f->err), ERROR_NOT_FOUND);
}

static void test_append_fields(void **state)
{
    struct fixture *f = *state;
    AUTO(body_free) struct body *body = new_body(f, SLICE("Subject: x\r\n\r\ny"));
    struct append items[] = {
        { .body = body, .flags = MAIL_SEEN | MAIL_DELETED | 1ull << 62, .received_ms = 86400000 },
        { .body = body },
    };
    int64_t before_ms = time_ms();
    uint32_t uidvalidity;

    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    struct mail first = look_mail(f, f->inbox, 1), second = look_mail(f, f->inbox, 2);
    assert_true(first.flags == (MAIL_SEEN | MAIL_DELETED | 1ull << 62));
    assert_int_equal(first.received_ms, 86400000);
    assert_true(first.saved_ms >= before_ms && first.saved_ms <= time_ms());
    assert_true(second.received_ms >= before_ms);
    assert_int_equal(first.modseq, 2);
    assert_int_equal(second.modseq, 2); /* one call, one modseq */

    struct mailbox_info info = look(f, f->inbox);
    assert_int_equal(info.uidvalidity, uidvalidity);
    assert_int_equal(info.modseq, 2);
    assert_int_equal(info.uidnext, 3);
    assert_int_equal(info.n_total, 2);
    assert_int_equal(info.n_unseen, 1);
    assert_int_equal(info.n_deleted, 1);
    assert_int_equal(info.bytes, 2 * body_size(body));
    fails(mailbox_append(f->account, 9999, items, 1, false, &uidvalidity, &f->err),
          ERROR_NOT_FOUND);
}

static void test_replay(void **state)
{
    struct fixture *f = *state;
    AUTO(body_free) struct body *body = new_body(f, SLICE("Subject: x\r\n\r\ny"));
    struct append items[] = { { .body = body, .delivery_id = "one" },
                              { .body = body, .delivery_id = "two" } };
    uint32_t uidvalidity;

    must(mailbox_append(f->account, f->inbox, items, 1, false, &uidvalidity, &f->err));
    assert_int_equal(items[0].uid_out, 1);
    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    assert_int_equal(items[0].uid_out, 0);
    assert_int_equal(items[1].uid_out, 2);
    struct mailbox_info info = look(f, f->inbox);
    assert_int_equal(info.n_total, 2);

    /* All of it seen before: no error and no change, in another mailbox neither. */
    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    must(mailbox_append(f->account, mailbox_id(f, "Junk"), items, 2, false, &uidvalidity, &f->err));
    assert_int_equal(items[0].uid_out + items[1].uid_out, 0);
    assert_int_equal(look(f, f->inbox).modseq, info.modseq);
    assert_int_equal(look(f, mailbox_id(f, "Junk")).n_total, 0);

    /* Even when the message has been expunged meanwhile, as long as it may come again. */
    expunge(f, f->inbox, "1:2");
    collect(f, COLLECT_AGE_MS - 60000);
    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    assert_int_equal(items[0].uid_out + items[1].uid_out, 0);
}

static void test_replay_of_large(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct fixture *f = *state;
    uint32_t uidvalidity;

    filled(&text, "Subject: x\r\n\r\n", INLINE_MAX * 3);
    AUTO(body_free) struct body *body = new_body(f, buf_slice(&text));
    struct append items[] = { { .body = body, .delivery_id = "one" },
                              { .body = body, .delivery_id = "one" } };
    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    assert_int_equal(items[0].uid_out, 1);
    assert_int_equal(items[1].uid_out, 0);
    assert_reads(f, look_mail(f, f->inbox, 1).msg, buf_slice(&text));
}

/* A crash between linking and committing left a file with an id that is given again. */
static void test_file_of_crash_is_replaced(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    account_big_path(f->account, 1, &path);
    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    fputs("old", file);
    fclose(file);
    add_mail(f, f->inbox, "large", INLINE_MAX * 2);
    struct mail mail = look_mail(f, f->inbox, 1);
    assert_int_equal(mail.msg, 1);
    must(account_read(f->account, 1, 0, SIZE_MAX, &text, &f->err));
    assert_int_equal(text.len, mail.size);
    assert_true(slice_starts(buf_slice(&text), "Subject: large\r\n"));
}

static void set_quota(struct fixture *f, uint64_t bytes, uint64_t messages)
{
    must(account_set_limits(
        f->desk, f->id, &(struct account_limits){ .bytes = bytes, .messages = messages }, &f->err));
}

static void test_quota(void **state)
{
    struct fixture *f = *state;
    AUTO(body_free) struct body *body = new_body(f, SLICE("Subject: x\r\n\r\n1234567890"));
    struct append items[] = { { .body = body }, { .body = body }, { .body = body } };
    uint64_t size = body_size(body);
    struct quota quota;
    uint32_t uidvalidity;

    set_quota(f, 2 * size, 0);
    fails(mailbox_append(f->account, f->inbox, items, 3, false, &uidvalidity, &f->err),
          ERROR_OVER_QUOTA);
    assert_int_equal(items[0].uid_out, 0);
    assert_int_equal(look(f, f->inbox).n_total, 0); /* all or none */
    must(mailbox_append(f->account, f->inbox, items, 2, false, &uidvalidity, &f->err));
    fails(mailbox_append(f->account, f->inbox, items, 1, false, &uidvalidity, &f->err),
          ERROR_OVER_QUOTA);
    set_quota(f, 0, 0); /* the operator's change counts at once */
    must(mailbox_append(f->account, f->inbox, items, 1, false, &uidvalidity, &f->err));
    set_quota(f, 0, 3);
    fails(mailbox_append(f->account, f->inbox, items, 1, false, &uidvalidity, &f->err),
          ERROR_OVER_QUOTA);
    must(mailbox_append(f->account, f->inbox, items, 1, true, &uidvalidity, &f->err));
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.bytes, 4 * size);
    assert_int_equal(quota.bytes_max, 0);
    assert_int_equal(quota.messages, 4);
    assert_int_equal(quota.messages_max, 3);

    /* Expunging makes room at once. */
    expunge(f, f->inbox, "1:2");
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.bytes, 2 * size);
    must(mailbox_append(f->account, f->inbox, items, 1, false, &uidvalidity, &f->err));
}

static void test_quota_of_large_leaves_no_file(void **state)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;
    uint32_t uidvalidity;

    filled(&text, "Subject: x\r\n\r\n", INLINE_MAX * 3);
    AUTO(body_free) struct body *body = new_body(f, buf_slice(&text));
    struct append item = { .body = body };
    set_quota(f, 100, 0);
    fails(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err),
          ERROR_OVER_QUOTA);
    account_big_path(f->account, 1, &path);
    assert_int_not_equal(access(buf_text(&path), F_OK), 0);
}

static void test_quota_default(void **state)
{
    struct fixture *f = *state;
    struct store_options options = fixture_options(f);
    struct quota quota;

    options.limits.bytes = 1234;
    options.limits.messages = 5;
    fixture_open_again(f, &options);
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.bytes_max, 1234);
    assert_int_equal(quota.messages_max, 5);
    set_quota(f, 99, 0);
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.bytes_max, 99);
    assert_int_equal(quota.messages_max, 5);
}

/* Summaries. */

struct seen {
    uint64_t msgs[8];
    struct buf envelopes;
    size_t count, empty;
};

static void see(const struct cached *cached, void *context)
{
    struct seen *seen = context;

    seen->msgs[seen->count++] = cached->msg;
    seen->empty += cached->envelope.len == 0 && cached->body_structure.len == 0;
    buf_add_slice(&seen->envelopes, cached->envelope);
    if (cached->envelope.len > 0) {
        assert_true(cached->body.len > 0);
        assert_int_equal(cached->header_len, sizeof("Subject: mail0\r\n\r\n") - 1);
    }
}

static void assert_cached(struct fixture *f, const uint64_t *msgs, size_t count,
                          const char *const *subjects)
{
    struct seen seen = { 0 };
    size_t at = 0;

    must(account_cached(f->account, msgs, count, see, &seen, &f->err));
    assert_int_equal(seen.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(seen.msgs[i], msgs[i]);
        if (subjects[i] == NULL)
            continue;
        ptrdiff_t found =
            slice_search(slice_from(buf_slice(&seen.envelopes), at), slice_of(subjects[i]));
        assert_true(found >= 0);
        at += (size_t)found;
    }
    buf_free(&seen.envelopes);
}

static void test_cached(void **state)
{
    static const char *const subjects[] = { "mail3", "mail0", "mail1", "mail1", NULL, "mail5" };
    struct fixture *f = *state;
    uint64_t m[6];

    for (int i = 0; i < 6; i++) {
        char subject[8];
        snprintf(subject, sizeof(subject), "mail%d", i);
        m[i] = look_mail(f, f->inbox, add_mail(f, f->inbox, subject, i == 5 ? 9000 : 30)).msg;
    }
    const uint64_t asked[] = { m[3], m[0], m[1], m[1], m[5] + 1000, m[5] };
    assert_cached(f, asked, COUNT_OF(asked), subjects);

    /* Missing ones are made again, from large ones too. */
    run_cache_sql(f, "DELETE FROM envelope WHERE msg % 2 = 0; DELETE FROM sorting WHERE msg = 1");
    assert_cached(f, asked, COUNT_OF(asked), subjects);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope JOIN structure USING(msg)"
                                         " JOIN sorting USING(msg)"),
                     6);
    assert_cached(f, asked, COUNT_OF(asked), subjects);
    must(account_cached(f->account, asked, 0, see, NULL, &f->err));
}

static void count_cached(const struct cached *cached, void *context)
{
    *(size_t *)context += cached->envelope.len > 0;
}

static void test_cached_many(void **state)
{
    struct fixture *f = *state;
    uint64_t msgs[2500];
    size_t n = 0;

    add_many(f, f->inbox, COUNT_OF(msgs));
    for (size_t i = 0; i < COUNT_OF(msgs); i++)
        msgs[i] = i + 1;
    run_cache_sql(f, "DELETE FROM envelope");
    must(account_cached(f->account, msgs, COUNT_OF(msgs), count_cached, &n, &f->err));
    assert_int_equal(n, COUNT_OF(msgs));
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), COUNT_OF(msgs));
}

static void keep_text(struct fixture *f, const char *text)
{
    struct append item = { .body = body_new(f->store) };
    uint32_t uidvalidity;

    must(body_add(item.body, slice_of(text), &f->err) && body_finish(item.body, &f->err));
    must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
    body_free(&item.body);
}

/* Threads by Message-ID and References; equal messages have equal names. */
static void test_objects(void **state)
{
    static const char *const texts[] = {
        "Message-ID: <1@x>\r\n\r\na",
        "Message-ID: <2@x>\r\nReferences: <1@x>\r\n\r\nb",
        "Message-ID: <3@x>\r\n\r\nc",
        "Message-ID: <4@x>\r\nIn-Reply-To: <2@x>\r\n\r\nd",
        "Subject: e\r\n\r\ne",
        "Subject: e\r\n\r\ne",
        "References: <9@x> <8@x>\r\n\r\nf",
        "Message-ID: <8@x>\r\n\r\ng",
    };
    static const unsigned same_as[] = { 0, 0, 2, 0, 4, 4, 6, 6 };
    uint64_t msgs[COUNT_OF(texts) + 1];
    struct object_ids ids[COUNT_OF(msgs)], again[COUNT_OF(msgs)];
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        keep_text(f, texts[i]);
    for (size_t i = 0; i < COUNT_OF(msgs); i++)
        msgs[i] = i + 1;
    must(account_objects(f->account, msgs, COUNT_OF(msgs), ids, &f->err));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(ids[i].exists && ids[i].msg == msgs[i] && ids[i].thread != 0);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(ids[i].thread == ids[k].thread, same_as[i] == same_as[k]);
    }
    assert_memory_equal(ids[4].hash, ids[5].hash, sizeof(ids[4].hash));
    assert_false(ids[COUNT_OF(texts)].exists);

    /* Those of an older version get theirs when they are asked for, and keep them. */
    run_sql(f, "UPDATE msg SET thread = 0; DELETE FROM thread");
    for (int round = 0; round < 2; round++) {
        must(account_objects(f->account, msgs, COUNT_OF(msgs), again, &f->err));
        for (size_t i = 0; i < COUNT_OF(msgs); i++)
            assert_int_equal(again[i].thread, ids[i].thread);
    }
}

static void test_uidl(void **state)
{
    AUTO(buf_free) struct buf before = { 0 };
    AUTO(buf_free) struct buf after = { 0 };
    struct fixture *f = *state;
    uint64_t away = make_mailbox(f, "away");
    struct uidset all = set_of("1:100");
    struct copy_result result;

    add_mail(f, f->inbox, "x", 10);
    account_uidl(f->account, look_mail(f, f->inbox, 1).msg, &before);
    assert_int_equal(before.len, 32);
    must(mailbox_copy(f->account, f->inbox, &all, away, true, &result, &f->err));
    copy_result_free(&result);
    must(mailbox_copy(f->account, away, &all, f->inbox, true, &result, &f->err));
    copy_result_free(&result);
    uidset_free(&all);
    collect(f, 2 * COLLECT_AGE_MS);
    fixture_open_again(f, NULL);
    account_uidl(f->account, look_mail(f, f->inbox, 2).msg, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_append_and_read),
        FIXTURE_TEST(test_read_over_the_seam),
        FIXTURE_TEST(test_append_fields),
        FIXTURE_TEST(test_replay),
        FIXTURE_TEST(test_replay_of_large),
        FIXTURE_TEST(test_file_of_crash_is_replaced),
        FIXTURE_TEST(test_quota),
        FIXTURE_TEST(test_quota_of_large_leaves_no_file),
        FIXTURE_TEST(test_quota_default),
        FIXTURE_TEST(test_cached),
        FIXTURE_TEST(test_cached_many),
        FIXTURE_TEST(test_objects),
        FIXTURE_TEST(test_uidl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
