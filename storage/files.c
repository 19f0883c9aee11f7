/* files.c - see files.h. */
#include "storage/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_DESCRIPTORS 8

bool dir_make(const char *path, struct error *err)
{
    if (mkdir(path, 0700) != 0)
        return errno == EEXIST || error_errno(err, "making directory %s", path);
    return dir_sync_parent(path, err);
}

bool dir_sync(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        error_errno(err, "syncing directory %s", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool dir_sync_parent(const char *path, struct error *err)
{
    AUTO(buf_free) struct buf parent = { 0 };
    ptrdiff_t slash = slice_find_last(slice_of(path), '/');

    if (slash < 0)
        return dir_sync(".", err);
    buf_add(&parent, path, slash > 0 ? (size_t)slash : 1);
    return dir_sync(buf_text(&parent), err);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    return remove(path) != 0 && errno != ENOENT;
}

bool tree_remove(const char *path, struct error *err)
{
    if (nftw(path, remove_one, TREE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return error_errno(err, "removing %s", path);
    return true;
}
