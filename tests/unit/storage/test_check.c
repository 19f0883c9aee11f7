/* test_check.c - every kind of damage is found, and mended where that is possible. */
#include "tests/unit/storage/mail_fixture.h"

#include "storage/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct report {
    struct buf text; /* "where: what [repaired]" lines */
    uint64_t count, repaired, progress;
};

static void on_finding(const char *where, const char *what, bool repaired, void *context)
{
    struct report *report = context;

    buf_fmt(&report->text, "%s: %s%s\n", where, what, repaired ? " [repaired]" : "");
    report->count++;
    report->repaired += repaired;
}

static void on_progress(uint64_t done, uint64_t total, void *context)
{
    struct report *report = context;

    assert_true(done <= total);
    report->progress = done;
}

static struct report check(struct fixture *f, bool repair, bool hashes)
{
    struct report report = { 0 };
    struct check_options options = { .repair = repair,
                                     .hashes = hashes,
                                     .finding = on_finding,
                                     .progress = on_progress,
                                     .context = &report };
    uint64_t findings;

    must(store_check(f->desk, &options, &findings, &f->err));
    assert_int_equal(findings, report.count);
    assert_int_equal(report.progress, 1);
    return report;
}

static void assert_clean(struct fixture *f)
{
    struct report report = check(f, false, true);

    if (report.count > 0)
        fail_msg("%s", buf_text(&report.text));
    buf_free(&report.text);
}

static void fill(struct fixture *f)
{
    AUTO(uidset_free) struct uidset which = set_of("2:4");
    uint64_t target = make_mailbox(f, "target");
    struct copy_result result;

    add_many(f, f->inbox, 10);                      /* msgs 1..10 */
    add_mail(f, f->inbox, "large", INLINE_MAX * 2); /* 11 */
    store_flags(f, f->inbox, "3:5", FLAGS_ADD, MAIL_SEEN | MAIL_DELETED);
    must(mailbox_copy(f->account, f->inbox, &which, target, false, &result, &f->err));
    copy_result_free(&result);
    expunge(f, f->inbox, "5:6");
}

static void test_clean(void **state)
{
    struct fixture *f = *state;

    assert_clean(f);
    fill(f);
    /* what readers have seen, a move and a copy under way, and what is left of a mailbox */
    run_sql(f, "INSERT INTO seen VALUES(1, 7, 1, 4, 1, 2), (1, 7, 5, 11, 0, 2), (1, 8, 2, 3, 1, 2);"
               "INSERT INTO reader VALUES(1, 7, 12), (1, 8, 1);"
               "INSERT INTO leaving VALUES(x'31', 7, 1, 4, 11), (x'32', 7, 4242, 1, 1);"
               "INSERT INTO copying VALUES(9, 1, 11, 11), (9, 4242, 1, 3)");
    assert_clean(f);
    run_sql(f, "DELETE FROM leaving; DELETE FROM copying");
    must(mailbox_delete(f->account, SLICE("target"), &f->err));
    assert_clean(f);
    collect(f, 2 * COLLECT_AGE_MS);
    assert_clean(f);
}

/* Damage by SQL, the one finding it must give, and whether it can be mended. */
static void test_damage(void **state)
{
    static const struct {
        const char *sql, *what;
        bool mends;
    } cases[] = {
        { "UPDATE mailbox SET n_unseen = 99 WHERE id = 1", "counters say", true },
        { "UPDATE mailbox SET n_deleted = 0 WHERE id = 1", "counters say", true },
        { "UPDATE mailbox SET uidnext = 5 WHERE id = 1", "not below uidnext", true },
        { "UPDATE mailbox SET modseq = 1 WHERE id = 1; DELETE FROM expunged", "above the mailbox's",
          true },
        { "UPDATE account SET bytes = 1", "quota counts", true },
        { "UPDATE account SET messages = 1", "quota counts", true },
        { "UPDATE msg SET refs = 5 WHERE id = 2", "refs 5, but 2 rows", true },
        { "UPDATE msg SET refs = 1 WHERE id = 5", "refs 1, but 0 rows", true },
        { "UPDATE msg SET refs = 0 WHERE id = 1", "refs 0, but 1 rows", true },
        { "INSERT INTO message VALUES(4242, 1, 1, 0, 0, 10, 1, 0);"
          "UPDATE msg SET refs = refs + 1 WHERE id = 1",
          "which does not exist", true },
        { "INSERT INTO expunged VALUES(1, 2, 9, 8, 0)", "cannot be", true },
        { "INSERT INTO expunged VALUES(1, 2, 1, 1, 0)", "cannot be", true },
        { "INSERT INTO expunged VALUES(1, 2, 90, 99, 0)", "cannot be", true },
        { "INSERT INTO expunged VALUES(1, 2000, 5, 5, 0)", "cannot be", true },
        { "PRAGMA writable_schema = ON;"
          "CREATE TEMP TABLE kept AS SELECT * FROM main.sqlite_schema"
          "  WHERE name = 'message_modseq';"
          "DELETE FROM main.sqlite_schema WHERE name = 'message_modseq';"
          "PRAGMA writable_schema = RESET;"
          "UPDATE message SET modseq = 1 WHERE uid = 1;"
          "PRAGMA writable_schema = ON;"
          "INSERT INTO main.sqlite_schema SELECT * FROM kept; DROP TABLE kept;"
          "PRAGMA writable_schema = RESET",
          "missing from index", true },
        { "INSERT INTO seen VALUES(1, 7, 4, 3, 1, 1)", "has seen of 4:3 cannot be", true },
        { "INSERT INTO seen VALUES(1, 7, 0, 3, 1, 1)", "has seen of 0:3 cannot be", true },
        { "INSERT INTO seen VALUES(1, 7, 3, 12, 1, 1)", "has seen of 3:12 cannot be", true },
        { "INSERT INTO seen VALUES(1, 7, 3, 4, 1, 999)", "has seen of 3:4 cannot be", true },
        { "INSERT INTO seen VALUES(4242, 7, 3, 4, 1, 1)", "has seen of 3:4 cannot be", true },
        { "INSERT INTO seen VALUES(1, 7, 1, 5, 1, 1), (1, 7, 5, 6, 0, 1)",
          "has seen of 1:5 cannot be", true },
        { "INSERT INTO reader VALUES(1, 7, 13)", "recent from 13 on", true },
        { "INSERT INTO reader VALUES(1, 7, 0)", "recent from 0 on", true },
        { "INSERT INTO reader VALUES(4242, 7, 1)", "recent from 1 on", true },
        { "INSERT INTO leaving VALUES(x'31', 7, 1, 4, 3)", "copy of 4:3 cannot be", true },
        { "INSERT INTO copying VALUES(9, 1, 4, 12)", "copy of 4:12 cannot be", true },
        { "DELETE FROM msg WHERE id = 8", "message 8 does not exist", false },
        { "DELETE FROM body WHERE msg = 7", "bytes are missing", false },
        { "UPDATE body SET data = 'short' WHERE msg = 7", "another length", false },
        { "UPDATE body SET data = zeroblob(length(data)) WHERE msg = 7", "hash does not fit",
          false },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        void *inner = NULL;
        assert_int_equal(fixture_set_up(&inner), 0);
        struct fixture *f = inner;

        fill(f);
        run_sql(f, cases[i].sql);
        run_cache_sql(f, "DELETE FROM envelope WHERE msg = 8"); /* missing ones are no damage */
        struct report found = check(f, false, true), mended = check(f, true, true);
        const char *text = buf_text(&found.text);
        if (slice_search(slice_of(text), slice_of(cases[i].what)) < 0)
            fail_msg("%s: found \"%s\"", cases[i].sql, text);
        assert_true(slice_starts(slice_of(text), "bob@example.org: "));
        assert_int_equal(found.repaired, 0);
        if ((mended.repaired > 0) != cases[i].mends)
            fail_msg("%s: %s", cases[i].sql, buf_text(&mended.text));
        if (cases[i].mends) {
            collect(f, 0);
            assert_clean(f);
        }
        buf_free(&found.text);
        buf_free(&mended.text);
        fixture_tear_down(&inner);
    }
    (void)state;
}

/* After a mended tombstone a client that may have missed something is told all. */
static void test_mended_tombstone_raises_floor(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };

    fill(f);
    run_sql(f, "INSERT INTO expunged VALUES(1, 3, 1, 1, 0)");
    struct report report = check(f, true, false);
    buf_free(&report.text);
    must(mailbox_changes(f->account, f->inbox, 2, NULL, &changes, &f->err));
    assert_false(changes.all_vanished_known);
}

static void test_large_files(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    fill(f);
    account_big_path(f->account, 11, &path);
    assert_int_equal(truncate(buf_text(&path), 10), 0);
    struct report report = check(f, true, false);
    assert_int_equal(report.count, 1);
    assert_non_null(strstr(buf_text(&report.text), "message 11: its file is of another length"));
    buf_free(&report.text);
    unlink(buf_text(&path));
    report = check(f, true, false);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.repaired, 0);
    assert_non_null(strstr(buf_text(&report.text), "message 11: its file is missing"));
    buf_free(&report.text);
}

static void test_account_without_store(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    store_account_path(f->store, f->id, NULL, &path);
    must(tree_remove(buf_text(&path), &f->err));
    struct report report = check(f, false, false);
    assert_string_equal(buf_text(&report.text), "bob@example.org: its mail store is missing\n");
    buf_free(&report.text);
    report = check(f, true, false);
    assert_int_equal(report.repaired, 1);
    buf_free(&report.text);
    must(desk_account(f->desk, f->id, &f->account, &f->err));
    assert_clean(f);
}

/* Its large messages may be all that is left: no new store takes their numbers. */
static void test_large_files_without_store(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    fill(f);
    store_account_path(f->store, f->id, "mail.db", &path);
    assert_int_equal(unlink(buf_text(&path)), 0);
    struct report report = check(f, true, false);
    assert_int_equal(report.repaired, 0);
    assert_non_null(strstr(buf_text(&report.text), "its mail store is missing"));
    buf_free(&report.text);
    fails(desk_account(f->desk, f->id, &f->account, &f->err), ERROR_INTERNAL);
}

/* Half of the pages are noise: nothing is counted in what is left, and no message collected. */
static void test_damaged_pages(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;
    char noise[4096];

    fill(f);
    add_mail(f, f->inbox, "long", INLINE_MAX - 100);
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    store_account_path(f->store, f->id, "mail.db", &path);
    fixture_close(f);
    memset(noise, 0x55, sizeof(noise));
    FILE *file = fopen(buf_text(&path), "r+");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    for (long page = ftell(file) / 4096 - 1; page > 1; page -= 2) {
        fseek(file, page * 4096, SEEK_SET);
        assert_int_equal(fwrite(noise, sizeof(noise), 1, file), 1);
    }
    fclose(file);
    struct store_options options = fixture_options(f);
    must(store_open(&options, &f->store, &f->err));
    must(desk_open(f->store, &f->desk, &f->err));
    struct report report = check(f, true, true);
    assert_int_equal(report.repaired, 0);
    assert_non_null(strstr(buf_text(&report.text), "postane recover"));
    buf_free(&report.text);
}

static void test_store_without_account(void **state)
{
    struct fixture *f = *state;

    must(account_store_create(f->store, 0x1234, &f->err));
    struct report report = check(f, true, false);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.repaired, 0); /* it may hold somebody's mail */
    assert_non_null(strstr(buf_text(&report.text), "belongs to no account"));
    buf_free(&report.text);
}

static void test_not_a_database(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    store_account_path(f->store, f->id, "mail.db", &path);
    fixture_close(f);
    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database ", file);
    fclose(file);
    struct store_options options = fixture_options(f);
    must(store_open(&options, &f->store, &f->err));
    must(desk_open(f->store, &f->desk, &f->err));
    struct report report = check(f, true, false);
    assert_int_equal(report.count, 1);
    assert_non_null(strstr(buf_text(&report.text), "cannot be opened"));
    buf_free(&report.text);
}

static void test_sweep_leaves_what_is_young(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    fill(f);
    store_temporary_path(f->store, &path);
    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    fclose(file);
    store_sweep(f->desk);
    assert_int_equal(access(buf_text(&path), F_OK), 0);
    assert_clean(f);
}

/* As a power cut leaves it before its first commit is synced. */
static void test_empty_index(void **state)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct fixture *f = *state;

    fill(f);
    store_account_path(f->store, f->id, "search.db", &path);
    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    fclose(file);
    assert_clean(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_clean),
        cmocka_unit_test(test_damage),
        FIXTURE_TEST(test_mended_tombstone_raises_floor),
        FIXTURE_TEST(test_large_files),
        FIXTURE_TEST(test_account_without_store),
        FIXTURE_TEST(test_large_files_without_store),
        FIXTURE_TEST(test_damaged_pages),
        FIXTURE_TEST(test_store_without_account),
        FIXTURE_TEST(test_not_a_database),
        FIXTURE_TEST(test_empty_index),
        FIXTURE_TEST(test_sweep_leaves_what_is_young),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
