/* seqset.h - a sequence-set as the client wrote it (RFC 3501 section 9, "$": RFC 5182).
 *
 * What "*" and "$" stand for is known to the view only: see view_resolve(). Ranges stay in the
 * order given, since QRESYNC's seq-match-data matches two lists by position.
 */
#pragma once

#include "common/buf.h"
#include "common/mem.h"

#define SEQSET_STAR 0 /* in lo or hi; zero cannot be a number here */

struct seq_range {
    uint32_t lo, hi; /* lo <= hi, or hi is SEQSET_STAR; lo only if hi is too */
};

struct seqset {
    struct seq_range *ranges; /* in the arena */
    size_t count;
    bool saved; /* "$": the saved search result, and no ranges */
};

/* Takes a set off the front of *rest. PARSE_BAD: it is none. */
enum parse seqset_parse(struct arena *arena, struct slice *rest, struct seqset *set_out);
void seqset_print(const struct seqset *set, struct buf *out);
bool seqset_has_star(const struct seqset *set);
