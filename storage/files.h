/* files.h - directories of the store: made durable, removed as a tree.
 *
 * Threads: any.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

/* Makes one directory (mode 0700) and syncs its parent; fine if it is there already. */
bool dir_make(const char *path, struct error *err) MUST_CHECK;

/* Makes the names in it durable: after a rename, a link, a new file. */
bool dir_sync(const char *path, struct error *err) MUST_CHECK;

/* The same for the directory that holds `path`. */
bool dir_sync_parent(const char *path, struct error *err) MUST_CHECK;

/* Removes a file, or a directory with all that is in it; what is gone already is fine. Symbolic
 * links are removed, never followed. */
bool tree_remove(const char *path, struct error *err) MUST_CHECK;
