/* header.h - the fields of a message header (RFC 5322 section 2.2, 3.6; obsolete and broken too).
 *
 * Pure: slices point into the message given. Lines may end in CRLF, or in bare LF as found in mail
 * stores; a line that is no field (no colon, a blank before it) ends the header, unless it is a
 * continuation or an mbox "From " line on top, which is passed over.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

struct header_field {
    struct slice name;  /* "Subject" */
    struct slice value; /* behind the colon, still folded, without the last line end */
    struct slice raw;   /* the whole field, with all its line ends */
};

/* Takes the next field off the front of *rest; false at the end of the header, where *rest is then:
 * at the empty line, or at the line that is no field. */
bool header_next(struct slice *rest, struct header_field *field_out);

/* Length of the empty line at that end; 0 if there is none. */
size_t header_end_length(struct slice rest);

/* First field of that name. */
bool header_find(struct slice header, const char *name, struct header_field *field_out);

/* Length of the header with the empty line behind it; the whole message if there is no body. */
size_t header_length(struct slice message);

/* The same for programs that pass over lines which are no field: up to the first empty line,
 * wherever that is. */
size_t header_whole_length(struct slice message);

/* Unfolded: line ends removed, blanks at both ends trimmed (RFC 5322 section 2.2.3). */
struct slice header_unfold(struct arena *arena, struct slice value);
