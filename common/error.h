/* error.h - an expected failure: what kind it is, and a text for the log.
 *
 * The kind decides what a client hears; the text is for the operator and grows on its way up:
 * "opening account 12: /var/.../mail.db: sqlite: disk I/O error". All functions return false, so
 * that failing is one statement: return error_set(err, ERROR_NOT_FOUND, "no such mailbox").
 *
 * Ownership: caller-owned, fixed size, no pointers; copy it across threads as you like.
 */
#pragma once

#include "common/base.h"

enum error_kind {
    ERROR_NONE,
    ERROR_NOT_FOUND,  /* the thing named does not exist */
    ERROR_EXISTS,     /* ... does exist already */
    ERROR_INVALID,    /* a name, number or text that can never be right */
    ERROR_DENIED,     /* not allowed for this user */
    ERROR_OVER_QUOTA, /* no room for this account; says nothing about the disk */
    ERROR_LIMIT,      /* a setting's limit is reached */
    ERROR_TEMPORARY,  /* busy, disk full, out of descriptors: the same call may work later */
    ERROR_NEWER,      /* data written by a newer version than this program */
    ERROR_INTERNAL,   /* the store is damaged, or we have a bug */
};

struct error {
    enum error_kind kind;
    char text[244];
};

void error_fill(struct error *err, enum error_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
void error_fill_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
void error_fill_context(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

static inline bool error_false(void)
{
    return false;
}

/* Macros, so that the compiler sees that they are false and what follows from it. error_errno()
 * takes the kind and text of errno; error_wrap() puts "context: " before what is there. */
#define error_set(err, kind, ...)                                                                  \
    ({                                                                                             \
        error_fill((err), (kind), __VA_ARGS__);                                                    \
        false;                                                                                     \
    })
#define error_errno(err, ...) /* from errno */                                                     \
    ({                                                                                             \
        error_fill_errno((err), __VA_ARGS__);                                                      \
        false;                                                                                     \
    })
#define error_wrap(err, ...) /* "context: text" */                                                 \
    ({                                                                                             \
        error_fill_context((err), __VA_ARGS__);                                                    \
        false;                                                                                     \
    })

const char *error_kind_name(enum error_kind kind);
