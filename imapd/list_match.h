/* list_match.h - the patterns of LIST: "*" is anything, "%" anything within one level (RFC 3501
 * section 6.3.8). Pure. */
#pragma once

#include "common/slice.h"

/* `name` is a full name with "/" between levels; INBOX as first level matches in any case. */
bool list_match(struct slice pattern, struct slice name);

/* May the pattern match names that begin with `prefix`? False is sure. */
bool list_match_below(struct slice pattern, struct slice prefix);
