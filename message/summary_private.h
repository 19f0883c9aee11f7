/* summary_private.h - what the writers of IMAP text share: envelope.c, structure.c, summary.c. */
#pragma once

#include "message/mime.h"
#include "message/summary.h"

/* nstring: NIL when there is nothing, quoted where that can be, else a literal. IMAP strings
 * cannot have NUL (RFC 3501 section 4.3): it is left out. */
void add_nstring(struct slice text, struct buf *out);
void add_string(struct slice text, struct buf *out); /* the same, "" when there is nothing */

/* The ENVELOPE of a header. *sent_ms_out is the Date, 0 if it has none that can be read. */
void envelope_write(struct arena *arena, struct slice header, struct buf *out,
                    int64_t *sent_ms_out);

/* BODYSTRUCTURE (extended) or BODY of a part and what is in it. */
void structure_write(struct arena *arena, struct slice message, const struct mime_part *part,
                     bool extended, struct buf *out);
