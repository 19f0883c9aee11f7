/* condstore.h - CONDSTORE becomes enabled by the first command that needs it (RFC 7162 3.1). */
#pragma once

#include "imapd/client.h"

/* From here on every FETCH tells MODSEQ; says the HIGHESTMODSEQ of the selected mailbox, once. */
void condstore_enable(struct call *call);

/* Sequence numbers of those UIDs that are in the view. */
void view_sequence(const struct view *view, const struct uidset *uids, struct uidset *seqs_out);
