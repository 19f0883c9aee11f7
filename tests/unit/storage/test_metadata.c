/* test_metadata.c - annotations: who sees what, limits, changes (RFC 5464). */
#include "storage/directory.h"
#include "storage/metadata.h"
#include "tests/unit/storage/mail_fixture.h"

#include <stdio.h>

#define OWNER  (f->id)
#define READER 8ull

static void set(struct fixture *f, uint64_t mailbox, uint64_t reader, const char *name,
                const char *value)
{
    struct metadata_entry entry = { .name = slice_of(name),
                                    .has_value = value != NULL,
                                    .value = slice_of(value != NULL ? value : "") };
    uint64_t change;

    must(metadata_set(f->account, mailbox, reader, &entry, 1, &change, &f->err));
}

/* "name=value" of all, with a blank between. */
static void expect(struct fixture *f, uint64_t mailbox, uint64_t reader, const char *name,
                   const char *expected)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct metadata_list list;

    must(
        metadata_get(f->account, mailbox, reader, slice_of(name), true, &f->arena, &list, &f->err));
    for (size_t i = 0; i < list.count; i++)
        buf_fmt(&text, "%s" SLICE_FMT "=" SLICE_FMT, i > 0 ? " " : "",
                SLICE_ARG(list.items[i].name), SLICE_ARG(list.items[i].value));
    assert_string_equal(buf_text(&text), expected);
}

static void test_scopes(void **state)
{
    struct fixture *f = *state;

    set(f, f->inbox, OWNER, "/shared/comment", "ours");
    set(f, f->inbox, OWNER, "/private/comment", "mine");
    set(f, f->inbox, READER, "/private/comment", "yours");
    set(f, 0, OWNER, "/private/comment", "account");
    expect(f, f->inbox, OWNER, "", "/private/comment=mine /shared/comment=ours");
    expect(f, f->inbox, READER, "", "/private/comment=yours /shared/comment=ours");
    expect(f, 0, OWNER, "", "/private/comment=account");
    set(f, f->inbox, READER, "/shared/comment", NULL);
    expect(f, f->inbox, OWNER, "", "/private/comment=mine");
}

static void test_below(void **state)
{
    struct fixture *f = *state;

    set(f, f->inbox, OWNER, "/private/filters/values/boss", "FROM boss");
    set(f, f->inbox, OWNER, "/private/filters/values/small", "SMALLER 5000");
    set(f, f->inbox, OWNER, "/private/filters/valuesx", "no");
    set(f, f->inbox, OWNER, "/private/filters/values-x", "no");
    expect(f, f->inbox, OWNER, "/private/filters/values",
           "/private/filters/values/boss=FROM boss /private/filters/values/small=SMALLER 5000");
}

/* Who asks for one entry does not read all that lies below it. */
static void test_one(void **state)
{
    struct fixture *f = *state;
    struct metadata_list list;

    set(f, f->inbox, OWNER, "/private/a", "x");
    set(f, f->inbox, OWNER, "/private/a/b", "y");
    must(metadata_get(f->account, f->inbox, OWNER, SLICE("/private/a"), false, &f->arena, &list,
                      &f->err));
    assert_int_equal(list.count, 1);
    assert_true(slice_is(list.items[0].value, "x"));
    must(metadata_get(f->account, f->inbox, OWNER, SLICE("/private"), false, &f->arena, &list,
                      &f->err));
    assert_int_equal(list.count, 0);
}

static void test_follows_mailbox(void **state)
{
    struct fixture *f = *state;
    struct mailbox_info info;
    uint64_t id;

    must(mailbox_create(f->account, SLICE("a"), SPECIAL_NONE, &id, &f->err));
    set(f, id, OWNER, "/shared/comment", "stays");
    set(f, f->inbox, OWNER, "/shared/comment", "inbox");
    must(mailbox_rename(f->account, SLICE("a"), SLICE("b"), &f->err));
    must(mailbox_by_name(f->account, &f->arena, SLICE("b"), &info, &f->err));
    expect(f, info.id, OWNER, "", "/shared/comment=stays");
    must(mailbox_rename(f->account, SLICE("INBOX"), SLICE("old"), &f->err));
    must(mailbox_by_name(f->account, &f->arena, SLICE("old"), &info, &f->err));
    expect(f, info.id, OWNER, "", "/shared/comment=inbox");
    expect(f, f->inbox, OWNER, "", "/shared/comment=inbox");
    must(mailbox_delete(f->account, SLICE("b"), &f->err));
    assert_int_equal(count_rows(f, "SELECT count(*) FROM metadata WHERE value = 'stays'"), 0);
}

static void test_changes(void **state)
{
    struct metadata_list list;
    struct fixture *f = *state;
    uint64_t since, now;

    must(metadata_changed(f->account, OWNER, 0, &f->arena, &list, &since, &f->err));
    assert_int_equal(list.count, 0);
    set(f, f->inbox, READER, "/private/comment", "not for the owner");
    set(f, f->inbox, READER, "/shared/comment", "x");
    set(f, f->inbox, READER, "/shared/comment", NULL);
    must(metadata_changed(f->account, OWNER, since, &f->arena, &list, &now, &f->err));
    assert_int_equal(list.count, 1);
    assert_true(slice_is(list.items[0].name, "/shared/comment"));
    assert_true(list.items[0].mailbox == f->inbox);
    must(metadata_changed(f->account, OWNER, now, &f->arena, &list, &since, &f->err));
    assert_int_equal(list.count, 0);
}

static void test_limits(void **state)
{
    struct account_limits limits = { .annotation_bytes = 40, .mailboxes = 7 };
    struct metadata_entry two[] = { { .name = SLICE("/shared/a"), .has_value = true },
                                    { .name = SLICE("/shared/b"), .has_value = true } };
    struct fixture *f = *state;
    uint64_t id, change;

    must(account_set_limits(f->desk, f->id, &limits, &f->err));
    two[1].value = SLICE("a text that is longer than what is allowed");
    fails(metadata_set(f->account, f->inbox, OWNER, two, 2, &change, &f->err), ERROR_OVER_QUOTA);
    expect(f, f->inbox, OWNER, "", ""); /* not the first one either */
    two[1].value = SLICE("short");
    must(metadata_set(f->account, f->inbox, OWNER, two, 2, &change, &f->err));
    fails(metadata_set(f->account, 12345, OWNER, two, 2, &change, &f->err), ERROR_NOT_FOUND);
    must(mailbox_create(f->account, SLICE("seventh"), SPECIAL_NONE, &id, &f->err));
    fails(mailbox_create(f->account, SLICE("eighth"), SPECIAL_NONE, &id, &f->err),
          ERROR_OVER_QUOTA);
}

static void test_too_many(void **state)
{
    struct metadata_entry entries[METADATA_ENTRIES_MAX];
    struct fixture *f = *state;
    uint64_t change;

    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        AUTO(buf_free) struct buf name = { 0 };

        buf_fmt(&name, "/shared/vendor/x/%zu", i);
        entries[i] = (struct metadata_entry){ .name = slice_copy(&f->arena, buf_slice(&name)),
                                              .has_value = true };
    }
    must(metadata_set(f->account, f->inbox, OWNER, entries, COUNT_OF(entries), &change, &f->err));
    entries[0].name = SLICE("/shared/one");
    fails(metadata_set(f->account, f->inbox, OWNER, entries, 1, &change, &f->err), ERROR_LIMIT);
    entries[0].has_value = false;
    must(metadata_set(f->account, f->inbox, OWNER, entries, 1, &change, &f->err));
}

/* Who may read a mailbox cannot fill its owner's quota with notes of their own. */
static void test_guest(void **state)
{
    struct fixture *f = *state;
    struct metadata_entry entry = { .has_value = true };
    char name[32];
    uint64_t change;

    entry.value =
        slice_make(arena_alloc(&f->arena, METADATA_GUEST_BYTES_MAX), METADATA_GUEST_BYTES_MAX);
    entry.name = SLICE("/private/big");
    fails(metadata_set(f->account, f->inbox, READER, &entry, 1, &change, &f->err), ERROR_LIMIT);
    must(metadata_set(f->account, f->inbox, OWNER, &entry, 1, &change, &f->err));
    entry.value = SLICE("x");
    for (size_t i = 0; i <= METADATA_GUEST_ENTRIES_MAX; i++) {
        snprintf(name, sizeof(name), "/private/%zu", i);
        entry.name = slice_of(name);
        if (i < METADATA_GUEST_ENTRIES_MAX)
            must(metadata_set(f->account, f->inbox, READER, &entry, 1, &change, &f->err));
        else
            fails(metadata_set(f->account, f->inbox, READER, &entry, 1, &change, &f->err),
                  ERROR_LIMIT);
        must(metadata_set(f->account, f->inbox, OWNER, &entry, 1, &change, &f->err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_scopes), FIXTURE_TEST(test_below),           FIXTURE_TEST(test_one),
        FIXTURE_TEST(test_guest),  FIXTURE_TEST(test_follows_mailbox), FIXTURE_TEST(test_changes),
        FIXTURE_TEST(test_limits), FIXTURE_TEST(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
