/* resync.h - QRESYNC: what changed since the client was here last (RFC 7162 section 3.2.5). */
#pragma once

#include "imapd/client.h"
#include "imapd/seqset.h"

struct args;

struct resync_args {
    uint32_t uidvalidity;
    uint64_t modseq;
    bool has_known; /* restricts what is told to these UIDs */
    struct seqset known;
    struct seqset match_seqs, match_uids; /* pairs the client is sure of; may be empty */
};

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" seqs SP uids ")"] ")" */
bool resync_take(struct args *args, struct resync_args *resync_out);

/* Tells VANISHED (EARLIER) and FETCH for the mailbox just selected, then calls `finish`, which ends
 * the command. Goes on by client->resume when there is much. */
enum next resync(struct call *call, const struct resync_args *args,
                 enum next (*finish)(struct call *call));
