/* base.h - the handful of macros that every file may use.
 *
 *     AUTO(buf_free) struct buf line = { 0 };     freed when it goes out of scope
 *     *thing_out = TAKE(thing);                   ... unless handed over
 *
 * A function that frees takes a pointer to the variable, accepts NULL in it and clears it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define AUTO(free_function) __attribute__((cleanup(free_function)))

/* The value of a pointer variable, which becomes NULL: ownership moves to the reader. */
#define TAKE(variable)                                                                             \
    ({                                                                                             \
        __typeof__(variable) taken_ = (variable);                                                  \
        (variable) = NULL;                                                                         \
        taken_;                                                                                    \
    })

#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* What a pure parser says about the bytes it was given. */
enum parse {
    PARSE_OK,   /* understood; the cursor or out-parameter has moved on */
    PARSE_MORE, /* good so far, but it ends too early */
    PARSE_BAD,  /* can never become right by adding bytes */
};
