/* place.h - where a mailbox name leads: whose account, which mailbox, what this user may do there.
 *
 * Every command that takes the name of a mailbox that must exist asks here, and uses the account
 * that it is told; every command on the selected mailbox uses client->selected.
 */
#pragma once

#include "imapd/client.h"
#include "storage/acl.h"

struct place {
    struct account *account; /* lent for this run, as client->account is */
    struct mailbox_info info;
    unsigned rights; /* enum acl_right bits */
};

/* `needs`: rights of which all must be there.
 * Errors: ERROR_NOT_FOUND, also for who may not even know of it; ERROR_DENIED. */
bool place_find(struct call *call, struct slice name, unsigned needs, struct place *place_out,
                struct error *err) MUST_CHECK;
