/* mail_fixture.c - see mail_fixture.h. */
#include "tests/unit/storage/mail_fixture.h"

#include "storage/sqlite/cache_private.h"

#include <stdio.h>
#include <stdlib.h>

struct store_options fixture_options(const struct fixture *fixture)
{
    return (struct store_options){ .path = fixture->path,
                                   .log = { "test", 0 },
                                   .inline_max_bytes = INLINE_MAX,
                                   .handles_per_desk = 4 };
}

static void open_account(struct fixture *f)
{
    struct mailbox_info info;

    must(desk_account(f->desk, f->id, &f->account, &f->err));
    must(mailbox_by_name(f->account, &f->arena, SLICE("INBOX"), &info, &f->err));
    f->inbox = info.id;
}

int fixture_set_up(void **state)
{
    struct fixture *f = NEW(struct fixture);

    crypto_init();
    strcpy(f->path, "/tmp/postane-test-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    struct store_options options = fixture_options(f);
    must(store_create(f->path, &f->err));
    must(store_open(&options, &f->store, &f->err));
    must(desk_open(f->store, &f->desk, &f->err));
    must(domain_add(f->desk, SLICE("example.org"), &f->err));
    must(account_add(f->desk, SLICE("bob@example.org"), SLICE("Bob"), SLICE("-"), SLICE("-"),
                     &f->id, &f->err));
    open_account(f);
    *state = f;
    return 0;
}

void fixture_close(struct fixture *f)
{
    desk_close(&f->desk);
    store_close(&f->store);
}

int fixture_tear_down(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    must(tree_remove(f->path, &f->err));
    arena_free(&f->arena);
    free(f);
    return 0;
}

void fixture_open(struct fixture *f, const struct store_options *changed)
{
    struct store_options options = changed != NULL ? *changed : fixture_options(f);

    options.path = f->path;
    must(store_open(&options, &f->store, &f->err));
    must(desk_open(f->store, &f->desk, &f->err));
    open_account(f);
}

void fixture_open_again(struct fixture *f, const struct store_options *changed)
{
    fixture_close(f);
    fixture_open(f, changed);
}

struct body *new_body(struct fixture *f, struct slice text)
{
    struct body *body = body_new(f->store);

    must(body_add(body, text, &f->err));
    must(body_finish(body, &f->err));
    return body;
}

static void write_mail(struct buf *out, const char *subject, size_t filler)
{
    buf_fmt(out, "Subject: %s\r\n\r\n", subject);
    for (size_t i = 0; i < filler; i++)
        buf_add_byte(out, (char)('a' + i % 23));
}

uint32_t add_mail(struct fixture *f, uint64_t mailbox, const char *subject, size_t filler)
{
    AUTO(buf_free) struct buf text = { 0 };
    uint32_t uidvalidity;

    write_mail(&text, subject, filler);
    AUTO(body_free) struct body *body = new_body(f, buf_slice(&text));
    struct append item = { .body = body };
    must(mailbox_append(f->account, mailbox, &item, 1, false, &uidvalidity, &f->err));
    assert_int_not_equal(item.uid_out, 0);
    return item.uid_out;
}

void add_many(struct fixture *f, uint64_t mailbox, size_t count)
{
    AUTO(body_free) struct body *body = new_body(f, SLICE("Subject: one of many\r\n\r\nx"));
    struct append *items = mem_zero(count * sizeof(*items));
    uint32_t uidvalidity;

    for (size_t i = 0; i < count; i++)
        items[i].body = body;
    must(mailbox_append(f->account, mailbox, items, count, false, &uidvalidity, &f->err));
    free(items);
}

uint64_t mailbox_id(struct fixture *f, const char *name)
{
    struct mailbox_info info;

    must(mailbox_by_name(f->account, &f->arena, slice_of(name), &info, &f->err));
    return info.id;
}

uint64_t make_mailbox(struct fixture *f, const char *name)
{
    uint64_t id;

    must(mailbox_create(f->account, slice_of(name), SPECIAL_NONE, &id, &f->err));
    return id;
}

struct mailbox_info look(struct fixture *f, uint64_t mailbox)
{
    struct mailbox_info info;

    must(mailbox_by_id(f->account, &f->arena, mailbox, &info, &f->err));
    return info;
}

struct mail look_mail(struct fixture *f, uint64_t mailbox, uint32_t uid)
{
    AUTO(changes_free) struct changes changes = { 0 };
    struct uidset which = { 0 };

    uidset_add(&which, uid, uid);
    must(mailbox_changes(f->account, mailbox, 0, &which, &changes, &f->err));
    uidset_free(&which);
    assert_int_equal(changes.count, 1);
    return changes.mails[0];
}

struct uidset set_of(const char *text)
{
    struct uidset set = { 0 };
    unsigned lo, hi;
    int used;

    for (; *text != '\0'; text += *text == ',') {
        assert_int_equal(sscanf(text, "%u%n", &lo, &used), 1);
        text += used;
        hi = lo;
        if (*text == ':') {
            assert_int_equal(sscanf(text, ":%u%n", &hi, &used), 1);
            text += used;
        }
        uidset_add(&set, lo, hi);
    }
    return set;
}

void assert_set(const struct uidset *set, const char *text)
{
    AUTO(buf_free) struct buf printed = { 0 };

    uidset_print(set, &printed);
    assert_string_equal(buf_text(&printed), text);
}

void assert_changed(const struct changes *changes, const char *uids, const char *vanished)
{
    struct uidset set = { 0 };

    for (size_t i = 0; i < changes->count; i++) {
        assert_true(i == 0 || changes->mails[i].uid > changes->mails[i - 1].uid);
        uidset_add(&set, changes->mails[i].uid, changes->mails[i].uid);
    }
    assert_set(&set, uids);
    assert_set(&changes->vanished, vanished);
    uidset_free(&set);
}

uint64_t store_flags(struct fixture *f, uint64_t mailbox, const char *uids, enum flag_op op,
                     uint64_t flags)
{
    struct uidset which = set_of(uids);
    struct flag_change change = { .op = op, .flags = flags };
    struct flags_result result;

    must(mailbox_store_flags(f->account, mailbox, &which, &change, &result, &f->err));
    uint64_t modseq = result.modseq;
    flags_result_free(&result);
    uidset_free(&which);
    return modseq;
}

void expunge(struct fixture *f, uint64_t mailbox, const char *uids)
{
    struct uidset which = set_of(uids), expunged;
    uint64_t modseq;

    must(mailbox_expunge(f->account, mailbox, &which, true, &expunged, &modseq, &f->err));
    uidset_free(&which);
    uidset_free(&expunged);
}

void collect(struct fixture *f, int64_t later_ms)
{
    for (bool more = true; more;)
        must(account_collect(f->account, time_ms() + later_ms, &more, &f->err));
}

static uint64_t count_in(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
    uint64_t count = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

uint64_t count_rows(struct fixture *f, const char *sql)
{
    return count_in(f->account->db.handle, sql);
}

uint64_t count_cache_rows(struct fixture *f, const char *sql)
{
    assert_true(cache_ready(f->account));
    return count_in(f->account->cache.handle, sql);
}

void run_cache_sql(struct fixture *f, const char *sql)
{
    assert_true(cache_ready(f->account));
    must(sql_script(&f->account->cache, sql, &f->err));
}

void run_sql(struct fixture *f, const char *sql)
{
    must(sql_script(&f->account->db, sql, &f->err));
}
