/* cmd_idle.c - IDLE (RFC 2177): the client waits for news of its mailbox. */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/metadata.h"
#include "imapd/notify/notify.h"
#include "imapd/reply.h"
#include "imapd/search_context.h"

#define DONE_MAX 64

static enum next wait_for_done(struct call *call)
{
    struct slice line;
    size_t len;
    bool done;

    switch (input_line(call, DONE_MAX, &line, &len)) {
    case PARSE_MORE:
        if (search_contexts_wait(client_of(call)))
            return NEXT_AGAIN;
        arena_free(&call->arena); /* it may wait for long, and nothing in it is needed any more */
        return NEXT_NOTICE;
    case PARSE_BAD:
        return reply_bye(call, NULL, "DONE was expected");
    case PARSE_OK:
        break;
    }
    done = slice_is(line, "DONE");
    buf_drop(&call->in, len);
    return done ? reply_ok(call, "IDLE completed") : reply_bad(call, "DONE was expected");
}

static enum next idle(struct call *call)
{
    struct client *client = client_of(call);
    struct error err;

    if (call->why == WHY_INPUT)
        return wait_for_done(call);
    if (!metadata_news(call, &err))
        log_failure(&call->log, &err);
    notify_hear_others(call);
    if (client->state != CLIENT_SELECTED || reply_sync(call, true, &err))
        return notify_tell_pending(call, wait_for_done);
    if (err.kind == ERROR_NOT_FOUND)
        return reply_bye(call, "NONEXISTENT", "Selected mailbox was deleted");
    log_failure(&call->log, &err);
    return wait_for_done(call);
}

enum next imap_idle(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct error err;

    if (!args_end(args))
        return reply_syntax(call, args);
    reply_continue(call, "Idling");
    client->resume = idle;
    if (client->state == CLIENT_SELECTED && !reply_sync(call, true, &err))
        return reply_error(call, &err);
    return notify_tell_pending(call, wait_for_done);
}
