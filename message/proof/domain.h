/* domain.h - the one form in which domains of a message are compared and asked for.
 *
 * Pure. Results live in the arena.
 */
#pragma once

#include "common/mem.h"
#include "common/slice.h"

/* A-labels (RFC 5890) in lower case, without a last dot; empty: not the name of a host. */
struct slice domain_to_ascii(struct arena *arena, struct slice domain);

/* Lower case, without a last dot, whatever it is; with a NUL behind. */
struct slice domain_to_lower(struct arena *arena, struct slice domain);
