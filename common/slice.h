/* slice.h - a view of bytes that somebody else owns.
 *
 * A slice is valid as long as the bytes it was taken from; it may hold NUL and needs none at its
 * end. An empty slice may have a NULL pointer. Case is folded for ASCII letters only.
 */
#pragma once

#include "common/base.h"

#include <string.h>

struct arena;

struct slice {
    const char *data;
    size_t len;
};

#define SLICE(literal)   ((struct slice){ (literal), sizeof(literal) - 1 })
#define SLICE_FMT        "%.*s"
#define SLICE_ARG(slice) (int)(slice).len, (slice).data

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, text != NULL ? strlen(text) : 0 };
}

static inline struct slice slice_make(const void *data, size_t len)
{
    return (struct slice){ data, len };
}

bool slice_equal(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *word);        /* ASCII case does not matter */
bool slice_equal_case(struct slice a, struct slice b);  /* ASCII case does not matter */
bool slice_starts(struct slice a, const char *prefix);  /* ASCII case does not matter */
int slice_compare(struct slice a, struct slice b);      /* by bytes, like memcmp */
int slice_compare_case(struct slice a, struct slice b); /* 0 where slice_equal_case(): some order */

/* How many bytes at its start are ASCII. */
size_t slice_ascii_length(struct slice a);
bool slice_is_ascii(struct slice a);

/* Both clamp: past the end there is nothing. */
struct slice slice_from(struct slice a, size_t offset);
struct slice slice_part(struct slice a, size_t offset, size_t len);

/* Position of the first `byte` (or needle), or -1. */
ptrdiff_t slice_find(struct slice a, char byte);
ptrdiff_t slice_find_last(struct slice a, char byte);
ptrdiff_t slice_search(struct slice a, struct slice needle);

struct slice slice_trim(struct slice a); /* without SP, TAB, CR, LF at both ends */

/* Takes everything up to `separator` off the front; the separator is dropped. Without one, takes
 * all. False when *rest was empty already. */
bool slice_split(struct slice *rest, char separator, struct slice *part_out);

/* Unsigned decimal, whole slice, no sign, no blanks; false when it is no number or over `max`. */
bool slice_number(struct slice a, uint64_t max, uint64_t *number_out) MUST_CHECK;

/* Copies, with a NUL behind that is not counted. */
struct slice slice_copy(struct arena *arena, struct slice a);
char *slice_text(struct arena *arena, struct slice a); /* the same as a C string */
char *slice_strdup(struct slice a);                    /* free with free() */
