/* collect.c - removes what nobody needs any more: dead messages, rows of deleted mailboxes, old
 * tombstones, what readers have seen of messages that are gone, files without a row.
 *
 * A dead message is kept for COLLECT_AGE_MS: whoever looks at a snapshot can finish reading, and a
 * delivery that is tried again is still recognised. Transactions are small, and give way to anybody
 * who holds the lock. Files go after the commit; a crash in between leaves them to the sweeper.
 */
#include "storage/sqlite/cache_private.h"
#include "storage/sqlite/search_private.h"
#include "storage/sqlite/seen_private.h"

#include "common/clock.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEAD_BATCH     100
#define DOOMED_BATCH   500
#define PASSES_MAX     10
#define SETTLE_MS      10
#define COLLECT_EVERY  (60 * 1000ll)
#define TRIM_EVERY     (3600 * 1000ll)
#define TOMBSTONE_AGE  (90 * 24 * 3600 * 1000ll)
#define TOMBSTONES_MAX 100000

/* Dead messages. */

struct dead {
    uint64_t ids[DEAD_BATCH];
    bool large[DEAD_BATCH];
    size_t count;
};

static bool find_dead(struct account *account, int64_t now_ms, struct dead *dead, struct error *err)
{
    struct sql_row row;

    dead->count = 0;
    if (!sql_query(&account->db, SQL_DEAD, &row, err, "iu", now_ms - COLLECT_AGE_MS,
                   (uint64_t)DEAD_BATCH))
        return false;
    while (sql_next(&row, err)) {
        dead->ids[dead->count] = sql_u64(&row, 0);
        dead->large[dead->count++] = sql_u64(&row, 1) != 0;
    }
    return !row.failed;
}

static bool delete_dead(struct account *account, const struct dead *dead, struct error *err)
{
    for (size_t i = 0; i < dead->count; i++)
        if (!sql_run(&account->db, SQL_MSG_DELETE, NULL, err, "u", dead->ids[i]) ||
            !sql_run(&account->db, SQL_BODY_DELETE, NULL, err, "u", dead->ids[i]))
            return false;
    return true;
}

static void unlink_dead(struct account *account, const struct dead *dead)
{
    AUTO(buf_free) struct buf path = { 0 };

    for (size_t i = 0; i < dead->count; i++) {
        buf_clear(&path);
        account_big_path(account, dead->ids[i], &path);
        if (dead->large[i])
            unlink(buf_text(&path));
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static bool collect_dead(struct account *account, int64_t now_ms, bool *more, struct error *err)
{
    struct dead dead;
    bool busy;

    if (!find_dead(account, now_ms, &dead, err))
        return false;
    if (dead.count == 0)
        return true;
    *more |= dead.count == DEAD_BATCH;
    if (!account_try_begin(account, SQL_FULL, &busy, err))
        return false;
    if (busy)
        return true;
    /* Again, under the lock: a copy may have revived some. */
    if (!find_dead(account, now_ms, &dead, err))
        return account_rollback(account);
    cache_forget(account, dead.ids, dead.count); /* a crash leaves none that belongs to nobody */
    if (!delete_dead(account, &dead, err))
        return account_rollback(account);
    if (!account_commit_quietly(account, err))
        return false;
    unlink_dead(account, &dead);
    cache_forget(account, dead.ids, dead.count); /* what a late reader has made meanwhile */
    qsort(dead.ids, dead.count, sizeof(dead.ids[0]), compare_ids);
    search_forget(account, dead.ids, dead.count);
    return true;
}

/* Deleted mailboxes. */

static bool find_doomed(struct account *account, uint64_t *mailbox_out, struct error *err)
{
    struct sql_row row;

    *mailbox_out = 0;
    if (!sql_query(&account->db, SQL_DOOMED, &row, err, ""))
        return false;
    if (sql_next(&row, err)) {
        *mailbox_out = sql_u64(&row, 0);
        sql_end(&row);
    }
    return !row.failed;
}

static bool load_doomed(struct account *account, uint64_t mailbox, struct mail *mails,
                        size_t *count_out, struct error *err)
{
    struct sql_row row;

    *count_out = 0;
    if (!sql_query(&account->db, SQL_DOOMED_SCAN, &row, err, "uu", mailbox, (uint64_t)DOOMED_BATCH))
        return false;
    while (sql_next(&row, err))
        mail_from_row(&row, &mails[(*count_out)++]);
    return !row.failed;
}

static bool remove_doomed(struct account *account, uint64_t mailbox, bool *more, struct error *err)
{
    struct mail mails[DOOMED_BATCH];
    bool seen_left;
    size_t count;

    if (!load_doomed(account, mailbox, mails, &count, err))
        return false;
    *more = true;
    if (count > 0)
        return mail_unref(account, mails, count, err) &&
               sql_run(&account->db, SQL_MESSAGE_DELETE, NULL, err, "uuu", mailbox, (uint64_t)1,
                       (uint64_t)mails[count - 1].uid);
    if (!seen_drop(account, mailbox, &seen_left, err))
        return false;
    if (seen_left)
        return true;
    return sql_run(&account->db, SQL_DOOMED_TOMBSTONES, NULL, err, "u", mailbox) &&
           sql_run(&account->db, SQL_DOOMED_DONE, NULL, err, "u", mailbox);
}

static bool collect_doomed(struct account *account, bool *more, struct error *err)
{
    uint64_t mailbox;
    bool busy;

    if (!find_doomed(account, &mailbox, err))
        return false;
    if (mailbox == 0)
        return true;
    if (!account_try_begin(account, SQL_NORMAL, &busy, err))
        return false;
    if (busy)
        return true;
    if (!remove_doomed(account, mailbox, more, err))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

/* Tombstones. */

/* Below the floor a client that resyncs is told everything: see changes.c. */
static bool trim_tombstones(struct account *account, uint64_t mailbox, int64_t now_ms,
                            struct error *err)
{
    uint64_t old = 0, extra = 0;
    bool busy;

    if (!sql_number(&account->db, SQL_TOMBSTONE_OLD, &old, err, "ui", mailbox,
                    now_ms - TOMBSTONE_AGE) ||
        !sql_number(&account->db, SQL_TOMBSTONE_EXTRA, &extra, err, "ui", mailbox,
                    (int64_t)TOMBSTONES_MAX))
        return false;
    uint64_t floor = MAX(old, extra);
    if (floor == 0)
        return true;
    if (!account_try_begin(account, SQL_NORMAL, &busy, err))
        return false;
    if (busy)
        return true;
    if (!sql_run(&account->db, SQL_FLOOR_RAISE, NULL, err, "uu", floor, mailbox) ||
        !sql_run(&account->db, SQL_TOMBSTONE_TRIM, NULL, err, "uu", mailbox, floor))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

/* What readers have seen of messages that are gone. */
static bool trim_seen(struct account *account, uint64_t mailbox, struct error *err)
{
    bool stale, busy;

    for (int i = 0; i < PASSES_MAX; i++) {
        if (!seen_is_stale(account, mailbox, &stale, err))
            return false;
        if (!stale)
            return true;
        if (!account_try_begin(account, SQL_NORMAL, &busy, err))
            return false;
        if (busy)
            return true;
        if (!seen_trim(account, mailbox, err))
            return account_rollback(account);
        if (!account_commit_quietly(account, err))
            return false;
    }
    return true;
}

static bool trim_mailboxes(struct account *account, int64_t now_ms, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_list list;

    if (now_ms < account->trim_due_ms)
        return true;
    account->trim_due_ms = now_ms + TRIM_EVERY;
    if (!mailbox_all(account, &arena, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (!trim_tombstones(account, list.items[i].id, now_ms, err) ||
            !trim_seen(account, list.items[i].id, err))
            return false;
    return true;
}

bool account_collect(struct account *account, int64_t now_ms, bool *more_out, struct error *err)
{
    *more_out = false;
    copying_settle(account, clock_ms() + SETTLE_MS, more_out);
    return collect_doomed(account, more_out, err) && collect_dead(account, now_ms, more_out, err) &&
           trim_mailboxes(account, now_ms, err);
}

void account_handle_idle(struct account *account, int64_t now_ms)
{
    struct error err;
    bool more = true;

    if (now_ms < account->collect_due_ms)
        return;
    for (int i = 0; i < PASSES_MAX && more; i++) {
        if (account_collect(account, now_ms, &more, &err))
            continue;
        log_warn(&account->store->options.log, "collect", F_NUM("account", (int64_t)account->id),
                 F_ERR(&err));
        more = false;
    }
    account->collect_due_ms = more ? now_ms : now_ms + COLLECT_EVERY;
}

/* Files without a row. */

static bool has_row(struct account *account, uint64_t msg, bool *has_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_MSG_FIND, &row, err, "u", msg))
        return false;
    *has_out = sql_next(&row, err);
    if (*has_out)
        sql_end(&row);
    return !row.failed;
}

/* Under the lock nobody is between linking a file and committing its row. */
static bool check_stray(struct account *account, uint64_t msg, const char *path, bool remove,
                        uint64_t *count, struct error *err)
{
    bool known;

    if (!has_row(account, msg, &known, err))
        return false;
    if (known)
        return true;
    if (!account_begin(account, SQL_NORMAL, err))
        return false;
    bool ok = has_row(account, msg, &known, err);
    if (ok && !known && (!remove || unlink(path) == 0))
        ++*count;
    account_rollback(account);
    return ok;
}

/* The time of the last link counts: a body may have waited in the queue for days. */
static bool is_old(const char *path, int64_t before_ms)
{
    struct stat st;

    return stat(path, &st) == 0 && (int64_t)st.st_ctim.tv_sec * 1000 < before_ms;
}

bool account_sweep(struct account *account, int64_t before_ms, bool remove, uint64_t *count_out,
                   struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct dirent *entry;
    bool ok = true;
    uint64_t msg;

    *count_out = 0;
    store_account_path(account->store, account->id, "big", &path);
    DIR *folder = opendir(buf_text(&path));
    if (folder == NULL)
        return errno == ENOENT || error_errno(err, "reading %s", buf_text(&path));
    while (ok && (entry = readdir(folder)) != NULL) {
        if (!slice_number(slice_of(entry->d_name), INT64_MAX, &msg))
            continue;
        buf_clear(&path);
        account_big_path(account, msg, &path);
        if (is_old(buf_text(&path), before_ms))
            ok = check_stray(account, msg, buf_text(&path), remove, count_out, err);
    }
    closedir(folder);
    return ok;
}
