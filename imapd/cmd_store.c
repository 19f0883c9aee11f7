/* cmd_store.c - STORE and UID STORE (RFC 3501 section 6.4.6), conditional by RFC 7162
 * section 3.1.3.
 *
 * One call of the store changes the whole set; then the view is told, so that the news at the end
 * of the command do not repeat what the client heard here.
 */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/limit.h"
#include "imapd/place.h"
#include "imapd/reply.h"

#include <stdlib.h>

struct store_args {
    struct seqset set;
    struct flag_change change;
    struct flag_list flags;
    bool silent;
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

enum next imap_store(struct call *call, struct args *args)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(flags_result_free) struct flags_result result = { 0 };
    struct client *client = client_of(call);
    struct store_args store = { 0 };
    struct error err;

    if (!take_args(args, &store))
        return reply_syntax(call, args);
    if (client->view.read_only)
        return reply_no(call, "READ-ONLY", "The mailbox is open for reading only");
    if (!check_rights(client, &store))
        return reply_no(call, "NOPERM", "The ACL does not allow to change these flags");
    if (!view_resolve(&client->view, &store.set, client->uid, &uids))
        return reply_bad(call, "There is no message with such a number");
    if (store.change.guarded)
        condstore_enable(call);
    limit_messages(client, &uids);
    if (!keywords_bits(&client->keywords, client->selected, &store.flags, &store.change.flags,
                       &err) ||
        !mailbox_store_flags(client->selected, client->view.mailbox, &uids, &store.change, &result,
                             &err) ||
        !keywords_learn(&client->keywords, client->selected, store.change.flags, &err))
        return reply_error(call, &err);
    tell_result(call, &result, &store);
    if (result.refused.count > 0)
        return reply_modified(call, &result.refused);
    return reply_ok(call, "STORE completed");
}
