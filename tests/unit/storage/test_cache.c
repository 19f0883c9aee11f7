/* test_cache.c - cache.db: whatever becomes of it, summaries are those of the messages. */
#include "message/summary.h"
#include "storage/search.h"
#include "storage/sqlite/cache_private.h"
#include "tests/unit/storage/mail_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define N_MAILS 50

static void take_envelope(const struct cached *cached, void *context)
{
    buf_add_slice(context, cached->envelope);
    buf_add_byte(context, '\n');
}

/* The subjects of all messages by their summaries are those that were stored. */
static void assert_right(struct fixture *f, unsigned parts, uint64_t count)
{
    AUTO(buf_free) struct buf text = { 0 };
    uint64_t msgs[N_MAILS * 2];
    struct slice rest, line;

    for (uint64_t i = 0; i < count; i++)
        msgs[i] = i + 1;
    must(account_summaries(f->account, parts, msgs, count, take_envelope, &text, &f->err));
    rest = buf_slice(&text);
    for (uint64_t i = 0; i < count; i++) {
        char subject[32];

        snprintf(subject, sizeof(subject), "\"mail%llu\"", (unsigned long long)i);
        assert_true(slice_split(&rest, '\n', &line));
        assert_true(slice_search(line, slice_of(subject)) >= 0);
    }
}

static void fill(struct fixture *f, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        char subject[32];

        snprintf(subject, sizeof(subject), "mail%llu", (unsigned long long)i);
        add_mail(f, f->inbox, subject, 30);
    }
}

static void cache_path(struct fixture *f, const char *name, struct buf *out)
{
    store_account_path(f->store, f->id, name, out);
}

/* Who appends fills it, so that nothing is made again when it is read. */
static void test_filled(void **state)
{
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope JOIN structure USING(msg)"
                                         " JOIN sorting USING(msg)"),
                     N_MAILS);
    run_sql(f, "UPDATE body SET data = zeroblob(length(data))");
    assert_right(f, CACHED_ENVELOPE, N_MAILS);
    assert_right(f, CACHED_ALL, N_MAILS);
}

static void deliver(struct fixture *f, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++) {
        AUTO(buf_free) struct buf text = { 0 };
        uint32_t uidvalidity;

        buf_fmt(&text, "Subject: mail%llu\r\n\r\nText", (unsigned long long)i);
        AUTO(body_free) struct body *body = new_body(f, buf_slice(&text));
        struct append item = { .body = body, .summary_later = true };
        must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
    }
}

/* What a delivery leaves out is made, and stored, by whoever asks for it first. */
static void test_later(void **state)
{
    struct fixture *f = *state;
    AUTO(indexer_free) struct indexer *indexer = indexer_new();
    bool more;

    deliver(f, 0, N_MAILS);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), 0);
    must(account_index(f->account, indexer, &more, &f->err));
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope JOIN structure USING(msg)"
                                         " JOIN sorting USING(msg)"),
                     N_MAILS);
    deliver(f, N_MAILS, N_MAILS);
    assert_right(f, CACHED_ALL, (uint64_t)N_MAILS * 2);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), N_MAILS * 2);
    run_sql(f, "UPDATE body SET data = zeroblob(length(data))");
    assert_right(f, CACHED_ENVELOPE, (uint64_t)N_MAILS * 2);
}

static void damage_file(struct fixture *f, const char *name, off_t from, size_t len)
{
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf rubbish = { 0 };
    int fd;

    memset(buf_reserve(&rubbish, len), 0x5a, len);
    cache_path(f, name, &path);
    fd = open(buf_text(&path), O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0 && pwrite(fd, rubbish.data, len, from) == (ssize_t)len);
    close(fd);
}

/* What is damaged, missing, of another version or of a later mail.db is made again. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    for (off_t page = 0; page < 8; page++) {
        cache_close(f->account);
        damage_file(f, "cache.db", page * 4096, 4096);
        assert_right(f, page % 2 == 0 ? CACHED_ENVELOPE : CACHED_ALL, N_MAILS);
        assert_right(f, CACHED_ALL, N_MAILS);
        assert_right(f, CACHED_ENVELOPE, N_MAILS);
    }
    cache_close(f->account);
    damage_file(f, "cache.db", 100, 40000);
    fill(f, N_MAILS, 1); /* deliveries do not mind */
    assert_right(f, CACHED_ALL, N_MAILS + 1);
}

static void test_missing(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    cache_close(f->account);
    cache_path(f, "cache.db", &path);
    assert_int_equal(unlink(buf_text(&path)), 0);
    assert_right(f, CACHED_ENVELOPE, N_MAILS);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM sorting"), N_MAILS);
}

static void test_other_version(void **state)
{
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    run_cache_sql(f, "UPDATE envelope SET envelope = 'old'; PRAGMA user_version = 1");
    cache_close(f->account);
    assert_right(f, CACHED_ENVELOPE, N_MAILS);
}

/* mail.db was put back from a copy: the ids behind its last are given once more. */
static void test_older_mail(void **state)
{
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    run_cache_sql(f, "INSERT INTO envelope SELECT msg + 50, 0, 1, 'wrong' FROM envelope;"
                     "INSERT INTO structure SELECT msg + 50, 'w', 'w', '' FROM structure;"
                     "INSERT INTO sorting SELECT msg + 50, '' FROM sorting");
    cache_close(f->account);
    fill(f, N_MAILS, 10);
    assert_right(f, CACHED_ALL, N_MAILS + 10);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), N_MAILS + 10);
}

/* A power cut takes away what was not synced yet: the file as it was earlier. */
static void test_older_cache(void **state)
{
    struct fixture *f = *state;

    fill(f, 0, N_MAILS);
    run_cache_sql(f, "DELETE FROM envelope WHERE msg > 30; DELETE FROM structure WHERE msg > 30;"
                     "DELETE FROM sorting WHERE msg > 30");
    assert_right(f, CACHED_ALL, N_MAILS);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM structure"), N_MAILS);
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    uint64_t orphans;
    bool damaged;

    fill(f, 0, N_MAILS);
    run_cache_sql(f, "INSERT INTO envelope VALUES(7777, 0, 0, '')");
    for (int round = 0; round < 3; round++) {
        must(cache_check(f->account, round == 1, &orphans, &damaged, &f->err));
        assert_int_equal(orphans, round < 2 ? 1 : 0);
        assert_false(damaged);
    }
    cache_close(f->account);
    damage_file(f, "cache.db", 4096 + 8, 4000);
    must(
        cache_check(f->account, true, &orphans, &damaged, &f->err)); /* if opening did not see it */
    must(cache_check(f->account, false, &orphans, &damaged, &f->err));
    assert_false(damaged);
    assert_right(f, CACHED_ALL, N_MAILS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_filled),        TEST(test_later),      TEST(test_damaged),     TEST(test_missing),
        TEST(test_other_version), TEST(test_older_mail), TEST(test_older_cache), TEST(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
