/* cmd_unauthenticate.c - UNAUTHENTICATE (RFC 8437): the connection becomes what it was before
 * login, but for TLS. Compression ends too, in both directions (section 4.1). */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

enum next imap_unauthenticate(struct call *call, struct args *args)
{
    enum next next;

    if (!args_end(args))
        return reply_syntax(call, args);
    log_info(&call->log, "unauthenticated", F_NUM("account", (int64_t)client_of(call)->account_id));
    next = reply_ok(call, "Who are you now?");
    client_forget_user(call);
    return next == NEXT_COMMAND && call->compressed ? NEXT_UNCOMPRESS : next;
}
