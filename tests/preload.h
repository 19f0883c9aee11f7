/* preload.h - for libraries that stand between a program and libc (LD_PRELOAD). To be included
 * before all else.
 */
#pragma once

#undef _FILE_OFFSET_BITS /* open() and open64() are two functions here */
#undef _FORTIFY_SOURCE   /* and so is __open_2() */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

#define FILES_MAX 65536 /* descriptors from there on are not looked at */
#define EXPORT    __attribute__((visibility("default")))

/* real(): the function of that name that would be called without us. */
#define REAL(result, name, ...)                                                                    \
    static result (*real)(__VA_ARGS__);                                                            \
    if (real == NULL)                                                                              \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

/* One of the forms of open(), which becomes open_any(path, flags, mode). */
#define OPEN_FUNCTION(name)                                                                        \
    EXPORT int name(const char *path, int flags, ...);                                             \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;             \
        va_end(args);                                                                              \
        return open_any(path, flags, mode);                                                        \
    }
#define OPEN_FUNCTIONS                                                                             \
    OPEN_FUNCTION(open)                                                                            \
    OPEN_FUNCTION(open64)                                                                          \
    OPEN_FUNCTION(__open_2)                                                                        \
    OPEN_FUNCTION(__open64_2)
