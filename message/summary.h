/* summary.h - what IMAP shows of a message, computed once when it is stored.
 *
 * One pass over the message gives the text of ENVELOPE, BODY and BODYSTRUCTURE exactly as they go
 * over the wire (RFC 3501 section 7.4.2; strings quoted, or as literals where they must be), so
 * that FETCH copies bytes, and the keys by which it is sorted. Raise SUMMARY_VERSION when something
 * of it changes: the store then rebuilds.
 *
 * Pure: the message must have CRLF line ends for the line counts to be IMAP's.
 */
#pragma once

#include "common/buf.h"

#define SUMMARY_VERSION 3

struct summary {
    struct buf envelope;       /* "(...)": date subject from sender reply-to to cc bcc ... */
    struct buf body_structure; /* "(...)": with extension data */
    struct buf body;           /* "(...)": without */
    struct buf sort_keys;      /* sort_key.h */
    struct buf preview;        /* RFC 8970: the beginning of the text, UTF-8 */
    int64_t sent_ms;           /* the Date field, 0 if there is none */
    size_t header_len;         /* with the empty line */
};

void summary_make(struct slice message, struct summary *summary_out);
void summary_free(struct summary *summary);
