/* condstore.c - see condstore.h. */
#include "imapd/condstore.h"

#include "imapd/reply.h"

void condstore_enable(struct call *call)
{
    struct client *client = client_of(call);

    if (client->condstore)
        return;
    client->condstore = true;
    if (client->state != CLIENT_SELECTED)
        return;
    client->view.tells_modseq = true;
    reply_untagged(call, "OK [HIGHESTMODSEQ %llu] Highest",
                   (unsigned long long)client->view.modseq);
}

void view_sequence(const struct view *view, const struct uidset *uids, struct uidset *seqs_out)
{
    struct view_walk walk = { 0 };
    size_t index;

    while (view_next(view, uids, &walk, &index))
        uidset_add(seqs_out, (uint32_t)index + 1, (uint32_t)index + 1);
}
