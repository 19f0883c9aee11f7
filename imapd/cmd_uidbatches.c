/* cmd_uidbatches.c - UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches): ranges of UIDs that divide
 * the mailbox into batches of so many messages, the newest first, so that a client can go through a
 * mailbox in bounded steps without sequence numbers.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/reply.h"

#define BATCH_MIN 500 /* smaller ones are TOOFEW */

struct batches {
    uint32_t size;
    uint32_t first, last; /* the newest batch is 1; without a range all of them */
};

/* uidbatches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number] */
static bool take_batches(struct args *args, struct batches *batches)
{
    *batches = (struct batches){ .first = 1, .last = UINT32_MAX };
    if (!args_space(args) || !args_nz_number(args, &batches->size))
        return false;
    if (args_at_end(args))
        return true;
    if (!args_space(args) || !args_nz_number(args, &batches->first))
        return false;
    if (!args_try_byte(args, ':'))
        return args_fail(args, "a range was expected, such as 1:10");
    if (!args_nz_number(args, &batches->last) || !args_end(args))
        return false;
    return batches->first <= batches->last || args_fail(args, "the range goes backwards");
}

/* "* UIDBATCHES (TAG "t") 25000:24001,24000:23000" */
static void tell_batches(struct call *call, const struct batches *batches)
{
    const struct view *view = &client_of(call)->view;
    uint64_t n_batches = ((uint64_t)view->count + batches->size - 1) / batches->size;
    struct buf *out = &call->out;
    char before = ' ';

    buf_add_text(out, "* UIDBATCHES (TAG ");
    reply_string(out, client_of(call)->tag);
    buf_add_byte(out, ')');
    for (uint64_t i = batches->first; i <= MIN(batches->last, n_batches); i++) {
        size_t end = view->count - (size_t)(i - 1) * batches->size;

        buf_fmt(out, "%c%u:%u", before, view_uid(view, end - 1),
                view_uid(view, end - MIN(end, batches->size)));
        before = ',';
    }
    buf_add_text(out, "\r\n");
}

enum next imap_uidbatches(struct call *call, struct args *args)
{
    struct batches batches;

    if (!take_batches(args, &batches))
        return reply_syntax(call, args);
    if (batches.size < BATCH_MIN)
        return reply_no(call, "TOOFEW", "A batch has 500 messages at least");
    tell_batches(call, &batches);
    return reply_ok(call, "UIDBATCHES completed");
}
