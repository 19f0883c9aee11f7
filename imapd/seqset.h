/* seqset.h - a sequence-set as the client wrote it (RFC 3501 section 9, "$": RFC 5182).
 *
 * What "*" and "$" stand for is known to the view only: see view_resolve(). Ranges are sorted by
 * their lower end, "*" first: a set of UIDs is built of them in time that does not depend on the
 * order a client thinks up. The two lists of QRESYNC's seq-match-data ascend anyway (RFC 7162
 * section 3.2.5.2), so the n-th of one still belongs to the n-th of the other.
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
