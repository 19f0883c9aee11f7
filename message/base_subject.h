/* base_subject.h - what is left of a subject when "Re:", "[list]" and the like are taken off, for
 * SORT and THREAD (RFC 5256 section 2.1).
 *
 * Pure.
 */
#pragma once

#include "common/buf.h"

#define BASE_SUBJECT_MAX 2000 /* bytes of a subject that are looked at */

/* Appends the base of a subject whose encoded words are decoded. True: something was taken off that
 * tells a reply or a forwarded message. */
bool base_subject(struct slice subject, struct buf *out);
