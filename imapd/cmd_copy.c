/* cmd_copy.c - COPY (RFC 3501 section 6.4.7), MOVE (RFC 6851) and EXPUNGE (RFC 3501 section 6.4.3),
 * by UID too, with the codes of UIDPLUS (RFC 4315) and HIGHESTMODSEQ of RFC 7162 section 3.2.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/limit.h"
#include "imapd/place.h"
#include "imapd/reply.h"

static void print_copyuid(const struct copy_result *result, struct buf *out)
{
    buf_fmt(out, "COPYUID %u ", result->uidvalidity);
    uidset_print(&result->from, out);
    buf_add_byte(out, ' ');
    uidset_print(&result->to, out);
}

/* Who may not look into the mailbox learns nothing of it (RFC 9051 section 11.4). */
static bool tells_uids(const struct place *target)
{
    return (target->rights & RIGHT_READ) != 0;
}

/* The arguments of COPY and MOVE, and what they name. False after the reply. */
static bool take_args(struct call *call, struct args *args, struct uidset *uids,
                      struct place *target_out)
{
    struct client *client = client_of(call);
    struct seqset set;
    struct slice name;
    struct error err;

    if (!args_space(args) || !args_seqset(args, &set) || !args_space(args) ||
        !args_mailbox(args, &name) || !args_end(args)) {
        reply_syntax(call, args);
        return false;
    }
    if (!view_resolve(&client->view, &set, client->uid, uids)) {
        reply_bad(call, "There is no message with such a number");
        return false;
    }
    if (!place_find(call, name, RIGHT_INSERT, target_out, &err)) {
        if (err.kind == ERROR_NOT_FOUND)
            reply_no(call, "TRYCREATE", "There is no such mailbox");
        else
            reply_error(call, &err);
        return false;
    }
    return true;
}

/* Nothing was copied. That is fine when the set names nothing, but a message that the client still
 * sees and that is gone was not copied for another reason. */
static enum next reply_nothing(struct call *call, const struct uidset *uids, const char *text)
{
    struct view_walk walk = { 0 };
    size_t index;

    if (view_next(&client_of(call)->view, uids, &walk, &index))
        return reply_no(call, "EXPUNGEISSUED", "These messages are gone");
    return reply_ok(call, text);
}

static bool copy(const struct client *client, const struct uidset *uids, const struct place *target,
                 bool move, struct copy_result *result, struct error *err)
{
    const struct copy_target to = { target->account, target->info.id,
                                    rights_flags(target->rights) };

    return mailbox_copy_to(client->selected, client->view.mailbox, uids, &to, move, result, err);
}

enum next imap_copy(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(copy_result_free) struct copy_result result = { 0 };
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);
    struct place target;
    struct error err;

    if (!take_args(call, args, &uids, &target))
        return NEXT_COMMAND;
    if (limit_refuses_copy(call, &uids))
        return NEXT_COMMAND;
    if (!copy(client, &uids, &target, false, &result, &err))
        return reply_error(call, &err);
    if (result.from.count == 0)
        return reply_nothing(call, &uids, "Nothing to copy");
    if (!tells_uids(&target))
        return reply_ok(call, "COPY completed");
    print_copyuid(&result, &code);
    return reply_ok_code(call, buf_text(&code), "COPY completed");
}

/* Tells the client what it removed itself, and ends the command. */
static enum next reply_removed(struct call *call, const struct uidset *removed, uint64_t modseq,
                               const char *text)
{
    AUTO(view_news_free) struct view_news news = { 0 };
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);

    view_remove(&client->view, removed, &news);
    reply_news(call, &news);
    if (removed->count == 0 || !client->condstore)
        return reply_ok(call, text);
    buf_fmt(&code, "HIGHESTMODSEQ %llu", (unsigned long long)modseq);
    return reply_ok_code(call, buf_text(&code), text);
}

/* The COPYUID of a MOVE comes untagged, before the EXPUNGEs (RFC 6851 section 4.3). */
enum next imap_move(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(copy_result_free) struct copy_result result = { 0 };
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);
    struct place target;
    struct error err;
    bool limited;

    if (!take_args(call, args, &uids, &target))
        return NEXT_COMMAND;
    if (client->view.read_only)
        return reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    if (!rights_may_remove(client->rights))
        return reply_no(call, "NOPERM", "The ACL does not allow to take messages away");
    limited = limit_messages(client, &uids);
    if (!copy(client, &uids, &target, true, &result, &err))
        return reply_error(call, &err);
    if (result.from.count == 0)
        return reply_nothing(call, &uids, "Nothing to move");
    if (tells_uids(&target)) {
        print_copyuid(&result, &code);
        reply_untagged(call, "OK [%s] %s", buf_text(&code),
                       limited ? "Some messages were not moved" : "Moved");
    }
    return reply_removed(call, &result.from, result.modseq, "MOVE completed");
}

enum next imap_expunge(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(uidset_free) struct uidset expunged = { 0 };
    struct client *client = client_of(call);
    struct seqset set = { 0 };
    uint64_t modseq;
    struct error err;

    if ((client->uid && (!args_space(args) || !args_seqset(args, &set))) || !args_end(args))
        return reply_syntax(call, args);
    if (client->view.read_only)
        return reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    if ((client->rights & RIGHT_EXPUNGE) == 0)
        return reply_no(call, "NOPERM", "The ACL does not allow to expunge messages");
    if (client->uid && !view_resolve(&client->view, &set, true, &uids))
        return reply_bad(call, "There is no such message");
    if (client->uid)
        limit_deleted(client, &uids);
    if (!mailbox_expunge(client->selected, client->view.mailbox, client->uid ? &uids : NULL, false,
                         &expunged, &modseq, &err))
        return reply_error(call, &err);
    return reply_removed(call, &expunged, modseq, "EXPUNGE completed");
}
