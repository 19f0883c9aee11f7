/* test_recovery.c - messages out of a damaged mail.db: each page is lost once, the file is cut off
 * after each page, and all pages are noise once. What is found is as it was. */
#include "tests/unit/storage/mail_fixture.h"

#include "storage/recover.h"
#include "storage/sqlite/page.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MESSAGES = 24 };

static char path[300];

/* Subjects tell the filler's size, so that each message found can be made again and compared. */
static size_t filler_of(size_t i)
{
    static const size_t sizes[] = { 10, 700, 3900, 6000, 9000, INLINE_MAX * 2 };

    return sizes[i % COUNT_OF(sizes)] + i;
}

static void fill(struct fixture *f)
{
    AUTO(buf_free) struct buf name = { 0 };
    uint64_t other = make_mailbox(f, "Other/one");

    for (size_t i = 0; i < MESSAGES; i++) {
        buf_clear(&name);
        buf_fmt(&name, "%zu", i);
        add_mail(f, i % 3 == 0 ? other : f->inbox, buf_text(&name), filler_of(i));
    }
    store_flags(f, f->inbox, "2:4", FLAGS_ADD, MAIL_SEEN | MAIL_FLAGGED);
    add_mail(f, f->inbox, "gone", 100);
    expunge(f, f->inbox, "17");
    buf_clear(&name);
    store_account_path(f->store, f->id, "mail.db", &name);
    snprintf(path, sizeof(path), "%s", buf_text(&name));
}

static struct recovery *recover(struct fixture *f)
{
    struct recovery *recovery;

    must(recovery_open(f->store, f->id, &recovery, &f->err));
    return recovery;
}

/* How many messages are as they were; no others may call themselves whole. */
static size_t count_whole(struct recovery *recovery)
{
    size_t whole = 0;

    for (size_t i = 0; i < recovery_count(recovery); i++) {
        AUTO(buf_free) struct buf bytes = { 0 };
        AUTO(buf_free) struct buf want = { 0 };
        const struct recovered *item = recovery_item(recovery, i);

        if (recovery_read(recovery, i, &bytes) != RECOVERY_WHOLE)
            continue;
        size_t number = strtoul(buf_text(&bytes) + strlen("Subject: "), NULL, 10);
        bool lost = slice_equal(item->mailbox, SLICE(RECOVERY_LOST));
        if (lost && slice_starts(buf_slice(&bytes), "Subject: gone"))
            continue;
        buf_fmt(&want, "Subject: %zu\r\n\r\n", number);
        for (size_t at = 0; at < filler_of(number); at++)
            buf_add_byte(&want, (char)('a' + at % 23));
        /* without the row of its hash a message may end early, or lack what was in the table */
        if (lost && !slice_equal(buf_slice(&bytes), buf_slice(&want)))
            continue;
        assert_true(slice_equal(buf_slice(&bytes), buf_slice(&want)));
        if (!lost && !slice_starts(item->mailbox, "Mailbox "))
            assert_true(
                slice_equal(item->mailbox, number % 3 == 0 ? SLICE("Other/one") : SLICE("INBOX")));
        whole++;
    }
    return whole;
}

static void test_sound(void **state)
{
    struct fixture *f = *state;

    fill(f);
    struct recovery *recovery = recover(f); /* all is in the WAL */
    assert_int_equal(recovery_count(recovery), MESSAGES);
    assert_int_equal(count_whole(recovery), MESSAGES);
    assert_int_equal(recovery_item(recovery, 1)->flags, MAIL_SEEN | MAIL_FLAGGED);
    assert_int_equal(recovery_item(recovery, 1)->uid, 2);
    recovery_free(&recovery);
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    recovery = recover(f);
    assert_int_equal(count_whole(recovery), MESSAGES);
    recovery_free(&recovery);
}

static void write_page(const char *bytes, uint32_t number)
{
    int fd = open(path, O_WRONLY);

    assert_int_equal(pwrite(fd, bytes, PAGE_BYTES, (off_t)(number - 1) * PAGE_BYTES), PAGE_BYTES);
    close(fd);
}

static struct buf read_all(void)
{
    struct buf all = { 0 };
    int fd = open(path, O_RDONLY);
    ssize_t len;

    while ((len = read(fd, buf_reserve(&all, PAGE_BYTES), PAGE_BYTES)) > 0)
        buf_wrote(&all, (size_t)len);
    close(fd);
    return all;
}

static void test_each_page_lost(void **state)
{
    struct fixture *f = *state;

    fill(f);
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    AUTO(buf_free) struct buf all = read_all();
    char noise[PAGE_BYTES];
    size_t fewest = MESSAGES;

    for (uint32_t number = 1; number <= all.len / PAGE_BYTES; number++) {
        const char *page = all.data + (size_t)(number - 1) * PAGE_BYTES;

        for (size_t i = 0; i < PAGE_BYTES; i++) /* its kind and counts stay, for the worse */
            noise[i] = i < (number == 1 ? 108 : 8) ? page[i] : (char)(page[i] * 31 + 7 * (char)i);
        write_page(noise, number);
        struct recovery *recovery = recover(f);
        fewest = MIN(fewest, count_whole(recovery));
        recovery_free(&recovery);
        memset(noise, 0, sizeof(noise));
        write_page(noise, number);
        recovery = recover(f);
        fewest = MIN(fewest, count_whole(recovery));
        recovery_free(&recovery);
        write_page(page, number);
    }
    assert_true(fewest >= MESSAGES / 2);
}

static void test_cut_off(void **state)
{
    struct fixture *f = *state;

    fill(f);
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    AUTO(buf_free) struct buf all = read_all();
    for (size_t len = all.len; len > 0; len -= MIN(len, (size_t)1789)) {
        assert_int_equal(truncate(path, (off_t)len), 0);
        struct recovery *recovery = recover(f);
        (void)count_whole(recovery);
        recovery_free(&recovery);
    }
}

/* The first page is gone, and every message is found by the looks of its rows. */
static void test_without_tables(void **state)
{
    struct fixture *f = *state;
    static const char nothing[PAGE_BYTES];

    fill(f);
    run_sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
    write_page(nothing, 1);
    struct recovery *recovery = recover(f);
    assert_int_equal(count_whole(recovery), MESSAGES);
    recovery_free(&recovery);
}

static void test_start_anew(void **state)
{
    struct fixture *f = *state;
    struct account *account;

    fill(f);
    struct recovery *recovery = recover(f);
    must(recovery_start_anew(f->store, f->id, &f->err));
    assert_int_equal(count_whole(recovery), MESSAGES); /* its files are open */
    recovery_free(&recovery);
    must(desk_account(f->desk, f->id, &account, &f->err)); /* the new one */
    struct mailbox_info info;
    must(mailbox_by_name(account, &f->arena, SLICE("INBOX"), &info, &f->err));
    assert_int_equal(info.n_total, 0);
    assert_ptr_not_equal(account, f->account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_sound),      FIXTURE_TEST(test_each_page_lost),
        FIXTURE_TEST(test_cut_off),    FIXTURE_TEST(test_without_tables),
        FIXTURE_TEST(test_start_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
