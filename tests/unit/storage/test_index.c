/* test_index.c - search.db says only what is true, whatever becomes of it. */
#include "storage/sqlite/search_private.h"

#include "message/text.h"
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

static unsigned state_of_random;

static unsigned below(unsigned n)
{
    state_of_random = state_of_random * 1103515245 + 12345;
    return (state_of_random >> 16) % n;
}

/* Words that no other message has, of a few syllables, ids and numbers: nothing is in common. */
static void make_varied(struct buf *text)
{
    char head[64];

    snprintf(head, sizeof(head), "From: %x@%x.example\r\nSubject: ", below(9999), below(9999));
    buf_clear(text);
    buf_add_text(text, head);
    for (unsigned i = 0; i < 230 + below(100); i++) {
        for (unsigned k = 0; k < 2 + below(6); k++)
            buf_add_byte(text, (char)('a' + below(26)));
        buf_add_text(text, i == 5    ? "\r\nMessage-ID: "
                           : i == 10 ? "\r\n\r\n"
                           : i % 9   ? " "
                                     : "\r\n");
    }
}

/* Some of its bytes. */
static void assert_finds(struct fixture *f, uint64_t msg, struct slice text)
{
    uint64_t has, cannot;
    struct search_query query = { .parts = ALL, .has = &has, .cannot = &cannot };

    for (size_t len = 1; len < 12; len++) {
        query.needle = slice_part(text, text.len - 20 - below(500), len);
        if (slice_find(query.needle, '\r') >= 0 || slice_find(query.needle, '\n') >= 0)
            continue;
        AUTO(buf_free) struct buf folded = { 0 };
        text_fold(query.needle, &folded);
        query.needle = buf_slice(&folded);
        account_search(f->account, &msg, 1, &query, 1);
        assert_int_equal(cannot, 0);
    }
}

static uint64_t file_bytes(struct fixture *f, const char *name)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct stat about;

    store_account_path(f->store, f->id, name, &path);
    return stat(buf_text(&path), &about) == 0 ? (uint64_t)about.st_size : 0;
}

/* However varied the mail is, and however it comes. */
static void test_bound(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf text = { 0 };
    uint64_t text_bytes = 0, n_absent = 0;

    for (unsigned i = 0; i < 450; i++) {
        uint32_t uidvalidity;

        state_of_random = i;
        make_varied(&text);
        text_bytes += text.len;
        AUTO(body_free) struct body *body = new_body(f, buf_slice(&text));
        struct append item = { .body = body };
        must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
        if (i < 70 || i % 90 == 0)
            fill(f);
    }
    fill(f);
    for (unsigned i = 0; i < 450; i++) {
        uint64_t msg = i + 1, has, cannot;
        struct search_query query = { ALL, SLICE("0qzx9nowhere"), &has, &cannot };

        state_of_random = i;
        make_varied(&text);
        assert_finds(f, msg, buf_slice(&text));
        account_search(f->account, &msg, 1, &query, 1);
        n_absent += cannot;
    }
    assert_true(n_absent > 440);
    fixture_open_again(f, NULL);
    uint64_t index_bytes = file_bytes(f, "search.db") + file_bytes(f, "search.db-wal");
    assert_true(index_bytes > 0);
    if (index_bytes > text_bytes * 35 / 100)
        fail_msg("%llu bytes of index for %llu of text", (unsigned long long)index_bytes,
                 (unsigned long long)text_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_parts),  FIXTURE_TEST(test_many),    FIXTURE_TEST(test_forget),
        FIXTURE_TEST(test_poison), FIXTURE_TEST(test_damaged), FIXTURE_TEST(test_other_store),
        FIXTURE_TEST(test_reset),  FIXTURE_TEST(test_check),   FIXTURE_TEST(test_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
