/* record.c - writes down everything that a program does to the files below a folder, in order.
 *
 * Loaded into daemons with LD_PRELOAD; POWER_DATA is the folder, POWER_LOG the record. From the
 * record, disk.py makes the disks that a power cut could have left at any instant of it.
 *
 *     struct entry, the path, the bytes; and the next one
 *
 * An operation and its entry are one step: `lock` and flock() on the record keep all threads and
 * processes in one order. A sync has two entries, at its begin and its end, and is not under the
 * lock: what was written before the begin is on the disk when the cut comes after the end.
 *
 * Left out are -shm files and run/: nothing in them outlives a boot.
 */
#include "tests/preload.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As disk.py knows them. */
enum kind {
    CREATE = 1, /* path, file */
    WRITE,      /* file, offset, bytes */
    TRUNCATE,   /* file, offset is the new length */
    SYNC_BEGIN, /* file, or path of a folder; offset is a number that SYNC_END has, too */
    SYNC_END,
    LINK, /* path, file */
    UNLINK,
    RENAME, /* path; its new name are the bytes */
    MKDIR,
    RMDIR,
};

struct entry {
    uint32_t kind, path_len;
    uint64_t file, offset, len;
};

/* What a descriptor is; the path is known of folders only. */
static struct known {
    uint64_t file;
    char *folder;
} known[FILES_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[4096];
static size_t root_len;
static int record = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *data = getenv("POWER_DATA"), *path = getenv("POWER_LOG");

    if (data == NULL || path == NULL)
        return;
    root_len = (size_t)snprintf(root, sizeof(root), "%s/", data);
    record =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (record < 0)
        abort();
}

/* Is the path one that we write down? Shortens it to what is below the folder. */
static const char *below(const char *path)
{
    size_t len = path != NULL ? strlen(path) : 0;

    if (record < 0 || len < root_len || memcmp(path, root, root_len) != 0)
        return NULL;
    path += root_len;
    len -= root_len;
    if (strncmp(path, "run/", 4) == 0 || (len >= 4 && strcmp(path + len - 4, "-shm") == 0))
        return NULL;
    return path;
}

static void enter(void)
{
    pthread_mutex_lock(&lock);
    while (syscall(SYS_flock, record, LOCK_EX) != 0)
        continue;
}

static void leave(void)
{
    int saved = errno;

    syscall(SYS_flock, record, LOCK_UN);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static void put(enum kind kind, const char *path, uint64_t file, uint64_t offset, const void *bytes,
                size_t len)
{
    struct entry entry = { (uint32_t)kind, path != NULL ? (uint32_t)strlen(path) : 0, file, offset,
                           len };
    struct iovec parts[] = { { &entry, sizeof(entry) },
                             { (void *)path, entry.path_len },
                             { (void *)bytes, len } };
    int saved = errno;
    ssize_t whole = (ssize_t)(sizeof(entry) + entry.path_len + len);

    if (syscall(SYS_writev, record, parts, 3) != whole)
        abort();
    errno = saved;
}

static uint64_t file_number(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct known *known_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX && known[fd].file != 0 ? &known[fd] : NULL;
}

static void remember(int fd, const char *path, int flags)
{
    if (fd < 0 || fd >= FILES_MAX)
        return;
    known[fd].file = file_number(fd);
    known[fd].folder = (flags & O_DIRECTORY) != 0 ? strdup(path) : NULL;
}

static int open_known(const char *name, const char *path, int flags, mode_t mode)
{
    bool made = false;
    struct stat st;

    enter();
    if ((flags & O_CREAT) != 0)
        made = stat(name, &st) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
    if (fd >= 0) {
        remember(fd, path, flags);
        if (made)
            put(CREATE, path, known[fd].file, 0, NULL, 0);
        else if ((flags & O_TRUNC) != 0)
            put(TRUNCATE, NULL, known[fd].file, 0, NULL, 0);
    }
    leave();
    return fd;
}

static int open_any(const char *name, int flags, mode_t mode)
{
    const char *path = below(name);

    /* The folder itself is "", without the slash at its end. */
    if (record >= 0 && path == NULL && strlen(name) + 1 == root_len &&
        memcmp(name, root, root_len - 1) == 0)
        path = "";
    if (path != NULL)
        return open_known(name, path, flags, mode);
    return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

OPEN_FUNCTIONS

EXPORT int close(int fd)
{
    REAL(int, close, int);
    struct known *file = known_of(fd);

    if (file != NULL) {
        free(file->folder);
        *file = (struct known){ 0 };
    }
    return real(fd);
}

/* The lock is only for what we write down: sockets are written without. */
EXPORT ssize_t write(int fd, const void *bytes, size_t len)
{
    REAL(ssize_t, write, int, const void *, size_t);
    struct known *file = known_of(fd);

    if (file == NULL)
        return real(fd, bytes, len);
    enter();
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t done = real(fd, bytes, len);
    if (done > 0)
        put(WRITE, NULL, file->file, (uint64_t)at, bytes, (size_t)done);
    leave();
    return done;
}

static ssize_t write_at(int fd, const void *bytes, size_t len, off_t at)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off_t);
    struct known *file = known_of(fd);

    if (file == NULL)
        return real(fd, bytes, len, at);
    enter();
    ssize_t done = real(fd, bytes, len, at);
    if (done > 0)
        put(WRITE, NULL, file->file, (uint64_t)at, bytes, (size_t)done);
    leave();
    return done;
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_at(fd, bytes, len, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return write_at(fd, bytes, len, at);
}

static int cut_to(int fd, off_t len)
{
    struct known *file = known_of(fd);

    if (file == NULL)
        return (int)syscall(SYS_ftruncate, fd, len);
    enter();
    int code = (int)syscall(SYS_ftruncate, fd, len);
    if (code == 0)
        put(TRUNCATE, NULL, file->file, (uint64_t)len, NULL, 0);
    leave();
    return code;
}

EXPORT int ftruncate(int fd, off_t len)
{
    return cut_to(fd, len);
}

EXPORT int ftruncate64(int fd, off_t len)
{
    return cut_to(fd, len);
}

static int sync_with(int (*real)(int), int fd)
{
    static uint64_t numbers;
    struct known *file = known_of(fd);

    if (file == NULL)
        return real(fd);
    struct known what = *file;
    enter();
    uint64_t number = ++numbers << 32 | (uint32_t)getpid();
    put(SYNC_BEGIN, what.folder, what.file, number, NULL, 0);
    leave();
    int code = real(fd);
    enter();
    if (code == 0)
        put(SYNC_END, what.folder, what.file, number, NULL, 0);
    leave();
    return code;
}

EXPORT int fsync(int fd)
{
    REAL(int, fsync, int);

    return sync_with(real, fd);
}

EXPORT int fdatasync(int fd)
{
    REAL(int, fdatasync, int);

    return sync_with(real, fd);
}

/* One change of names, with its entry. */
#define CHANGE(call, path, ...)                                                                    \
    do {                                                                                           \
        if ((path) == NULL)                                                                        \
            return call;                                                                           \
        enter();                                                                                   \
        int code = call;                                                                           \
        if (code == 0)                                                                             \
            put(__VA_ARGS__);                                                                      \
        leave();                                                                                   \
        return code;                                                                               \
    } while (0)

static uint64_t file_named(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0 ? st.st_ino : 0;
}

EXPORT int link(const char *from, const char *to)
{
    REAL(int, link, const char *, const char *);
    const char *path = below(to);

    CHANGE(real(from, to), path, LINK, path, file_named(to), 0, NULL, 0);
}

EXPORT int unlink(const char *name)
{
    REAL(int, unlink, const char *);
    const char *path = below(name);

    CHANGE(real(name), path, UNLINK, path, 0, 0, NULL, 0);
}

EXPORT int mkdir(const char *name, mode_t mode)
{
    REAL(int, mkdir, const char *, mode_t);
    const char *path = below(name);

    CHANGE(real(name, mode), path, MKDIR, path, 0, 0, NULL, 0);
}

EXPORT int rmdir(const char *name)
{
    REAL(int, rmdir, const char *);
    const char *path = below(name);

    CHANGE(real(name), path, RMDIR, path, 0, 0, NULL, 0);
}

EXPORT int remove(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0 && S_ISDIR(st.st_mode) ? rmdir(name) : unlink(name);
}

EXPORT int rename(const char *from, const char *to)
{
    REAL(int, rename, const char *, const char *);
    const char *path = below(from), *new_path = below(to);

    CHANGE(real(from, to), path, RENAME, path, 0, 0, new_path,
           new_path != NULL ? strlen(new_path) : 0);
}
