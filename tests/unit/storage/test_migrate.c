/* test_migrate.c - stores of older and newer versions. */
#include "tests/unit/storage/mail_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static const char next_step[] =
    "ALTER TABLE mailbox ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey';"
    "UPDATE mailbox SET colour = 'red' WHERE name = 'Junk'";
static const char broken_step[] = "CREATE TABLE half(x); ALTER TABLE nothing ADD COLUMN y";

#define STEPS_MAX 32

/* The steps there are, and one or two that may come some day. Returns how many. */
static size_t later_schema(const char **steps_out, const char *first, const char *second)
{
    size_t count = account_schema_version;

    assert_true(count + 2 <= STEPS_MAX);
    memcpy(steps_out, account_schema, count * sizeof(*steps_out));
    steps_out[count++] = first;
    if (second != NULL)
        steps_out[count++] = second;
    return count;
}

/* Opens the account beside the desk's handle, to a schema of these steps. */
static bool open_to(struct fixture *f, const char *const *steps, size_t n_steps)
{
    struct account *account = NULL;
    bool ok = account_handle_open_schema(f->desk, f->id, steps, n_steps, &account, &f->err);

    account_handle_close(&account);
    return ok;
}

static void test_version(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(count_rows(f, "PRAGMA user_version"), account_schema_version);
}

/* The store of this version is the artificial older one: a later schema finds it, and its data. */
static void test_migrates_when_opened(void **state)
{
    const char *later[STEPS_MAX];
    size_t n = later_schema(later, next_step, NULL);
    struct fixture *f = *state;

    add_mail(f, f->inbox, "kept", 10);
    must(open_to(f, later, n));
    assert_int_equal(count_rows(f, "PRAGMA user_version"), n);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM mailbox WHERE colour = 'red'"), 1);
    assert_int_equal(look(f, f->inbox).n_total, 1);
    must(open_to(f, later, n)); /* only once */
}

/* Puts a database of `n_steps` in the place of the account's, and opens the store anew. */
static void replace_store(struct fixture *f, size_t n_steps, const char *script)
{
    AUTO(buf_free) struct buf path = { 0 };
    AUTO(buf_free) struct buf wal = { 0 };
    struct sql_db old = { 0 };

    store_account_path(f->store, f->id, "mail.db", &path);
    store_account_path(f->store, f->id, "mail.db-wal", &wal);
    fixture_close(f);
    unlink(buf_text(&path));
    unlink(buf_text(&wal));
    must(sql_open(&old, buf_text(&path), true, SQL_FULL, NULL, 0, &f->err));
    must(sql_migrate(&old, account_schema, n_steps, &f->err));
    must(sql_script(&old, script, &f->err));
    sql_close(&old);

    struct store_options options = fixture_options(f);
    must(store_open(&options, &f->store, &f->err));
    must(desk_open(f->store, &f->desk, &f->err));
}

/* The first version there was, with a mailbox in it. */
static void test_migrates_first_version(void **state)
{
    struct fixture *f = *state;
    struct mailbox_list list;

    replace_store(f, 1, "INSERT INTO mailbox(name, uidvalidity) VALUES('INBOX', 17)");
    must(desk_account(f->desk, f->id, &f->account, &f->err));
    assert_int_equal(count_rows(f, "PRAGMA user_version"), account_schema_version);
    must(mailbox_all(f->account, &f->arena, &list, &f->err));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].uidvalidity, 17);
}

/* One of those who come to the account first, each from a thread with a desk of its own. */
struct opener {
    pthread_t thread;
    struct fixture *f;
    char mailbox[20];
    bool ok;
    struct error err;
};

static void *open_and_write(void *context)
{
    struct opener *opener = context;
    AUTO(desk_close) struct desk *desk = NULL;
    struct account *account;
    uint64_t id;

    opener->ok =
        desk_open(opener->f->store, &desk, &opener->err) &&
        desk_account(desk, opener->f->id, &account, &opener->err) &&
        mailbox_create(account, slice_of(opener->mailbox), SPECIAL_NONE, &id, &opener->err);
    return NULL;
}

static void test_migrates_under_load(void **state)
{
    struct fixture *f = *state;
    struct opener openers[8];
    struct mailbox_list list;

    replace_store(f, 1, "INSERT INTO mailbox(name, uidvalidity) VALUES('INBOX', 17)");
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        openers[i] = (struct opener){ .f = f };
        snprintf(openers[i].mailbox, sizeof(openers[i].mailbox), "box %zu", i);
        assert_int_equal(pthread_create(&openers[i].thread, NULL, open_and_write, &openers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(openers); i++) {
        pthread_join(openers[i].thread, NULL);
        if (!openers[i].ok)
            fail_msg("%s", openers[i].err.text);
    }
    must(desk_account(f->desk, f->id, &f->account, &f->err));
    assert_int_equal(count_rows(f, "PRAGMA user_version"), account_schema_version);
    must(mailbox_all(f->account, &f->arena, &list, &f->err));
    assert_int_equal(list.count, 1 + COUNT_OF(openers));
}

/* One that was just being made when the process died: tables of another day, version 0. Whoever
 * only opens it refuses: it may be what is left of an account. */
static void test_migrates_from_nothing(void **state)
{
    struct fixture *f = *state;
    struct mailbox_list list;

    replace_store(f, 0, "CREATE TABLE remark(text); INSERT INTO remark VALUES('old')");
    assert_false(desk_account(f->desk, f->id, &f->account, &f->err));
    assert_int_equal(f->err.kind, ERROR_INTERNAL);
    must(account_store_create(f->store, f->id, &f->err)); /* finishes what was begun */
    must(desk_account(f->desk, f->id, &f->account, &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM remark"), 1);
    must(mailbox_all(f->account, &f->arena, &list, &f->err));
    assert_int_equal(list.count, 6);
}

static void test_refuses_newer(void **state)
{
    struct fixture *f = *state;

    run_sql(f, "PRAGMA user_version = 99");
    fails(open_to(f, account_schema, account_schema_version), ERROR_NEWER);
    assert_int_equal(count_rows(f, "PRAGMA user_version"), 99);
}

/* A step that fails leaves everything as it was, and the lock free. */
static void test_all_or_nothing(void **state)
{
    const char *later[STEPS_MAX];
    size_t n = later_schema(later, next_step, broken_step);
    struct fixture *f = *state;

    assert_false(open_to(f, later, n));
    assert_int_equal(count_rows(f, "PRAGMA user_version"), account_schema_version);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
    add_mail(f, f->inbox, "works", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_version),
        FIXTURE_TEST(test_migrates_when_opened),
        FIXTURE_TEST(test_migrates_first_version),
        FIXTURE_TEST(test_migrates_under_load),
        FIXTURE_TEST(test_migrates_from_nothing),
        FIXTURE_TEST(test_refuses_newer),
        FIXTURE_TEST(test_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
