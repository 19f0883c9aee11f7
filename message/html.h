/* html.h - the text of an HTML part, for searching it and for showing its beginning.
 *
 * What a reader would see, in the order of the source, each run of blanks and line ends being one
 * space: tags, comments, declarations, and the content of script and style are left out. A tag that
 * only changes how letters look (<b>, <a>, <span> ...) leaves nothing behind, so that a word stays
 * a word; every other one (<p>, <br>, <td> ...) is a blank. Characters by number or by a name of
 * HTML 4 ("&eacute;", with its ";") are decoded; attributes are not text, nor is what a browser
 * would hide by style.
 *
 * Broken input gives some text: "<" before what begins no tag is a "<"; what is not closed goes on
 * to the end. A quote in a tag counts only behind "=", and only if it is closed.
 *
 * Pure; time linear in the input; the output is no longer than it. UTF-8 in and out.
 */
#pragma once

#include "common/buf.h"

/* Appended. */
void html_to_text(struct slice html, struct buf *out);
