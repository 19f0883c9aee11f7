/* leaving.c - messages on their way to another account, so that a crash does not double them.
 *
 *     leaving_note()    source: rows with a token of this move, by ranges of UIDs
 *     (mail_import.c)   target: the messages; the first has the token for its delivery_id
 *     (mail_import.c)   source: the messages go
 *     leaving_forget()  source: the rows go
 *
 * When an account is opened, rows that nobody is at work on are of a move that was broken off:
 * leaving_settle() takes the messages away if the target has the token, else they stay.
 *
 * Who moves holds a lock on byte 0 of the account's lock file, which ends with the process.
 */
#include "storage/sqlite/account_private.h"

#include <fcntl.h>

#define MOVES 0 /* the byte; copying.c has the others */

static bool lock_moves(struct account *account, bool wait, struct error *err)
{
    return account_lock_byte(account->lock, MOVES, F_WRLCK, wait, err);
}

static void unlock_moves(struct account *account)
{
    struct error err;

    (void)account_lock_byte(account->lock, MOVES, F_UNLCK, false, &err);
}

static bool note_ranges(struct account *from, uint64_t mailbox, const struct account *to,
                        const struct mail_list *mails, struct slice token, struct error *err)
{
    for (size_t first = 0, next; first < mails->count; first = next) {
        for (next = first + 1;
             next < mails->count && mails->items[next].uid == mails->items[next - 1].uid + 1;
             next++)
            continue;
        if (!sql_run(&from->db, SQL_LEAVING_ADD, NULL, err, "buuuu", token, to->id, mailbox,
                     (uint64_t)mails->items[first].uid, (uint64_t)mails->items[next - 1].uid))
            return false;
    }
    return true;
}

bool leaving_note(struct account *from, uint64_t mailbox, const struct account *to,
                  const struct mail_list *mails, struct slice token, struct error *err)
{
    if (!lock_moves(from, true, err))
        return false;
    if (account_begin(from, SQL_FULL, err)) {
        if (note_ranges(from, mailbox, to, mails, token, err)) {
            if (account_commit_quietly(from, err))
                return true;
        } else {
            (void)account_rollback(from);
        }
    }
    unlock_moves(from);
    return false;
}

/* Should this be lost, or fail, then the messages are taken away once more: nothing happens. */
void leaving_forget(struct account *from, struct slice token)
{
    struct error err;
    bool ok = account_begin(from, SQL_NORMAL, &err);

    if (ok && !sql_run(&from->db, SQL_LEAVING_DROP, NULL, &err, "b", token))
        ok = account_rollback(from);
    else if (ok)
        ok = account_commit_quietly(from, &err);
    if (!ok)
        log_warn(&from->store->options.log, "move not forgotten",
                 F_NUM("account", (int64_t)from->id), F_ERR(&err));
    unlock_moves(from);
}

struct leaving_row {
    struct buf token;
    uint64_t to, mailbox;
    uint32_t lo, hi;
};

/* *any_out is false when there is none. */
static bool first_row(struct account *account, struct leaving_row *row_out, bool *any_out,
                      struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_LEAVING_FIRST, &row, err, ""))
        return false;
    *any_out = sql_next(&row, err);
    if (!*any_out)
        return !row.failed;
    buf_clear(&row_out->token);
    buf_add_slice(&row_out->token, sql_slice(&row, 0));
    row_out->to = sql_u64(&row, 1);
    row_out->mailbox = sql_u64(&row, 2);
    row_out->lo = (uint32_t)sql_u64(&row, 3);
    row_out->hi = (uint32_t)sql_u64(&row, 4);
    sql_end(&row);
    return true;
}

/* An account that is not there any more has nothing. */
static bool has_arrived(struct account *account, const struct leaving_row *leaving,
                        bool *arrived_out, struct error *err)
{
    AUTO(account_handle_close) struct account *to = NULL;
    uint64_t found = 0;

    *arrived_out = false;
    if (!account_handle_open(account->desk, leaving->to, &to, err))
        return err->kind == ERROR_NOT_FOUND;
    if (!sql_number(&to->db, SQL_ARRIVED, &found, err, "b", buf_slice(&leaving->token)))
        return false;
    *arrived_out = found != 0;
    return true;
}

static bool settle_row(struct account *account, const struct leaving_row *leaving,
                       struct error *err)
{
    AUTO(uidset_free) struct uidset uids = { 0 };
    AUTO(uidset_free) struct uidset expunged = { 0 };
    uint64_t modseq;
    bool arrived;

    if (!has_arrived(account, leaving, &arrived, err))
        return false;
    uidset_add(&uids, leaving->lo, leaving->hi);
    if (arrived &&
        !mailbox_expunge(account, leaving->mailbox, &uids, true, &expunged, &modseq, err) &&
        err->kind != ERROR_NOT_FOUND) /* the mailbox was deleted */
        return false;
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!sql_run(&account->db, SQL_LEAVING_DONE, NULL, err, "bu", buf_slice(&leaving->token),
                 (uint64_t)leaving->lo))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

static bool settle_rows(struct account *account, struct error *err)
{
    struct leaving_row row = { 0 };
    bool ok = true, any = true;

    while (ok && any) {
        ok = first_row(account, &row, &any, err);
        if (ok && any)
            ok = settle_row(account, &row, err);
    }
    buf_free(&row.token);
    return ok;
}

/* Under the lock, which it gives back. */
static void settle_all(struct account *account)
{
    struct error err;

    if (!settle_rows(account, &err))
        log_warn(&account->store->options.log, "broken move not settled",
                 F_NUM("account", (int64_t)account->id), F_ERR(&err));
    unlock_moves(account);
}

void leaving_break_off(struct account *from)
{
    settle_all(from);
}

void leaving_settle(struct account *account)
{
    struct leaving_row row = { 0 };
    struct error err;
    bool any = false, ok = first_row(account, &row, &any, &err);

    buf_free(&row.token);
    /* One that cannot be read says why when it is settled; else somebody may be at work on them. */
    if ((any || !ok) && lock_moves(account, false, &err))
        settle_all(account);
}
