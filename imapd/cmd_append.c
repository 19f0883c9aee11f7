/* cmd_append.c - APPEND (RFC 3501 section 6.3.11), UTF8 data of RFC 6855 section 4, APPENDUID of
 * RFC 4315, APPENDLIMIT of RFC 7889.
 *
 * The message is not held in memory: it streams into a body while it comes. So the arguments before
 * it are looked at twice: by plan(), before the client is told to go on, so that a message that
 * cannot be taken is refused before it is sent; and when the command is complete.
 *
 * Lifetime: client->append is there from plan() until the command has run or was dropped.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/place.h"
#include "imapd/reply.h"

#include <stdlib.h>

struct append_work {
    struct body *body;
    bool has_nul; /* RFC 3501 section 9: CHAR8 has none */
    bool failed;
    struct error error; /* the first, when failed */
};

/* append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP [UTF8 SP "("] literal */
struct append_args {
    struct slice mailbox;
    struct flag_list flags;
    int64_t received_ms;
    bool utf8;
};

static void free_work(struct client *client)
{
    if (client->append == NULL)
        return;
    body_free(&client->append->body);
    free(client->append);
    client->append = NULL;
}

/* Takes everything up to where the literal starts. */
static bool take_head(struct args *args, struct append_args *append)
{
    if (!args_space(args) || !args_mailbox(args, &append->mailbox) || !args_space(args))
        return false;
    if (args_peek(args) == '(' && (!args_flag_list(args, &append->flags) || !args_space(args)))
        return false;
    if (args_peek(args) == '"' &&
        (!args_date_time(args, &append->received_ms) || !args_space(args)))
        return false;
    append->utf8 = args_try_word(args, "UTF8");
    if (append->utf8 && (!args_space(args) || !args_open(args)))
        return false;
    return !append->flags.recent || args_fail(args, "\\Recent cannot be stored");
}

/* Is it the name of the mailbox that comes as a literal? Then nothing but SP stands before it. */
static bool is_mailbox_literal(const struct args *args)
{
    return args->rest.len == 1 && args->rest.data[0] == ' ';
}

static bool find_target(struct call *call, struct slice name, struct place *target,
                        struct error *err)
{
    if (place_find(call, name, RIGHT_INSERT, target, err))
        return true;
    if (err->kind == ERROR_NOT_FOUND)
        reply_no(call, "TRYCREATE", "There is no such mailbox");
    else
        reply_error(call, err);
    return false;
}

/* Refuses what is too big for the settings or the quota. */
static bool has_room(struct call *call, const struct place *target, uint64_t size)
{
    const struct client *client = client_of(call);
    struct quota quota;
    struct error err;

    if (size > client->imap->settings->literal) {
        reply_no(call, "TOOBIG", "The message is too big");
        return false;
    }
    if (!account_quota(target->account, &quota, &err)) {
        reply_error(call, &err);
        return false;
    }
    if ((quota.bytes_max > 0 && quota.bytes + size > quota.bytes_max) ||
        (quota.messages_max > 0 && quota.messages >= quota.messages_max)) {
        reply_no(call, "OVERQUOTA", "The account has no room for it");
        return false;
    }
    return true;
}

static enum literal_plan plan(struct call *call, struct args *args, const struct literal *literal)
{
    struct client *client = client_of(call);
    struct append_args append = { 0 };
    struct place target;
    struct error err;

    if (is_mailbox_literal(args))
        return LITERAL_COLLECT;
    if (!take_head(args, &append) || !args_end(args)) {
        reply_syntax(call, args);
        return LITERAL_REFUSE;
    }
    if (literal->size == 0) {
        reply_no(call, NULL, "An empty message cannot be stored");
        return LITERAL_REFUSE;
    }
    if (!find_target(call, append.mailbox, &target, &err) ||
        !has_room(call, &target, literal->size))
        return LITERAL_REFUSE;
    client->append = NEW(struct append_work);
    client->append->body = body_new(client->imap->store);
    return LITERAL_STREAM;
}

static void add(struct call *call, struct slice bytes)
{
    struct append_work *work = client_of(call)->append;

    work->has_nul = work->has_nul || memchr(bytes.data, '\0', bytes.len) != NULL;
    if (!work->failed && !work->has_nul)
        work->failed = !body_add(work->body, bytes, &work->error);
}

static void drop(struct call *call)
{
    free_work(client_of(call));
}

const struct literal_sink imap_append_sink = { .plan = plan, .add = add, .drop = drop };

/* Stores the message that came. False after the reply. */
static bool store(struct call *call, const struct append_args *append, uint32_t *uidvalidity_out,
                  uint32_t *uid_out)
{
    struct client *client = client_of(call);
    struct append_work *work = client->append;
    struct append item = { .body = work->body, .received_ms = append->received_ms };
    struct place target;
    struct error err = work->error;

    if (work->has_nul) {
        reply_no(call, NULL, "A message cannot hold NUL");
        return false;
    }
    if (!find_target(call, append->mailbox, &target, &err))
        return false;
    if (work->failed || !body_finish(work->body, &err) ||
        !keywords_bits(&client->keywords, target.account, &append->flags, &item.flags, &err) ||
        !mailbox_append(target.account, target.info.id, &item, 1, false, uidvalidity_out, &err)) {
        reply_error(call, work->failed ? &work->error : &err);
        return false;
    }
    *uid_out = item.uid_out;
    return true;
}

enum next imap_append(struct call *call, struct args *args)
{
    struct client *client = client_of(call);
    struct append_args append = { 0 };
    struct literal literal;
    uint32_t uidvalidity, uid;
    bool stored;

    if (!take_head(args, &append) || !args_literal_head(args, &literal) ||
        (append.utf8 && !args_close(args)) || !args_end(args) || client->append == NULL) {
        free_work(client);
        return reply_syntax(call, args);
    }
    stored = store(call, &append, &uidvalidity, &uid);
    free_work(client);
    if (!stored)
        return NEXT_COMMAND;
    reply_begin_ok(call);
    buf_fmt(&call->out, "[APPENDUID %u %u] APPEND completed\r\n", uidvalidity, uid);
    return reply_end(call);
}
