/* test_acl.c - rights on mailboxes, and who shares with whom (RFC 4314). */
#include "storage/acl.h"
#include "storage/check.h"
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>

static void test_letters(void **state)
{
    static const struct {
        const char *text, *printed; /* NULL: not right */
    } cases[] = {
        { "", "" },
        { "lrswipkxtea", "lrswipkxteacd" },
        { "aetxkpiwsrl", "lrswipkxteacd" },
        { "lrswikda", "lrswikteacd" }, /* section 2.1.1 */
        { "lrswicda", "lrswikxteacd" },
        { "c", "kxc" },
        { "d", "ted" },
        { "x", "xc" },
        { "ll", "l" },
        { "lrq", NULL },
        { "lR", NULL },
        { "l0", NULL },
        { "l r", NULL },
    };
    char text[RIGHTS_TEXT_MAX];
    unsigned rights;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool right = rights_parse(slice_of(cases[i].text), &rights);

        assert_int_equal(right, cases[i].printed != NULL);
        if (!right)
            continue;
        rights_print(rights, text);
        assert_string_equal(text, cases[i].printed);
    }
    assert_false(rights_parse(slice_make("l\0", 2), &rights));
}

static uint64_t add_account(struct fixture *f, const char *address)
{
    uint64_t id;

    must(account_add(f->desk, slice_of(address), SLICE(""), SLICE("-"), SLICE("-"), &id, &f->err));
    return id;
}

static void change(struct fixture *f, uint64_t mailbox, uint64_t who, enum acl_change change,
                   const char *rights)
{
    bool negative = rights[0] == '-';
    struct acl_entry entry = { .who = who, .negative = negative };

    assert_true(rights_parse(slice_of(rights + negative), &entry.rights));
    must(acl_change(f->account, mailbox, &entry, change, &f->err));
}

static void expect_rights(struct fixture *f, uint64_t mailbox, uint64_t who, const char *text)
{
    char printed[RIGHTS_TEXT_MAX];
    unsigned rights, wanted;

    must(acl_rights(f->account, mailbox, who, &rights, &f->err));
    assert_true(rights_parse(slice_of(text), &wanted));
    rights_print(rights, printed);
    if (rights != wanted)
        fail_msg("%s instead of %s", printed, text);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org");
    uint64_t carol = add_account(f, "carol@example.org");

    expect_rights(f, f->inbox, f->id, "lrswipkxtea");
    expect_rights(f, f->inbox, alice, "");
    change(f, f->inbox, alice, ACL_REPLACE, "lr");
    change(f, f->inbox, ACL_ANYONE, ACL_ADD, "lp");
    expect_rights(f, f->inbox, alice, "lrp");
    expect_rights(f, f->inbox, carol, "lp");
    change(f, f->inbox, alice, ACL_ADD, "sw");
    change(f, f->inbox, alice, ACL_REMOVE, "wt");
    expect_rights(f, f->inbox, alice, "lrsp");
    change(f, f->inbox, alice, ACL_REPLACE, "-p");
    expect_rights(f, f->inbox, alice, "lrs");
    change(f, f->inbox, ACL_ANYONE, ACL_REPLACE, "-s");
    expect_rights(f, f->inbox, alice, "lr");
    expect_rights(f, f->inbox, f->id, "lrswipkxtea");
}

static void test_owner(void **state)
{
    struct fixture *f = *state;
    struct acl_entry entry = { .who = f->id, .negative = true, .rights = RIGHT_READ };

    fails(acl_change(f->account, f->inbox, &entry, ACL_REPLACE, &f->err), ERROR_DENIED);
    entry.who = ACL_ANYONE;
    fails(acl_change(f->account, 12345, &entry, ACL_REPLACE, &f->err), ERROR_NOT_FOUND);
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org");
    struct rights_list rights;
    struct acl_list list;
    uint64_t other = make_mailbox(f, "other");

    change(f, f->inbox, alice, ACL_REPLACE, "lr");
    change(f, f->inbox, alice, ACL_REPLACE, "-t");
    change(f, other, ACL_ANYONE, ACL_REPLACE, "l");
    must(acl_list(f->account, f->inbox, &f->arena, &list, &f->err));
    assert_int_equal(list.count, 2);
    assert_true(!list.items[0].negative && list.items[1].negative);
    must(acl_rights_all(f->account, alice, &f->arena, &rights, &f->err));
    assert_int_equal(rights.count, 2);
    assert_int_equal(rights.items[0].mailbox, f->inbox);
    assert_int_equal(rights.items[1].rights, RIGHT_LOOKUP);
    change(f, f->inbox, alice, ACL_REPLACE, "");
    must(acl_rights_all(f->account, alice, &f->arena, &rights, &f->err));
    assert_int_equal(rights.count, 1);
}

/* RFC 4314 section 4: CREATE inherits, RENAME keeps, DELETE deletes. */
static void test_follows_mailbox(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org");
    uint64_t above = make_mailbox(f, "a"), below;

    change(f, above, alice, ACL_REPLACE, "lr");
    below = make_mailbox(f, "a/b/c");
    expect_rights(f, below, alice, "lr");
    expect_rights(f, make_mailbox(f, "ab"), alice, "");
    must(mailbox_rename(f->account, SLICE("a/b"), SLICE("d"), &f->err));
    expect_rights(f, below, alice, "lr");
    must(mailbox_delete(f->account, SLICE("a"), &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM acl"), 2);
}

static bool shares(struct fixture *f, uint64_t who)
{
    bool is;

    must(share_is(f->desk, f->id, who, &is, &f->err));
    return is;
}

static void test_shares(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org");
    uint64_t carol = add_account(f, "carol@example.org");
    uint64_t other = make_mailbox(f, "other");
    struct account_list owners;

    change(f, f->inbox, alice, ACL_REPLACE, "-l");
    assert_false(shares(f, alice));
    change(f, f->inbox, alice, ACL_REPLACE, "l");
    change(f, other, alice, ACL_ADD, "l");
    assert_true(shares(f, alice) && !shares(f, carol) && !shares(f, f->id));
    change(f, other, alice, ACL_REMOVE, "l");
    assert_true(shares(f, alice));
    change(f, f->inbox, alice, ACL_REPLACE, "");
    assert_false(shares(f, alice));
    change(f, f->inbox, ACL_ANYONE, ACL_REPLACE, "l");
    must(share_owners(f->desk, carol, &f->arena, &owners, &f->err));
    assert_int_equal(owners.count, 1);
    assert_true(owners.items[0].id == f->id);
    must(share_owners(f->desk, f->id, &f->arena, &owners, &f->err));
    assert_int_equal(owners.count, 0);
}

static void test_check(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org"), findings;
    struct check_options options = { .repair = true };

    change(f, f->inbox, alice, ACL_REPLACE, "lr");
    must(store_check(f->desk, &options, &findings, &f->err));
    assert_int_equal(findings, 0);
    run_sql(f, "DELETE FROM acl");
    run_sql(f, "INSERT INTO acl VALUES(1, 0, 0, 3)");
    must(store_check(f->desk, &options, &findings, &f->err));
    assert_int_equal(findings, 1);
    assert_true(shares(f, alice)); /* by way of anyone */
    must(store_check(f->desk, &options, &findings, &f->err));
    assert_int_equal(findings, 0);
    run_sql(f, "DELETE FROM acl");
    must(store_check(f->desk, &options, &findings, &f->err));
    assert_false(shares(f, alice));
}

/* An account removed and made again is another one. */
static void test_removed(void **state)
{
    struct fixture *f = *state;
    uint64_t alice = add_account(f, "alice@example.org"), again;

    change(f, f->inbox, alice, ACL_REPLACE, "lr");
    must(account_remove(f->desk, alice, &f->err));
    again = add_account(f, "alice@example.org");
    assert_false(shares(f, again));
    expect_rights(f, f->inbox, again, "");
}

static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct acl_entry entry = { .rights = RIGHT_LOOKUP };

    for (entry.who = 1; entry.who <= ACL_ENTRIES_MAX; entry.who++)
        must(acl_change(f->account, f->inbox, &entry, ACL_REPLACE, &f->err));
    fails(acl_change(f->account, f->inbox, &entry, ACL_REPLACE, &f->err), ERROR_LIMIT);
}

/* The handles that were lent last stay valid, though the desk keeps no more than that. */
static void test_handles(void **state)
{
    struct fixture *f = *state;
    struct account *lent[HANDLES_LENT];
    uint64_t ids[HANDLES_LENT + 2];
    struct quota quota;

    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char address[32];

        snprintf(address, sizeof(address), "u%zu@example.org", i);
        ids[i] = add_account(f, address);
    }
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        must(desk_account(f->desk, ids[i], &lent[i % HANDLES_LENT], &f->err));
        for (size_t j = 0; j < MIN(i + 1, (size_t)HANDLES_LENT); j++)
            must(account_quota(lent[(i - j) % HANDLES_LENT], &quota, &f->err));
    }
    must(account_remove(f->desk, ids[COUNT_OF(ids) - 1], &f->err));
    fails(desk_account(f->desk, ids[COUNT_OF(ids) - 1], &f->account, &f->err), ERROR_NOT_FOUND);
    assert_true(account_id(lent[(COUNT_OF(ids) - 1) % HANDLES_LENT]) == ids[COUNT_OF(ids) - 1]);
    desk_idle(f->desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),     FIXTURE_TEST(test_rights),
        FIXTURE_TEST(test_owner),           FIXTURE_TEST(test_list),
        FIXTURE_TEST(test_follows_mailbox), FIXTURE_TEST(test_shares),
        FIXTURE_TEST(test_check),           FIXTURE_TEST(test_removed),
        FIXTURE_TEST(test_limit),           FIXTURE_TEST(test_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
