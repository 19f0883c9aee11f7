/* test_copying.c - COPY in steps: what is there in between, after the last one, and after an end in
 * mid-way.
 */
#include "tests/unit/storage/mail_fixture.h"

#include "storage/copying.h"

#include <stdlib.h>

struct two_boxes {
    struct fixture *f;
    struct copying *copying;
    struct copy_target to;
    struct uidset from_uids, to_uids;
};

/* Ten messages in INBOX, two in the target. */
static struct two_boxes start(struct fixture *f)
{
    struct two_boxes boxes = { .f = f, .to = { f->account, make_mailbox(f, "target"), ~0ull } };
    AUTO(uidset_free) struct uidset all = set_of("1:4294967295");

    add_many(f, f->inbox, 10);
    add_many(f, boxes.to.mailbox, 2);
    must(copying_start(f->account, f->inbox, &all, &boxes.to, &boxes.copying, &f->err));
    return boxes;
}

static bool try_step(struct two_boxes *boxes, const char *uids, bool last)
{
    AUTO(uidset_free) struct uidset part = set_of(uids);
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct fixture *f = boxes->f;

    if (!copying_step(boxes->copying, f->account, f->inbox, &part, last, &boxes->to, &result,
                      &f->err))
        return false;
    uidset_add_all(&boxes->from_uids, &result.from);
    uidset_add_all(&boxes->to_uids, &result.to);
    return true;
}

static void step(struct two_boxes *boxes, const char *uids, bool last)
{
    struct fixture *f = boxes->f;

    must(try_step(boxes, uids, last));
}

static void done(struct two_boxes *boxes)
{
    copying_free(&boxes->copying);
    uidset_free(&boxes->from_uids);
    uidset_free(&boxes->to_uids);
}

static void assert_record(struct fixture *f, uint64_t rows)
{
    assert_int_equal(count_rows(f, "SELECT count(*) FROM copying"), rows);
}

/* Nothing of the ten is in the target, and what went is told as expunged. */
static void assert_undone(struct two_boxes *boxes, uint64_t since, const char *there,
                          const char *vanished)
{
    AUTO(changes_free) struct changes changes = { 0 };
    struct fixture *f = boxes->f;
    struct quota quota;

    assert_record(f, 0);
    must(mailbox_changes(f->account, boxes->to.mailbox, since, NULL, &changes, &f->err));
    assert_changed(&changes, there, vanished);
    struct mailbox_info info = look(f, boxes->to.mailbox);
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.messages, 10 + info.n_total);
    assert_int_equal(count_rows(f, "SELECT sum(refs) FROM msg"), 10 + info.n_total);
}

static void test_steps(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);

    step(&boxes, "1:4", false);
    assert_record(f, 1);
    step(&boxes, "5:8", false);
    assert_record(f, 1); /* one range */
    step(&boxes, "9:4294967295", true);
    assert_record(f, 0);
    assert_set(&boxes.from_uids, "1:10");
    assert_set(&boxes.to_uids, "3:12");
    assert_int_equal(look(f, boxes.to.mailbox).n_total, 12);
    done(&boxes);
    fixture_open_again(f, NULL);
    assert_int_equal(look(f, boxes.to.mailbox).n_total, 12);
}

/* Others put something between the copies, and take some away. */
static void test_others_between(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);

    step(&boxes, "1:4", false); /* 3:6 */
    add_many(f, boxes.to.mailbox, 1);
    expunge(f, boxes.to.mailbox, "4");
    expunge(f, f->inbox, "5");
    step(&boxes, "5:8", false); /* 8:10 */
    assert_record(f, 2);
    add_many(f, boxes.to.mailbox, 1);
    add_many(f, f->inbox, 1); /* later than the command */
    step(&boxes, "9:4294967295", true);
    assert_record(f, 0);
    assert_set(&boxes.from_uids, "1:4,6:10");
    assert_set(&boxes.to_uids, "3:6,8:10,12:13");
    done(&boxes);
}

static void test_within_one_mailbox(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);

    boxes.to.mailbox = f->inbox;
    step(&boxes, "1:5", false);
    step(&boxes, "6:4294967295", true);
    assert_set(&boxes.from_uids, "1:10");
    assert_set(&boxes.to_uids, "11:20");
    done(&boxes);
}

/* The daemon died. Messages of others stay, whatever UIDs they have. */
static void test_crash(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);
    uint64_t since = look(f, boxes.to.mailbox).modseq;

    step(&boxes, "1:4", false);
    add_many(f, boxes.to.mailbox, 1);
    step(&boxes, "5:8", false);
    expunge(f, boxes.to.mailbox, "9");
    done(&boxes);
    fixture_open_again(f, NULL);
    boxes.to.account = f->account;
    assert_undone(&boxes, since, "7", "3:6,8:11");
}

/* Others see that a copy is under way, and leave it alone; when its session has gone, they do not.
 */
static void test_under_way(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);
    struct account *other = NULL;

    step(&boxes, "1:4", false);
    must(account_handle_open(f->desk, f->id, &other, &f->err));
    collect(f, 0);
    assert_record(f, 1);
    assert_int_equal(look(f, boxes.to.mailbox).n_total, 6);
    done(&boxes);
    collect(f, 0);
    assert_undone(&boxes, 2, "", "3:6");
    account_handle_close(&other);
}

static void test_two_copies(void **state)
{
    struct fixture *f = *state;
    struct two_boxes one = start(f), two = one;
    AUTO(uidset_free) struct uidset all = set_of("1:10");

    must(copying_start(f->account, f->inbox, &all, &two.to, &two.copying, &f->err));
    step(&one, "1:5", false); /* 3:7 */
    step(&two, "1:2", false); /* 8:9 */
    step(&one, "6:10", true); /* 10:14 */
    done(&one);
    assert_record(f, 1);
    copying_break_off(two.copying, f->account);
    done(&two);
    assert_record(f, 0);
    assert_int_equal(look(f, two.to.mailbox).n_total, 12);
    assert_int_equal(look(f, two.to.mailbox).uidnext, 15);
}

static void test_undo(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);
    uint64_t since = look(f, boxes.to.mailbox).modseq;
    bool end;

    step(&boxes, "1:4", false);
    add_many(f, boxes.to.mailbox, 1);
    step(&boxes, "5:6", false);
    must(copying_undo(boxes.copying, f->account, &end, &f->err));
    assert_false(end);
    assert_record(f, 1);
    must(copying_undo(boxes.copying, f->account, &end, &f->err));
    if (!end)
        must(copying_undo(boxes.copying, f->account, &end, &f->err));
    assert_true(end);
    assert_undone(&boxes, since, "7", "3:6,8:9");
    done(&boxes);
}

/* More than one transaction takes. */
static void test_undo_many(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = { .f = f, .to = { f->account, make_mailbox(f, "target"), ~0ull } };
    AUTO(uidset_free) struct uidset all = set_of("1:5000");

    add_many(f, f->inbox, 5000);
    must(copying_start(f->account, f->inbox, &all, &boxes.to, &boxes.copying, &f->err));
    step(&boxes, "1:2000", false);
    step(&boxes, "2001:4000", false);
    done(&boxes);
    fixture_open_again(f, NULL);
    assert_record(f, 0);
    struct mailbox_info info = look(f, boxes.to.mailbox);
    assert_int_equal(info.n_total, 0);
    assert_int_equal(info.uidnext, 4001);
    assert_int_equal(count_rows(f, "SELECT max(refs) FROM msg"), 1);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM expunged"), 2);
}

static void test_target_is_deleted(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);
    bool end = false;

    step(&boxes, "1:4", false);
    must(mailbox_delete(f->account, SLICE("target"), &f->err));
    assert_false(try_step(&boxes, "5:10", true));
    assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
    for (int i = 0; i < 2 && !end; i++)
        must(copying_undo(boxes.copying, f->account, &end, &f->err));
    assert_true(end);
    assert_record(f, 0);
    done(&boxes);
}

/* The last step finds nothing: the copy is complete. */
static void test_rest_is_gone(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);

    step(&boxes, "1:9", false);
    expunge(f, f->inbox, "10");
    step(&boxes, "10", true);
    assert_record(f, 0);
    done(&boxes);
    fixture_open_again(f, NULL);
    assert_int_equal(look(f, boxes.to.mailbox).n_total, 11);
}

static void limit(struct fixture *f, uint64_t messages)
{
    must(account_set_limits(f->desk, f->id, &(struct account_limits){ .messages = messages },
                            &f->err));
}

/* Room is asked for all of them; and what takes it meanwhile stops the copy. */
static void test_quota(void **state)
{
    struct fixture *f = *state;
    struct copy_target to = { f->account, make_mailbox(f, "target"), ~0ull };
    AUTO(uidset_free) struct uidset some = set_of("1:6");
    struct two_boxes boxes = { .f = f, .to = to };
    uint64_t since;

    add_many(f, f->inbox, 10);
    limit(f, 15);
    fails(copying_start(f->account, f->inbox, &some, &to, &boxes.copying, &f->err),
          ERROR_OVER_QUOTA);
    limit(f, 16);
    must(copying_start(f->account, f->inbox, &some, &to, &boxes.copying, &f->err));
    since = look(f, to.mailbox).modseq;
    step(&boxes, "1:4", false);
    limit(f, 15);
    assert_false(try_step(&boxes, "5:6", true));
    assert_int_equal(f->err.kind, ERROR_OVER_QUOTA);
    copying_break_off(boxes.copying, f->account);
    assert_undone(&boxes, since, "", "1:4");
    done(&boxes);
}

/* The record is in the account that the copies are in. */
static void test_other_account(void **state)
{
    struct fixture *f = *state;
    struct two_boxes boxes = start(f);
    struct mailbox_info info;
    struct account *alice;
    uint64_t id;

    copying_free(&boxes.copying);
    must(account_add(f->desk, SLICE("alice@example.org"), SLICE(""), SLICE("-"), SLICE("-"), &id,
                     &f->err));
    must(desk_account(f->desk, id, &alice, &f->err));
    must(mailbox_by_name(alice, &f->arena, SLICE("INBOX"), &info, &f->err));
    boxes.to = (struct copy_target){ alice, info.id, ~0ull };
    for (int round = 0; round < 2; round++) {
        AUTO(uidset_free) struct uidset all = set_of("1:10");

        must(copying_start(f->account, f->inbox, &all, &boxes.to, &boxes.copying, &f->err));
        step(&boxes, "1:4", false);
        if (round == 0)
            step(&boxes, "5:10", true);
        copying_free(&boxes.copying);
        fixture_open_again(f, NULL);
        must(desk_account(f->desk, id, &alice, &f->err));
        boxes.to.account = alice;
        must(mailbox_by_name(alice, &f->arena, SLICE("INBOX"), &info, &f->err));
        assert_int_equal(info.n_total, 10);
    }
    assert_int_equal(info.uidnext, 15);
    done(&boxes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_steps),
        FIXTURE_TEST(test_others_between),
        FIXTURE_TEST(test_within_one_mailbox),
        FIXTURE_TEST(test_crash),
        FIXTURE_TEST(test_under_way),
        FIXTURE_TEST(test_two_copies),
        FIXTURE_TEST(test_undo),
        FIXTURE_TEST(test_undo_many),
        FIXTURE_TEST(test_target_is_deleted),
        FIXTURE_TEST(test_rest_is_gone),
        FIXTURE_TEST(test_quota),
        FIXTURE_TEST(test_other_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
