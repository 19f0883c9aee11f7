/* milter_play.h - plays a milter for tests, from a script of its answers:
 *
 *     "O0 c c hX-Spam|no| c"     words are packets: the command, then its data
 *     "O180"                     OPTNEG: version 6, all actions, these options in hex
 *     "i1,X-A|b|", "m2,X-A||"    an index comes first
 *
 * In data "|" stands for NUL and "_" for a blank.
 */
#pragma once

#include "smtpd/milter/milter.h"

void milter_play_script(const char *script, struct buf *out); /* as bytes on the wire */

/* Runs the protocol with these bytes as the milter's, `step` at a time; then the milter hangs up.
 * What it was told is added to `heard`, which may be NULL. */
void milter_play(const struct protocol *protocol, void *context, struct slice bytes, size_t step,
                 struct buf *heard);

/* What was said, as words: "O D C D H ...". */
void milter_play_commands(struct slice heard, struct buf *out);
