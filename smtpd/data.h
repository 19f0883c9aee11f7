/* data.h - the bytes after DATA or BDAT: dots removed, line ends checked, end of data found.
 *
 * Pure and incremental; gives out pieces of the input, so nothing is copied. Only CRLF ends a
 * line, and only CRLF "." CRLF ends the data (RFC 5321 sections 2.3.8, 4.1.1.4): whatever else a
 * lenient neighbour may take for it is data, which defeats SMTP smuggling. A bare CR or LF is
 * either noted, for the caller to refuse the message, or made a CRLF; a dot behind it stays data.
 *
 *     LINE_START --"."--> DOT --CR--> DOT_CR --LF--> end
 *       ^   |              |            |
 *       |   v              v            v
 *       '- LINE <-------- (any)       CR --LF--> LINE_START
 */
#pragma once

#include "common/slice.h"

enum data_event {
    DATA_MORE,  /* the input is used up */
    DATA_BYTES, /* some bytes of the message; call again */
    DATA_END,   /* the end of data was taken off the input */
};

enum data_state { DATA_LINE_START, DATA_LINE, DATA_CR, DATA_DOT, DATA_DOT_CR };

struct data {
    enum data_state state;
    bool no_dots;      /* BDAT: a dot is a dot, and there is no end */
    bool fix_newlines; /* make bare CR and LF a CRLF */
    bool bare_newline; /* there was one (and it was not fixed) */
};

/* Takes bytes off the front of *in. bytes_out points into it, or at a constant. */
enum data_event data_next(struct data *data, struct slice *in, struct slice *bytes_out);

/* For BDAT: what is still held back when the last chunk is over. */
struct slice data_finish(struct data *data);
