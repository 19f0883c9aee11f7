/* message_id.h - msg-ids in Message-ID, References and In-Reply-To (RFC 5322 section 3.6.4).
 *
 * Pure.
 */
#pragma once

#include "common/buf.h"

/* Takes everything up to the end of the next valid msg-id off the front of an unfolded value and
 * puts the id into *id_out, replacing what was there: without "<>" and in one form, whatever way it
 * is quoted (RFC 5256 section 3, REFERENCES). False: there is none any more. */
bool message_id_next(struct slice *rest, struct buf *id_out);

/* A short name of an id in that form: 64 bits of its hash, never 0. */
uint64_t message_id_hash(struct slice id);
