/* test_account.c - opening, several writers at once, changes in slices, flags without fsync. */
#include "tests/unit/storage/mail_fixture.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_open(void **state)
{
    struct fixture *f = *state;
    struct account *account;

    must(desk_account(f->desk, f->id, &account, &f->err));
    fails(desk_account(f->desk, f->id + 1, &account, &f->err), ERROR_NOT_FOUND);
    add_mail(f, f->inbox, "x", 1);
    fixture_open_again(f, NULL);
    assert_int_equal(look(f, f->inbox).n_total, 1);
    must(account_store_create(f->store, f->id, &f->err)); /* keeps what is there */
    assert_int_equal(look(f, f->inbox).n_total, 1);
}

/* Runs in a child process, which opens the store for itself. */
static pid_t start_child(struct fixture *f, void (*work)(struct fixture *f))
{
    fixture_close(f);
    pid_t pid = fork();
    assert_true(pid >= 0);
    fixture_open(f, NULL);
    if (pid > 0)
        return pid;
    work(f);
    _exit(0);
}

static void wait_child(pid_t pid, int want_code)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want_code);
}

/* A failure in a child must not go on with its copy of the other tests. */
static void child_must(bool ok)
{
    if (!ok)
        _exit(3);
}

#define ROUNDS 60

static void append_rounds(struct fixture *f)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct body *body = body_new(f->store);
        struct append item = { .body = body };
        uint32_t uidvalidity;

        child_must(body_add(body, SLICE("Subject: x\r\n\r\n"), &f->err));
        child_must(body_finish(body, &f->err));
        child_must(mailbox_append(f->account, f->inbox, &item, 1, false, &uidvalidity, &f->err));
        child_must(item.uid_out != 0);
        body_free(&body);
    }
}

static void test_two_processes_append(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    pid_t child = start_child(f, append_rounds);

    for (int i = 0; i < ROUNDS; i++)
        add_mail(f, f->inbox, "parent", 100);
    wait_child(child, 0);
    must(mailbox_changes(f->account, f->inbox, 0, NULL, &changes, &f->err));
    assert_changed(&changes, "1:120", "");
    assert_int_equal(changes.modseq, 1 + 2 * ROUNDS);
    assert_int_equal(look(f, f->inbox).n_unseen, 2 * ROUNDS);
}

/* Changes in slices. */

#define MANY 5000

static void test_many_flags(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(flags_result_free) struct flags_result result = { 0 };
    struct flag_change change = { .op = FLAGS_ADD, .flags = MAIL_SEEN };

    add_many(f, f->inbox, MANY); /* 2 */
    must(mailbox_store_flags(f->account, f->inbox, NULL, &change, &result, &f->err));
    assert_int_equal(result.since, 2);
    assert_int_equal(result.modseq, 5); /* three slices */
    assert_int_equal(result.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(result.mails[i].uid, i + 1);
        assert_int_equal(result.mails[i].modseq, 3 + i / SLICE_ROWS);
    }
    must(mailbox_changes(f->account, f->inbox, 2, NULL, &changes, &f->err));
    assert_int_equal(changes.count, MANY);
    assert_int_equal(look(f, f->inbox).n_unseen, 0);
    flags_result_free(&result);
    must(mailbox_store_flags(f->account, f->inbox, NULL, &change, &result, &f->err));
    assert_int_equal(result.modseq, 5); /* nothing changed, nothing written */
    assert_int_equal(look(f, f->inbox).modseq, 5);
}

static void test_many_expunged(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(uidset_free) struct uidset expunged = { 0 };
    uint64_t modseq;

    add_many(f, f->inbox, MANY);
    must(mailbox_expunge(f->account, f->inbox, NULL, true, &expunged, &modseq, &f->err));
    assert_set(&expunged, "1:5000");
    assert_int_equal(modseq, 3); /* in one transaction */
    must(mailbox_changes(f->account, f->inbox, 2, NULL, &changes, &f->err));
    assert_changed(&changes, "", "1:5000");
    assert_int_equal(look(f, f->inbox).n_total, 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 0"), MANY);
}

/* Copies into the same mailbox are not copied again. */
static void test_many_copied(void **state)
{
    struct fixture *f = *state;
    AUTO(copy_result_free) struct copy_result result = { 0 };
    uint64_t other;

    add_many(f, f->inbox, MANY);
    must(mailbox_copy(f->account, f->inbox, NULL, f->inbox, false, &result, &f->err));
    assert_set(&result.from, "1:5000");
    assert_set(&result.to, "5001:10000");
    copy_result_free(&result);
    must(mailbox_copy(f->account, f->inbox, NULL, f->inbox, true, &result, &f->err));
    assert_set(&result.from, "1:10000");
    assert_set(&result.to, "10001:20000");
    copy_result_free(&result);
    must(mailbox_create(f->account, SLICE("Other"), SPECIAL_NONE, &other, &f->err));
    must(mailbox_copy(f->account, f->inbox, NULL, other, true, &result, &f->err));
    assert_set(&result.to, "1:10000");
    assert_int_equal(look(f, other).n_total, 2 * MANY);
    assert_int_equal(look(f, f->inbox).n_total, 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 2"), MANY);
}

/* Sets a flag, and in the second slice dies. */
static bool flag_then_die(struct bulk *bulk, const struct mail_list *mails, uint64_t modseq,
                          bool *changed, struct error *err)
{
    int *slices = bulk->context;

    if (++*slices == 2)
        _exit(7);
    *changed = true;
    return sql_run(&bulk->account->db, SQL_FLAGS_UPDATE, NULL, err, "uuuuuu", bulk->mailbox,
                   (uint64_t)mails->items[0].uid, (uint64_t)mails->items[mails->count - 1].uid,
                   (uint64_t)~0ull, (uint64_t)MAIL_FLAGGED, modseq);
}

static void die_between_slices(struct fixture *f)
{
    int slices = 0;
    struct bulk bulk = { .account = f->account,
                         .mailbox = f->inbox,
                         .durable = true,
                         .slice = flag_then_die,
                         .context = &slices };

    child_must(bulk_run(&bulk, &f->err));
}

/* What a crash leaves of a long change is told as any other change. */
static void test_crash_between_slices(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };

    add_many(f, f->inbox, MANY); /* 2 */
    wait_child(start_child(f, die_between_slices), 7);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message WHERE modseq = 3"), SLICE_ROWS);
    assert_int_equal(look(f, f->inbox).modseq, 3);
    must(mailbox_changes(f->account, f->inbox, 2, NULL, &changes, &f->err));
    assert_int_equal(changes.modseq, 3);
    assert_int_equal(changes.count, SLICE_ROWS);
}

/* Sees all rows in one slice, changes them, and dies before the commit. */
static bool flag_all_then_die(struct bulk *bulk, const struct mail_list *mails, uint64_t modseq,
                              bool *changed, struct error *err)
{
    int slices = 0;

    bulk->context = &slices;
    child_must(mails->count == MANY && flag_then_die(bulk, mails, modseq, changed, err));
    _exit(7);
}

static void die_at_once(struct fixture *f)
{
    struct bulk bulk = { .account = f->account,
                         .mailbox = f->inbox,
                         .durable = true,
                         .at_once = true,
                         .slice = flag_all_then_die };

    child_must(bulk_run(&bulk, &f->err));
}

/* POP3's QUIT: all or none, however many. */
static void test_crash_at_once(void **state)
{
    struct fixture *f = *state;

    add_many(f, f->inbox, MANY); /* 2 */
    wait_child(start_child(f, die_at_once), 7);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message WHERE modseq > 2"), 0);
    assert_int_equal(look(f, f->inbox).modseq, 2);
}

static void flag_rounds(struct fixture *f)
{
    for (int i = 0; i < 6; i++) {
        struct flag_change change = { .op = i % 2 == 0 ? FLAGS_ADD : FLAGS_REMOVE,
                                      .flags = MAIL_FLAGGED };
        struct flags_result result;

        child_must(mailbox_store_flags(f->account, f->inbox, NULL, &change, &result, &f->err));
        flags_result_free(&result);
    }
    struct uidset which = { 0 }, expunged;
    uint64_t modseq;
    uidset_add(&which, 1, MANY - 100);
    child_must(mailbox_expunge(f->account, f->inbox, &which, true, &expunged, &modseq, &f->err));
    uidset_free(&which);
    uidset_free(&expunged);
}

/* A client's picture of the mailbox, kept up to date by what has changed since it last looked. */
struct picture {
    struct mail *mails; /* by UID; uid 0 where there is none */
    size_t room;
    uint64_t modseq;
};

static void update_picture(struct fixture *f, struct picture *picture)
{
    AUTO(changes_free) struct changes changes = { 0 };

    must(mailbox_changes(f->account, f->inbox, picture->modseq, NULL, &changes, &f->err));
    assert_true(changes.modseq >= picture->modseq);
    for (size_t i = 0; i < changes.count; i++) {
        assert_true(changes.mails[i].uid < picture->room);
        assert_true(changes.mails[i].modseq <= changes.modseq);
        picture->mails[changes.mails[i].uid] = changes.mails[i];
    }
    for (size_t i = 0; i < changes.vanished.count; i++)
        for (uint32_t uid = changes.vanished.ranges[i].lo; uid <= changes.vanished.ranges[i].hi;
             uid++)
            picture->mails[uid] = (struct mail){ 0 };
    picture->modseq = changes.modseq;
}

static void assert_picture_is_true(struct fixture *f, const struct picture *picture)
{
    AUTO(changes_free) struct changes changes = { 0 };
    size_t count = 0;

    must(mailbox_changes(f->account, f->inbox, 0, NULL, &changes, &f->err));
    for (size_t i = 0; i < changes.count; i++) {
        const struct mail *seen = &picture->mails[changes.mails[i].uid];

        assert_int_equal(seen->uid, changes.mails[i].uid);
        assert_true(seen->flags == changes.mails[i].flags);
        assert_int_equal(seen->modseq, changes.mails[i].modseq);
    }
    for (size_t uid = 0; uid < picture->room; uid++)
        count += picture->mails[uid].uid != 0;
    assert_int_equal(count, changes.count);
}

/* One process changes in slices, another appends in between: who follows misses nothing. */
static void test_followers_miss_nothing(void **state)
{
    struct fixture *f = *state;
    struct picture picture = { .room = MANY + 20000 };
    int status;

    picture.mails = mem_zero(picture.room * sizeof(struct mail));
    add_many(f, f->inbox, MANY);
    pid_t child = start_child(f, flag_rounds);
    do {
        add_mail(f, f->inbox, "between", 1);
        update_picture(f, &picture);
    } while (waitpid(child, &status, WNOHANG) == 0);
    assert_int_equal(status, 0);
    update_picture(f, &picture);
    assert_picture_is_true(f, &picture);
    free(picture.mails);
}

/* Relaxed flags: after another boot, modseqs jump beyond any that may have been lost. */
static void test_relaxed_flags(void **state)
{
    struct fixture *f = *state;
    struct store_options options = fixture_options(f);

    options.relaxed_flags = true;
    fixture_open_again(f, &options);
    add_mail(f, f->inbox, "x", 1);
    assert_int_equal(store_flags(f, f->inbox, "1", FLAGS_ADD, MAIL_SEEN), 3);
    fixture_open_again(f, &options);
    assert_int_equal(look(f, f->inbox).modseq, 3); /* the same boot */
    run_sql(f, "UPDATE account SET relaxed_boot = 'another boot'");
    fixture_open_again(f, &options);
    assert_true(look(f, f->inbox).modseq > 1ull << 30);
    uint64_t modseq = look(f, f->inbox).modseq;
    fixture_open_again(f, &options);
    assert_int_equal(look(f, f->inbox).modseq, modseq); /* once */
    assert_int_equal(store_flags(f, f->inbox, "1", FLAGS_REMOVE, MAIL_SEEN), modseq + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_open),          FIXTURE_TEST(test_two_processes_append),
        FIXTURE_TEST(test_many_flags),    FIXTURE_TEST(test_many_expunged),
        FIXTURE_TEST(test_many_copied),   FIXTURE_TEST(test_crash_between_slices),
        FIXTURE_TEST(test_crash_at_once), FIXTURE_TEST(test_followers_miss_nothing),
        FIXTURE_TEST(test_relaxed_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
