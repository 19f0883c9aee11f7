/* mail_fixture.h - a store in a temporary folder with one account, and short words for its calls.
 *
 * must(call) is for calls that fill fixture->err and have to work; fails(call, KIND) for those that
 * must not.
 */
#pragma once

#include "storage/sqlite/account_private.h"

#include "storage/directory.h"
#include "tests/unit/support/check.h"

#define INLINE_MAX 4096

struct fixture {
    char path[64];
    struct store *store;
    struct desk *desk;
    uint64_t id;
    struct account *account;
    uint64_t inbox;
    struct arena arena;
    struct error err;
};

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Apart, because SQLite's handles may not live through a fork(). `changed` options, or NULL. */
void fixture_close(struct fixture *fixture);
void fixture_open(struct fixture *fixture, const struct store_options *changed);
void fixture_open_again(struct fixture *fixture, const struct store_options *changed);

#define FIXTURE_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

#define must(call)                                                                                 \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, f->err.text);                                                \
    } while (0)

#define fails(call, expected)                                                                      \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s worked", #call);                                                          \
        assert_string_equal(error_kind_name(f->err.kind), error_kind_name(expected));              \
    } while (0)

struct store_options fixture_options(const struct fixture *fixture);

struct body *new_body(struct fixture *f, struct slice text);

/* Appends; gives the UID. The message is a Subject and `filler` bytes of text. */
uint32_t add_mail(struct fixture *f, uint64_t mailbox, const char *subject, size_t filler);
/* `count` small ones at once, into a mailbox. */
void add_many(struct fixture *f, uint64_t mailbox, size_t count);

uint64_t mailbox_id(struct fixture *f, const char *name);
uint64_t make_mailbox(struct fixture *f, const char *name);
struct mailbox_info look(struct fixture *f, uint64_t mailbox);
struct mail look_mail(struct fixture *f, uint64_t mailbox, uint32_t uid);

struct uidset set_of(const char *text); /* "1:3,7" */
void assert_set(const struct uidset *set, const char *text);
/* As "uid,uid:uid" of the changes. */
void assert_changed(const struct changes *changes, const char *uids, const char *vanished);

uint64_t store_flags(struct fixture *f, uint64_t mailbox, const char *uids, enum flag_op op,
                     uint64_t flags);
void expunge(struct fixture *f, uint64_t mailbox, const char *uids);
/* Collects as if it were `later_ms` from now, until nothing is left to do. */
void collect(struct fixture *f, int64_t later_ms);
uint64_t count_rows(struct fixture *f, const char *sql);
void run_sql(struct fixture *f, const char *sql);
/* The same in cache.db. */
uint64_t count_cache_rows(struct fixture *f, const char *sql);
void run_cache_sql(struct fixture *f, const char *sql);
