/* test_changes.c - flags, expunge, \Recent, and what mailbox_changes() says of them: MODSEQ exact.
 */
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static void assert_since(struct fixture *f, uint64_t since, const char *uids, const char *vanished)
{
    AUTO(changes_free) struct changes changes = { 0 };

    must(mailbox_changes(f->account, f->inbox, since, NULL, &changes, &f->err));
    assert_true(changes.all_vanished_known);
    assert_changed(&changes, uids, vanished);
}

static void test_changes_since(void **state)
{
    struct fixture *f = *state;

    assert_since(f, 0, "", "");
    add_mail(f, f->inbox, "1", 1); /* modseq 2 */
    add_mail(f, f->inbox, "2", 1);
    add_mail(f, f->inbox, "3", 1);
    add_mail(f, f->inbox, "4", 1); /* 5 */
    assert_int_equal(store_flags(f, f->inbox, "1,3", FLAGS_ADD, MAIL_SEEN), 6);
    expunge(f, f->inbox, "2");   /* 7 */
    expunge(f, f->inbox, "1,4"); /* 8 */

    assert_since(f, 0, "3", "");
    assert_since(f, 1, "3", "1:2,4");
    assert_since(f, 3, "3", "1:2,4");
    assert_since(f, 5, "3", "1:2,4");
    assert_since(f, 6, "", "1:2,4");
    assert_since(f, 7, "", "1,4");
    assert_since(f, 8, "", "");
    assert_since(f, INT64_MAX, "", "");

    AUTO(changes_free) struct changes changes = { 0 };
    must(mailbox_changes(f->account, f->inbox, 8, NULL, &changes, &f->err));
    assert_int_equal(changes.modseq, 8);
    assert_int_equal(changes.uidnext, 5);
    assert_int_equal(changes.n_total, 1);
    assert_int_equal(changes.uidvalidity, look(f, f->inbox).uidvalidity);
    fails(mailbox_changes(f->account, 9999, 0, NULL, &changes, &f->err), ERROR_NOT_FOUND);
}

/* Only what was asked for, by the index and by the scan alike. */
static void test_changes_of_set(void **state)
{
    static const struct {
        uint64_t since;
        const char *which, *uids, *vanished;
    } cases[] = {
        { 0, "1:100", "1:4,6:19,21:100", "" },
        { 0, "4:7,20,99:4000000000", "4,6:7,99:100", "" },
        { 0, "1,3,5,7,30,60,61", "1,3,7,30,60:61", "" },
        { 0, "5", "", "" },
        { 2, "1:50", "10:12", "5,20" },
        { 2, "11,20:30", "11", "20" },
        { 1, "4:6", "4,6", "5" },
        { 1, "101:200", "", "" },
    };
    struct fixture *f = *state;

    add_many(f, f->inbox, 100);                              /* modseq 2 */
    store_flags(f, f->inbox, "10:12", FLAGS_ADD, MAIL_SEEN); /* 3 */
    expunge(f, f->inbox, "5,20");                            /* 4 */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(changes_free) struct changes changes = { 0 };
        AUTO(uidset_free) struct uidset which = set_of(cases[i].which);

        must(mailbox_changes(f->account, f->inbox, cases[i].since, &which, &changes, &f->err));
        assert_changed(&changes, cases[i].uids, cases[i].vanished);
    }
}

static void test_tombstones_forgotten(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(uidset_free) struct uidset which = set_of("2:6");

    add_many(f, f->inbox, 10);  /* 2 */
    expunge(f, f->inbox, "3");  /* 3 */
    expunge(f, f->inbox, "10"); /* 4 */
    expunge(f, f->inbox, "5");  /* 5 */
    run_sql(f, "UPDATE expunged SET at_ms = at_ms - 91 * 86400000 WHERE modseq <= 4");
    f->account->trim_due_ms = 0;
    collect(f, 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM expunged"), 1);

    assert_since(f, 4, "", "5");
    must(mailbox_changes(f->account, f->inbox, 3, NULL, &changes, &f->err));
    assert_false(changes.all_vanished_known);
    assert_changed(&changes, "", "3,5,10");
    changes_free(&changes);
    must(mailbox_changes(f->account, f->inbox, 3, &which, &changes, &f->err));
    assert_changed(&changes, "", "3,5");
}

/* Flags. */

static void test_flag_operations(void **state)
{
    static const struct {
        enum flag_op op;
        uint64_t had, flags, want;
    } cases[] = {
        { FLAGS_ADD, MAIL_SEEN, MAIL_FLAGGED, MAIL_SEEN | MAIL_FLAGGED },
        { FLAGS_ADD, MAIL_SEEN, MAIL_SEEN, MAIL_SEEN },
        { FLAGS_ADD, MAIL_SEEN, 0, MAIL_SEEN },
        { FLAGS_REMOVE, MAIL_SEEN | MAIL_DRAFT, MAIL_SEEN | MAIL_FLAGGED, MAIL_DRAFT },
        { FLAGS_REMOVE, MAIL_SEEN, MAIL_FLAGGED, MAIL_SEEN },
        { FLAGS_REPLACE, MAIL_SEEN | 1ull << 62, MAIL_DELETED, MAIL_DELETED },
        { FLAGS_REPLACE, MAIL_SEEN | 1ull << 62, 0, 0 },
        { FLAGS_REPLACE, MAIL_SEEN, MAIL_SEEN, MAIL_SEEN },
    };
    struct fixture *f = *state;

    add_mail(f, f->inbox, "x", 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        store_flags(f, f->inbox, "1", FLAGS_REPLACE, cases[i].had);
        struct mail before = look_mail(f, f->inbox, 1);
        uint64_t modseq = store_flags(f, f->inbox, "1", cases[i].op, cases[i].flags);
        struct mail after = look_mail(f, f->inbox, 1);
        struct mailbox_info info = look(f, f->inbox);
        bool changed = cases[i].want != cases[i].had;

        assert_true(after.flags == cases[i].want);
        assert_int_equal(after.modseq, before.modseq + changed);
        assert_int_equal(modseq, info.modseq);
        assert_int_equal(info.modseq, after.modseq);
        assert_int_equal(info.n_unseen, (cases[i].want & MAIL_SEEN) == 0);
        assert_int_equal(info.n_deleted, (cases[i].want & MAIL_DELETED) != 0);
    }
}

static void test_flags_of_some(void **state)
{
    struct fixture *f = *state;
    AUTO(flags_result_free) struct flags_result result = { 0 };
    AUTO(uidset_free) struct uidset which = set_of("1,3,5:7,90");
    struct flag_change change = { .op = FLAGS_ADD, .flags = MAIL_FLAGGED };

    add_many(f, f->inbox, 8);
    expunge(f, f->inbox, "6");                              /* 3 */
    store_flags(f, f->inbox, "3", FLAGS_ADD, MAIL_FLAGGED); /* 4 */
    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    assert_int_equal(result.modseq, 5);
    assert_int_equal(result.count, 4);
    static const struct {
        uint32_t uid;
        uint64_t modseq;
    } want[] = { { 1, 5 }, { 3, 4 }, { 5, 5 }, { 7, 5 } };
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_int_equal(result.mails[i].uid, want[i].uid);
        assert_int_equal(result.mails[i].modseq, want[i].modseq);
        assert_true(result.mails[i].flags == MAIL_FLAGGED);
        assert_int_equal(look_mail(f, f->inbox, want[i].uid).modseq, want[i].modseq);
    }
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message WHERE flags = 4"), 4);
}

/* RFC 7162 section 3.1.3: UNCHANGEDSINCE. */
static void test_flags_guarded(void **state)
{
    struct fixture *f = *state;
    AUTO(flags_result_free) struct flags_result result = { 0 };
    AUTO(uidset_free) struct uidset which = set_of("1:9");
    struct flag_change change = {
        .op = FLAGS_ADD, .flags = MAIL_SEEN, .guarded = true, .unchanged_since = 2
    };

    add_many(f, f->inbox, 9);                                  /* 2 */
    store_flags(f, f->inbox, "4:5", FLAGS_ADD, MAIL_ANSWERED); /* 3 */
    store_flags(f, f->inbox, "8", FLAGS_ADD, MAIL_SEEN);       /* 4 */
    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    assert_set(&result.refused, "4:5,8");
    assert_int_equal(result.count, 6);
    assert_int_equal(result.modseq, 5);
    assert_int_equal(look_mail(f, f->inbox, 4).flags, MAIL_ANSWERED);
    assert_int_equal(look_mail(f, f->inbox, 8).modseq, 4);
    assert_int_equal(look(f, f->inbox).n_unseen, 2);
    flags_result_free(&result);

    change.unchanged_since = 0; /* nothing can be as old */
    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    assert_set(&result.refused, "1:9");
    assert_int_equal(result.modseq, 5);
    assert_int_equal(result.count, 0);
}

static void test_keywords(void **state)
{
    struct fixture *f = *state;
    struct keyword_list list;
    unsigned bit, again;

    must(keyword_bit(f->account, SLICE("$Forwarded"), &bit, &f->err));
    assert_int_equal(bit, MAIL_KEYWORD_FIRST);
    must(keyword_bit(f->account, SLICE("Other"), &bit, &f->err));
    assert_int_equal(bit, MAIL_KEYWORD_FIRST + 1);
    must(keyword_bit(f->account, SLICE("$FORWARDED"), &again, &f->err));
    assert_int_equal(again, MAIL_KEYWORD_FIRST);
    fails(keyword_bit(f->account, SLICE(""), &bit, &f->err), ERROR_INVALID);

    for (unsigned i = MAIL_KEYWORD_FIRST + 2; i <= MAIL_KEYWORD_LAST; i++) {
        char name[16];
        snprintf(name, sizeof(name), "k%u", i);
        must(keyword_bit(f->account, slice_of(name), &bit, &f->err));
        assert_int_equal(bit, i);
    }
    fails(keyword_bit(f->account, SLICE("one-more"), &bit, &f->err), ERROR_LIMIT);
    must(keyword_bit(f->account, SLICE("k62"), &bit, &f->err));
    must(keyword_all(f->account, &f->arena, &list, &f->err));
    assert_true(slice_equal(list.names[8], SLICE("$Forwarded")));
    assert_true(slice_equal(list.names[62], SLICE("k62")));
    assert_int_equal(list.names[7].len + list.names[63].len, 0);
}

static void test_recent(void **state)
{
    struct fixture *f = *state;
    uint32_t first;

    add_many(f, f->inbox, 3);
    must(mailbox_recent(f->account, f->inbox, false, &first, &f->err));
    assert_int_equal(first, 1);
    must(mailbox_recent(f->account, f->inbox, true, &first, &f->err));
    assert_int_equal(first, 1);
    must(mailbox_recent(f->account, f->inbox, true, &first, &f->err));
    assert_int_equal(first, 4);
    add_many(f, f->inbox, 1);
    must(mailbox_recent(f->account, f->inbox, false, &first, &f->err));
    assert_int_equal(first, 4);
    assert_int_equal(look(f, f->inbox).recent_from, 4);
    assert_int_equal(look(f, f->inbox).modseq, 3); /* \Recent is no change of a message */
    fails(mailbox_recent(f->account, 999, true, &first, &f->err), ERROR_NOT_FOUND);
}

/* Expunge. */

static void test_expunge_deleted(void **state)
{
    struct fixture *f = *state;
    AUTO(uidset_free) struct uidset which = set_of("2:4");
    struct uidset expunged;
    uint64_t modseq;

    add_many(f, f->inbox, 6);                                     /* 2 */
    store_flags(f, f->inbox, "1,3,4,6", FLAGS_ADD, MAIL_DELETED); /* 3 */
    must(mailbox_expunge(f->account, f->inbox, &which, false, &expunged, &modseq, &f->err));
    assert_set(&expunged, "3:4");
    assert_int_equal(modseq, 4);
    uidset_free(&expunged);
    must(mailbox_expunge(f->account, f->inbox, &which, false, &expunged, &modseq, &f->err));
    assert_set(&expunged, "");
    assert_int_equal(modseq, 4);
    uidset_free(&expunged);
    must(mailbox_expunge(f->account, f->inbox, NULL, false, &expunged, &modseq, &f->err));
    assert_set(&expunged, "1,6");
    assert_int_equal(modseq, 5);
    uidset_free(&expunged);
    assert_since(f, 2, "", "1,3:4,6");

    struct mailbox_info info = look(f, f->inbox);
    assert_int_equal(info.n_total, 2);
    assert_int_equal(info.n_unseen, 2);
    assert_int_equal(info.n_deleted, 0);
    assert_int_equal(info.uidnext, 7);
    must(mailbox_expunge(f->account, f->inbox, NULL, true, &expunged, &modseq, &f->err));
    assert_set(&expunged, "2,5");
    uidset_free(&expunged);
    assert_int_equal(look(f, f->inbox).bytes, 0);
    assert_int_equal(add_mail(f, f->inbox, "next", 1), 7); /* UIDs are not used again */
    fails(mailbox_expunge(f->account, 999, NULL, true, &expunged, &modseq, &f->err),
          ERROR_NOT_FOUND);
}

/* Bytes can be read for a while after the message has gone. */
static void test_read_after_expunge(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf text = { 0 };

    add_mail(f, f->inbox, "small", 1);
    add_mail(f, f->inbox, "large", INLINE_MAX * 2);
    uint64_t small = look_mail(f, f->inbox, 1).msg, large = look_mail(f, f->inbox, 2).msg;
    expunge(f, f->inbox, "1:2");
    collect(f, COLLECT_AGE_MS - 60000);
    must(account_read(f->account, small, 0, 1000, &text, &f->err));
    must(account_read(f->account, large, 0, 1000, &text, &f->err));
    collect(f, COLLECT_AGE_MS + 60000);
    fails(account_read(f->account, small, 0, 1000, &text, &f->err), ERROR_NOT_FOUND);
    fails(account_read(f->account, large, 0, 1000, &text, &f->err), ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_changes_since),
        FIXTURE_TEST(test_changes_of_set),
        FIXTURE_TEST(test_tombstones_forgotten),
        FIXTURE_TEST(test_flag_operations),
        FIXTURE_TEST(test_flags_of_some),
        FIXTURE_TEST(test_flags_guarded),
        FIXTURE_TEST(test_keywords),
        FIXTURE_TEST(test_recent),
        FIXTURE_TEST(test_expunge_deleted),
        FIXTURE_TEST(test_read_after_expunge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
