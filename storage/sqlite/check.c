/* check.c - looks for damage in the whole store, account by account; and the sweeper. See check.h.
 */
#include "storage/sqlite/check_private.h"

#include "storage/acl.h"
#include "storage/directory.h"
#include "storage/queue.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEFTOVER_AGE (3600 * 1000ll)
#define QUEUE_BATCH  100

void check_found(struct check *check, bool repaired, const char *format, ...)
{
    AUTO(buf_free) struct buf what = { 0 };
    va_list args;

    va_start(args, format);
    buf_vfmt(&what, format, args);
    va_end(args);
    check->findings++;
    if (check->options->finding != NULL)
        check->options->finding(check->where, buf_text(&what), repaired, check->options->context);
}

/* Accounts. */

static bool check_shares(struct check *check, struct account *account, struct error *err)
{
    bool repair = check->options->repair;
    uint64_t wrong;

    if (!share_check(account, repair, &wrong, err))
        return false;
    if (wrong > 0)
        check_found(check, repair, "with %llu accounts it is not noted rightly what is shared",
                    (unsigned long long)wrong);
    return true;
}

#define RECOVER "; `postane recover` reads what can be read"

/* True when there is no file of an account: nothing that a new store could do harm to. */
static bool is_bare(struct desk *desk, uint64_t id)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(desk->store, id, "big", &path);
    return rmdir(buf_text(&path)) == 0 || errno == ENOENT || errno == ENOTDIR;
}

static bool check_missing(struct check *check, struct desk *desk, uint64_t id, struct error *err)
{
    bool repair = check->options->repair && is_bare(desk, id);

    if (repair && !account_store_create(desk->store, id, err))
        return false;
    check_found(check, repair, "its mail store is missing%s",
                check->options->repair && !repair ? RECOVER : "");
    return true;
}

static bool has_file(struct desk *desk, uint64_t id)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(desk->store, id, "mail.db", &path);
    return access(buf_text(&path), F_OK) == 0 || errno != ENOENT;
}

/* An account that is damaged is a finding, not the end of the check. */
static bool check_one(struct check *check, struct desk *desk, const struct account_info *info,
                      struct error *err)
{
    struct account *account;

    if (!has_file(desk, info->id))
        return check_missing(check, desk, info->id, err);
    if (!desk_account(desk, info->id, &account, err)) {
        if (err->kind == ERROR_TEMPORARY)
            return false;
        check_found(check, false, "cannot be opened: %s%s", err->text, RECOVER);
        return true;
    }
    if (check_account(check, account, err) && check_shares(check, account, err))
        return true;
    if (err->kind == ERROR_INTERNAL)
        check_found(check, false, "%s%s", err->text, RECOVER);
    return err->kind == ERROR_INTERNAL;
}

static bool check_accounts(struct check *check, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_list list;

    if (!account_all(desk, &arena, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        check->where = slice_text(&arena, list.items[i].address);
        if (!check_one(check, desk, &list.items[i], err))
            return error_wrap(err, "checking %s", check->where);
        if (check->options->progress != NULL)
            check->options->progress(i + 1, list.count, check->options->context);
    }
    return true;
}

/* Folders without account. */

typedef bool (*each_entry)(struct check *check, struct desk *desk, const char *path,
                           const char *name, struct error *err);

/* Calls `each` for what is in a folder; a folder that is not there is empty. */
static bool for_entries(struct check *check, struct desk *desk, const char *path, each_entry each,
                        struct error *err)
{
    AUTO(buf_free) struct buf entry_path = { 0 };
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool ok = true;

    while (folder != NULL && ok && (entry = readdir(folder)) != NULL) {
        buf_clear(&entry_path);
        buf_fmt(&entry_path, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            ok = each(check, desk, buf_text(&entry_path), entry->d_name, err);
    }
    if (folder != NULL)
        closedir(folder);
    return ok;
}

/* It is left: it may hold mail, and only the operator knows whose. */
static bool check_folder(struct check *check, struct desk *desk, const char *path, const char *name,
                         struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_info info;
    char *end;
    uint64_t id = strtoull(name, &end, 16);

    if (*end == '\0' && account_by_id(desk, &arena, id, &info, err))
        return true;
    if (*end == '\0' && err->kind != ERROR_NOT_FOUND)
        return false;
    check_found(check, false, "%s belongs to no account", path);
    return true;
}

static bool check_hash_folder(struct check *check, struct desk *desk, const char *path,
                              const char *name, struct error *err)
{
    (void)name;
    return for_entries(check, desk, path, check_folder, err);
}

static bool check_folders(struct check *check, struct desk *desk, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    check->where = "accounts";
    buf_fmt(&path, "%s/accounts", store_path(desk->store));
    return for_entries(check, desk, buf_text(&path), check_hash_folder, err);
}

/* Leftovers. */

static bool is_leftover(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (int64_t)st.st_ctim.tv_sec * 1000 < time_ms() - LEFTOVER_AGE;
}

static bool check_temporary(struct check *check, struct desk *desk, const char *path,
                            const char *name, struct error *err)
{
    (void)desk;
    (void)name;
    if (is_leftover(path))
        check_found(check, check->options->repair && tree_remove(path, err), "%s is a leftover",
                    path);
    return true;
}

static bool check_leftovers(struct check *check, struct desk *desk, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    check->where = "tmp";
    buf_fmt(&path, "%s/tmp", store_path(desk->store));
    return for_entries(check, desk, buf_text(&path), check_temporary, err);
}

/* Databases of the whole store. */

static bool check_database(struct check *check, struct sql_db *db, struct error *err)
{
    AUTO(buf_free) struct buf what = { 0 };
    struct slice rest, line;

    if (!sql_check(db, &what, err)) {
        if (err->kind != ERROR_INTERNAL)
            return false;
        buf_add_text(&what, err->text);
    }
    rest = buf_slice(&what);
    while (slice_split(&rest, '\n', &line))
        check_found(check, false, "sqlite: " SLICE_FMT, SLICE_ARG(line));
    return true;
}

static bool check_databases(struct check *check, struct desk *desk, struct error *err)
{
    struct sql_db *db;

    check->where = "postane.db";
    if (!desk_directory(desk, &db, err) || !check_database(check, db, err))
        return false;
    check->where = "queue.db";
    return desk_queue(desk, &db, err) && check_database(check, db, err);
}

/* Queue. */

static bool body_fits(struct body *body, bool *fits_out, struct error *err)
{
    unsigned char digest[HASH_SIZE];
    struct slice bytes;
    struct hash hash;

    if (!body_bytes(body, &bytes, err))
        return false;
    hash_init(&hash);
    hash_add(&hash, bytes.data, bytes.len);
    hash_end(&hash, digest);
    *fits_out = memcmp(digest, body_hash(body), HASH_SIZE) == 0;
    return true;
}

static bool is_queued(struct desk *desk, uint64_t message)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_message found;
    struct error ignored;

    return queue_by_id(desk, &arena, message, &found, &ignored);
}

static bool check_message(struct check *check, struct desk *desk, uint64_t message,
                          struct error *err)
{
    AUTO(body_free) struct body *body = NULL;
    bool fits = true;

    if (!queue_body(desk, message, &body, err)) {
        if (err->kind == ERROR_TEMPORARY && is_queued(desk, message))
            return false;
        if (is_queued(desk, message))
            check_found(check, false, "message %llu: %s", (unsigned long long)message, err->text);
        return true;
    }
    if (check->options->hashes && !body_fits(body, &fits, err))
        return false;
    if (!fits)
        check_found(check, false, "message %llu: its hash does not fit its bytes",
                    (unsigned long long)message);
    return true;
}

static bool check_queue(struct check *check, struct desk *desk, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct queue_list list = { .count = QUEUE_BATCH };
    uint64_t after = 0;

    check->where = "queue";
    while (list.count > 0) {
        arena_reset(&arena);
        if (!queue_find(desk, &arena, QUEUE_ALL, after, QUEUE_BATCH, &list, err))
            return false;
        for (size_t i = 0; i < list.count; i++)
            if (!check_message(check, desk, list.items[i].id, err))
                return false;
        after = list.count > 0 ? list.items[list.count - 1].id : after;
    }
    return true;
}

static bool check_queue_files(struct check *check, struct desk *desk, struct error *err)
{
    bool repair = check->options->repair;
    uint64_t count;

    if (!queue_sweep(desk, time_ms() - LEFTOVER_AGE, repair, &count, err))
        return false;
    if (count > 0)
        check_found(check, repair, "%llu files of no message", (unsigned long long)count);
    return true;
}

/* Damage that ends one part of the check is a finding of it. */
static bool go_on(struct check *check, bool ok, const struct error *err)
{
    if (ok || err->kind != ERROR_INTERNAL)
        return ok;
    check_found(check, false, "%s", err->text);
    return true;
}

bool store_check(struct desk *desk, const struct check_options *options, uint64_t *findings_out,
                 struct error *err)
{
    struct check check = { .options = options };

    bool ok = check_databases(&check, desk, err) && check_accounts(&check, desk, err) &&
              check_folders(&check, desk, err) &&
              go_on(&check, check_queue(&check, desk, err), err) &&
              go_on(&check, check_queue_files(&check, desk, err), err) &&
              check_leftovers(&check, desk, err);
    *findings_out = check.findings;
    return ok;
}

/* The sweeper: the same as repairing leftovers, but it looks at nothing else. */

static void log_sweep(struct desk *desk, const char *where, const struct error *err)
{
    log_warn(&desk->store->options.log, "sweep", F_STR("where", where), F_ERR(err));
}

static void sweep_accounts(struct desk *desk)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct account_list list;
    struct account *account;
    struct error err;
    uint64_t count;

    if (!account_all(desk, &arena, &list, &err)) {
        log_sweep(desk, "accounts", &err);
        return;
    }
    for (size_t i = 0; i < list.count; i++)
        if (!desk_account(desk, list.items[i].id, &account, &err) ||
            !account_sweep(account, time_ms() - LEFTOVER_AGE, true, &count, &err))
            log_sweep(desk, slice_text(&arena, list.items[i].address), &err);
}

void store_sweep(struct desk *desk)
{
    struct check_options options = { .repair = true };
    struct check check = { .options = &options };
    struct error err;

    if (!check_leftovers(&check, desk, &err))
        log_sweep(desk, "tmp", &err);
    if (!check_queue_files(&check, desk, &err))
        log_sweep(desk, "queue", &err);
    sweep_accounts(desk);
}
