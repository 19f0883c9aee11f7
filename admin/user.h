/* user.h - giving up root: everything that touches the data directory does it as one user.
 *
 * A file that root made there would lock the daemons out of their own store. */
#pragma once

#include "common/error.h"

#include <sys/types.h>

/* False when user_become() would find no such user. */
bool user_exists(const char *name, struct error *err) MUST_CHECK;

/* Becomes the system user `name` for good, with its groups; does nothing when we are not root or
 * `name` is empty. Errors: ERROR_NOT_FOUND when there is no such user. */
bool user_become(const char *name, struct error *err) MUST_CHECK;

/* Gives `path` to the user; does nothing when we are not root or `name` is empty. */
bool user_own(const char *name, const char *path, struct error *err) MUST_CHECK;
