/* password.h - asking the operator for a new password. */
#pragma once

#include "admin/tool.h"

/* From the terminal, twice and without echo; or, with `from_stdin`, one line of standard input.
 * `password_out` should be a secret one. */
bool password_ask(struct tool *tool, bool from_stdin, struct buf *password_out) MUST_CHECK;
