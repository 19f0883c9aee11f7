/* test_index.c - search.db says only what is true, whatever becomes of it. */
#include "storage/sqlite/search_private.h"

#include "message/text.h"
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ALL (SEARCH_PART_ENVELOPE | SEARCH_PART_HEADER | SEARCH_PART_BODY)

/* Takes pieces until there are none; how many there were. */
static size_t fill(struct fixture *f)
{
    AUTO(indexer_free) struct indexer *indexer = indexer_new();
    size_t pieces = 0;
    bool more = true;

    for (; more; pieces++)
        must(account_index(f->account, indexer, &more, &f->err));
    return pieces;
}

/* As "1" (cannot have it), "+" (has it for sure) and "0", for the messages from 1 on. */
static void assert_says(struct fixture *f, unsigned parts, const char *needle, const char *want)
{
    AUTO(buf_free) struct buf folded = { 0 };
    uint64_t msgs[64], has, cannot;
    struct search_query query = { .parts = parts, .has = &has, .cannot = &cannot };
    size_t count = strlen(want);
    char got[65] = "";

    for (size_t i = 0; i < count; i++)
        msgs[i] = i + 1;
    text_fold(slice_of(needle), &folded);
    query.needle = buf_slice(&folded);
    account_search(f->account, msgs, count, &query, 1);
    assert_int_equal(has & cannot, 0);
    for (size_t i = 0; i < count; i++)
        got[i] = (cannot >> i & 1) != 0 ? '1' : (has >> i & 1) != 0 ? '+' : '0';
    if (strcmp(got, want) != 0)
        fail_msg("%s: got %s, not %s", needle, got, want);
}

static struct index_progress progress_of(struct fixture *f)
{
    struct index_progress progress;

    must(account_index_progress(f->account, &progress, &f->err));
    return progress;
}

static void test_parts(void **state)
{
    struct fixture *f = *state;

    add_mail(f, f->inbox, "elephants", 10);
    add_mail(f, f->inbox, "zebrafish", 10);
    assert_says(f, ALL, "zebrafish", "00");
    assert_int_equal(progress_of(f).indexed, 0);
    fill(f);
    assert_int_equal(progress_of(f).indexed, 2);
    assert_int_equal(progress_of(f).messages, 2);
    assert_says(f, SEARCH_PART_ENVELOPE, "ZEBRAfish", "10");
    assert_says(f, SEARCH_PART_HEADER, "subject: ele", "01");
    assert_says(f, SEARCH_PART_ENVELOPE, "subject: ele", "11");
    assert_says(f, SEARCH_PART_BODY, "zebrafish", "11");
    assert_says(f, SEARCH_PART_BODY | SEARCH_PART_HEADER, "zebrafish", "10");
    assert_says(f, SEARCH_PART_HEADER, "zeb", "1+");
    assert_says(f, SEARCH_PART_HEADER | SEARCH_PART_BODY, "ze", "1+");
    assert_says(f, SEARCH_PART_ENVELOPE, "z", "1+");
    assert_says(f, ALL, "zq", "11");
    assert_says(f, ALL, "", "00");
    assert_says(f, ALL, "nowhere", "110"); /* there is no third */
}

/* Blocks, pieces, and messages that come later. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    uint64_t msgs[] = { 700, 3, 65, 64, 128, 699, 9999 };
    uint64_t bits = 0, has = 0;
    struct search_query query = {
        .parts = ALL, .needle = SLICE("NOWHERE"), .has = &has, .cannot = &bits
    };

    add_many(f, f->inbox, 600);
    assert_true(fill(f) > 2); /* pieces */
    add_many(f, f->inbox, 100);
    fill(f);
    assert_int_equal(progress_of(f).indexed, 700);
    account_search(f->account, msgs, COUNT_OF(msgs), &query, 1);
    assert_int_equal(bits, 0x3f);
}

/* As a process leaves it that died while it signed the messages up to `until`, for the second time.
 */
static void die_twice(struct fixture *f, uint64_t last, uint64_t until)
{
    struct search_attempt attempt;
    int lock;

    must(search_lock(f->account, true, &lock, &f->err));
    for (int i = 0; i < 2; i++) {
        search_attempt_begin(lock, last, &attempt);
        search_attempt_note(lock, &attempt, until);
    }
    search_unlock(lock);
}

/* A message over which the process dies each time is found out, and left to searches. */
static void test_poison(void **state)
{
    AUTO(indexer_free) struct indexer *indexer = indexer_new();
    struct fixture *f = *state;
    bool more;

    add_many(f, f->inbox, 4);
    die_twice(f, 0, 4);
    must(account_index(f->account, indexer, &more, &f->err));
    assert_says(f, ALL, "nowhere", "1000");
    die_twice(f, 1, 2);
    must(account_index(f->account, indexer, &more, &f->err));
    assert_says(f, ALL, "nowhere", "1000");
    assert_int_equal(progress_of(f).indexed, 2);
    assert_int_equal(fill(f), 3); /* one by one up to the piece's end */
    assert_says(f, ALL, "nowhere", "1011");
    add_many(f, f->inbox, 2);
    assert_int_equal(fill(f), 2);
    assert_says(f, ALL, "nowhere", "101111");
    must(account_index_reset(f->account, &f->err));
    assert_int_equal(fill(f), 2);
    assert_says(f, ALL, "nowhere", "111111");
}

static void test_forget(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    fill(f);
    assert_says(f, ALL, "nowhere", "111");
    expunge(f, f->inbox, "1:2");
    collect(f, COLLECT_AGE_MS + 1000);
    assert_says(f, ALL, "nowhere", "001");
    expunge(f, f->inbox, "3");
    collect(f, COLLECT_AGE_MS + 1000);
    assert_says(f, ALL, "nowhere", "000");
    add_many(f, f->inbox, 1);
    fill(f);
    assert_says(f, ALL, "nowhere", "0001");
}

static void overwrite(struct fixture *f, const char *name, const char *with, size_t at)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(f->store, f->id, name, &path);
    FILE *file = fopen(buf_text(&path), "r+");
    assert_non_null(file);
    fseek(file, (long)at, SEEK_SET);
    for (size_t i = 0; i < 4096; i++)
        fputc(with[i % strlen(with)], file);
    fclose(file);
}

/* Damage costs time, not results. */
static void test_damaged(void **state)
{
    struct fixture *f = *state;

    for (size_t page = 0; page < 5; page++) {
        add_many(f, f->inbox, 1);
        fill(f);
        fixture_open_again(f, NULL);
        overwrite(f, "search.db", "rubbish", page * 4096);
        AUTO(indexer_free) struct indexer *indexer = indexer_new();
        bool more = true;
        assert_says(f, ALL, "many", "0");
        /* The first piece may be what finds it out: an error once is fine. */
        while (more)
            if (!account_index(f->account, indexer, &more, &f->err))
                must(account_index_reset(f->account, &f->err));
        assert_says(f, ALL, "many", "0");
        must(account_index_reset(f->account, &f->err));
    }
    fill(f);
    assert_says(f, ALL, "nowhere", "11111");
}

/* A mail.db from a backup gives its next messages numbers that the index knows as others. */
static void test_other_store(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    fill(f);
    run_sql(f, "UPDATE msg SET hash = x'00' WHERE id = 3");
    assert_says(f, ALL, "nowhere", "000");
    fill(f);
    assert_says(f, ALL, "nowhere", "111");
    run_sql(f, "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'msg'");
    assert_says(f, ALL, "nowhere", "000");
}

/* What SQLite cannot see. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    struct error err;

    assert_true(search_check(f->account, &err));
    add_many(f, f->inbox, 3);
    fill(f);
    assert_true(search_check(f->account, &err));
    must(
        sql_script(f->account->search, "UPDATE header SET data = zeroblob(length(data))", &f->err));
    assert_false(search_check(f->account, &err));
    assert_says(f, SEARCH_PART_HEADER, "nowhere", "000");
    assert_says(f, SEARCH_PART_BODY, "nowhere", "111");
}

static void test_reset(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    fill(f);
    must(account_index_reset(f->account, &f->err));
    assert_int_equal(progress_of(f).indexed, 0);
    assert_says(f, ALL, "nowhere", "000");
    fill(f);
    assert_says(f, ALL, "nowhere", "111");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_parts),  FIXTURE_TEST(test_many),    FIXTURE_TEST(test_forget),
        FIXTURE_TEST(test_poison), FIXTURE_TEST(test_damaged), FIXTURE_TEST(test_other_store),
        FIXTURE_TEST(test_reset),  FIXTURE_TEST(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
