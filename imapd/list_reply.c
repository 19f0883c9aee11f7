/* list_reply.c - see list_reply.h. */
#include "imapd/list_reply.h"
#include "imapd/reply.h"
#include "imapd/special_use.h"

static void print(struct call *call, const char *attribute, struct slice name, struct slice oldname)
{
    const struct client *client = client_of(call);
    struct buf *out = &call->out;

    buf_add_text(out, "* LIST (");
    buf_add_text(out, attribute);
    buf_add_text(out, ") \"/\" ");
    reply_mailbox(client, out, name);
    if (!slice_equal(name, oldname)) {
        buf_add_text(out, " (\"OLDNAME\" (");
        reply_mailbox(client, out, oldname);
        buf_add_text(out, "))");
    }
    buf_add_text(out, "\r\n");
}

void list_reply_one(struct call *call, const struct mailbox_info *info, struct slice oldname)
{
    bool special = info->special_use != SPECIAL_NONE;

    print(call, special ? special_use_name(info->special_use) : "", info->name, oldname);
}

void list_reply_gone(struct call *call, struct slice name, struct slice oldname)
{
    print(call, "\\NonExistent", name, oldname);
}
