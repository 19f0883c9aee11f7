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

bool error_set(struct error *err, enum error_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_errno(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3); /* from errno */
bool error_wrap(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3); /* "context: text" */
const char *error_kind_name(enum error_kind kind);
