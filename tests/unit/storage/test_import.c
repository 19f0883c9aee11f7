/* test_import.c - COPY and MOVE from one account to another. */
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct two {
    struct fixture *f;
    uint64_t id;
    struct account *account; /* the target */
    uint64_t inbox;
};

static struct two make_two(struct fixture *f)
{
    struct mailbox_info info;
    struct two two = { .f = f };

    must(account_add(f->desk, SLICE("alice@example.org"), SLICE(""), SLICE("-"), SLICE("-"),
                     &two.id, &f->err));
    must(desk_account(f->desk, two.id, &two.account, &f->err));
    must(mailbox_by_name(two.account, &f->arena, SLICE("INBOX"), &info, &f->err));
    two.inbox = info.id;
    return two;
}

static bool try_import(struct two *two, const char *uids, bool move, uint64_t flags,
                       struct copy_result *result_out)
{
    AUTO(uidset_free) struct uidset which = set_of(uids);
    struct copy_target target = { two->account, two->inbox, flags };

    return mailbox_copy_to(two->f->account, two->f->inbox, &which, &target, move, result_out,
                           &two->f->err);
}

static void import(struct two *two, const char *uids, bool move, const char *from, const char *to)
{
    struct fixture *f = two->f;
    struct copy_result result;

    must(try_import(two, uids, move, ~0ull, &result));
    assert_set(&result.from, from);
    assert_set(&result.to, to);
    copy_result_free(&result);
}

static struct mail look_there(struct two *two, uint32_t uid)
{
    AUTO(changes_free) struct changes changes = { 0 };
    struct fixture *f = two->f;

    must(mailbox_changes(two->account, two->inbox, 0, NULL, &changes, &f->err));
    for (size_t i = 0; i < changes.count; i++)
        if (changes.mails[i].uid == uid)
            return changes.mails[i];
    fail_msg("no UID %u", uid);
    return (struct mail){ 0 };
}

static void assert_same_bytes(struct two *two, uint64_t mine, uint64_t theirs)
{
    AUTO(buf_free) struct buf a = { 0 };
    AUTO(buf_free) struct buf b = { 0 };
    struct fixture *f = two->f;

    must(account_read(f->account, mine, 0, 1 << 20, &a, &f->err));
    must(account_read(two->account, theirs, 0, 1 << 20, &b, &f->err));
    assert_true(a.len > 0 && slice_equal(buf_slice(&a), buf_slice(&b)));
}

static void test_small_and_large(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);

    add_mail(f, f->inbox, "small", 10);
    add_mail(f, f->inbox, "large", 3 * INLINE_MAX);
    import(&two, "1:2", false, "1:2", "1:2");
    for (uint32_t uid = 1; uid <= 2; uid++) {
        struct mail mine = look_mail(f, f->inbox, uid), theirs = look_there(&two, uid);

        assert_int_equal(mine.size, theirs.size);
        assert_int_equal(mine.received_ms, theirs.received_ms);
        assert_same_bytes(&two, mine.msg, theirs.msg);
    }
    assert_int_equal(look(f, f->inbox).n_total, 2);
    /* the large one is one file */
    AUTO(buf_free) struct buf path = { 0 };
    struct stat st;
    account_big_path(two.account, look_there(&two, 2).msg, &path);
    assert_int_equal(stat(buf_text(&path), &st), 0);
    assert_int_equal(st.st_nlink, 2);
}

static void count_quota(struct two *two, uint64_t bytes, uint64_t messages)
{
    struct fixture *f = two->f;
    struct quota quota;

    must(account_quota(two->account, &quota, &f->err));
    assert_int_equal(quota.bytes, bytes);
    assert_int_equal(quota.messages, messages);
}

static void test_move(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);

    add_many(f, f->inbox, 4);
    uint64_t modseq = look(f, f->inbox).modseq, size = look_mail(f, f->inbox, 1).size;
    import(&two, "2:3", true, "2:3", "1:2");
    assert_int_equal(look(f, f->inbox).n_total, 2);
    assert_true(look(f, f->inbox).modseq > modseq);
    count_quota(&two, 2 * size, 2);
    import(&two, "2", true, "", ""); /* it is gone */
    count_quota(&two, 2 * size, 2);
}

static void test_flags(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);
    struct copy_result result;
    unsigned bits[3], theirs;

    /* the same names have other bits there */
    must(keyword_bit(two.account, SLICE("unrelated"), &theirs, &f->err));
    must(keyword_bit(two.account, SLICE("either"), &theirs, &f->err));
    must(keyword_bit(f->account, SLICE("one"), &bits[0], &f->err));
    must(keyword_bit(f->account, SLICE("two"), &bits[1], &f->err));
    must(keyword_bit(f->account, SLICE("unused"), &bits[2], &f->err));
    add_many(f, f->inbox, 2);
    store_flags(f, f->inbox, "1", FLAGS_ADD, MAIL_SEEN | MAIL_DELETED | 1ull << bits[1]);
    import(&two, "1:2", false, "1:2", "1:2");
    must(keyword_bit(two.account, SLICE("TWO"), &theirs, &f->err));
    assert_int_not_equal(theirs, bits[1]);
    assert_true(look_there(&two, 1).flags == (MAIL_SEEN | MAIL_DELETED | 1ull << theirs));
    must(try_import(&two, "1", false, MAIL_DELETED, &result));
    copy_result_free(&result);
    assert_true(look_there(&two, 3).flags == MAIL_DELETED);
    must(try_import(&two, "1", false, ~(MAIL_DELETED | MAIL_SEEN), &result));
    copy_result_free(&result);
    assert_true(look_there(&two, 4).flags == 1ull << theirs);
}

static void test_full_of_keywords(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);
    unsigned bit;

    for (unsigned i = MAIL_KEYWORD_FIRST; i <= MAIL_KEYWORD_LAST; i++) {
        char name[16];

        snprintf(name, sizeof(name), "k%u", i);
        must(keyword_bit(two.account, slice_of(name), &bit, &f->err));
    }
    must(keyword_bit(f->account, SLICE("new"), &bit, &f->err));
    add_many(f, f->inbox, 1);
    store_flags(f, f->inbox, "1", FLAGS_ADD, MAIL_FLAGGED | 1ull << bit);
    import(&two, "1", false, "1", "1");
    assert_true(look_there(&two, 1).flags == MAIL_FLAGGED);
}

/* All or none: over quota after the first, a file that is missing. */
static void test_failing(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);
    struct account_limits limits = { .messages = 1 };
    struct copy_result result;
    AUTO(buf_free) struct buf path = { 0 };

    add_mail(f, f->inbox, "large", 3 * INLINE_MAX);
    add_mail(f, f->inbox, "large", 3 * INLINE_MAX);
    must(account_set_limits(f->desk, two.id, &limits, &f->err));
    fails(try_import(&two, "1:2", true, ~0ull, &result), ERROR_OVER_QUOTA);
    assert_int_equal(look(f, f->inbox).n_total, 2);
    count_quota(&two, 0, 0);
    limits.messages = 2;
    must(account_set_limits(f->desk, two.id, &limits, &f->err));
    account_big_path(f->account, look_mail(f, f->inbox, 2).msg, &path);
    assert_int_equal(unlink(buf_text(&path)), 0);
    assert_false(try_import(&two, "1:2", true, ~0ull, &result));
    assert_int_equal(look(f, f->inbox).n_total, 2);
    count_quota(&two, 0, 0);
    import(&two, "1", true, "1", "1");
    struct copy_target nowhere = { two.account, 999, ~0ull };
    fails(mailbox_copy_to(f->account, f->inbox, NULL, &nowhere, true, &result, &f->err),
          ERROR_NOT_FOUND);
}

/* As after a crash: the messages have arrived, and the source still has them. */
static void test_broken_off(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);
    struct copy_result result;

    add_mail(f, f->inbox, "one", 10);
    add_mail(f, f->inbox, "two", 3 * INLINE_MAX);
    add_mail(f, f->inbox, "three", 10);
    run_sql(f,
            "CREATE TRIGGER stuck BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'no'); END");
    assert_false(try_import(&two, "1,3", true, ~0ull, &result));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message"), 3);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM leaving"), 2);
    look_there(&two, 2);
    run_sql(f, "DROP TRIGGER stuck");
    fixture_open_again(f, NULL);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message"), 1);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM leaving"), 0);
    assert_int_equal(look(f, f->inbox).n_total, 1);
}

/* As after a crash before anything came to the target; one of them is gone altogether. */
static void test_never_arrived(void **state)
{
    struct fixture *f = *state;
    char row[120];

    struct two two = make_two(f);
    add_mail(f, f->inbox, "one", 10);
    snprintf(row, sizeof(row), "INSERT INTO leaving VALUES(x'3132', %llu, %llu, 1, 1)",
             (unsigned long long)two.id, (unsigned long long)f->inbox);
    run_sql(f, row);
    run_sql(f, "INSERT INTO leaving VALUES(x'3133', 12345, 1, 1, 1)");
    fixture_open_again(f, NULL);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message"), 1);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM leaving"), 0);
}

/* Others see that a move is under way, and leave it alone. */
static void test_under_way(void **state)
{
    struct fixture *f = *state;
    struct two two = make_two(f);
    struct mail mail = { .uid = 1 };
    struct mail_list mails = { .items = &mail, .count = 1 };
    struct account *other = NULL;

    must(leaving_note(f->account, f->inbox, two.account, &mails, SLICE("a token"), &f->err));
    must(account_handle_open(f->desk, f->id, &other, &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM leaving"), 1);
    leaving_forget(f->account, SLICE("a token"));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM leaving"), 0);
    account_handle_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_small_and_large), FIXTURE_TEST(test_move),
        FIXTURE_TEST(test_flags),           FIXTURE_TEST(test_full_of_keywords),
        FIXTURE_TEST(test_failing),         FIXTURE_TEST(test_broken_off),
        FIXTURE_TEST(test_never_arrived),   FIXTURE_TEST(test_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
