/* limit.h - how many messages one command may work on (MESSAGELIMIT and SAVELIMIT, RFC 9738).
 *
 *     FETCH, SEARCH, STORE, MOVE, UID EXPUNGE    work on the newest, and their OK tells the lowest
 *                                                UID of these: OK [MESSAGELIMIT 1000 23221]
 *     COPY, APPEND, SORT, THREAD, ESEARCH,       are done as a whole or not at all:
 *     FETCH with PARTIAL                         NO [MESSAGELIMIT 1000]
 *     EXPUNGE, CLOSE, STATUS                     have no limit
 *
 * COPY and APPEND may have lower limits of their own, and SAVELIMIT tells the lowest of them: who
 * stays within it is never refused. All are at least 1000 (section 3).
 */
#pragma once

#include "imapd/client.h"
#include "imapd/search.h"

/* Of one command, whatever the settings say: each takes about 1 KB while the command comes in. */
#define APPEND_MESSAGES_MAX 10000

/* Cuts a set down to its newest messages if it names more than a command may work on, and keeps in
 * mind to tell it. Returns whether it did: then they are to be told from the highest UID to the
 * lowest (section 3.1). */
bool limit_messages(struct client *client, struct uidset *uids);
/* The same for UID EXPUNGE: only \Deleted messages count. */
bool limit_deleted(struct client *client, struct uidset *uids);
/* The same for SEARCH, whose program is bound: messages that are looked at count, not those that
 * match. Fills `among_out` (free it) if it returns true, and that is to be looked at. */
bool limit_search(struct client *client, const struct search_program *program,
                  struct uidset *among_out);

/* How many messages of a view the bound program has to look at. */
uint64_t limit_count(const struct search_program *program, const struct view *view);
uint64_t limit_max(const struct client *client); /* messages of one command */

/* Ends a command that would be over the limit as a whole: NO [MESSAGELIMIT n]. */
enum next limit_refuse(struct call *call, const char *text);
/* The same if it is a COPY of so much, or an APPEND of so many; else returns false. */
bool limit_refuses_copy(struct call *call, const struct uidset *uids);
bool limit_refuses_append(struct call *call, uint64_t messages);

/* The code of the command's OK, if there is something to tell, or "". */
void limit_print(const struct client *client, struct buf *code);
void limit_announce(const struct settings *settings, struct buf *out); /* " MESSAGELIMIT=n" */
