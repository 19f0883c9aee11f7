/* preview.h - the beginning of a message's text, to be shown in a list (RFC 8970).
 *
 * Of the first text part that is no attachment and has something to show: at most
 * PREVIEW_CHARACTERS of it in UTF-8, blanks and line ends as single spaces, HTML as its text.
 * Nothing where there is no such part.
 *
 * Pure.
 */
#pragma once

#include "common/buf.h"
#include "message/mime.h"

#define PREVIEW_CHARACTERS 200

/* Appends it. `root`: the tree of mime_parse() for the message. */
void preview_write(struct slice message, const struct mime_part *root, struct buf *out);
