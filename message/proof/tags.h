/* tags.h - lists of "tag=value; tag=value" (RFC 6376 section 3.2), as DKIM, ARC and their keys have
 * them.
 *
 * Pure: slices point into the text. Strict, as section 6.1.1 asks: a tag given twice, an empty one
 * between semicolons or a name of other characters spoils the list.
 */
#pragma once

#include "common/buf.h"

#define TAGS_MAX      64 /* in one list; more spoil it */
#define TAG_LIST_SIZE (32u << 10)

struct tag {
    struct slice name;  /* case matters */
    struct slice value; /* without the blanks and line ends around it */
    struct slice whole; /* with them: all between "=" and ";" */
};

struct tag_list {
    struct tag tags[TAGS_MAX];
    size_t count;
};

bool tag_list_parse(struct slice text, struct tag_list *list_out) MUST_CHECK;

/* NULL: there is none of that name. */
const struct tag *tag_find(const struct tag_list *list, const char *name);

/* Takes the next item off a list with colons, without the blanks around it. */
bool tag_item(struct slice *rest, struct slice *item_out);

/* Whether such a list has a word; case matters. */
bool tag_has_item(struct slice value, const char *word);

/* Base64 with blanks and line ends anywhere in it. Appends; false: not base64. */
bool tag_base64(struct slice value, struct buf *out) MUST_CHECK;
