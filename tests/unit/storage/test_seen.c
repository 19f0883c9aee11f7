/* test_seen.c - \Seen and \Recent of each who reads somebody else's mailbox. */
#include "storage/sqlite/seen_private.h"
#include "tests/unit/storage/mail_fixture.h"

#include <stdlib.h>

/* Account ids of readers; 0 is the owner. */
enum { OWNER = 0, ANN = 0x7001, BEN = 0x7002 };

static void as(struct fixture *f, uint64_t reader)
{
    desk_read_as(f->desk, reader);
}

/* What the reader has seen, as a set of UIDs. */
static void assert_seen(struct fixture *f, uint64_t mailbox, uint64_t reader, const char *uids)
{
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(uidset_free) struct uidset seen = { 0 };
    struct mailbox_info info = look(f, mailbox);
    uint64_t unseen;

    as(f, reader);
    must(mailbox_changes(f->account, mailbox, 0, NULL, &changes, &f->err));
    for (size_t i = 0; i < changes.count; i++)
        if ((changes.mails[i].flags & MAIL_SEEN) != 0)
            uidset_add(&seen, changes.mails[i].uid, changes.mails[i].uid);
    assert_set(&seen, uids);
    must(mailbox_unseen(f->account, &info, &unseen, &f->err));
    assert_int_equal(unseen, changes.count - uidset_size(&seen));
}

static uint64_t mark(struct fixture *f, uint64_t reader, const char *uids, enum flag_op op)
{
    as(f, reader);
    return store_flags(f, f->inbox, uids, op, MAIL_SEEN);
}

static void assert_new_since(struct fixture *f, uint64_t reader, uint64_t since, const char *uids)
{
    AUTO(changes_free) struct changes changes = { 0 };

    as(f, reader);
    must(mailbox_changes(f->account, f->inbox, since, NULL, &changes, &f->err));
    assert_changed(&changes, uids, "");
}

static void test_each_has_their_own(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 10);
    mark(f, OWNER, "2,4", FLAGS_ADD);
    mark(f, ANN, "1:5", FLAGS_ADD);
    mark(f, BEN, "4:10", FLAGS_ADD);
    mark(f, BEN, "6", FLAGS_REMOVE);
    mark(f, ANN, "3", FLAGS_REMOVE);
    assert_seen(f, f->inbox, OWNER, "2,4");
    assert_seen(f, f->inbox, ANN, "1:2,4:5");
    assert_seen(f, f->inbox, BEN, "4:5,7:10");
    assert_int_equal(look(f, f->inbox).n_unseen, 8);

    mark(f, ANN, "1:10", FLAGS_ADD);
    assert_seen(f, f->inbox, ANN, "1:10");
    assert_seen(f, f->inbox, BEN, "4:5,7:10");
    add_many(f, f->inbox, 1);
    assert_seen(f, f->inbox, ANN, "1:10"); /* what comes later is unseen */
}

static void test_the_owners_handle(void **state)
{
    struct fixture *f = *state;

    as(f, f->id);
    assert_int_equal(account_reader(f->account), 0);
    as(f, ANN);
    assert_int_equal(account_reader(f->account), ANN);
    as(f, OWNER);
    assert_int_equal(account_reader(f->account), 0);
}

/* One STORE of \Seen and another flag: the one is the reader's, the other everybody's. */
static void test_other_flags_are_shared(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    as(f, ANN);
    store_flags(f, f->inbox, "1:2", FLAGS_ADD, MAIL_SEEN | MAIL_FLAGGED);
    assert_int_equal(look_mail(f, f->inbox, 1).flags, MAIL_SEEN | MAIL_FLAGGED);
    as(f, OWNER);
    assert_int_equal(look_mail(f, f->inbox, 1).flags, MAIL_FLAGGED);
    store_flags(f, f->inbox, "1", FLAGS_REPLACE, MAIL_SEEN | MAIL_DRAFT);
    as(f, ANN);
    store_flags(f, f->inbox, "1", FLAGS_REPLACE, MAIL_ANSWERED);
    assert_int_equal(look_mail(f, f->inbox, 1).flags, MAIL_ANSWERED);
    as(f, OWNER);
    assert_int_equal(look_mail(f, f->inbox, 1).flags, MAIL_ANSWERED | MAIL_SEEN);
    assert_int_equal(look(f, f->inbox).n_unseen, 2);
}

/* A change is news to the reader alone, under a modseq of the mailbox's. */
static void test_modseqs(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 5);
    uint64_t before = look(f, f->inbox).modseq, after = mark(f, ANN, "2:3", FLAGS_ADD);

    assert_int_equal(after, before + 1);
    assert_int_equal(look(f, f->inbox).modseq, after);
    assert_new_since(f, ANN, before, "2:3");
    assert_new_since(f, ANN, after, "");
    assert_new_since(f, BEN, before, "");
    assert_new_since(f, OWNER, before, "");
    as(f, ANN);
    assert_int_equal(look_mail(f, f->inbox, 2).modseq, after);
    assert_int_equal(look_mail(f, f->inbox, 1).modseq, before);
    as(f, BEN);
    assert_int_equal(look_mail(f, f->inbox, 2).modseq, before);

    assert_int_equal(mark(f, ANN, "2:3", FLAGS_ADD), after); /* it was so already */
    mark(f, ANN, "1:4", FLAGS_ADD);
    assert_new_since(f, ANN, after, "1,4");
    mark(f, OWNER, "5", FLAGS_ADD);
    mark(f, ANN, "2", FLAGS_REMOVE);
    assert_new_since(f, ANN, after, "1:2,4:5");
    assert_new_since(f, OWNER, after, "5");
}

/* RFC 7162 section 3.1.3: by the modseqs that this reader knows. */
static void test_guarded(void **state)
{
    AUTO(uidset_free) struct uidset which = set_of("1:3");
    AUTO(flags_result_free) struct flags_result result = { 0 };
    struct flag_change change = { .op = FLAGS_REMOVE, .flags = MAIL_SEEN, .guarded = true };
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    change.unchanged_since = look(f, f->inbox).modseq;
    mark(f, ANN, "2", FLAGS_ADD);
    as(f, ANN);
    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    assert_set(&result.refused, "2");
    assert_seen(f, f->inbox, ANN, "2");
    flags_result_free(&result);
    as(f, BEN);
    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    assert_set(&result.refused, "");
}

static void test_append(void **state)
{
    AUTO(body_free) struct body *body = new_body(*state, SLICE("Subject: x\r\n\r\nx"));
    struct append items[] = { { .body = body, .flags = MAIL_SEEN | MAIL_FLAGGED },
                              { .body = body },
                              { .body = body, .flags = MAIL_SEEN } };
    struct fixture *f = *state;
    uint32_t uidvalidity;

    as(f, ANN);
    must(mailbox_append(f->account, f->inbox, items, 3, false, &uidvalidity, &f->err));
    assert_seen(f, f->inbox, ANN, "1,3");
    assert_seen(f, f->inbox, BEN, "");
    assert_seen(f, f->inbox, OWNER, "");
    assert_int_equal(look_mail(f, f->inbox, 1).flags, MAIL_FLAGGED);
    assert_int_equal(look(f, f->inbox).n_unseen, 3);
}

static void copy(struct fixture *f, uint64_t reader, uint64_t target, const char *uids, bool move,
                 uint64_t flags)
{
    AUTO(uidset_free) struct uidset which = set_of(uids);
    AUTO(copy_result_free) struct copy_result result = { 0 };
    struct copy_target to = { f->account, target, flags };

    as(f, reader);
    must(mailbox_copy_to(f->account, f->inbox, &which, &to, move, &result, &f->err));
}

/* Whoever copies, a message that somebody has seen is no new one to them. */
static void test_copies_within(void **state)
{
    struct fixture *f = *state;
    uint64_t other = make_mailbox(f, "other"), third = make_mailbox(f, "third");

    add_many(f, f->inbox, 6);
    mark(f, OWNER, "1:2", FLAGS_ADD);
    mark(f, ANN, "2:4", FLAGS_ADD);
    mark(f, BEN, "5", FLAGS_ADD);
    copy(f, ANN, other, "2:5", false, ~0ull);
    assert_seen(f, other, OWNER, "1");
    assert_seen(f, other, ANN, "1:3");
    assert_seen(f, other, BEN, "4");
    assert_int_equal(look(f, other).n_unseen, 3);

    copy(f, BEN, third, "4:6", true, ~MAIL_SEEN); /* may not set it there */
    assert_seen(f, third, ANN, "1");
    assert_seen(f, third, BEN, "");
    copy(f, OWNER, third, "1:3", true, ~0ull);
    assert_seen(f, third, OWNER, "4:5");
    assert_seen(f, third, ANN, "1,5:6");
}

static void test_copies_elsewhere(void **state)
{
    AUTO(uidset_free) struct uidset which = set_of("1:4");
    AUTO(copy_result_free) struct copy_result result = { 0 };
    AUTO(changes_free) struct changes changes = { 0 };
    struct fixture *f = *state;
    struct mailbox_info info;
    struct account *anns;
    uint64_t ann;

    must(account_add(f->desk, SLICE("ann@example.org"), SLICE(""), SLICE("-"), SLICE("-"), &ann,
                     &f->err));
    must(desk_account(f->desk, ann, &anns, &f->err));
    must(mailbox_by_name(anns, &f->arena, SLICE("INBOX"), &info, &f->err));
    add_many(f, f->inbox, 4);
    mark(f, OWNER, "1:2", FLAGS_ADD);
    mark(f, ann, "2:3", FLAGS_ADD);

    struct copy_target to = { anns, info.id, ~0ull };
    must(mailbox_copy_to(f->account, f->inbox, &which, &to, false, &result, &f->err));
    copy_result_free(&result);
    must(mailbox_changes(anns, info.id, 0, NULL, &changes, &f->err));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(changes.mails[i].flags, i == 1 || i == 2 ? MAIL_SEEN : 0);

    struct copy_target back = { f->account, f->inbox, ~0ull };
    must(mailbox_copy_to(anns, info.id, &which, &back, true, &result, &f->err));
    assert_seen(f, f->inbox, ann, "2:3,6:7");
    assert_seen(f, f->inbox, OWNER, "1:2");
}

static uint32_t recent(struct fixture *f, uint64_t reader, bool claim)
{
    uint32_t first;

    as(f, reader);
    must(mailbox_recent(f->account, f->inbox, claim, &first, &f->err));
    return first;
}

static void test_recent(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 3);
    assert_int_equal(recent(f, ANN, true), 1);
    assert_int_equal(recent(f, ANN, false), 4);
    assert_int_equal(recent(f, BEN, false), 1);
    assert_int_equal(recent(f, OWNER, false), 1);
    as(f, OWNER);
    add_many(f, f->inbox, 2);
    assert_int_equal(recent(f, OWNER, true), 1);
    assert_int_equal(recent(f, ANN, true), 4);
    assert_int_equal(recent(f, BEN, true), 1);
    assert_int_equal(recent(f, ANN, true), 6);
}

/* What is known of messages and mailboxes that are gone goes, and nothing else. */
static void test_cleaning(void **state)
{
    struct fixture *f = *state;
    uint64_t other = make_mailbox(f, "other");

    add_many(f, f->inbox, 8);
    mark(f, ANN, "1:2", FLAGS_ADD);
    mark(f, ANN, "5", FLAGS_ADD);
    mark(f, BEN, "1", FLAGS_ADD);
    copy(f, OWNER, other, "1:8", false, ~0ull);
    as(f, OWNER);
    expunge(f, f->inbox, "1,5");
    collect(f, 2 * 3600 * 1000);
    assert_seen(f, f->inbox, ANN, "2");
    assert_seen(f, f->inbox, BEN, "");
    assert_int_equal(count_rows(f, "SELECT count(*) FROM seen WHERE mailbox = 1"), 1);
    assert_seen(f, other, ANN, "1:2,5");
    must(mailbox_rename(f->account, SLICE("other"), SLICE("new/name"), &f->err));
    assert_seen(f, other, ANN, "1:2,5");
    must(mailbox_delete(f->account, SLICE("new/name"), &f->err));
    collect(f, 4 * 3600 * 1000);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM seen"), 1);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM reader"), 2);
}

/* A reader cannot fill the owner's store. */
static void test_too_many_ranges(void **state)
{
    struct fixture *f = *state;
    AUTO(uidset_free) struct uidset which = set_of("5");
    const struct flag_change change = { .op = FLAGS_ADD, .flags = MAIL_SEEN };
    struct flags_result result;

    add_many(f, f->inbox, 10);
    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
               " INSERT INTO seen SELECT 1, 28673, 2 * i + 100, 2 * i + 100, 1, 1 FROM n");
    as(f, ANN);
    fails(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err),
          ERROR_LIMIT);
    assert_seen(f, f->inbox, BEN, "");
    mark(f, BEN, "5", FLAGS_ADD);
    run_sql(f, "DELETE FROM seen WHERE lo = 102");
    mark(f, ANN, "5", FLAGS_ADD);
    as(f, ANN);
    assert_true((look_mail(f, f->inbox, 5).flags & MAIL_SEEN) != 0);
}

static void test_rename_of_inbox(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, 4);
    mark(f, ANN, "2:3", FLAGS_ADD);
    as(f, OWNER);
    must(mailbox_rename(f->account, SLICE("INBOX"), SLICE("old"), &f->err));
    assert_seen(f, mailbox_id(f, "old"), ANN, "2:3");
    assert_seen(f, f->inbox, ANN, "");
}

/* More than one slice, and more than one feed. */
static void test_many(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    add_many(f, f->inbox, 5000);
    before = look(f, f->inbox).modseq;
    mark(f, ANN, "1:5000", FLAGS_ADD);
    assert_seen(f, f->inbox, ANN, "1:5000");
    assert_int_equal(count_rows(f, "SELECT count(*) <= 3 FROM seen"), 1);
    assert_new_since(f, ANN, before, "1:5000");
    assert_new_since(f, OWNER, before, "");
    mark(f, ANN, "100:4900", FLAGS_REMOVE);
    assert_seen(f, f->inbox, ANN, "1:99,4901:5000");
    mark(f, ANN, "2500", FLAGS_ADD);
    assert_seen(f, f->inbox, ANN, "1:99,2500,4901:5000");
}

/* Random changes by everybody against a table of what each should have. */
#define USERS 3
#define UIDS  400

struct model {
    struct fixture *f;
    unsigned short seed[3];
    bool exists[UIDS + 1], seen[USERS][UIDS + 1];
    uint64_t told[USERS];        /* modseq up to which a user knows all */
    bool known[USERS][UIDS + 1]; /* \Seen as that user knows it */
    uint64_t modseqs[USERS][UIDS + 1];
    uint32_t last;
};

static const uint64_t users[USERS] = { OWNER, ANN, BEN };

static uint32_t some(struct model *model, uint32_t below)
{
    return (uint32_t)(nrand48(model->seed) % below);
}

static struct uidset some_uids(struct model *model)
{
    struct uidset set = { 0 };

    for (uint32_t n = 1 + some(model, 4); n > 0; n--) {
        uint32_t lo = 1 + some(model, model->last), hi = MIN(lo + some(model, 20), model->last);

        uidset_add(&set, lo, hi);
    }
    return set;
}

static void random_store(struct model *model, size_t user)
{
    AUTO(uidset_free) struct uidset which = some_uids(model);
    AUTO(flags_result_free) struct flags_result result = { 0 };
    struct flag_change change = { .op = (enum flag_op)some(model, 3),
                                  .flags = some(model, 4) > 0 ? MAIL_SEEN : MAIL_FLAGGED };
    struct fixture *f = model->f;

    must(mailbox_store_flags(f->account, f->inbox, &which, &change, &result, &f->err));
    for (uint32_t uid = 1; uid <= model->last; uid++) {
        bool named = (change.flags & MAIL_SEEN) != 0;

        if (!uidset_has(&which, uid) || (!named && change.op != FLAGS_REPLACE))
            continue;
        model->seen[user][uid] = named && change.op != FLAGS_REMOVE;
    }
    for (size_t i = 0; i < result.count; i++)
        assert_int_equal((result.mails[i].flags & MAIL_SEEN) != 0,
                         model->seen[user][result.mails[i].uid]);
}

static void random_append(struct model *model, size_t user)
{
    AUTO(body_free) struct body *body = new_body(model->f, SLICE("Subject: x\r\n\r\nx"));
    struct fixture *f = model->f;
    bool seen = some(model, 2) == 0;
    struct append item = { .body = body, .flags = seen ? MAIL_SEEN : 0 };
    uint32_t uidvalidity;

    must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
    model->last = item.uid_out;
    model->exists[model->last] = true;
    model->seen[user][model->last] = seen;
}

static void random_copy(struct model *model, bool move)
{
    AUTO(copy_result_free) struct copy_result result = { 0 };
    AUTO(uidset_free) struct uidset which = { 0 };
    struct fixture *f = model->f;
    uint32_t uid = 1 + some(model, model->last);

    uidset_add(&which, uid, MIN(uid + 1, model->last));
    must(mailbox_copy(f->account, f->inbox, &which, f->inbox, move, &result, &f->err));
    for (uint32_t i = uid; i <= uidset_last(&which); i++) {
        if (!model->exists[i])
            continue;
        model->exists[++model->last] = true;
        for (size_t user = 0; user < USERS; user++)
            model->seen[user][model->last] = model->seen[user][i];
        model->exists[i] = !move;
    }
}

static void random_expunge(struct model *model)
{
    AUTO(uidset_free) struct uidset expunged = { 0 };
    AUTO(uidset_free) struct uidset which = { 0 };
    struct fixture *f = model->f;
    uint32_t uid = 1 + some(model, model->last);
    uint64_t modseq;

    uidset_add(&which, uid, uid);
    must(mailbox_expunge(f->account, f->inbox, &which, true, &expunged, &modseq, &f->err));
    model->exists[uid] = false;
}

/* The user asks for what is new, and knows all then. */
static void catch_up(struct model *model, size_t user)
{
    AUTO(changes_free) struct changes changes = { 0 };
    struct fixture *f = model->f;

    as(f, users[user]);
    must(mailbox_changes(f->account, f->inbox, model->told[user], NULL, &changes, &f->err));
    for (size_t i = 0; i < changes.count; i++) {
        const struct mail *mail = &changes.mails[i];

        assert_true(mail->modseq > model->told[user] && mail->modseq <= changes.modseq);
        model->known[user][mail->uid] = (mail->flags & MAIL_SEEN) != 0;
        model->modseqs[user][mail->uid] = mail->modseq;
    }
    model->told[user] = changes.modseq;
    for (uint32_t uid = 1; uid <= model->last; uid++)
        if (model->exists[uid])
            assert_int_equal(model->known[user][uid], model->seen[user][uid]);
}

/* The same from a look at everything. */
static void look_at_all(struct model *model, size_t user)
{
    AUTO(changes_free) struct changes changes = { 0 };
    struct fixture *f = model->f;
    struct mailbox_info info;
    uint64_t unseen, expected = 0;
    uint32_t n = 0;

    catch_up(model, user);
    must(mailbox_changes(f->account, f->inbox, 0, NULL, &changes, &f->err));
    for (size_t i = 0; i < changes.count; i++) {
        const struct mail *mail = &changes.mails[i];

        assert_int_equal((mail->flags & MAIL_SEEN) != 0, model->seen[user][mail->uid]);
        assert_int_equal(mail->modseq, model->modseqs[user][mail->uid]);
    }
    for (uint32_t uid = 1; uid <= model->last; uid++) {
        n += model->exists[uid];
        expected += model->exists[uid] && !model->seen[user][uid];
    }
    info = look(f, f->inbox);
    assert_int_equal(changes.count, n);
    must(mailbox_unseen(f->account, &info, &unseen, &f->err));
    assert_int_equal(unseen, expected);
}

static void random_change(struct model *model)
{
    size_t user = some(model, USERS);

    as(model->f, users[user]);
    switch (model->last < UIDS - 2 ? some(model, 12) : 11) {
    case 0:
        random_append(model, user);
        return;
    case 1:
        random_copy(model, some(model, 2) == 0);
        return;
    case 2:
        random_expunge(model);
        return;
    case 3:
        catch_up(model, user);
        return;
    case 4:
        collect(model->f, 2 * 3600 * 1000);
        return;
    }
    random_store(model, user);
}

static void test_random(void **state)
{
    struct model *model = NEW(struct model);
    struct fixture *f = *state;

    *model = (struct model){ .f = f, .seed = { 1, 2, 3 }, .last = 100 };
    add_many(f, f->inbox, model->last);
    for (uint32_t uid = 1; uid <= model->last; uid++)
        model->exists[uid] = true;
    for (int i = 0; i < 600; i++) {
        random_change(model);
        if (i % 20 == 0)
            for (size_t user = 0; user < USERS; user++)
                look_at_all(model, user);
    }
    assert_int_equal(count_rows(f, "SELECT count(*) FROM seen a JOIN seen b ON a.mailbox ="
                                   " b.mailbox AND a.reader = b.reader AND a.lo < b.lo"
                                   " AND a.hi >= b.lo"),
                     0);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_each_has_their_own),
        FIXTURE_TEST(test_the_owners_handle),
        FIXTURE_TEST(test_other_flags_are_shared),
        FIXTURE_TEST(test_modseqs),
        FIXTURE_TEST(test_guarded),
        FIXTURE_TEST(test_append),
        FIXTURE_TEST(test_copies_within),
        FIXTURE_TEST(test_copies_elsewhere),
        FIXTURE_TEST(test_recent),
        FIXTURE_TEST(test_cleaning),
        FIXTURE_TEST(test_too_many_ranges),
        FIXTURE_TEST(test_rename_of_inbox),
        FIXTURE_TEST(test_many),
        FIXTURE_TEST(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
