/* error.c - an expected failure: what kind it is, and a text for the log.
 *
 * A text that gets too long loses its end: the front says what was being done, and the end of it
 * all is most often a library's message that the kind sums up.
 */
#include "common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_fill(struct error *err, enum error_kind kind, const char *format, ...)
{
    struct error set = { .kind = kind }; /* the arguments may point into *err */
    va_list args;

    va_start(args, format);
    vsnprintf(set.text, sizeof(set.text), format, args);
    va_end(args);
    *err = set;
}

static void add_behind(struct error *err, const char *text)
{
    size_t len = strlen(err->text);
    int room = (int)(sizeof(err->text) - len) - (int)sizeof(": ");

    if (room > 0)
        snprintf(err->text + len, sizeof(err->text) - len, ": %.*s", room, text);
}

/* What passes by itself or by the operator's help, so that asking again makes sense. */
static enum error_kind kind_of(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ERROR_NOT_FOUND;
    case EEXIST:
        return ERROR_EXISTS;
    case EACCES:
    case EPERM:
        return ERROR_DENIED;
    case EINVAL:
    case ENAMETOOLONG:
        return ERROR_INVALID;
    case EAGAIN:
    case EBUSY:
    case EDQUOT:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOSPC:
    case EROFS:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
        return ERROR_TEMPORARY;
    default:
        return ERROR_INTERNAL;
    }
}

void error_fill_errno(struct error *err, const char *format, ...)
{
    int code = errno;
    struct error set = { .kind = kind_of(code) };
    va_list args;

    va_start(args, format);
    vsnprintf(set.text, sizeof(set.text), format, args);
    va_end(args);
    add_behind(&set, strerrordesc_np(code) != NULL ? strerrordesc_np(code) : "unknown error");
    *err = set;
}

void error_fill_context(struct error *err, const char *format, ...)
{
    struct error wrapped = { .kind = err->kind };
    va_list args;

    va_start(args, format);
    vsnprintf(wrapped.text, sizeof(wrapped.text), format, args);
    va_end(args);
    add_behind(&wrapped, err->text);
    *err = wrapped;
}

const char *error_kind_name(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NONE:
        return "none";
    case ERROR_NOT_FOUND:
        return "not found";
    case ERROR_EXISTS:
        return "exists";
    case ERROR_INVALID:
        return "invalid";
    case ERROR_DENIED:
        return "denied";
    case ERROR_OVER_QUOTA:
        return "over quota";
    case ERROR_LIMIT:
        return "limit";
    case ERROR_TEMPORARY:
        return "temporary";
    case ERROR_NEWER:
        return "newer";
    case ERROR_INTERNAL:
        return "internal";
    }
    return "unknown";
}
