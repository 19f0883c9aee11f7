/* test_collect.c - the collector and the sweeper remove what is due, and nothing else. */
#include "tests/unit/storage/mail_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static bool file_exists(struct fixture *f, uint64_t msg)
{
    AUTO(buf_free) struct buf path = { 0 };

    account_big_path(f->account, msg, &path);
    return access(buf_text(&path), F_OK) == 0;
}

static void make_file(struct fixture *f, uint64_t msg)
{
    AUTO(buf_free) struct buf path = { 0 };

    account_big_path(f->account, msg, &path);
    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    fclose(file);
}

static void test_age(void **state)
{
    struct fixture *f = *state;
    uint64_t kept = make_mailbox(f, "kept");
    struct copy_result result;

    for (int i = 0; i < 4; i++)
        add_mail(f, f->inbox, "mail", i < 2 ? 10 : INLINE_MAX * 2); /* msgs 1 2 inline, 3 4 large */
    AUTO(uidset_free) struct uidset which = set_of("2,4");
    must(mailbox_copy(f->account, f->inbox, &which, kept, false, &result, &f->err));
    copy_result_free(&result);
    expunge(f, f->inbox, "1:4");

    collect(f, COLLECT_AGE_MS - 30000);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 4);
    collect(f, COLLECT_AGE_MS + 30000);
    assert_int_equal(count_rows(f, "SELECT group_concat(id, '') FROM msg"), 24);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope JOIN sorting USING(msg)"),
                     2);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM body"), 1);
    assert_false(file_exists(f, 3));
    assert_true(file_exists(f, 4));
}

static void test_many_batches(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 350);
    expunge(f, f->inbox, "1:340");
    collect(f, 2 * COLLECT_AGE_MS);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 10);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM body"), 10);
}

/* Whoever has the lock goes first; the collector comes back later. */
static void test_gives_way(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;
    bool more;

    add_mail(f, f->inbox, "x", 10);
    expunge(f, f->inbox, "1");
    store_account_path(f->store, f->id, "lock", &path);
    int lock = open(buf_text(&path), O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    must(account_collect(f->account, time_ms() + 2 * COLLECT_AGE_MS, &more, &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 1);
    close(lock);
    collect(f, 2 * COLLECT_AGE_MS);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 0);
}

/* As after a crash right after the commit, which is not to leave summaries of nothing. */
static void test_summaries_go_first(void **state)
{
    struct fixture *f = *state;
    bool more;

    add_many(f, f->inbox, 3);
    expunge(f, f->inbox, "1:2");
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), 3);
    run_sql(f, "CREATE TRIGGER stuck BEFORE DELETE ON msg BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_false(account_collect(f->account, time_ms() + 2 * COLLECT_AGE_MS, &more, &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 3);
    assert_int_equal(count_cache_rows(f, "SELECT count(*) FROM envelope"), 1);
}

static void test_idle(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 20);
    expunge(f, f->inbox, "1:20");
    account_handle_idle(f->account, time_ms());
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 20);
    account_handle_idle(f->account, time_ms() + 2 * COLLECT_AGE_MS);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 0);
}

static void test_too_many_tombstones(void **state)
{
    struct fixture *f = *state;

    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100010)"
               " INSERT INTO expunged SELECT 1, i, i, i, 9e15 FROM n;"
               "UPDATE mailbox SET modseq = 200000, uidnext = 200000 WHERE id = 1");
    f->account->trim_due_ms = 0;
    collect(f, 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM expunged"), 100000);
    assert_int_equal(count_rows(f, "SELECT vanished_floor FROM mailbox WHERE id = 1"), 10);
}

static void test_sweep(void **state)
{
    struct fixture *f = *state;
    uint64_t count;

    add_mail(f, f->inbox, "large", INLINE_MAX * 2);
    make_file(f, 77);
    must(account_sweep(f->account, time_ms() - 60000, true, &count, &f->err));
    assert_int_equal(count, 0); /* too young */
    must(account_sweep(f->account, time_ms() + 60000, false, &count, &f->err));
    assert_int_equal(count, 1);
    assert_true(file_exists(f, 77));
    must(account_sweep(f->account, time_ms() + 60000, true, &count, &f->err));
    assert_int_equal(count, 1);
    assert_false(file_exists(f, 77));
    assert_true(file_exists(f, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_age),       FIXTURE_TEST(test_many_batches),
        FIXTURE_TEST(test_gives_way), FIXTURE_TEST(test_summaries_go_first),
        FIXTURE_TEST(test_idle),      FIXTURE_TEST(test_too_many_tombstones),
        FIXTURE_TEST(test_sweep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
