/* envelope_text.h - a stored ENVELOPE (summary.h) as a person reads it, for searching.
 *
 * Pure. It must be one that we wrote ourselves. Text is UTF-8, but for broken addresses; appended.
 */
#pragma once

#include "common/buf.h"

/* Where the lists of addresses are (RFC 3501 section 7.4.2). */
enum envelope_place {
    ENVELOPE_FROM = 2,
    ENVELOPE_SENDER,
    ENVELOPE_REPLY_TO,
    ENVELOPE_TO,
    ENVELOPE_CC,
    ENVELOPE_BCC,
};

void envelope_subject(struct slice envelope, struct buf *out); /* nothing for NIL */
void envelope_date(struct slice envelope, struct buf *out);    /* as it stands in the header */

/* Each as "name <mailbox@host>, ", a group's name as "<name@>, ", its end as "<@>, ". */
void envelope_addresses(struct slice envelope, enum envelope_place place, struct buf *out);
