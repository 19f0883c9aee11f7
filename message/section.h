/* section.h - section-spec of RFC 3501 section 6.4.5: which bytes of a message BODY[...] names.
 *
 * Pure. The bytes of a section are a range of the message, but for HEADER.FIELDS, which picks
 * lines.
 */
#pragma once

#include "message/mime.h"

enum section_what {
    SECTION_ALL, /* no word: the part's body, or the whole message */
    SECTION_HEADER,
    SECTION_FIELDS,
    SECTION_FIELDS_NOT,
    SECTION_TEXT,
    SECTION_MIME,
};

#define SECTION_FIELDS_MAX 1000

struct section {
    uint32_t path[MIME_DEPTH_MAX];
    size_t depth;
    enum section_what what;
    struct slice *fields; /* in the arena */
    size_t n_fields;
    bool partial;
    uint64_t from, length; /* of the partial */
};

/* "1.2.HEADER.FIELDS", without the names that follow. Returns what was expected; NULL: it is right.
 */
const char *section_spec_parse(struct slice spec, struct section *section);
/* The word of `what`, "" for SECTION_ALL. */
const char *section_word(enum section_what what);

/* A whole spec, as in a URL: "1.HEADER.FIELDS (From \"To\")". */
bool section_text_parse(struct slice text, struct arena *arena, struct section *section_out);

/* HEADER.FIELDS or its opposite: the names of fields belong to it. */
bool section_picks(const struct section *section);
/* Does the header of the message suffice to answer it? */
bool section_is_header(const struct section *section);
bool section_is_whole(const struct section *section); /* BODY[]: the message as it is */

/* Where its bytes lie in the message. False: there is no such part. For HEADER.FIELDS: where the
 * header lies that section_pick() takes. */
bool section_find(const struct section *section, const struct mime_part *root, size_t *at_out,
                  size_t *len_out);

/* HEADER.FIELDS and .NOT: the chosen fields of a header, and the empty line. */
void section_pick(const struct section *section, struct slice header, struct buf *out);
