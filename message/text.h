/* text.h - the text of a message, for searching it (RFC 3501 section 6.4.4, BODY and TEXT).
 *
 * What is searched, by the linear scan and by the index alike:
 *
 *     header    each field as "Name: value" CRLF, unfolded, encoded words decoded
 *     body      part by part, depth first, for each part one text of, in this order:
 *               - the header of a message inside (not the message's own), like the header above
 *               - its names as an attachment: "filename" of Content-Disposition, "name" of
 *                 Content-Type (RFC 2231 and encoded words decoded), each with CRLF behind it
 *               - its content, if it is text/anything, or message/anything that is not gone into:
 *                 transfer encoding and charset decoded; HTML as html.h makes it text
 *
 * TEXT looks at both, BODY at the latter. A needle is looked for in each of these texts on its own.
 * Multipart's preambles and epilogues, other fields of parts, and binary content are not searched.
 * Searching ignores case as i;unicode-casemap does (RFC 5051): both sides are folded, then compared
 * byte by byte.
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

/* The next text of the body that is not empty, replacing what *text_out holds. False after the
 * last. */
bool text_walk_next(struct text_walk *walk, struct buf *text_out);

/* The fields of a header as "Name: value" lines, unfolded and decoded; appended. */
void text_of_header(struct slice header, struct buf *out);

/* Folds UTF-8 for comparing; bytes that are none pass through. Appended. */
void text_fold(struct slice text, struct buf *out);

/* Does the text have the needle, which text_fold() has made? Everything has an empty one. */
bool text_contains(struct slice text, struct slice folded_needle);
