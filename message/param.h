/* param.h - structured MIME field values: a token or two, then parameters (RFC 2045 section 5.1).
 *
 * Pure, lenient: comments are skipped, unquoted values may hold blanks and what else a token must
 * not, a quoted string may miss its end. At most PARAMS_MAX parameters; the rest is dropped.
 */
#pragma once

#include "message/mime.h"

#define PARAMS_MAX 64

/* Takes a token off the front of an unfolded value, with the blanks and comments around it; empty
 * if there is none. */
struct slice param_token(struct slice *rest);

/* Takes one byte off the front, if that is what is there. */
bool param_byte(struct slice *rest, char byte);

/* Reads *(";" name "=" value). Continued and extended parameters (RFC 2231) are put together under
 * their plain name and become UTF-8, and so do encoded words in values (not allowed, but common).
 */
void params_parse(struct arena *arena, struct slice rest, struct mime_param **params_out,
                  size_t *count_out);
