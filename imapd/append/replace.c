/* replace.c - REPLACE and UID REPLACE (RFC 8508): APPEND of one message and the end of another one,
 * in one transaction where both lie in one account.
 *
 * What goes is looked up before the literal is sent, and kept by its UID. The answer follows the
 * RFC's examples: APPENDUID in an untagged OK, EXISTS, EXPUNGE or VANISHED, the tagged OK.
 */
#include "imapd/append/append.h"
#include "imapd/reply.h"

static bool refuse(struct call *call, const char *code, const char *text)
{
    reply_no(call, code, text);
    return false;
}

bool append_find_replaced(struct call *call)
{
    struct client *client = client_of(call);
    struct appending *appending = client->append;
    size_t index = appending->number - 1;

    if (!appending->replace || appending->replaced_uid != 0)
        return true;
    if (client->view.read_only)
        return refuse(call, "READ-ONLY", "The mailbox is open for reading only");
    if (!rights_may_remove(client->rights))
        return refuse(call, "NOPERM", "The ACL does not allow to take messages away");
    if (client->uid && !view_find(&client->view, appending->number, &index))
        return refuse(call, NULL, "There is no such message");
    if (index >= client->view.count) {
        reply_bad(call, "There is no message with such a number");
        return false;
    }
    appending->replaced_uid = view_uid(&client->view, index);
    return true;
}

/* Both in one transaction, unless they are in two accounts: then the new one comes first. */
static bool replace(struct client *client, const struct place *target, struct append *item,
                    struct replaced *replaced, uint32_t *uidvalidity_out, struct error *err)
{
    AUTO(uidset_free) struct uidset which = { 0 };
    AUTO(uidset_free) struct uidset expunged = { 0 };

    if (target->account == client->selected)
        return mailbox_replace(target->account, target->info.id, item, replaced, uidvalidity_out,
                               err);
    uidset_add(&which, replaced->uid, replaced->uid);
    return mailbox_append(target->account, target->info.id, item, 1, false, uidvalidity_out, err) &&
           mailbox_expunge(client->selected, replaced->mailbox, &which, true, &expunged,
                           &replaced->modseq, err);
}

static enum next reply_replaced(struct call *call, uint64_t modseq)
{
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);
    struct error err;

    /* The new one first, as the RFC shows it; what is wrong here comes up again at the end.
     * VANISHED would have to be announced as delayed. */
    if (!client->qresync && !reply_sync(call, false, &err))
        log_failure(&call->log, &err);
    if (!client->condstore)
        return reply_ok(call, "REPLACE completed");
    buf_fmt(&code, "HIGHESTMODSEQ %llu", (unsigned long long)modseq);
    return reply_ok_code(call, buf_text(&code), "REPLACE completed");
}

static enum next store(struct call *call)
{
    struct client *client = client_of(call);
    const struct append_message *message = client->append->messages;
    struct replaced replaced = { .mailbox = client->view.mailbox,
                                 .uid = client->append->replaced_uid };
    struct append item = { .body = append_body(message), .received_ms = message->received_ms };
    struct place target;
    uint32_t uidvalidity;
    struct error err;

    if (!append_find_target(call, &target))
        return NEXT_COMMAND;
    if (!place_flags(&target, &message->flags, &item.flags, &err))
        return reply_error(call, &err);
    if (replace(client, &target, &item, &replaced, &uidvalidity, &err)) {
        if ((target.rights & RIGHT_READ) != 0) /* RFC 4315 section 3 */
            reply_untagged(call, "OK [APPENDUID %u %u] Replacement is stored", uidvalidity,
                           item.uid_out);
        return reply_replaced(call, replaced.modseq);
    }
    if (replaced.gone)
        return reply_no(call, "EXPUNGEISSUED", "The message is gone");
    return append_refuse(call, &err);
}

enum next imap_replace(struct call *call, struct args *args)
{
    return append_finish(call, args, store);
}
