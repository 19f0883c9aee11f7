/* mail_copy.c - COPY and MOVE within an account; between two: mail_import.c.
 *
 * All in one transaction: a COPY that fails must leave the target as it was (RFC 3501 section
 * 6.4.7). Within it, rows are read and written a slice at a time. Copies share the msg; a move
 * keeps its references, and only rows change place. A COPY of many messages is several of these
 * (copying.c).
 */
#include "storage/sqlite/seen_private.h"

struct transfer {
    struct account *account;
    uint64_t mailbox, target;
    uint64_t flags;  /* those that are kept */
    uint64_t except; /* a reader whose \Seen is not; 0: none */
    bool move;
    struct mail_list mails; /* of the slice in hand */
    uint64_t modseq, target_modseq;
    uint32_t uidnext;
    struct mailbox_delta in, out;
};

static bool insert_row(struct transfer *transfer, const struct mail *mail, int64_t now_ms,
                       struct error *err)
{
    struct sql_db *db = &transfer->account->db;

    if (!sql_run(db, SQL_MESSAGE_INSERT, NULL, err, "uuuuiuui", transfer->target,
                 (uint64_t)transfer->uidnext, transfer->target_modseq,
                 mail->flags & transfer->flags, mail->received_ms, (uint64_t)mail->size, mail->msg,
                 now_ms))
        return false;
    return transfer->move || sql_run(db, SQL_MSG_REF, NULL, err, "u", mail->msg);
}

static bool insert_rows(struct transfer *transfer, struct copy_result *result, struct error *err)
{
    const struct seen_copy seen = { transfer->mailbox,     transfer->target,
                                    transfer->mails.items, transfer->mails.count,
                                    transfer->uidnext,     transfer->target_modseq,
                                    transfer->except };
    int64_t now_ms = time_ms();

    for (size_t i = 0; i < transfer->mails.count; i++) {
        const struct mail *mail = &transfer->mails.items[i];

        if (!insert_row(transfer, mail, now_ms, err))
            return false;
        mailbox_delta_mail(&transfer->in, mail->flags & transfer->flags, mail->size, 1);
        uidset_add(&result->from, mail->uid, mail->uid);
        uidset_add(&result->to, transfer->uidnext, transfer->uidnext);
        transfer->uidnext++;
    }
    return seen_copy(transfer->account, &seen, err);
}

/* False, with an error, also where UIDs run out. */
static bool transfer_slice(struct transfer *transfer, struct copy_result *result, struct error *err)
{
    if (transfer->mails.count >= UINT32_MAX - (uint64_t)transfer->uidnext)
        return error_set(err, ERROR_LIMIT, "out of UIDs");
    return insert_rows(transfer, result, err) &&
           (!transfer->move ||
            mail_remove(transfer->account, transfer->mailbox, transfer->mails.items,
                        transfer->mails.count, true, transfer->modseq, &transfer->out, err));
}

static bool transfer_rows(struct transfer *transfer, const struct uidset *which,
                          struct copy_result *result, struct error *err)
{
    struct mail_scan scan = { .mailbox = transfer->mailbox, .which = which, .max = SLICE_ROWS };
    uint32_t first_new = transfer->uidnext;
    bool same = transfer->mailbox == transfer->target;

    for (bool end = false; !end;) {
        struct mail_list *mails = &transfer->mails;

        mails->count = 0;
        if (!mail_scan(transfer->account, &scan, mails, &end, err))
            return false;
        while (same && mails->count > 0 && mails->items[mails->count - 1].uid >= first_new) {
            mails->count--; /* a copy that was just made */
            end = true;
        }
        if (mails->count == 0)
            break;
        scan.after = mails->items[mails->count - 1].uid;
        if (!transfer_slice(transfer, result, err))
            return false;
    }
    return true;
}

static bool apply(struct transfer *transfer, struct error *err)
{
    transfer->in.uidnext = transfer->uidnext;
    transfer->in.modseq = transfer->target_modseq;
    if (!mailbox_apply(transfer->account, transfer->target, &transfer->in, err))
        return false;
    if (!transfer->move)
        return account_charge(transfer->account, transfer->in.bytes, transfer->in.total, false,
                              err);
    transfer->out.modseq = transfer->modseq;
    return mailbox_apply(transfer->account, transfer->mailbox, &transfer->out, err);
}

/* The owner's \Seen goes along, whoever copies: where a reader has one of his own, the right to
 * set it is about that one. */
static void set_flags(struct transfer *transfer, uint64_t flags)
{
    uint64_t reader = account_reader(transfer->account);

    transfer->flags = reader != 0 ? flags | MAIL_SEEN : flags;
    transfer->except = (flags & MAIL_SEEN) == 0 ? reader : 0;
}

/* A move within one mailbox is one change of it: it has one modseq. */
static bool start(struct transfer *transfer, struct copy_result *result, struct error *err)
{
    struct mailbox_row source, target;

    if (!mailbox_row(transfer->account, transfer->mailbox, &source, err) ||
        !mailbox_row(transfer->account, transfer->target, &target, err))
        return false;
    transfer->uidnext = target.uidnext;
    transfer->target_modseq = target.modseq + 1;
    transfer->modseq = source.modseq + 1;
    result->uidvalidity = target.uidvalidity;
    result->modseq = source.modseq;
    return true;
}

bool mail_transfer(struct account *account, uint64_t mailbox, const struct uidset *which,
                   const struct copy_target *to, bool move, struct copy_result *result_out,
                   struct error *err)
{
    struct transfer transfer = {
        .account = account, .mailbox = mailbox, .target = to->mailbox, .move = move
    };

    *result_out = (struct copy_result){ 0 };
    set_flags(&transfer, to->flags);
    bool ok = start(&transfer, result_out, err) &&
              transfer_rows(&transfer, which, result_out, err) &&
              (result_out->from.count == 0 || apply(&transfer, err));
    if (ok && move && result_out->from.count > 0)
        result_out->modseq = transfer.modseq;
    mail_list_free(&transfer.mails);
    if (!ok)
        copy_result_free(result_out);
    return ok;
}

/* `note` is NULL but for a step of a COPY. */
static bool transfer_noting(struct account *account, uint64_t mailbox, const struct uidset *which,
                            const struct copy_target *target, bool move,
                            const struct copying_note *note, struct copy_result *result_out,
                            struct error *err)
{
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!mail_transfer(account, mailbox, which, target, move, result_out, err))
        return account_rollback(account);
    if (result_out->from.count == 0) {
        account_rollback(account);
        return true;
    }
    if (note != NULL && !copying_note(account, note, target->mailbox, &result_out->to, err)) {
        copy_result_free(result_out);
        return account_rollback(account);
    }
    if (account_commit(account, move && mailbox != target->mailbox ? 0 : target->mailbox, err))
        return true;
    copy_result_free(result_out);
    return false;
}

bool mail_copy(struct account *account, uint64_t mailbox, const struct uidset *which,
               const struct copy_target *target, const struct copying_note *note,
               struct copy_result *result_out, struct error *err)
{
    if (target->account != account)
        return mail_import(account, mailbox, which, target, false, note, result_out, err);
    return transfer_noting(account, mailbox, which, target, false, note, result_out, err);
}

bool mailbox_copy_to(struct account *account, uint64_t mailbox, const struct uidset *which,
                     const struct copy_target *target, bool move, struct copy_result *result_out,
                     struct error *err)
{
    if (target->account != account)
        return mail_import(account, mailbox, which, target, move, NULL, result_out, err);
    return transfer_noting(account, mailbox, which, target, move, NULL, result_out, err);
}

bool mailbox_copy(struct account *account, uint64_t mailbox, const struct uidset *which,
                  uint64_t target, bool move, struct copy_result *result_out, struct error *err)
{
    struct copy_target to = { account, target, ~0ull };

    return mailbox_copy_to(account, mailbox, which, &to, move, result_out, err);
}

void copy_result_free(struct copy_result *result)
{
    uidset_free(&result->from);
    uidset_free(&result->to);
    *result = (struct copy_result){ 0 };
}
