/* cmd_store.c - STORE and UID STORE (RFC 3501 section 6.4.6), conditional by RFC 7162
 * section 3.1.3.
 *
 * A turn changes some thousand messages and tells the view, so that the news at the end of the
 * command do not repeat what the client heard here. Others see the changes of each turn at once: a
 * message is changed as a whole, a set of them need not be.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/limit.h"
#include "imapd/place.h"
#include "imapd/progress.h"
#include "imapd/reply.h"

#include <stdlib.h>

struct store_args {
    struct seqset set;
    struct flag_change change;
    struct flag_list flags;
    bool silent;
};

struct store_work {
    struct store_args args;
    struct uidset uids;    /* those to come */
    struct uidset refused; /* of those that are done */
    uint64_t done, goal;
};

/* "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")" */
static bool take_modifiers(struct args *args, struct flag_change *change)
{
    if (args_peek(args) != '(')
        return true;
    if (!args_open(args))
        return false;
    if (!args_try_word(args, "UNCHANGEDSINCE"))
        return args_fail(args, "expected: UNCHANGEDSINCE");
    change->guarded = true;
    return args_space(args) && args_number64(args, &change->unchanged_since) && args_close(args) &&
           args_space(args);
}

/* ["+" / "-"] "FLAGS" [".SILENT"] */
static bool take_item(struct args *args, struct store_args *store)
{
    store->change.op = args_try_byte(args, '+')   ? FLAGS_ADD
                       : args_try_byte(args, '-') ? FLAGS_REMOVE
                                                  : FLAGS_REPLACE;
    store->silent = args_try_word(args, "FLAGS.SILENT");
    if (!store->silent && !args_try_word(args, "FLAGS"))
        return args_fail(args, "expected: FLAGS or FLAGS.SILENT");
    return args_space(args) && args_store_flags(args, &store->flags);
}

static bool take_args(struct args *args, struct store_args *store)
{
    if (!args_space(args) || !args_seqset(args, &store->set) || !args_space(args) ||
        !take_modifiers(args, &store->change) || !take_item(args, store) || !args_end(args))
        return false;
    return !store->flags.recent || args_fail(args, "\\Recent cannot be stored");
}

/* .SILENT does not silence MODSEQ: the client must know it to sync later (RFC 7162 3.1.3). */
static void tell_modseq(struct call *call, size_t index)
{
    struct client *client = client_of(call);

    reply_fetch_begin(call, index);
    if (!client->uidonly)
        buf_fmt(&call->out, "UID %u ", view_uid(&client->view, index));
    buf_fmt(&call->out, "MODSEQ (%llu))\r\n",
            (unsigned long long)view_modseq(&client->view, index));
}

static uint64_t changed_flags(uint64_t flags, const struct flag_change *change)
{
    switch (change->op) {
    case FLAGS_REPLACE:
        return (flags & change->kept) | (change->flags & ~change->kept);
    case FLAGS_ADD:
        return flags | (change->flags & ~change->kept);
    case FLAGS_REMOVE:
        return flags & (~change->flags | change->kept);
    }
    abort();
}

/* What others did to a message is told with .SILENT too (RFC 3501 section 6.4.6). */
static void tell_result(struct call *call, const struct flags_result *result,
                        const struct store_args *store)
{
    struct client *client = client_of(call);

    for (size_t i = 0; i < result->count; i++) {
        bool backwards = client->limited_to > 0;
        const struct mail *mail = &result->mails[backwards ? result->count - 1 - i : i];
        size_t index;
        bool changed, as_expected;

        if (!view_find(&client->view, mail->uid, &index))
            continue; /* newer than the client's view: it hears of it with its EXISTS */
        changed = view_modseq(&client->view, index) != mail->modseq;
        as_expected =
            changed_flags(view_flags(&client->view, index), &store->change) == mail->flags;
        view_set(&client->view, index, mail->flags, mail->modseq);
        if (!store->silent || !as_expected)
            reply_fetch_flags(call, index);
        else if (client->condstore && (changed || store->change.guarded))
            tell_modseq(call, index);
    }
}

/* OK [MODIFIED 3,5]: those that were changed by others since. */
static enum next reply_modified(struct call *call, const struct uidset *refused)
{
    AUTO(uidset_free) struct uidset seqs = { 0 };
    AUTO(buf_free) struct buf code = { 0 };
    struct client *client = client_of(call);

    buf_add_text(&code, "MODIFIED ");
    if (!client->uid)
        view_sequence(&client->view, refused, &seqs);
    uidset_print(client->uid ? refused : &seqs, &code);
    return reply_ok_code(call, buf_text(&code), "Some messages were changed by others");
}

/* Section 4 of RFC 4314: refused only if none of the flags may be changed. A keyword is not even
 * made by who may not set it. */
static bool check_rights(const struct client *client, struct store_args *store)
{
    uint64_t mine = rights_flags(client->rights);
    bool named = store->flags.system != 0 || store->flags.n_keywords > 0;
    bool may = (store->flags.system & mine) != 0 ||
               (store->flags.n_keywords > 0 && (client->rights & RIGHT_WRITE) != 0);

    store->change.kept = ~mine;
    if ((client->rights & RIGHT_WRITE) == 0)
        store->flags.n_keywords = 0;
    if (store->change.op == FLAGS_REPLACE || !named)
        return mine != 0;
    return may;
}

static void abandon(struct call *call)
{
    struct store_work *work = client_of(call)->work;

    uidset_free(&work->uids);
    uidset_free(&work->refused);
}

static enum next finish(struct call *call, const struct error *err)
{
    struct store_work *work = client_of(call)->work;
    enum next next;

    if (err != NULL)
        next = reply_error(call, err);
    else if (work->refused.count > 0)
        next = reply_modified(call, &work->refused);
    else
        next = reply_ok(call, "STORE completed");
    uidset_free(&work->uids);
    uidset_free(&work->refused);
    return next;
}

static bool store_part(struct call *call, const struct uidset *part, struct error *err)
{
    AUTO(flags_result_free) struct flags_result result = { 0 };
    struct client *client = client_of(call);
    struct store_work *work = client->work;
    const struct flag_change *change = &work->args.change;

    if (!mailbox_store_flags(client->selected, client->view.mailbox, part, change, &result, err) ||
        !keywords_learn(&client->keywords, client->selected, change->flags, err))
        return false;
    tell_result(call, &result, &work->args);
    if (result.since == client->view.modseq)
        client->view.modseq = result.modseq; /* there is no other news up to here */
    uidset_add_all(&work->refused, &result.refused);
    work->done += result.count + uidset_size(&result.refused);
    return true;
}

/* What was cut down goes from the highest UID to the lowest (RFC 9738 section 3.1). */
static bool take_part(const struct client *client, struct uidset *uids, struct uidset *part_out)
{
    size_t max = client->imap->settings->change_slice;

    return client->limited_to > 0 ? view_take_last(&client->view, uids, max, part_out)
                                  : view_take(&client->view, uids, max, part_out);
}

static enum next go_on(struct call *call)
{
    AUTO(uidset_free) struct uidset part = { 0 };
    struct client *client = client_of(call);
    struct store_work *work = client->work;
    struct error err;

    if (!check_rights(client, &work->args)) { /* taken back since the last turn */
        (void)error_set(&err, ERROR_DENIED, "the ACL does not allow it any more");
        return finish(call, &err);
    }
    if (take_part(client, &work->uids, &part) && !store_part(call, &part, &err))
        return finish(call, &err);
    if (work->uids.count == 0)
        return finish(call, NULL);
    progress_set(client, work->done, work->goal);
    client->resume = go_on;
    return NEXT_AGAIN;
}

static enum next start(struct call *call, struct store_work *work)
{
    struct client *client = client_of(call);
    struct store_args *store = &work->args;
    struct error err;

    work->goal = view_count(&client->view, &work->uids);
    client->work = work;
    client->abandon = abandon;
    if (store->change.guarded)
        condstore_enable(call);
    if (!keywords_bits(&client->keywords, client->selected, &store->flags, &store->change.flags,
                       &err))
        return finish(call, &err);
    return go_on(call);
}

enum next imap_store(struct call *call, struct args *args)
{
    struct store_work *work = ARENA_NEW(&call->arena, struct store_work);
    struct client *client = client_of(call);

    if (!take_args(args, &work->args))
        return reply_syntax(call, args);
    if (client->view.read_only)
        return reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    if (!check_rights(client, &work->args))
        return reply_no(call, "NOPERM", "The ACL does not allow to change these flags");
    if (!view_resolve(&client->view, &work->args.set, client->uid, &work->uids))
        return reply_bad(call, "There is no message with such a number");
    limit_messages(client, &work->uids);
    return start(call, work);
}
