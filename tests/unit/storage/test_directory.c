/* test_directory.c - domains, accounts, aliases, and where mail for an address goes. */
#include "storage/account.h"
#include "storage/directory.h"
#include "storage/names.h"
#include "storage/notice.h"
#include "storage/sqlite/sql.h"
#include "storage/sqlite/store_private.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *name, *stored; /* stored NULL: refused */
} domain_names[] = {
    { "example.org", "example.org" },
    { "EXAMPLE.Org", "example.org" },
    { "b\303\274cher.example", "xn--bcher-kva.example" },
    { "B\303\234CHER.example", "xn--bcher-kva.example" },
    { "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
    { "localhost", "localhost" },
    { "a_b.example", "a_b.example" },
    { "", NULL },
    { "example.org.", NULL },
    { ".example.org", NULL },
    { "a..b", NULL },
    { "-a.example", NULL },
    { "a-.example", NULL },
    { "[192.0.2.1]", NULL },
    { "a b.example", NULL },
    { "\377.example", NULL },
    { "123456789012345678901234567890123456789012345678901234567890123.x",
      "123456789012345678901234567890123456789012345678901234567890123.x" },
    { "1234567890123456789012345678901234567890123456789012345678901234.x", NULL },
}, local_names[] = {
    { "Bob", "bob" },
    { "bob.smith+tag", "bob.smith+tag" },
    { "\303\251ric", "\303\251ric" },   /* composed */
    { "e\314\201ric", "\303\251ric" },  /* decomposed: the same */
    { "", NULL },
    { "a\tb", NULL },
    { "\377", NULL },
    { "1234567890123456789012345678901234567890123456789012345678901234",
      "1234567890123456789012345678901234567890123456789012345678901234" },
    { "12345678901234567890123456789012345678901234567890123456789012345", NULL },
};

static void check_name(bool ok, const struct buf *out, const char *name, const char *want)
{
    if (ok != (want != NULL) || (ok && !slice_equal(buf_slice(out), slice_of(want))))
        fail_msg("%s: became " SLICE_FMT, name, SLICE_ARG(buf_slice(out)));
}

static void names_have_one_form(void **state)
{
    for (size_t i = 0; i < COUNT_OF(domain_names); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        bool ok = name_domain(slice_of(domain_names[i].name), &out);

        check_name(ok, &out, domain_names[i].name, domain_names[i].stored);
    }
    for (size_t i = 0; i < COUNT_OF(local_names); i++) {
        AUTO(buf_free) struct buf out = { 0 };
        bool ok = name_local(slice_of(local_names[i].name), &out);

        check_name(ok, &out, local_names[i].name, local_names[i].stored);
    }
}

static void add_domain(struct place *place, const char *name)
{
    struct error err = { 0 };

    check_ok(domain_add(place->desk, slice_of(name), &err), &err);
}

static uint64_t add_account(struct place *place, const char *address)
{
    struct error err = { 0 };
    uint64_t id = 0;

    check_ok(account_add(place->desk, slice_of(address), SLICE("Some One"), SLICE("argon"),
                         SLICE("scram"), &id, &err),
             &err);
    return id;
}

static void add_alias(struct place *place, const char *address, const char *target)
{
    struct slice targets[] = { slice_of(target) };
    struct error err = { 0 };

    check_ok(alias_add(place->desk, slice_of(address), targets, 1, &err), &err);
}

#define EXPECT(call, wanted)                                                                       \
    do {                                                                                           \
        assert_false(call);                                                                        \
        assert_string_equal(error_kind_name(err.kind), error_kind_name(wanted));                   \
    } while (0)

static void domains_come_and_go(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct domain_list list;
    bool local;

    add_domain(place, "Example.org");
    add_domain(place, "b\303\274cher.example");
    EXPECT(domain_add(place->desk, SLICE("example.ORG"), &err), ERROR_EXISTS);
    EXPECT(domain_add(place->desk, SLICE("[192.0.2.1]"), &err), ERROR_INVALID);
    check_ok(domain_is_local(place->desk, SLICE("xn--bcher-kva.EXAMPLE"), &local, &err), &err);
    assert_true(local);
    check_ok(domain_is_local(place->desk, SLICE("[192.0.2.1]"), &local, &err), &err);
    assert_false(local);

    add_account(place, "bob@example.org");
    add_alias(place, "sales@example.org", "bob@example.org");
    add_alias(place, "sales@example.org", "eve@elsewhere.example");
    check_ok(domain_all(place->desk, &arena, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_true(slice_is(list.items[0].name, "example.org"));
    assert_int_equal(list.items[0].n_accounts, 1);
    assert_int_equal(list.items[0].n_aliases, 1);

    EXPECT(domain_remove(place->desk, SLICE("example.org"), &err), ERROR_DENIED);
    check_ok(domain_remove(place->desk, SLICE("b\303\274cher.example"), &err), &err);
    EXPECT(domain_remove(place->desk, SLICE("b\303\274cher.example"), &err), ERROR_NOT_FOUND);
}

static bool has_folder(struct place *place, uint64_t id)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(place->store, id, "mail.db", &path);
    return access(buf_text(&path), F_OK) == 0;
}

static void accounts_come_and_go(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct account_info info;
    struct account_list list;
    struct account *account;
    uint64_t id, other;

    add_domain(place, "example.org");
    id = add_account(place, "Bob@Example.org");
    assert_true(has_folder(place, id));
    EXPECT(account_add(place->desk, SLICE("bob@example.org"), SLICE(""), SLICE("a"), SLICE("s"),
                       &other, &err),
           ERROR_EXISTS);
    EXPECT(account_add(place->desk, SLICE("bob@example.net"), SLICE(""), SLICE("a"), SLICE("s"),
                       &other, &err),
           ERROR_NOT_FOUND);
    EXPECT(account_add(place->desk, SLICE("bob"), SLICE(""), SLICE("a"), SLICE("s"), &other, &err),
           ERROR_INVALID);

    check_ok(account_set_limits(place->desk, id,
                                &(struct account_limits){ .bytes = 1000, .messages = 20 }, &err),
             &err);
    check_ok(account_set_password(place->desk, id, SLICE("argon2"), SLICE("scram2"), &err), &err);
    check_ok(account_set_disabled(place->desk, id, true, &err), &err);
    check_ok(account_by_address(place->desk, &arena, SLICE("BOB@EXAMPLE.ORG"), &info, &err), &err);
    assert_int_equal(info.id, id);
    assert_true(slice_equal(info.address, SLICE("bob@example.org")));
    assert_true(slice_equal(info.name, SLICE("Some One")));
    assert_true(slice_equal(info.argon, SLICE("argon2")));
    assert_true(slice_equal(info.scram, SLICE("scram2")));
    assert_int_equal(info.limits.bytes, 1000);
    assert_int_equal(info.limits.messages, 20);
    assert_true(info.disabled);
    assert_true(info.created_ms > 0);

    check_ok(account_all(place->desk, &arena, &list, &err), &err);
    assert_int_equal(list.count, 1);
    check_ok(desk_account(place->desk, id, &account, &err), &err);
    check_ok(account_remove(place->desk, id, &err), &err);
    assert_false(has_folder(place, id));
    EXPECT(desk_account(place->desk, id, &account, &err), ERROR_NOT_FOUND);
    EXPECT(account_by_id(place->desk, &arena, id, &info, &err), ERROR_NOT_FOUND);
    EXPECT(account_remove(place->desk, id, &err), ERROR_NOT_FOUND);
    EXPECT(account_set_disabled(place->desk, id, true, &err), ERROR_NOT_FOUND);
    EXPECT(account_by_address(place->desk, &arena, SLICE("nonsense"), &info, &err),
           ERROR_NOT_FOUND);
}

static void a_desk_keeps_few_accounts_open(void **state)
{
    struct place *place = *state;
    struct error err = { 0 };
    struct account *account;
    uint64_t ids[HANDLES_LENT + 2];
    char address[32];

    add_domain(place, "example.org");
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        snprintf(address, sizeof(address), "u%zu@example.org", i);
        ids[i] = add_account(place, address);
    }
    for (size_t i = 0; i < 3 * COUNT_OF(ids); i++) {
        check_ok(desk_account(place->desk, ids[i % COUNT_OF(ids)], &account, &err), &err);
        assert_true(place->desk->n_slots <= HANDLES_LENT); /* handles_per_desk is less */
    }
    desk_idle(place->desk);
    check_ok(desk_account(place->desk, ids[0], &account, &err), &err);
}

/* In one turn all stay open, and are as many as before when the next one begins. */
static void a_turn_may_use_many_accounts(void **state)
{
    struct place *place = *state;
    struct error err = { 0 };
    struct account *lent[3 * HANDLES_LENT];
    char address[32];
    struct quota quota;

    add_domain(place, "example.org");
    desk_begin_turn(place->desk);
    for (size_t i = 0; i < COUNT_OF(lent); i++) {
        snprintf(address, sizeof(address), "u%zu@example.org", i);
        check_ok(desk_account(place->desk, add_account(place, address), &lent[i], &err), &err);
    }
    for (size_t i = 0; i < COUNT_OF(lent); i++)
        check_ok(account_quota(lent[i], &quota, &err), &err);
    desk_begin_turn(place->desk);
    assert_true(place->desk->n_slots <= HANDLES_LENT);
}

static void aliases_come_and_go(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct slice targets[] = { SLICE("bob@example.org"), SLICE("Eve@Elsewhere.example") };
    struct slice bad[] = { SLICE("no address") };
    struct error err = { 0 };
    struct alias_list list;

    add_domain(place, "example.org");
    add_account(place, "bob@example.org");
    check_ok(alias_add(place->desk, SLICE("Sales@example.org"), targets, 2, &err), &err);
    check_ok(alias_add(place->desk, SLICE("sales@example.org"), targets, 1, &err), &err);
    check_ok(alias_add(place->desk, SLICE("*@example.org"), targets, 1, &err), &err);
    EXPECT(alias_add(place->desk, SLICE("bob@example.org"), targets, 1, &err), ERROR_EXISTS);
    EXPECT(alias_add(place->desk, SLICE("x@example.net"), targets, 1, &err), ERROR_NOT_FOUND);
    EXPECT(alias_add(place->desk, SLICE("y@example.org"), bad, 1, &err), ERROR_INVALID);
    EXPECT(alias_add(place->desk, SLICE("z@example.org"), targets, 0, &err), ERROR_INVALID);

    check_ok(alias_all(place->desk, &arena, &list, &err), &err);
    assert_int_equal(list.count, 2);
    assert_true(slice_equal(list.items[0].address, SLICE("*@example.org")));
    assert_true(slice_equal(list.items[1].address, SLICE("sales@example.org")));
    assert_int_equal(list.items[1].n_targets, 2);
    assert_true(slice_equal(list.items[1].targets[0], SLICE("Eve@elsewhere.example")));

    check_ok(alias_remove(place->desk, SLICE("sales@EXAMPLE.org"), &err), &err);
    EXPECT(alias_remove(place->desk, SLICE("sales@example.org"), &err), ERROR_NOT_FOUND);
}

/* What the resolver is asked below, in a store with these accounts and aliases. */
static const char *const accounts[] = {
    "old@example.org", "bob@example.org", "eve@example.org",
    "off@example.org", "a+b@example.org", "only@second.example"
};

static const struct {
    const char *address, *target;
} aliases[] = {
    { "sales@example.org", "bob@example.org" },
    { "sales@example.org", "eve@example.org" },
    { "both@example.org", "sales@example.org" },
    { "both@example.org", "BOB+x@example.org" },
    { "far@example.org", "Joe@elsewhere.example" },
    { "mixed@example.org", "bob@example.org" },
    { "mixed@example.org", "joe@elsewhere.example" },
    { "self@example.org", "self@example.org" },
    { "ping@example.org", "pong@example.org" },
    { "pong@example.org", "ping@example.org" },
    { "dead@example.org", "nobody@example.org" },
    { "half@example.org", "nobody@example.org" },
    { "half@example.org", "bob@example.org" },
    { "sleepy@example.org", "off@example.org" },
    { "*@catch.example", "eve@example.org" },
    { "real@catch.example", "bob@example.org" },
    { "*@ring.example", "x@ring.example" },
    { "postmaster@third.example", "eve@example.org" },
};

static const struct {
    const char *local, *domain;
    enum resolve result;
    const char *targets; /* addresses, ">" before remote ones, "/detail" behind */
} resolutions[] = {
    { "bob", "example.org", RESOLVE_OK, "bob@example.org" },
    { "BOB", "EXAMPLE.ORG", RESOLVE_OK, "bob@example.org" },
    { "bob+tag", "example.org", RESOLVE_OK, "bob@example.org/tag" },
    { "bob+", "example.org", RESOLVE_OK, "bob@example.org" },
    { "bob+a+b", "example.org", RESOLVE_OK, "bob@example.org/a+b" },
    { "+bob", "example.org", RESOLVE_UNKNOWN, "" },
    { "a+b", "example.org", RESOLVE_OK, "a+b@example.org" },
    { "nobody", "example.org", RESOLVE_UNKNOWN, "" },
    { "nobody+tag", "example.org", RESOLVE_UNKNOWN, "" },
    { "\377", "example.org", RESOLVE_UNKNOWN, "" },
    { "off", "example.org", RESOLVE_DISABLED, "" },
    { "off+x", "example.org", RESOLVE_DISABLED, "" },
    { "sleepy", "example.org", RESOLVE_DISABLED, "" },
    { "sales", "example.org", RESOLVE_OK, "bob@example.org eve@example.org" },
    { "sales+q", "example.org", RESOLVE_OK, "bob@example.org/q eve@example.org/q" },
    { "both", "example.org", RESOLVE_OK, "bob@example.org/x eve@example.org" },
    { "far", "example.org", RESOLVE_OK, ">Joe@elsewhere.example" },
    { "mixed", "example.org", RESOLVE_OK, ">joe@elsewhere.example bob@example.org" },
    { "self", "example.org", RESOLVE_LOOP, "" },
    { "ping", "example.org", RESOLVE_LOOP, "" },
    { "dead", "example.org", RESOLVE_UNKNOWN, "" },
    { "half", "example.org", RESOLVE_OK, "bob@example.org" },
    { "anything", "catch.example", RESOLVE_OK, "eve@example.org" },
    { "any+tag", "catch.example", RESOLVE_OK, "eve@example.org" },
    { "real", "catch.example", RESOLVE_OK, "bob@example.org" },
    { "real+tag", "catch.example", RESOLVE_OK, "bob@example.org/tag" },
    { "anything", "ring.example", RESOLVE_LOOP, "" },
    { "postmaster", "example.org", RESOLVE_OK, "old@example.org" },
    { "Postmaster", "second.example", RESOLVE_OK, "only@second.example" },
    { "postmaster", "third.example", RESOLVE_OK, "eve@example.org" },
    { "postmaster+x", "third.example", RESOLVE_OK, "eve@example.org/x" },
    { "postmaster", "catch.example", RESOLVE_OK, "old@example.org" },
    { "postmaster", "elsewhere.example", RESOLVE_REMOTE, "" },
    { "bob", "elsewhere.example", RESOLVE_REMOTE, "" },
    { "bob", "[192.0.2.1]", RESOLVE_REMOTE, "" },
};

static uint64_t fill(struct place *place)
{
    static const char *const domains[] = { "example.org", "second.example", "third.example",
                                           "catch.example", "ring.example" };
    struct error err = { 0 };
    uint64_t bob = 0;

    for (size_t i = 0; i < COUNT_OF(domains); i++)
        add_domain(place, domains[i]);
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        uint64_t id = add_account(place, accounts[i]);

        if (slice_is(slice_of(accounts[i]), "off@example.org"))
            check_ok(account_set_disabled(place->desk, id, true, &err), &err);
        if (slice_is(slice_of(accounts[i]), "bob@example.org"))
            bob = id;
        usleep(2000); /* so that the oldest is the oldest */
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        add_alias(place, aliases[i].address, aliases[i].target);
    return bob;
}

static void print_targets(const struct resolved *resolved, struct buf *out)
{
    for (size_t i = 0; i < resolved->count; i++) {
        const struct resolve_target *target = &resolved->targets[i];

        if (i > 0)
            buf_add_byte(out, ' ');
        if (target->account == 0)
            buf_add_byte(out, '>');
        buf_add_slice(out, target->address);
        if (target->detail.len > 0)
            buf_add_byte(out, '/');
        buf_add_slice(out, target->detail);
    }
}

static void addresses_resolve(void **state)
{
    struct place *place = *state;

    fill(place);
    for (size_t i = 0; i < COUNT_OF(resolutions); i++) {
        AUTO(arena_free) struct arena arena = { 0 };
        AUTO(buf_free) struct buf printed = { 0 };
        struct error err = { 0 };
        struct resolved resolved;

        check_ok(directory_resolve(place->desk, &arena, slice_of(resolutions[i].local),
                                   slice_of(resolutions[i].domain), '+', &resolved, &err),
                 &err);
        print_targets(&resolved, &printed);
        if (resolved.result != resolutions[i].result || !buf_is(&printed, resolutions[i].targets))
            fail_msg("%s@%s: %d %s", resolutions[i].local, resolutions[i].domain, resolved.result,
                     buf_text(&printed));
    }
}

static void subaddresses_can_be_off(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct resolved resolved;

    fill(place);
    check_ok(directory_resolve(place->desk, &arena, SLICE("bob+tag"), SLICE("example.org"), '\0',
                               &resolved, &err),
             &err);
    assert_int_equal(resolved.result, RESOLVE_UNKNOWN);
    check_ok(directory_resolve(place->desk, &arena, SLICE("bob-tag"), SLICE("example.org"), '-',
                               &resolved, &err),
             &err);
    assert_int_equal(resolved.result, RESOLVE_OK);
    assert_true(slice_equal(resolved.targets[0].detail, SLICE("tag")));
}

/* A tower of forks: each level has two aliases that both lead to both of the next. */
static void towers_of_forks_end(void **state)
{
    struct place *place = *state;
    AUTO(arena_free) struct arena arena = { 0 };
    struct error err = { 0 };
    struct resolved resolved;
    char from[32], to[32];

    add_domain(place, "example.org");
    add_account(place, "bob@example.org");
    for (int level = 0; level < 16; level++) {
        for (int way = 0; way < 4; way++) {
            snprintf(from, sizeof(from), "t%d%c@example.org", level, 'a' + way / 2);
            snprintf(to, sizeof(to), "t%d%c@example.org", level + 1, 'a' + way % 2);
            add_alias(place, from, level == 15 ? "bob@example.org" : to);
        }
    }
    check_ok(directory_resolve(place->desk, &arena, SLICE("t0a"), SLICE("example.org"), '+',
                               &resolved, &err),
             &err);
    assert_int_equal(resolved.result, RESOLVE_LOOP);
    check_ok(directory_resolve(place->desk, &arena, SLICE("t12a"), SLICE("example.org"), '+',
                               &resolved, &err),
             &err);
    assert_int_equal(resolved.result, RESOLVE_OK);
    assert_int_equal(resolved.count, 1);
}

static const struct {
    const char *local, *domain;
    bool may;
} senders[] = {
    { "bob", "example.org", true },        { "Bob+news", "example.org", true },
    { "sales", "example.org", true },      { "both", "example.org", true },
    { "eve", "example.org", false },       { "nobody", "example.org", false },
    { "bob", "elsewhere.example", false }, { "real", "catch.example", true },
    { "far", "example.org", false },       { "self", "example.org", false },
};

static void senders_own_their_addresses(void **state)
{
    struct place *place = *state;
    uint64_t bob = fill(place);
    struct error err = { 0 };
    bool may;

    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        check_ok(directory_may_send_as(place->desk, bob, slice_of(senders[i].local),
                                       slice_of(senders[i].domain), '+', &may, &err),
                 &err);
        if (may != senders[i].may)
            fail_msg("%s@%s: %d", senders[i].local, senders[i].domain, may);
    }
}

static void changes_are_announced(void **state)
{
    struct place *place = *state;
    struct error err = { 0 };
    struct notice notice;
    int fd;

    check_ok(notice_listen(place->store, "smtpd", false, &fd, &err), &err);
    add_domain(place, "example.org");
    assert_true(notice_read(fd, &notice));
    assert_int_equal(notice.kind, NOTICE_DIRECTORY);
    assert_false(domain_add(place->desk, SLICE("example.org"), &err));
    assert_false(notice_read(fd, &notice));
    notice_unlisten(place->store, fd);
}

static void a_newer_store_is_refused(void **state)
{
    struct place *place = *state;
    struct store_options options = { .path = place->path };
    struct error err = { 0 };
    struct store *store = NULL;
    struct sql_db *db;

    check_ok(desk_directory(place->desk, &db, &err), &err);
    check_ok(sql_script(db, "PRAGMA user_version = 99", &err), &err);
    EXPECT(store_open(&options, &store, &err), ERROR_NEWER);
    assert_non_null(strstr(err.text, "postane.db"));
    assert_non_null(strstr(err.text, "99"));

    options.path = "/tmp/postane-there-is-no-such-store";
    EXPECT(store_open(&options, &store, &err), ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "postane init"));
}

static void creating_twice_keeps_what_is_there(void **state)
{
    struct place *place = *state;
    unsigned char one[32], two[32];
    struct error err = { 0 };
    bool local;

    add_domain(place, "example.org");
    check_ok(directory_secret(place->desk, one, &err), &err);
    check_ok(store_create(place->path, &err), &err);
    place_reopen(place);
    check_ok(domain_is_local(place->desk, SLICE("example.org"), &local, &err), &err);
    assert_true(local);
    check_ok(directory_secret(place->desk, two, &err), &err);
    assert_memory_equal(one, two, 32);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_form),
        IN_PLACE(domains_come_and_go),
        IN_PLACE(accounts_come_and_go),
        IN_PLACE(a_desk_keeps_few_accounts_open),
        IN_PLACE(a_turn_may_use_many_accounts),
        IN_PLACE(aliases_come_and_go),
        IN_PLACE(addresses_resolve),
        IN_PLACE(subaddresses_can_be_off),
        IN_PLACE(towers_of_forks_end),
        IN_PLACE(senders_own_their_addresses),
        IN_PLACE(changes_are_announced),
        IN_PLACE(a_newer_store_is_refused),
        IN_PLACE(creating_twice_keeps_what_is_there),
    };

    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
