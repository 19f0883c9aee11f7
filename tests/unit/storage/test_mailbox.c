/* test_mailbox.c - names, the tree, renaming, subscriptions. */
#include "tests/unit/storage/mail_fixture.h"

#include <stdlib.h>

static void test_defaults(void **state)
{
    static const struct {
        const char *name;
        enum special_use special_use;
    } wanted[] = {
        { "INBOX", SPECIAL_NONE }, { "Archive", SPECIAL_ARCHIVE }, { "Drafts", SPECIAL_DRAFTS },
        { "Junk", SPECIAL_JUNK },  { "Sent", SPECIAL_SENT },       { "Trash", SPECIAL_TRASH },
    };
    struct fixture *f = *state;
    struct mailbox_list list;
    struct name_list names;

    must(mailbox_all(f->account, &f->arena, &list, &f->err));
    must(mailbox_subscriptions(f->account, &f->arena, &names, &f->err));
    assert_int_equal(list.count, COUNT_OF(wanted));
    assert_int_equal(names.count, COUNT_OF(wanted));
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        assert_true(slice_equal(list.items[i].name, slice_of(wanted[i].name)));
        assert_true(slice_equal(names.items[i], slice_of(wanted[i].name)));
        assert_int_equal(list.items[i].special_use, wanted[i].special_use);
        assert_true(list.items[i].subscribed);
        assert_int_equal(list.items[i].modseq, 1);
        assert_int_equal(list.items[i].uidnext, 1);
        assert_int_equal(list.items[i].recent_from, 1);
        assert_int_not_equal(list.items[i].uidvalidity, 0);
    }
}

static void test_name_rules(void **state)
{
    static const struct {
        const char *name;
        const char *spelt; /* NULL: refused */
    } cases[] = {
        { "Lists", "Lists" },
        { "inbox", "INBOX" },
        { "InBox/x", "INBOX/x" },
        { "x/inbox", "x/inbox" },
        { "inboxes", "inboxes" },
        { "K\xc3\xb6ln/\xe2\x82\xac", "K\xc3\xb6ln/\xe2\x82\xac" },
        { "a b", "a b" },
        { "...", "..." },
        { "", NULL },
        { "/", NULL },
        { "/a", NULL },
        { "a/", NULL },
        { "a//b", NULL },
        { ".", NULL },
        { "a/..", NULL },
        { "a/./b", NULL },
        { "a\tb", NULL },
        { "a\x7f", NULL },
        { "a\xc2\x85", NULL },
        { "\xff", NULL },
        { "\xc3", NULL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(buf_free) struct buf spelt = { 0 };
        char *exact = slice_strdup(slice_of(cases[i].name));
        bool ok = mailbox_name(slice_of(exact), &spelt, &f->err);

        if (ok != (cases[i].spelt != NULL) || (ok && !buf_is(&spelt, cases[i].spelt)))
            fail_msg("\"%s\"", cases[i].name);
        free(exact);
    }
}

static void test_name_limits(void **state)
{
    AUTO(buf_free) struct buf name = { 0 };
    AUTO(buf_free) struct buf spelt = { 0 };
    struct fixture *f = *state;

    for (size_t i = 0; i < MAILBOX_NAME_MAX; i++)
        buf_add_byte(&name, 'x');
    must(mailbox_name(buf_slice(&name), &spelt, &f->err));
    buf_add_byte(&name, 'x');
    fails(mailbox_name(buf_slice(&name), &spelt, &f->err), ERROR_INVALID);

    buf_clear(&name);
    buf_add_byte(&name, 'x');
    for (size_t i = 1; i < MAILBOX_DEPTH_MAX; i++)
        buf_add_text(&name, "/x");
    must(mailbox_name(buf_slice(&name), &spelt, &f->err));
    buf_add_text(&name, "/x");
    fails(mailbox_name(buf_slice(&name), &spelt, &f->err), ERROR_INVALID);
}

static void test_create(void **state)
{
    struct fixture *f = *state;
    struct mailbox_info info;
    uint64_t id;

    must(mailbox_create(f->account, SLICE("a/b/c"), SPECIAL_NONE, &id, &f->err));
    assert_int_equal(mailbox_id(f, "a/b/c"), id);
    must(mailbox_by_name(f->account, &f->arena, SLICE("a/b"), &info, &f->err));
    assert_false(info.subscribed);
    mailbox_id(f, "a");
    fails(mailbox_create(f->account, SLICE("a/b"), SPECIAL_NONE, &id, &f->err), ERROR_EXISTS);
    fails(mailbox_create(f->account, SLICE("iNBox"), SPECIAL_NONE, &id, &f->err), ERROR_EXISTS);
    fails(mailbox_create(f->account, SLICE("a/"), SPECIAL_NONE, &id, &f->err), ERROR_INVALID);
    fails(mailbox_create(f->account, SLICE("Sent 2"), SPECIAL_SENT, &id, &f->err), ERROR_DENIED);
    fails(mailbox_by_name(f->account, &f->arena, SLICE("Sent 2"), &info, &f->err), ERROR_NOT_FOUND);
    must(mailbox_create(f->account, SLICE("Stars"), SPECIAL_FLAGGED, &id, &f->err));
    assert_int_equal(look(f, id).special_use, SPECIAL_FLAGGED);
    must(mailbox_create(f->account, SLICE("inbox/lists"), SPECIAL_NONE, &id, &f->err));
    assert_true(slice_equal(look(f, id).name, SLICE("INBOX/lists")));
}

#define NFC "\xc3\xa4"
#define NFD "a\xcc\x88"

/* New names are in NFC; those that were made in another form can be used all the same. */
static void test_forms(void **state)
{
    struct fixture *f = *state;
    struct mailbox_info info;
    uint64_t old, id;

    must(account_begin(f->account, SQL_FULL, &f->err));
    must(mailbox_insert(f->account, SLICE(NFD), SPECIAL_NONE, &old, &f->err));
    must(account_commit(f->account, 0, &f->err));
    assert_int_equal(mailbox_id(f, NFD), old);
    fails(mailbox_by_name(f->account, &f->arena, SLICE(NFC), &info, &f->err), ERROR_NOT_FOUND);
    must(mailbox_rename(f->account, SLICE(NFD), SLICE("b/" NFD), &f->err));
    assert_true(slice_equal(look(f, old).name, SLICE("b/" NFC)));
    must(mailbox_create(f->account, SLICE(NFD), SPECIAL_NONE, &id, &f->err));
    assert_true(slice_equal(look(f, id).name, SLICE(NFC)));
    assert_int_equal(mailbox_id(f, NFD), id);
    assert_int_equal(mailbox_id(f, NFC), id);
    fails(mailbox_create(f->account, SLICE(NFC), SPECIAL_NONE, &id, &f->err), ERROR_EXISTS);
    must(mailbox_delete(f->account, SLICE(NFD), &f->err));
    fails(mailbox_delete(f->account, SLICE(NFD), &f->err), ERROR_NOT_FOUND);
}

static void test_delete(void **state)
{
    struct fixture *f = *state;
    uint64_t id = make_mailbox(f, "a"), inferior = make_mailbox(f, "a/b");
    struct mailbox_info before = look(f, id), info;
    struct quota quota;

    add_mail(f, id, "x", 10);
    add_mail(f, id, "y", 10);
    must(mailbox_delete(f->account, SLICE("a"), &f->err));
    fails(mailbox_by_id(f->account, &f->arena, id, &info, &f->err), ERROR_NOT_FOUND);
    fails(mailbox_delete(f->account, SLICE("a"), &f->err), ERROR_NOT_FOUND);
    fails(mailbox_delete(f->account, SLICE("inbox"), &f->err), ERROR_DENIED);
    assert_int_equal(mailbox_id(f, "a/b"), inferior);
    must(account_quota(f->account, &quota, &f->err));
    assert_int_equal(quota.bytes, 0);
    assert_int_equal(quota.messages, 0);

    uint64_t again = make_mailbox(f, "a");
    assert_true(again > id);
    assert_true(look(f, again).uidvalidity > before.uidvalidity);
    assert_int_equal(look(f, again).uidnext, 1);

    collect(f, 0); /* rows first, messages when they are old */
    assert_int_equal(count_rows(f, "SELECT count(*) FROM message"), 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM doomed"), 0);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg WHERE refs = 0"), 2);
    collect(f, COLLECT_AGE_MS + 1000);
    assert_int_equal(count_rows(f, "SELECT count(*) FROM msg"), 0);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;
    struct mailbox_info info;
    uint64_t id;

    run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9993)"
               " INSERT INTO mailbox(name, uidvalidity) SELECT 'n' || i, i FROM n");
    make_mailbox(f, "last");
    fails(mailbox_create(f->account, SLICE("one more"), SPECIAL_NONE, &id, &f->err), ERROR_LIMIT);
    must(mailbox_delete(f->account, SLICE("n77"), &f->err));
    fails(mailbox_create(f->account, SLICE("x/y"), SPECIAL_NONE, &id, &f->err), ERROR_LIMIT);
    fails(mailbox_by_name(f->account, &f->arena, SLICE("x"), &info, &f->err), ERROR_NOT_FOUND);
}

static void test_rename_tree(void **state)
{
    struct fixture *f = *state;
    uint64_t a = make_mailbox(f, "a"), deep = make_mailbox(f, "a/b/c");
    uint64_t near = make_mailbox(f, "ab"), below = make_mailbox(f, "a0");

    add_mail(f, deep, "x", 10);
    uint32_t uidvalidity = look(f, deep).uidvalidity;
    must(mailbox_rename(f->account, SLICE("a"), SLICE("x/\xc3\xb6/y"), &f->err));
    assert_int_equal(mailbox_id(f, "x/\xc3\xb6/y"), a);
    assert_int_equal(mailbox_id(f, "x/\xc3\xb6/y/b/c"), deep);
    assert_int_equal(mailbox_id(f, "ab"), near);
    assert_int_equal(mailbox_id(f, "a0"), below);
    mailbox_id(f, "x");
    assert_int_equal(look(f, deep).uidvalidity, uidvalidity);
    assert_int_equal(look(f, deep).n_total, 1);

    /* And back, from a name of several bytes a character. */
    must(mailbox_rename(f->account, SLICE("x/\xc3\xb6"), SLICE("z"), &f->err));
    assert_int_equal(mailbox_id(f, "z/y/b/c"), deep);
    mailbox_id(f, "x");
}

static void test_rename_refused(void **state)
{
    static const struct {
        const char *from, *to;
        enum error_kind kind;
    } cases[] = {
        { "none", "x", ERROR_NOT_FOUND }, { "a", "b", ERROR_EXISTS },
        { "a", "a", ERROR_EXISTS },       { "a", "a/x", ERROR_INVALID },
        { "a", "INBOX", ERROR_EXISTS },   { "a", "x//y", ERROR_INVALID },
        { "a//", "x", ERROR_NOT_FOUND },  { "a", "only", ERROR_EXISTS },
        { "INBOX", "b", ERROR_EXISTS },   { "INBOX", "inbox", ERROR_EXISTS },
    };
    struct fixture *f = *state;

    make_mailbox(f, "a/sub");
    make_mailbox(f, "b");
    make_mailbox(f, "only/sub"); /* a clash below a name that does not exist itself */
    must(mailbox_delete(f->account, SLICE("only"), &f->err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (mailbox_rename(f->account, slice_of(cases[i].from), slice_of(cases[i].to), &f->err) ||
            f->err.kind != cases[i].kind)
            fail_msg("%s to %s: %s", cases[i].from, cases[i].to, f->err.text);
        mailbox_id(f, "a/sub");
    }
}

static void test_rename_name_without_row(void **state)
{
    struct fixture *f = *state;
    uint64_t sub = make_mailbox(f, "a/sub");

    must(mailbox_delete(f->account, SLICE("a"), &f->err));
    must(mailbox_rename(f->account, SLICE("a"), SLICE("b"), &f->err));
    assert_int_equal(mailbox_id(f, "b/sub"), sub);
}

static void test_rename_too_long(void **state)
{
    AUTO(buf_free) struct buf name = { 0 };
    struct fixture *f = *state;

    buf_add_text(&name, "a/");
    while (name.len < MAILBOX_NAME_MAX)
        buf_add_byte(&name, 'x');
    uint64_t id;
    must(mailbox_create(f->account, buf_slice(&name), SPECIAL_NONE, &id, &f->err));
    fails(mailbox_rename(f->account, SLICE("a"), SLICE("bb"), &f->err), ERROR_INVALID);
    must(mailbox_rename(f->account, SLICE("a"), SLICE("b"), &f->err));

    buf_clear(&name);
    buf_add_text(&name, "d");
    while (name.len < 2 * MAILBOX_DEPTH_MAX - 1)
        buf_add_text(&name, "/d");
    must(mailbox_create(f->account, buf_slice(&name), SPECIAL_NONE, &id, &f->err));
    fails(mailbox_rename(f->account, SLICE("d"), SLICE("e/e"), &f->err), ERROR_INVALID);
    must(mailbox_rename(f->account, SLICE("d/d"), SLICE("e/e"), &f->err));
}

static void test_rename_inbox(void **state)
{
    struct fixture *f = *state;
    AUTO(changes_free) struct changes changes = { 0 };
    uint64_t sub = make_mailbox(f, "INBOX/sub");

    add_mail(f, f->inbox, "one", 10);
    add_mail(f, f->inbox, "two", 10);
    store_flags(f, f->inbox, "2", FLAGS_ADD, MAIL_SEEN);
    struct mailbox_info before = look(f, f->inbox);
    must(mailbox_rename(f->account, SLICE("inbox"), SLICE("old/mail"), &f->err));

    struct mailbox_info inbox = look(f, f->inbox), old = look(f, mailbox_id(f, "old/mail"));
    assert_int_equal(inbox.n_total, 0);
    assert_int_equal(inbox.n_unseen, 0);
    assert_int_equal(inbox.bytes, 0);
    assert_int_equal(inbox.uidvalidity, before.uidvalidity);
    assert_int_equal(inbox.uidnext, before.uidnext);
    assert_int_equal(old.n_total, 2);
    assert_int_equal(old.n_unseen, 1);
    assert_int_equal(old.bytes, before.bytes);
    assert_int_equal(mailbox_id(f, "INBOX/sub"), sub);

    must(mailbox_changes(f->account, f->inbox, before.modseq, NULL, &changes, &f->err));
    assert_changed(&changes, "", "1:2");
}

static void test_subscriptions(void **state)
{
    struct fixture *f = *state;
    struct name_list names;

    must(mailbox_subscribe(f->account, SLICE("not/there"), true, &f->err));
    must(mailbox_subscribe(f->account, SLICE("not/there"), true, &f->err));
    must(mailbox_subscribe(f->account, SLICE("Sent"), false, &f->err));
    must(mailbox_subscribe(f->account, SLICE("never"), false, &f->err));
    fails(mailbox_subscribe(f->account, SLICE("a//b"), true, &f->err), ERROR_INVALID);
    must(mailbox_subscriptions(f->account, &f->arena, &names, &f->err));
    assert_int_equal(names.count, 6);
    assert_true(slice_equal(names.items[0], SLICE("INBOX")));
    assert_true(slice_equal(names.items[5], SLICE("not/there")));
    assert_false(look(f, mailbox_id(f, "Sent")).subscribed);

    /* Deleting keeps the name; making the mailbox again finds it subscribed. */
    must(mailbox_delete(f->account, SLICE("Junk"), &f->err));
    must(mailbox_subscriptions(f->account, &f->arena, &names, &f->err));
    assert_int_equal(names.count, 6);
    assert_true(look(f, make_mailbox(f, "Junk")).subscribed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_defaults),        FIXTURE_TEST(test_name_rules),
        FIXTURE_TEST(test_name_limits),     FIXTURE_TEST(test_create),
        FIXTURE_TEST(test_forms),           FIXTURE_TEST(test_delete),
        FIXTURE_TEST(test_limit),           FIXTURE_TEST(test_rename_tree),
        FIXTURE_TEST(test_rename_refused),  FIXTURE_TEST(test_rename_name_without_row),
        FIXTURE_TEST(test_rename_too_long), FIXTURE_TEST(test_rename_inbox),
        FIXTURE_TEST(test_subscriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
