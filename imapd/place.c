/* place.c - see place.h. */
#include "imapd/place.h"

bool place_find(struct call *call, struct slice name, unsigned needs, struct place *place_out,
                struct error *err)
{
    *place_out = (struct place){ .account = client_of(call)->account, .rights = RIGHTS_ALL };
    return mailbox_by_name(place_out->account, &call->arena, name, &place_out->info, err);
}
