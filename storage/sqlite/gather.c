/* gather.c - see gather.h.
 *
 *     SQLite -- write, write, write ... sync --> held -- one write, sync --> the file
 *
 * For the time of a commit, the log's methods are replaced by ours, which SQLite allows any VFS to
 * do with its own files: the five that look at the bytes of the file or change them. Each of them
 * writes what is held before it does anything else, so whoever reads sees all. Writes that do not
 * follow each other, as when a page changes twice in a transaction, are not held together.
 *
 * Threads: methods know their file only, so the struct gather is the thread's.
 * Lifetime: on the stack of sql_commit().
 */
#include "storage/sqlite/gather.h"

#define HELD_MAX (64u * 1024)

static _Thread_local struct gather *current;

static int write_held(sqlite3_file *file)
{
    struct buf *held = &current->held;
    int code = SQLITE_OK;

    if (held->len > 0)
        code = current->real->xWrite(file, held->data, (int)held->len, current->offset);
    buf_clear(held);
    return code;
}

static int on_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset)
{
    struct buf *held = &current->held;
    bool follows = offset == current->offset + (sqlite3_int64)held->len;

    if (held->len > 0 && (!follows || held->len + (size_t)count > HELD_MAX)) {
        int code = write_held(file);
        if (code != SQLITE_OK)
            return code;
    }
    if (held->len == 0)
        current->offset = offset;
    buf_add(held, bytes, (size_t)count);
    return SQLITE_OK;
}

static int on_sync(sqlite3_file *file, int flags)
{
    int code = write_held(file);

    return code == SQLITE_OK ? current->real->xSync(file, flags) : code;
}

static int on_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset)
{
    int code = write_held(file);

    return code == SQLITE_OK ? current->real->xRead(file, bytes, count, offset) : code;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = write_held(file);

    return code == SQLITE_OK ? current->real->xTruncate(file, size) : code;
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *size_out)
{
    int code = write_held(file);

    return code == SQLITE_OK ? current->real->xFileSize(file, size_out) : code;
}

void gather_begin(struct gather *gather, sqlite3 *handle)
{
    sqlite3_file *file = NULL;

    *gather = (struct gather){ 0 };
    if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL)
        return;
    gather->file = file;
    gather->real = file->pMethods;
    gather->methods = *file->pMethods;
    gather->methods.xWrite = on_write;
    gather->methods.xSync = on_sync;
    gather->methods.xRead = on_read;
    gather->methods.xTruncate = on_truncate;
    gather->methods.xFileSize = on_file_size;
    file->pMethods = &gather->methods;
    current = gather;
}

void gather_end(struct gather *gather)
{
    if (gather->file == NULL)
        return;
    gather->file->pMethods = gather->real;
    buf_free(&gather->held);
    current = NULL;
}
