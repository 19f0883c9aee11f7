/* list_reply.c - see list_reply.h. */
#include "imapd/list_reply.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"

void list_reply_one(struct call *call, const struct mailbox_info *info, struct slice oldname)
{
    const struct client *client = client_of(call);
    struct buf *out = &call->out;

    buf_add_text(out, "* LIST (");
    if (info->special_use != SPECIAL_NONE)
        buf_add_text(out, special_use_name(info->special_use));
    buf_add_text(out, ") \"/\" ");
    reply_mailbox(client, out, info->name);
    if (oldname.len > 0) {
        buf_add_text(out, " (\"OLDNAME\" (");
        reply_mailbox(client, out, oldname);
        buf_add_text(out, "))");
    }
    buf_add_text(out, "\r\n");
}
