/* text.h - the text of a message, for searching it (RFC 3501 section 6.4.4, BODY and TEXT).
 *
 * Text parts come one by one, decoded to UTF-8; HTML as it is. Searching ignores case as
 * i;unicode-casemap does (RFC 5051): both sides are folded, then compared byte by byte.
 *
 * Pure. Bounded: of each part at most TEXT_PART_MAX bytes are read.
 */
#pragma once

#include "common/buf.h"
#include "message/mime.h"

#define TEXT_PART_MAX (16u << 20)

struct text_walk {
    struct slice message;
    const struct mime_part *root, *next;
};

/* Starts at a tree of mime_parse() for the same message. */
void text_walk_start(struct text_walk *walk, struct slice message, const struct mime_part *root);

/* The next text in the order of the message, replacing what *text_out holds: text parts, and the
 * headers of messages inside (not the message's own). False after the last. */
bool text_walk_next(struct text_walk *walk, struct buf *text_out);

/* The fields of a header as "Name: value" lines, unfolded and decoded; appended. */
void text_of_header(struct slice header, struct buf *out);

/* Folds UTF-8 for comparing; bytes that are none pass through. Appended. */
void text_fold(struct slice text, struct buf *out);

/* Does the text have the needle, which text_fold() has made? Everything has an empty one. */
bool text_contains(struct slice text, struct slice folded_needle);
