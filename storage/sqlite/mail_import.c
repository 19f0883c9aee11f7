/* mail_import.c - COPY and MOVE from one account into another.
 *
 *     source (only read)                          target (one transaction)
 *     rows of messages  --keywords by name-->     rows, each with a msg of its own
 *     bytes in the database  ------------------>  are copied
 *     large files  ---------------------------->  are linked; their folder is synced before the
 * commit
 *
 * Large files are shared, bytes are not: the two databases know nothing of each other. Summaries
 * and threads are found when somebody asks for them.
 *
 * Of a move the source gets its expunge after the target's commit is on disk; a crash, or an error
 * there, leaves the messages in both places until leaving.c ends what was begun, and never in none.
 */
#include "storage/sqlite/seen_private.h"

#include "common/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct import {
    struct account *from, *to;
    uint64_t target;
    uint64_t flags;          /* those that are kept */
    uint64_t keywords[64];   /* bits of the target for those of the source; 0: none */
    struct mail_list mails;  /* of the source */
    struct mailbox_delta in; /* at the target */
    unsigned char token[LEAVING_TOKEN_SIZE]; /* of a move */
    bool move;
    const struct copying_note *note; /* NULL but for a step of a COPY */
    struct uidset linked;            /* not UIDs but indexes into `mails`, plus 1 */
    uint64_t *msgs;                  /* of the target, as far as it got */
    size_t done;
};

/* A keyword for which the target has no bit left stays behind. */
static bool map_keywords(struct import *import, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct keyword_list names;
    uint64_t used = 0;
    unsigned bit;

    for (size_t i = 0; i < import->mails.count; i++)
        used |= import->mails.items[i].flags;
    used &= import->flags;
    if (!keyword_all(import->from, &arena, &names, err))
        return false;
    for (unsigned i = MAIL_KEYWORD_FIRST; i <= MAIL_KEYWORD_LAST; i++) {
        if ((used & 1ull << i) == 0 || names.names[i].len == 0)
            continue;
        if (keyword_bit(import->to, names.names[i], &bit, err))
            import->keywords[i] = 1ull << bit;
        else if (err->kind != ERROR_LIMIT)
            return false;
    }
    return true;
}

static uint64_t mapped_flags(const struct import *import, uint64_t flags)
{
    uint64_t mapped = flags & import->flags & ((1ull << MAIL_KEYWORD_FIRST) - 1);

    for (uint64_t left = flags >> MAIL_KEYWORD_FIRST << MAIL_KEYWORD_FIRST; left != 0;
         left &= left - 1)
        mapped |= import->keywords[__builtin_ctzll(left)];
    return mapped;
}

static bool link_file(struct import *import, uint64_t from, uint64_t to, struct error *err)
{
    AUTO(buf_free) struct buf old = { 0 };
    AUTO(buf_free) struct buf new = { 0 };

    account_big_path(import->from, from, &old);
    account_big_path(import->to, to, &new);
    if (unlink(buf_text(&new)) != 0 && errno != ENOENT)
        return error_errno(err, "removing what a crash left, %s", buf_text(&new));
    if (link(buf_text(&old), buf_text(&new)) != 0)
        return error_errno(err, "linking %s", buf_text(&new));
    uidset_add(&import->linked, (uint32_t)import->done + 1, (uint32_t)import->done + 1);
    return true;
}

static struct slice token_of(const struct import *import)
{
    return slice_make(import->token, sizeof(import->token));
}

/* The msg with its bytes. The source's row is being read meanwhile. */
static bool insert_msg(struct import *import, const struct sql_row *row, uint64_t from,
                       struct error *err)
{
    uint64_t size = sql_u64(row, 0), inline_bytes = sql_u64(row, 1);
    struct slice hash = sql_slice(row, 2), bytes = sql_slice(row, 3);
    bool marks = import->move && import->done == 0;
    struct slice token = marks ? token_of(import) : SLICE("");
    struct sql_db *db = &import->to->db;
    uint64_t msg;

    if (inline_bytes != bytes.len)
        return error_set(err, ERROR_INTERNAL, "bytes of a message are missing");
    if (!sql_run(db, SQL_MSG_INSERT, NULL, err, "uubbi", size, inline_bytes, hash, token,
                 (int64_t)0))
        return false;
    msg = import->msgs[import->done] = sql_last_id(db);
    return (bytes.len == 0 || sql_run(db, SQL_BODY_INSERT, NULL, err, "ub", msg, bytes)) &&
           (inline_bytes >= size || link_file(import, from, msg, err));
}

static bool copy_msg(struct import *import, uint64_t from, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&import->from->db, SQL_MSG_COPY, &row, err, "u", from))
        return false;
    if (!sql_next(&row, err))
        return row.failed ? false : error_set(err, ERROR_INTERNAL, "a message is missing");
    bool ok = insert_msg(import, &row, from, err);
    sql_end(&row);
    return ok;
}

static bool copy_mail(struct import *import, const struct mail *mail, int64_t now_ms,
                      struct error *err)
{
    uint64_t flags = mapped_flags(import, mail->flags);
    uint64_t uid = import->in.uidnext++;

    if (!seen_put_new(import->to, import->target, (uint32_t)uid, &flags, import->in.modseq, err))
        return false;
    mailbox_delta_mail(&import->in, flags, mail->size, 1);
    return copy_msg(import, mail->msg, err) &&
           sql_run(&import->to->db, SQL_MESSAGE_INSERT, NULL, err, "uuuuiuui", import->target, uid,
                   import->in.modseq, flags, mail->received_ms, (uint64_t)mail->size,
                   import->msgs[import->done], now_ms);
}

static bool sync_linked(struct import *import, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(import->to->store, import->to->id, "big", &path);
    return import->linked.count == 0 || dir_sync(buf_text(&path), err);
}

/* Within the target's transaction. */
static bool copy_all(struct import *import, struct copy_result *result, struct error *err)
{
    int64_t now_ms = time_ms();
    struct mailbox_row row;

    if (!mailbox_row(import->to, import->target, &row, err))
        return false;
    if (import->mails.count >= UINT32_MAX - (uint64_t)row.uidnext)
        return error_set(err, ERROR_LIMIT, "out of UIDs");
    result->uidvalidity = row.uidvalidity;
    import->in = (struct mailbox_delta){ .uidnext = row.uidnext, .modseq = row.modseq + 1 };
    for (; import->done < import->mails.count; import->done++) {
        const struct mail *mail = &import->mails.items[import->done];
        uint32_t uid = (uint32_t)import->in.uidnext;

        if (!copy_mail(import, mail, now_ms, err))
            return false;
        uidset_add(&result->from, mail->uid, mail->uid);
        uidset_add(&result->to, uid, uid);
    }
    return mailbox_apply(import->to, import->target, &import->in, err) &&
           account_charge(import->to, import->in.bytes, import->in.total, false, err) &&
           (import->note == NULL ||
            copying_note(import->to, import->note, import->target, &result->to, err)) &&
           sync_linked(import, err);
}

/* Removes the files of a transaction that is rolled back, under the lock still. */
static void undo(struct import *import)
{
    for (size_t i = 0; i <= import->done && i < import->mails.count; i++) {
        AUTO(buf_free) struct buf path = { 0 };

        account_big_path(import->to, import->msgs[i], &path);
        if (uidset_has(&import->linked, (uint32_t)i + 1))
            unlink(buf_text(&path));
    }
}

static bool write_target(struct import *import, struct copy_result *result, struct error *err)
{
    if (!account_begin(import->to, SQL_FULL, err))
        return false;
    if (copy_all(import, result, err))
        return account_commit(import->to, import->target, err);
    undo(import);
    return account_rollback(import->to);
}

/* What others expunged meanwhile is not there any more, and does not matter. */
static bool take_away(struct import *import, uint64_t mailbox, struct copy_result *result,
                      struct error *err)
{
    AUTO(uidset_free) struct uidset expunged = { 0 };

    return mailbox_expunge(import->from, mailbox, &result->from, true, &expunged, &result->modseq,
                           err);
}

/* Whatever fails on the way leaves what leaving_settle() needs to end it, or to undo it. */
static bool move_all(struct import *import, uint64_t mailbox, struct copy_result *result,
                     struct error *err)
{
    random_bytes(import->token, sizeof(import->token));
    if (!leaving_note(import->from, mailbox, import->to, &import->mails, token_of(import), err))
        return false;
    if (write_target(import, result, err) && take_away(import, mailbox, result, err)) {
        leaving_forget(import->from, token_of(import));
        return true;
    }
    leaving_break_off(import->from);
    return false;
}

bool mail_import(struct account *account, uint64_t mailbox, const struct uidset *which,
                 const struct copy_target *target, bool move, const struct copying_note *note,
                 struct copy_result *result_out, struct error *err)
{
    struct import import = {
        .from = account,
        .to = target->account,
        .target = target->mailbox,
        .flags = target->flags,
        .move = move,
        .note = note,
    };
    struct mail_scan scan = { .mailbox = mailbox, .which = which };

    *result_out = (struct copy_result){ 0 };
    bool ok = mail_scan(account, &scan, &import.mails, NULL, err) &&
              seen_overlay(account, mailbox, import.mails.items, import.mails.count, err);
    if (ok && import.mails.count > 0) {
        import.msgs = mem_zero(import.mails.count * sizeof(*import.msgs));
        ok = map_keywords(&import, err) && (move ? move_all(&import, mailbox, result_out, err)
                                                 : write_target(&import, result_out, err));
    }
    mail_list_free(&import.mails);
    uidset_free(&import.linked);
    free(import.msgs);
    if (!ok)
        copy_result_free(result_out);
    return ok;
}
