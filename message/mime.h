/* mime.h - the tree of body parts (RFC 2045, 2046), with offsets into the message.
 *
 * Pure: one pass over the message, all results in the arena, offsets in bytes from the start of
 * the message. Bounded: at most MIME_DEPTH_MAX levels and MIME_PARTS_MAX parts; a multipart or
 * message deeper than that is one opaque application/octet-stream, and parts past the number are
 * left inside their parent without being listed. Broken input always gives some tree: a missing
 * close delimiter ends with its parent, a multipart without a boundary, or in which the boundary
 * never comes, is text/plain. A header ends at the latest at a delimiter.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

#define MIME_DEPTH_MAX 32
#define MIME_PARTS_MAX 1000

struct mime_param {
    struct slice name, value; /* value: decoded per RFC 2231 (UTF-8) or RFC 2047 if need be */
};

struct mime_part {
    struct slice type, subtype; /* as written, never empty: text/plain by default */
    struct mime_param *params;
    size_t n_params;
    struct slice id, description, encoding; /* unfolded; encoding "7BIT" by default */
    struct slice disposition;               /* type; empty when there is no Content-Disposition */
    struct mime_param *disposition_params;
    size_t n_disposition_params;
    struct slice md5, language, location; /* language: the unfolded field */

    size_t header_at, header_len; /* with the empty line; of the part, or of the message */
    size_t body_at, body_len;     /* without the line end that belongs to the boundary */
    uint64_t body_lines;          /* line ends in the body */

    bool is_multipart;          /* children are its parts */
    bool is_message;            /* message/rfc822 or message/global, not encoded: children[0] is
                                   the message inside, header_at being its own header */
    struct mime_part *children; /* first child */
    struct mime_part *next;     /* next sibling */
    struct mime_part *parent;
};

/* Never fails. The result is the message itself as a part. */
struct mime_part *mime_parse(struct arena *arena, struct slice message);

/* The part an IMAP section number names ("1.2", without words), RFC 3501 section 6.4.5; NULL if
 * there is none. An empty path is the message itself; part 1 of a message without multipart is its
 * body. */
const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t count);

/* Value of a parameter, or an empty slice. */
struct slice mime_param(const struct mime_part *part, const char *name);
