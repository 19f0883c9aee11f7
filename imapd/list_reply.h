/* list_reply.h - the LIST response for one mailbox by itself, outside of LIST: SELECT tells it with
 * IMAP4rev2 (RFC 9051 section 6.3.2), and whatever finds that a name is written otherwise than the
 * client did (section 6.3.9.7).
 */
#pragma once

#include "imapd/client.h"
#include "storage/account.h"

/* `oldname`: the client's way to write it, or what it was called before; told as OLDNAME if it is
 * another one. */
void list_reply_one(struct call *call, const struct mailbox_info *info, struct slice oldname);
/* It is \NonExistent. */
void list_reply_gone(struct call *call, struct slice name, struct slice oldname);
