/* fail.c - lets the Nth write, sync, open or allocation of a process fail.
 *
 * Loaded into daemons with LD_PRELOAD; FAULT_DATA is the folder whose files it is about,
 * FAULT_CONTROL a file of one `struct control`, shared with whoever gives orders (faults.py). Calls
 * of the process `pid` are counted by kind; when those of `kind` have come to `at`, that one fails,
 * and with `lasting` all after it until `kind` is 0 again.
 */
#include "tests/preload.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { NONE, WRITE, SYNC, OPEN, ALLOCATION, KINDS };

/* As faults.py packs it. */
struct control {
    _Atomic uint32_t pid, kind, error, lasting;
    _Atomic uint64_t at, failed;
    _Atomic uint64_t count[KINDS];
};

static struct control *control;
static char root[4096];
static size_t root_len;
static bool ours[FILES_MAX]; /* descriptors of files below the folder */

__attribute__((constructor)) static void begin(void)
{
    const char *data = getenv("FAULT_DATA"), *path = getenv("FAULT_CONTROL");

    if (data == NULL || path == NULL)
        return;
    root_len = (size_t)snprintf(root, sizeof(root), "%s/", data);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *map = fd < 0 ? MAP_FAILED
                       : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    syscall(SYS_close, fd);
    control = map;
}

/* Counts a call; true when it is to fail, and errno says why. */
static bool fails(enum kind kind)
{
    if (control == NULL || control->pid != (uint32_t)getpid())
        return false;
    uint64_t number = atomic_fetch_add(&control->count[kind], 1) + 1;
    if (control->kind != kind || number < control->at ||
        (number > control->at && control->lasting == 0))
        return false;
    atomic_fetch_add(&control->failed, 1);
    errno = (int)control->error;
    return true;
}

static bool is_below(const char *path)
{
    size_t len = strlen(path);

    return control != NULL && len >= root_len && memcmp(path, root, root_len) == 0 &&
           strncmp(path + root_len, "run/", 4) != 0;
}

static bool is_ours(int fd)
{
    return fd >= 0 && fd < FILES_MAX && ours[fd];
}

static int open_any(const char *path, int flags, mode_t mode)
{
    bool below = is_below(path);

    if (below && fails(OPEN))
        return -1;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < FILES_MAX)
        ours[fd] = below;
    return fd;
}

OPEN_FUNCTIONS

/* A function that fails with -1 when `kind` says so, if the condition holds, and is itself else. */
#define FAILING(result, name, kind, condition, parameters, ...)                                    \
    EXPORT result name parameters;                                                                 \
    EXPORT result name parameters                                                                  \
    {                                                                                              \
        static result(*real) parameters;                                                           \
        if (real == NULL)                                                                          \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        return (condition) && fails(kind) ? -1 : real(__VA_ARGS__);                                \
    }

FAILING(ssize_t, write, WRITE, is_ours(fd), (int fd, const void *bytes, size_t len), fd, bytes, len)
FAILING(ssize_t, pwrite, WRITE, is_ours(fd), (int fd, const void *bytes, size_t len, off_t at), fd,
        bytes, len, at)
FAILING(ssize_t, pwrite64, WRITE, is_ours(fd), (int fd, const void *bytes, size_t len, off64_t at),
        fd, bytes, len, at)
FAILING(int, ftruncate, WRITE, is_ours(fd), (int fd, off_t len), fd, len)
FAILING(int, ftruncate64, WRITE, is_ours(fd), (int fd, off64_t len), fd, len)
FAILING(int, link, WRITE, is_below(to), (const char *from, const char *to), from, to)
FAILING(int, mkdir, WRITE, is_below(path), (const char *path, mode_t mode), path, mode)
FAILING(int, fsync, SYNC, is_ours(fd), (int fd), fd)
FAILING(int, fdatasync, SYNC, is_ours(fd), (int fd), fd)

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < FILES_MAX)
        ours[fd] = false;
    return (int)syscall(SYS_close, fd);
}

#ifndef SANITIZED /* which has an allocator of its own */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

EXPORT void *malloc(size_t size)
{
    return fails(ALLOCATION) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return fails(ALLOCATION) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
    return fails(ALLOCATION) ? NULL : __libc_realloc(memory, size);
}
#endif
