/* share.h - which accounts share something with whom: what postane.db knows of the tables `acl`,
 * written by acl.c. Reading is in acl.h.
 *
 * Threads: as in account.h. The account needs a desk.
 */
#pragma once

#include "storage/account.h"

/* Before a right is given, under the account's lock. */
bool share_note(struct account *account, uint64_t who, struct error *err) MUST_CHECK;
/* After rights were taken: forgets the pair if no mailbox is shared any more. */
bool share_settle(struct account *account, uint64_t who, struct error *err) MUST_CHECK;
