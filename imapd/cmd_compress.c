/* cmd_compress.c - COMPRESS (RFC 4978): from its OK on both directions are DEFLATE. The session
 * does it (common/session.h, NEXT_COMPRESS); here it is negotiated, once. */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

/* compress = "COMPRESS" SP algorithm */
enum next imap_compress(struct call *call, struct args *args)
{
    enum next next;

    if (!args_space(args))
        return reply_syntax(call, args);
    if (!args_try_word(args, "DEFLATE"))
        return reply_bad(call, "DEFLATE is the one mechanism there is");
    if (!args_end(args))
        return reply_syntax(call, args);
    if (call->compressed)
        return reply_no(call, "COMPRESSIONACTIVE", "DEFLATE is active by COMPRESS");
    next = reply_ok(call, "DEFLATE active");
    return next == NEXT_COMMAND ? NEXT_COMPRESS : next;
}
