/* changes.h - what a milter changes in a message's header.
 *
 * Fields are counted as the milter saw them: without the trace lines that we put on top. A change
 * that would break the header (a name that cannot be one) is left out; lines in a value are folded.
 *
 * Pure.
 */
#pragma once

#include "smtpd/milter/milter.h"

/* Adds the header, changed, with the empty line that ends it, to `out`. Without a body behind it
 * there may be none. */
void changes_apply(const struct milter_task *task, struct slice header, bool has_body,
                   struct buf *out);

/* Whether there are changes to the header at all. */
bool changes_header(const struct milter_task *task);
