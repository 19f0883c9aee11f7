/* password.h - asking the operator for a new password. */
#pragma once

#include "admin/tool.h"

/* From the terminal, twice and without echo; or, with `from_stdin`, one line of standard input.
 * Wipe it with mem_wipe(). */
bool password_ask(struct tool *tool, bool from_stdin, struct buf *password_out) MUST_CHECK;
