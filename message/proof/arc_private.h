/* arc_private.h - the chain as it stands in a header, for verifying it and for the next seal. */
#pragma once

#include "message/proof/arc.h"
#include "message/proof/dkim_private.h"

struct arc_set {
    bool has_results, has_message, has_seal;
    struct header_field results; /* ARC-Authentication-Results */
    struct slice payload;        /* of it, behind "i=N;" */
    struct signed_field message; /* ARC-Message-Signature; settled when it is wrong */
    struct signed_field seal;    /* ARC-Seal, the same */
};

struct arc_chain {
    struct arc_set sets[ARC_SETS_MAX]; /* instance 1 is at 0 */
    unsigned count;                    /* the highest instance of any field */
    const char *problem;               /* with its structure; NULL: there is none */
};

/* Collects the sets and checks the structure (RFC 8617 section 5.2 steps 1 to 3). */
void arc_collect(struct arena *arena, const struct field_index *index, int64_t now_s,
                 struct arc_chain *chain_out);

/* Whether the newest seal says cv=fail: then nobody adds another (section 5.1 step 2). */
bool arc_has_ended(const struct arc_chain *chain);

/* Adds what a seal covers of a set before its own ARC-Seal; the latter too with `whole`. */
void arc_canon_set(struct canon *canon, const struct arc_set *set, bool whole);
