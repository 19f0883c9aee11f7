/* storable.h - a message that may hold NUL (RFC 3516 section 4.4), made one that may not.
 *
 * A mailbox is read with literals that have no NUL, so a part that holds one is encoded as base64,
 * and says so; that loses nothing. All else stays as it is, since signatures may be over it.
 *
 *     Content-Transfer-Encoding: binary        Content-Transfer-Encoding: base64
 *                                        -->
 *     \0\1\2                                   AAEC
 *
 * Pure.
 */
#pragma once

#include "common/error.h"
#include "common/slice.h"

/* Gives the new message to `add`, in pieces; stops when that fails. False with ERROR_INVALID when
 * there is a NUL where nothing can be done: in a header, between parts, in a part that is encoded
 * already, in lists of parts that are too long. */
bool message_make_storable(struct slice message,
                           bool (*add)(void *context, struct slice bytes, struct error *err),
                           void *context, struct error *err) MUST_CHECK;
