/* account.c - one account's store: opening, the lock, transactions, quota.
 *
 * A write is account_begin(), statements, account_commit(). The lock file queues writers of all
 * processes: SQLite's own busy handler polls, and starves whoever polls slower.
 *
 * With relaxed_flags, flag changes are committed without an fsync. A power cut may then take back
 * modseqs that clients have seen; so the first relaxed write after boot records the boot id, and
 * whoever finds another boot's id raises all modseqs far beyond what can have been given away.
 */
#include "storage/sqlite/account_private.h"

#include "storage/sqlite/cache_private.h"

#include "storage/directory.h"
#include "storage/notice.h"
#include "storage/sqlite/search_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define MODSEQ_JUMP (1ll << 32)

/* Pages are read where the system has them, without a copy of ours: a fifth off every long read,
 * and no cache of each handle to fill. */
#define MAP_PAGES "PRAGMA mmap_size = 268435456"

static const struct {
    const char *name;
    enum special_use special_use;
} default_mailboxes[] = {
    { "INBOX", SPECIAL_NONE },  { "Drafts", SPECIAL_DRAFTS }, { "Sent", SPECIAL_SENT },
    { "Trash", SPECIAL_TRASH }, { "Junk", SPECIAL_JUNK },     { "Archive", SPECIAL_ARCHIVE },
};

static bool lock_file(int lock, int how, struct error *err)
{
    while (flock(lock, how) != 0)
        if (errno != EINTR)
            return error_errno(err, "locking the account");
    return true;
}

/* Under the lock already. */
static bool begin_locked(struct account *account, enum sql_sync sync, struct error *err)
{
    if (sql_set_sync(&account->db, sync, err) && sql_begin(&account->db, err))
        return true;
    flock(account->lock, LOCK_UN);
    return false;
}

bool account_lock_byte(int lock, uint64_t byte, short type, bool wait, struct error *err)
{
    struct flock which = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
    };

    while (fcntl(lock, wait ? F_OFD_SETLKW : F_OFD_SETLK, &which) != 0)
        if (errno != EINTR)
            return error_errno(err, "locking the account's moves and copies");
    return true;
}

bool account_begin(struct account *account, enum sql_sync sync, struct error *err)
{
    return lock_file(account->lock, LOCK_EX, err) && begin_locked(account, sync, err);
}

bool account_try_begin(struct account *account, enum sql_sync sync, bool *busy_out,
                       struct error *err)
{
    *busy_out = flock(account->lock, LOCK_EX | LOCK_NB) != 0;
    return *busy_out || begin_locked(account, sync, err);
}

bool account_commit_quietly(struct account *account, struct error *err)
{
    bool ok = sql_commit(&account->db, err);

    flock(account->lock, LOCK_UN);
    return ok;
}

bool account_commit_holding(struct account *account, struct error *err)
{
    if (sql_commit(&account->db, err))
        return true;
    flock(account->lock, LOCK_UN);
    return false;
}

void account_let_go(struct account *account, uint64_t mailbox)
{
    flock(account->lock, LOCK_UN);
    notice_send(account->store, &(struct notice){ NOTICE_ACCOUNT, account->id, mailbox });
}

bool account_commit(struct account *account, uint64_t mailbox, struct error *err)
{
    if (!account_commit_holding(account, err))
        return false;
    account_let_go(account, mailbox);
    return true;
}

bool account_rollback(struct account *account)
{
    sql_rollback(&account->db);
    flock(account->lock, LOCK_UN);
    return false;
}

/* Opening. */

static bool one_number(struct account *account, enum account_slot slot, uint64_t *number_out,
                       struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, slot, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    *number_out = sql_u64(&row, 0);
    sql_end(&row);
    return true;
}

/* The usual case needs no lock: opening must not wait for a writer. */
static bool migrate(struct account *account, const char *const *steps, size_t n_steps,
                    struct error *err)
{
    uint64_t version = 0;

    if (!one_number(account, SQL_VERSION, &version, err))
        return false;
    if (version == n_steps)
        return true;
    if (!lock_file(account->lock, LOCK_EX, err))
        return false;
    bool ok = sql_migrate(&account->db, steps, n_steps, err);
    flock(account->lock, LOCK_UN);
    return ok;
}

static void boot_id(struct buf *out)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (len > 0)
        buf_add_slice(out, slice_trim(slice_make(text, (size_t)len)));
    else
        buf_add_text(out, "unknown");
    if (fd >= 0)
        close(fd);
}

static bool read_boot(struct account *account, struct buf *boot_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_ACCOUNT_ROW, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    buf_add_slice(boot_out, sql_slice(&row, 2));
    sql_end(&row);
    return true;
}

/* Nothing was relaxed, or the machine has not gone down since: modseqs are as we left them. */
static bool check_boot(struct account *account, struct error *err)
{
    AUTO(buf_free) struct buf stored = { 0 };
    AUTO(buf_free) struct buf now = { 0 };

    if (!read_boot(account, &stored, err))
        return false;
    boot_id(&now);
    if (stored.len == 0 || slice_equal(buf_slice(&stored), buf_slice(&now)))
        return true;
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!sql_run(&account->db, SQL_MODSEQ_JUMP, NULL, err, "i", (int64_t)MODSEQ_JUMP) ||
        !sql_run(&account->db, SQL_ACCOUNT_BOOT, NULL, err, "t", SLICE("")))
        return account_rollback(account);
    return account_commit(account, 0, err);
}

bool account_relax(struct account *account, struct error *err)
{
    AUTO(buf_free) struct buf stored = { 0 };
    AUTO(buf_free) struct buf now = { 0 };

    if (account->relaxed)
        return true;
    if (!read_boot(account, &stored, err))
        return false;
    boot_id(&now);
    if (!slice_equal(buf_slice(&stored), buf_slice(&now))) {
        if (!account_begin(account, SQL_FULL, err))
            return false;
        if (!sql_run(&account->db, SQL_ACCOUNT_BOOT, NULL, err, "t", buf_slice(&now)))
            return account_rollback(account);
        if (!account_commit_quietly(account, err))
            return false;
    }
    account->relaxed = true;
    return true;
}

static bool open_files(struct account *account, bool create, struct error *err)
{
    AUTO(buf_free) struct buf database = { 0 };
    AUTO(buf_free) struct buf lock = { 0 };

    store_account_path(account->store, account->id, "mail.db", &database);
    store_account_path(account->store, account->id, "lock", &lock);
    if (!sql_open(&account->db, buf_text(&database), create, SQL_FULL, account_statements,
                  ACCOUNT_SLOTS, err))
        return false;
    account->lock = open(buf_text(&lock), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (account->lock < 0)
        return error_errno(err, "opening %s", buf_text(&lock));
    return sql_script(&account->db, MAP_PAGES, err);
}

static struct account *account_new(struct store *store, struct desk *desk, uint64_t id)
{
    struct account *account = NEW(struct account);

    account->store = store;
    account->desk = desk;
    account->id = id;
    account->lock = -1;
    return account;
}

bool account_handle_open_schema(struct desk *desk, uint64_t id, const char *const *steps,
                                size_t n_steps, struct account **account_out, struct error *err)
{
    AUTO(account_handle_close) struct account *account = account_new(desk->store, desk, id);

    if (!open_files(account, false, err) || !migrate(account, steps, n_steps, err) ||
        !check_boot(account, err))
        return false;
    *account_out = TAKE(account);
    return true;
}

/* What a crash has left; when it cannot be read, settling says why. */
static void settle_broken_off(struct account *account)
{
    uint64_t any = 0;
    struct error err;

    if (sql_number(&account->db, SQL_BROKEN_OFF, &any, &err, "") && any == 0)
        return;
    leaving_settle(account);
    copying_settle(account, 0, &(bool){ false });
}

bool account_handle_open(struct desk *desk, uint64_t id, struct account **account_out,
                         struct error *err)
{
    if (!account_handle_open_schema(desk, id, account_schema, account_schema_version, account_out,
                                    err))
        return false;
    settle_broken_off(*account_out);
    return true;
}

void account_handle_close(struct account **account)
{
    if (*account == NULL)
        return;
    search_close(*account);
    if ((*account)->db.handle != NULL)
        sqlite3_wal_checkpoint_v2((*account)->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL);
    sql_close(&(*account)->db);
    cache_close(*account);
    if ((*account)->lock >= 0)
        close((*account)->lock);
    free(*account);
    *account = NULL;
}

/* Mapped pages count as the daemon's memory, though they are the kernel's cache. When the mapping
 * cannot be changed, reading goes on as it was. */
static void change_mapping(struct account *account, const char *pragma)
{
    struct error err;

    if (!sql_script(&account->db, pragma, &err))
        log_warn(&account->store->options.log, "mapping", F_NUM("account", (int64_t)account->id),
                 F_ERR(&err));
}

void account_handle_release(struct account *account)
{
    search_close(account);
    sql_release_memory(&account->db);
    cache_close(account);
    change_mapping(account, "PRAGMA mmap_size = 0");
}

void account_handle_take_up(struct account *account)
{
    change_mapping(account, MAP_PAGES);
}

/* Creating. */

/* <hh>, <hh>/<id>, <hh>/<id>/big. */
static bool make_folders(struct account *account, struct error *err)
{
    AUTO(buf_free) struct buf folder = { 0 };
    AUTO(buf_free) struct buf parent = { 0 };
    AUTO(buf_free) struct buf big = { 0 };

    store_account_path(account->store, account->id, NULL, &folder);
    store_account_path(account->store, account->id, "big", &big);
    buf_add_slice(&parent, slice_part(buf_slice(&folder), 0,
                                      (size_t)slice_find_last(buf_slice(&folder), '/')));
    return dir_make(buf_text(&parent), err) && dir_make(buf_text(&folder), err) &&
           dir_make(buf_text(&big), err);
}

static bool make_default_mailboxes(struct account *account, struct error *err)
{
    uint64_t n_mailboxes = 0;

    if (!one_number(account, SQL_MAILBOX_COUNT, &n_mailboxes, err))
        return false;
    for (size_t i = 0; n_mailboxes == 0 && i < COUNT_OF(default_mailboxes); i++) {
        struct slice name = slice_of(default_mailboxes[i].name);
        uint64_t id;

        if (!mailbox_insert(account, name, default_mailboxes[i].special_use, &id, err) ||
            !sql_run(&account->db, SQL_SUBSCRIBE, NULL, err, "t", name))
            return false;
    }
    return true;
}

static bool sync_folder(struct account *account, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(account->store, account->id, NULL, &path);
    return dir_sync(buf_text(&path), err);
}

bool account_store_create(struct store *store, uint64_t id, struct error *err)
{
    AUTO(account_handle_close) struct account *account = account_new(store, NULL, id);

    if (!make_folders(account, err) || !open_files(account, true, err) ||
        !migrate(account, account_schema, account_schema_version, err) ||
        !account_begin(account, SQL_FULL, err))
        return error_wrap(err, "making account %016llx", (unsigned long long)id);
    if (!make_default_mailboxes(account, err))
        return account_rollback(account);
    return account_commit_quietly(account, err) && sync_folder(account, err);
}

uint64_t account_id(const struct account *account)
{
    return account->id;
}

/* Quota. */

/* Its own limit, or else the store's; 0: none. */
static uint64_t limit_of(uint64_t own, uint64_t default_limit)
{
    if (own == LIMIT_NONE)
        return 0;
    return own != 0 ? own : default_limit;
}

static void combine_limits(const struct store *store, const struct account_info *info,
                           struct account_limits *limits_out)
{
    const struct account_limits *defaults = &store->options.limits;

    *limits_out = (struct account_limits){
        .bytes = limit_of(info->limits.bytes, defaults->bytes),
        .messages = limit_of(info->limits.messages, defaults->messages),
        .mailboxes = limit_of(info->limits.mailboxes, defaults->mailboxes),
        .annotation_bytes = limit_of(info->limits.annotation_bytes, defaults->annotation_bytes),
    };
}

bool account_limits_by_id(struct desk *desk, uint64_t id, struct account_limits *limits_out,
                          struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;

    if (!account_by_id(desk, &arena, id, &info, err))
        return false;
    combine_limits(desk->store, &info, limits_out);
    return true;
}

static bool find_limits(struct account *account, struct account_limits *limits_out,
                        struct error *err)
{
    if (account->desk != NULL)
        return account_limits_by_id(account->desk, account->id, limits_out, err);
    /* it is just being made, and has no row yet */
    combine_limits(account->store, &(struct account_info){ 0 }, limits_out);
    return true;
}

bool account_quota(struct account *account, struct quota *quota_out, struct error *err)
{
    struct account_limits limits;
    struct sql_row row;

    if (!find_limits(account, &limits, err) ||
        !sql_query(&account->db, SQL_ACCOUNT_ROW, &row, err, ""))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "no account row");
    *quota_out = (struct quota){
        .bytes = sql_u64(&row, 0),
        .bytes_max = limits.bytes,
        .messages = sql_u64(&row, 1),
        .messages_max = limits.messages,
    };
    sql_end(&row);
    return true;
}

bool account_quota_rest(struct account *account, struct quota_rest *rest_out, struct error *err)
{
    struct account_limits limits;

    if (!find_limits(account, &limits, err) ||
        !one_number(account, SQL_MAILBOX_COUNT, &rest_out->mailboxes, err) ||
        !one_number(account, SQL_METADATA_BYTES, &rest_out->annotation_bytes, err))
        return false;
    rest_out->mailboxes_max =
        limits.mailboxes == 0 ? MAILBOX_COUNT_MAX : MIN(limits.mailboxes, MAILBOX_COUNT_MAX);
    rest_out->annotation_bytes_max = limits.annotation_bytes;
    return true;
}

static bool over(uint64_t have, uint64_t max)
{
    return max != 0 && have > max;
}

bool account_charge(struct account *account, int64_t bytes, int64_t messages, bool unlimited,
                    struct error *err)
{
    struct account_limits limits;
    struct quota quota;

    if (!sql_run(&account->db, SQL_ACCOUNT_ADD, NULL, err, "ii", bytes, messages))
        return false;
    if (unlimited || (bytes <= 0 && messages <= 0))
        return true;
    if (!find_limits(account, &limits, err))
        return false;
    if (limits.bytes == 0 && limits.messages == 0)
        return true;
    if (!account_quota(account, &quota, err))
        return false;
    if (over(quota.bytes, quota.bytes_max) || over(quota.messages, quota.messages_max))
        return error_set(err, ERROR_OVER_QUOTA, "over quota");
    return true;
}
