/* pack.h - gzip files, and what is inside a gzip or zip file that came by mail.
 *
 * Bounded: a small file that unpacks to a huge one is given up. Nothing touches the disk.
 * Threads: any.
 */
#pragma once

#include "common/buf.h"
#include "common/error.h"

/* Appends the content of a gzip file, of the first file in a zip archive, or, when it is neither,
 * the bytes themselves. Errors: ERROR_INVALID for damage, ERROR_LIMIT for more than `max` bytes. */
bool unpack(struct slice packed, size_t max, struct buf *out, struct error *err) MUST_CHECK;

/* Appends a gzip file of the bytes. */
bool pack_gzip(struct slice bytes, struct buf *out, struct error *err) MUST_CHECK;
