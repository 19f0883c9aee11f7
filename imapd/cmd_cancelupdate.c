/* cmd_cancelupdate.c - CANCELUPDATE (RFC 5267 section 4.3.5): some searches are not kept up to date
 * any more. */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"
#include "imapd/search_context.h"

/* "CANCELUPDATE" 1*(SP quoted): all of the tags, or none. */
enum next imap_cancelupdate(struct call *call, struct args *args)
{
    struct slice tags[SEARCH_CONTEXTS_MAX];
    size_t count = 0;

    do {
        if (count == COUNT_OF(tags) || !args_space(args) || !args_string(args, &tags[count++]))
            return reply_syntax(call, args);
    } while (!args_at_end(args));
    for (size_t i = 0; i < count; i++)
        if (!search_context_is(client_of(call), tags[i]))
            return reply_bad(call, "No search with this tag is kept up to date");
    for (size_t i = 0; i < count; i++)
        search_context_cancel(client_of(call), tags[i]);
    return reply_ok(call, "No further updates");
}
