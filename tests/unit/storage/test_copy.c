/* test_copy.c - COPY and MOVE: maps, flags, counters, references, quota. */
#include "tests/unit/storage/mail_fixture.h"

#include <stdlib.h>

static struct copy_result copy(struct fixture *f, uint64_t from, const char *uids, uint64_t to,
                               bool move)
{
    AUTO(uidset_free) struct uidset which = set_of(uids);
    struct copy_result result;

    must(mailbox_copy(f->account, from, &which, to, move, &result, &f->err));
    assert_int_equal(uidset_size(&result.from), uidset_size(&result.to));
    return result;
}

static void assert_map(struct copy_result *result, const char *from, const char *to)
{
    assert_set(&result->from, from);
    assert_set(&result->to, to);
    copy_result_free(result);
}

static void test_copy(void **state)
{
    struct fixture *f = *state;
    uint64_t target = make_mailbox(f, "target");

    add_many(f, f->inbox, 10);
    add_many(f, target, 2);
    store_flags(f, f->inbox, "3", FLAGS_ADD, MAIL_SEEN | 1ull << 20);
    expunge(f, f->inbox, "4");
    uint64_t modseq = look(f, f->inbox).modseq;
    struct mail before = look_mail(f, f->inbox, 3);
    struct copy_result result = copy(f, f->inbox, "1,3:6,9:100", target, false);
    assert_int_equal(result.uidvalidity, look(f, target).uidvalidity);
    assert_int_equal(result.modseq, modseq);
    assert_map(&result, "1,3,5:6,9:10", "3:8");

    struct mail copied = look_mail(f, target, 4);
    assert_true(copied.flags == (MAIL_SEEN | 1ull << 20));
    assert_int_equal(copied.msg, before.msg);
    assert_int_equal(copied.received_ms, before.received_ms);
    assert_true(copied.saved_ms >= before.saved_ms);
    assert_int_equal(copied.modseq, 3);
    struct mailbox_info info = look(f, target);
    assert_int_equal(info.n_total, 8);
    assert_int_equal(info.n_unseen, 7);
    assert_int_equal(info.uidnext, 9);
    assert_int_equal(info.modseq, 3);
    assert_int_equal(look(f, f->inbox).n_total, 9);
    assert_int_equal(look(f, f->inbox).modseq, modseq);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 2"), 6);
}

static void test_copy_nothing(void **state)
{
    struct fixture *f = *state;
    struct copy_result result;
    uint64_t target = make_mailbox(f, "target");

    add_many(f, f->inbox, 1);
    result = copy(f, f->inbox, "7:9", target, true);
    assert_map(&result, "", "");
    assert_int_equal(look(f, target).modseq, 1);
    assert_int_equal(look(f, f->inbox).modseq, 2);
    fails(mailbox_copy(f->account, f->inbox, NULL, 9999, false, &result, &f->err), ERROR_NOT_FOUND);
}

/* Twice the same msg in one mailbox: each row is a reference of its own. */
static void test_copy_within(void **state)
{
    struct fixture *f = *state;

    add_mail(f, f->inbox, "x", 5);
    struct copy_result result = copy(f, f->inbox, "1", f->inbox, false);
    assert_map(&result, "1", "2");
    assert_int_equal(look(f, f->inbox).n_total, 2);
    result = copy(f, f->inbox, "1:2", f->inbox, false);
    assert_map(&result, "1:2", "3:4");
    assert_int_equal(count_rows(f, "SELECT refs FROM msg"), 4);
    expunge(f, f->inbox, "1:3");
    collect(f, 2 * COLLECT_AGE_MS);
    assert_int_equal(count_rows(f, "SELECT refs FROM msg"), 1);
    expunge(f, f->inbox, "4");
    collect(f, 2 * COLLECT_AGE_MS);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 0);
}

static void test_move(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    uint64_t target = make_mailbox(f, "target");

    add_many(f, f->inbox, 6);
    store_flags(f, f->inbox, "2", FLAGS_ADD, MAIL_DELETED); /* 3 */
    uint64_t bytes = look(f, f->inbox).bytes;
    struct copy_result result = copy(f, f->inbox, "2:3,5", target, true);
    assert_int_equal(result.modseq, 4);
    assert_map(&result, "2:3,5", "1:3");

    must(mailbox_changes(f->account, f->inbox, 3, NULL, &changes, &f->err));
    assert_changed(&changes, "", "2:3,5");
    struct mailbox_info source = look(f, f->inbox), moved = look(f, target);
    assert_int_equal(source.n_total, 3);
    assert_int_equal(source.n_deleted, 0);
    assert_int_equal(source.modseq, 4);
    assert_int_equal(moved.n_total, 3);
    assert_int_equal(moved.n_deleted, 1);
    assert_int_equal(moved.bytes, bytes / 2);
    assert_int_equal(source.bytes, bytes / 2);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 1"), 6);
}

static void test_move_within(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };

    add_many(f, f->inbox, 3); /* 2 */
    struct copy_result result = copy(f, f->inbox, "1:2", f->inbox, true);
    assert_int_equal(result.modseq, 3);
    assert_map(&result, "1:2", "4:5");
    must(mailbox_changes(f->account, f->inbox, 2, NULL, &changes, &f->err));
    assert_changed(&changes, "4:5", "1:2");
    assert_int_equal(changes.modseq, 3);
    assert_int_equal(look(f, f->inbox).n_total, 3);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 1"), 3);
}

static void test_move_and_back(void **state)
{
    struct fixture *f = *state;
    uint64_t trash = mailbox_id(f, "Trash");

    add_many(f, f->inbox, 3);
    uint64_t msg = look_mail(f, f->inbox, 2).msg;
    struct copy_result result = copy(f, f->inbox, "2", trash, true);
    copy_result_free(&result);
    result = copy(f, trash, "1", f->inbox, true);
    assert_map(&result, "1", "4");
    assert_int_equal(look_mail(f, f->inbox, 4).msg, msg);
}

/* Copies count, moves do not; a refused copy leaves nothing behind. */
static void test_copy_quota(void **state)
{
    struct fixture *f = *state;
    AUTO(uidset_free) struct uidset which = set_of("1:3");
    uint64_t target = make_mailbox(f, "target");
    struct copy_result result;
    struct quota quota;

    add_many(f, f->inbox, 3);
    must(account_set_limits(f->desk, f->id, &(struct account_limits){ .bytes = 0, .messages = 5 },
                            &f->err));
    fails(mailbox_copy(f->account, f->inbox, &which, target, false, &result, &f->err),
          ERROR_OVER_QUOTA);
    assert_int_equal(look(f, target).n_total, 0);
    assert_int_equal(look(f, target).uidnext, 1);
    assert_int_equal(count_rows(f, "SELECT max(refs) FROM msg"), 1);
    must(account_set_limits(f->desk, f->id, &(struct account_limits){ .bytes = 0, .messages = 3 },
                            &f->err));
    must(mailbox_copy(f->account, f->inbox, &which, target, true, &result, &f->err));
    copy_result_free(&result);
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.messages, 3);
}

static void test_out_of_uids(void **state)
{
    struct fixture *f = *state;
    AUTO(uidset_free) struct uidset which = set_of("1:3");
    uint64_t target = make_mailbox(f, "target");
    struct copy_result result;

    add_many(f, f->inbox, 3);
    run_sql(f, "UPDATE mailbox SET uidnext = 4294967293 WHERE name = 'target'");
    fails(mailbox_copy(f->account, f->inbox, &which, target, false, &result, &f->err), ERROR_LIMIT);
    assert_int_equal(add_mail(f, target, "a", 1), 4294967293u);
    assert_int_equal(add_mail(f, target, "b", 1), 4294967294u);
    AUTO(body_free) struct body *body = new_body(f, SLICE("x"));
    struct append item = { .body = body };
    uint32_t uidvalidity;
    fails(mailbox_append(f->account, target, &item, 1, false, &uidvalidity, &f->err), ERROR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_copy),        FIXTURE_TEST(test_copy_nothing),
        FIXTURE_TEST(test_copy_within), FIXTURE_TEST(test_move),
        FIXTURE_TEST(test_move_within), FIXTURE_TEST(test_move_and_back),
        FIXTURE_TEST(test_copy_quota),  FIXTURE_TEST(test_out_of_uids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
