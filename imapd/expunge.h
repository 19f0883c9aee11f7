/* expunge.h - what EXPUNGE and MOVE have in common: messages that the client's own command took
 * away, and the end of such a command. */
#pragma once

#include "imapd/client.h"

/* Takes messages out of the view and tells the client; those that others expunged go along. */
void expunge_tell(struct call *call, const struct uidset *removed);

/* Ends the command. `modseq`: of the mailbox, after it; 0: it took nothing away (RFC 7162 section
 * 3.2.7). */
enum next expunge_reply_ok(struct call *call, uint64_t modseq, const char *text);
