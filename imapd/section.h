/* section.h - section-spec and partial of FETCH, read and written (RFC 3501 section 6.4.5); what
 * they name is in message/section.h. Pure.
 */
#pragma once

#include "imapd/args.h"
#include "message/section.h"

/* Behind "[": takes the spec, "]" and "<from.length>". */
bool section_parse(struct args *args, struct section *section_out);

/* "BODY[1.HEADER.FIELDS (\"From\")]<5>", as the answer has it; `name` is "BODY". */
void section_print(const char *name, const struct section *section, struct buf *out);
