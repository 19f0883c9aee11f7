/* mail_expunge.c - takes messages out of a mailbox.
 *
 * Only index rows go here, and tombstones come, so that other clients can be told which UIDs
 * vanished. The bytes stay until the collector takes them.
 */
#include "storage/sqlite/account_private.h"

bool mail_unref(struct account *account, const struct mail *mails, size_t count, struct error *err)
{
    int64_t now_ms = time_ms();

    for (size_t i = 0; i < count; i++)
        if (!sql_run(&account->db, SQL_MSG_UNREF, NULL, err, "iu", now_ms, mails[i].msg))
            return false;
    return true;
}

/* One tombstone and one delete for UIDs without a gap. */
static bool remove_run(struct account *account, uint64_t mailbox, uint64_t lo, uint64_t hi,
                       uint64_t modseq, struct error *err)
{
    return sql_run(&account->db, SQL_MESSAGE_DELETE, NULL, err, "uuu", mailbox, lo, hi) &&
           sql_run(&account->db, SQL_TOMBSTONE, NULL, err, "uuuui", mailbox, modseq, lo, hi,
                   time_ms());
}

bool mail_remove(struct account *account, uint64_t mailbox, const struct mail *mails, size_t count,
                 bool keep_refs, uint64_t modseq, struct mailbox_delta *delta, struct error *err)
{
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && mails[next].uid == mails[next - 1].uid + 1; next++)
            continue;
        if (!remove_run(account, mailbox, mails[first].uid, mails[next - 1].uid, modseq, err))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        mailbox_delta_mail(delta, mails[i].flags, mails[i].size, -1);
    return keep_refs || mail_unref(account, mails, count, err);
}

static bool expunge_slice(struct bulk *bulk, const struct mail_list *mails, uint64_t modseq,
                          bool *changed, struct error *err)
{
    struct uidset *expunged = bulk->context;
    struct mailbox_delta delta = { 0 };

    *changed = true;
    if (!mail_remove(bulk->account, bulk->mailbox, mails->items, mails->count, false, modseq,
                     &delta, err) ||
        !mailbox_apply(bulk->account, bulk->mailbox, &delta, err) ||
        !account_charge(bulk->account, delta.bytes, delta.total, true, err))
        return false;
    for (size_t i = 0; i < mails->count; i++)
        uidset_add(expunged, mails->items[i].uid, mails->items[i].uid);
    return true;
}

bool mailbox_expunge(struct account *account, uint64_t mailbox, const struct uidset *which,
                     bool whatever_flags, struct uidset *expunged_out, uint64_t *modseq_out,
                     struct error *err)
{
    struct bulk bulk = {
        .account = account,
        .mailbox = mailbox,
        .which = which,
        .only_deleted = !whatever_flags,
        .durable = true,
        .at_once = whatever_flags,
        .slice = expunge_slice,
        .context = expunged_out,
    };

    *expunged_out = (struct uidset){ 0 };
    bool ok = bulk_run(&bulk, err);
    *modseq_out = bulk.modseq_out;
    if (!ok)
        uidset_free(expunged_out);
    return ok;
}
