/* queue_sweep.c - files in queue/ that no message has: what a crash leaves between linking a file
 * and committing its row, or between removing the row and unlinking the file.
 */
#include "storage/sqlite/queue_private.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct sweep {
    struct desk *desk;
    int64_t before_ms;
    bool remove;
    uint64_t count;
};

static bool has_message(struct sql_db *db, const char *name, bool *has_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, QUEUE_FIND_BY_FILE, &row, err, "t", slice_of(name)))
        return false;
    *has_out = sql_next(&row, err);
    sql_end(&row);
    return !row.failed;
}

/* Young ones may be about to get their row; linking sets the time looked at here. */
static bool is_old(const char *path, int64_t before_ms)
{
    struct stat info;

    return stat(path, &info) == 0 && (int64_t)info.st_ctim.tv_sec * 1000 < before_ms;
}

static bool sweep_file(struct sweep *sweep, const char *name, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct sql_db *db;
    bool known;

    queue_file_path(sweep->desk->store, name, &path);
    if (!is_old(buf_text(&path), sweep->before_ms))
        return true;
    if (!desk_queue(sweep->desk, &db, err) || !has_message(db, name, &known, err))
        return false;
    if (!known && (!sweep->remove || unlink(buf_text(&path)) == 0))
        sweep->count++;
    return true;
}

static bool sweep_folder(struct sweep *sweep, const char *name, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    struct dirent *entry;
    bool ok = true;
    DIR *folder;

    buf_fmt(&path, "%s/queue/%s", store_path(sweep->desk->store), name);
    folder = opendir(buf_text(&path));
    if (folder == NULL)
        return errno == ENOENT || errno == ENOTDIR || error_errno(err, "reading %s", path.data);
    while (ok && (entry = readdir(folder)) != NULL) {
        if (strlen(entry->d_name) == QUEUE_FILE_NAME_SIZE - 1)
            ok = sweep_file(sweep, entry->d_name, err);
    }
    closedir(folder);
    return ok;
}

bool queue_sweep(struct desk *desk, int64_t before_ms, bool remove, uint64_t *count_out,
                 struct error *err)
{
    struct sweep sweep = { desk, before_ms, remove, 0 };
    AUTO(buf_free) struct buf path = { 0 };
    struct dirent *entry;
    bool ok = true;
    DIR *folder;

    *count_out = 0;
    buf_fmt(&path, "%s/queue", store_path(desk->store));
    folder = opendir(buf_text(&path));
    if (folder == NULL)
        return error_errno(err, "reading %s", path.data);
    while (ok && (entry = readdir(folder)) != NULL) {
        if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
            ok = sweep_folder(&sweep, entry->d_name, err);
    }
    closedir(folder);
    *count_out = sweep.count;
    return ok;
}
