/* copying.c - COPY in steps, with a record that undoes one that was broken off.
 *
 *     copying(copy, mailbox, lo, hi)   a COPY that is under way has made the UIDs lo:hi
 *
 * Each step's transaction adds what it made, and the last one's drops all rows of the copy. UIDs
 * are never given again, so the rows say exactly which messages have to go; each step of the undo
 * shrinks them in the transaction that expunges.
 *
 * Who copies holds a lock of an open file of its own (F_OFD_SETLK) on the account's lock file, on
 * the byte that has the number of the copy. Rows whose byte is free belong to a copy that was
 * broken off: the process has ended, or the session. leaving.c locks byte 0, and writers' flock()
 * is another kind.
 */
#include "storage/copying.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "storage/sqlite/account_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BREAK_OFF_MS 100 /* on a worker that others wait for */

struct copying {
    uint64_t id;      /* of the record; also when there is none yet, or none any more */
    int lock;         /* descriptor */
    uint32_t ceiling; /* UIDs of the source from here on came later */
    bool made;        /* there is a record */
};

/* Starting. */

static bool open_lock(struct copying *copying, struct account *to, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    store_account_path(to->store, to->id, "lock", &path);
    copying->lock = open(buf_text(&path), O_RDWR | O_CLOEXEC);
    if (copying->lock < 0)
        return error_errno(err, "opening %s", buf_text(&path));
    random_bytes(&copying->id, sizeof(copying->id));
    copying->id = (copying->id >> 2) + 1; /* an offset in a file, and not 0 */
    return account_lock_byte(copying->lock, copying->id, F_WRLCK, false, err);
}

static bool add_up(struct account *account, uint64_t mailbox, const struct uidset *which,
                   uint64_t *bytes_out, uint64_t *messages_out, struct error *err)
{
    AUTO(mail_list_free) struct mail_list list = { 0 };
    struct mail_scan scan = { .mailbox = mailbox, .which = which, .max = SLICE_ROWS };

    *bytes_out = *messages_out = 0;
    for (bool end = false; !end;) {
        list.count = 0;
        if (!mail_scan(account, &scan, &list, &end, err))
            return false;
        for (size_t i = 0; i < list.count; i++)
            *bytes_out += list.items[i].size;
        *messages_out += list.count;
        scan.after = list.count > 0 ? list.items[list.count - 1].uid : scan.after;
    }
    return true;
}

static bool has_room(const struct quota *quota, uint64_t bytes, uint64_t messages)
{
    return (quota->bytes_max == 0 || quota->bytes + bytes <= quota->bytes_max) &&
           (quota->messages_max == 0 || quota->messages + messages <= quota->messages_max);
}

/* Adding up is needed only where the whole mailbox would be too much. */
static bool check_room(struct account *account, const struct mailbox_info *source,
                       const struct uidset *which, struct account *to, struct error *err)
{
    uint64_t bytes, messages;
    struct quota quota;

    if (!account_quota(to, &quota, err))
        return false;
    if (has_room(&quota, source->bytes, source->n_total))
        return true;
    return add_up(account, source->id, which, &bytes, &messages, err) &&
           (has_room(&quota, bytes, messages) || error_set(err, ERROR_OVER_QUOTA, "over quota"));
}

bool copying_start(struct account *account, uint64_t mailbox, const struct uidset *which,
                   const struct copy_target *to, struct copying **copying_out, struct error *err)
{
    AUTO(copying_free) struct copying *copying = NEW(struct copying);
    AUTO(arena_free) struct arena arena = { 0 };
    struct mailbox_info source;

    copying->lock = -1;
    if (!mailbox_by_id(account, &arena, mailbox, &source, err) ||
        !check_room(account, &source, which, to->account, err) ||
        !open_lock(copying, to->account, err))
        return false;
    copying->ceiling = source.uidnext;
    *copying_out = TAKE(copying);
    return true;
}

/* Copying. */

static bool note_range(struct account *to, uint64_t id, uint64_t mailbox, struct uid_range made,
                       struct error *err)
{
    uint64_t lo = made.lo, hi = made.hi, extended;

    if (!sql_run(&to->db, SQL_COPYING_EXTEND, &extended, err, "uuuu", id, mailbox, lo, hi))
        return false;
    return extended > 0 ||
           sql_run(&to->db, SQL_COPYING_ADD, NULL, err, "uuuu", id, mailbox, lo, hi);
}

bool copying_note(struct account *to, const struct copying_note *note, uint64_t mailbox,
                  const struct uidset *made, struct error *err)
{
    if (note->last)
        return sql_run(&to->db, SQL_COPYING_DROP, NULL, err, "u", note->id);
    for (size_t i = 0; i < made->count; i++)
        if (!note_range(to, note->id, mailbox, made->ranges[i], err))
            return false;
    return true;
}

/* The last step found nothing to copy. */
static bool drop_record(struct copying *copying, struct account *to, struct error *err)
{
    if (!account_begin(to, SQL_FULL, err))
        return false;
    if (!sql_run(&to->db, SQL_COPYING_DROP, NULL, err, "u", copying->id))
        return account_rollback(to);
    return account_commit_quietly(to, err);
}

bool copying_step(struct copying *copying, struct account *account, uint64_t mailbox,
                  const struct uidset *part, bool last, const struct copy_target *to,
                  struct copy_result *result_out, struct error *err)
{
    const struct copying_note note = { copying->id, last };
    AUTO(uidset_free) struct uidset which = { 0 };

    uidset_copy(&which, part);
    uidset_remove(&which, copying->ceiling, UINT32_MAX);
    if (!mail_copy(account, mailbox, &which, to, &note, result_out, err))
        return false;
    if (result_out->from.count == 0 && last && copying->made &&
        !drop_record(copying, to->account, err))
        return false;
    copying->made = !last && (copying->made || result_out->from.count > 0);
    return true;
}

/* Undoing. */

struct made {
    uint64_t copy, mailbox;
    uint32_t lo, hi;
};

/* The last row of a copy; *any_out is false when there is none. */
static bool last_made(struct account *account, uint64_t copy, struct made *made_out, bool *any_out,
                      struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_COPYING_LAST, &row, err, "u", copy))
        return false;
    *any_out = sql_next(&row, err);
    if (!*any_out)
        return !row.failed;
    *made_out = (struct made){ copy, sql_u64(&row, 0), (uint32_t)sql_u64(&row, 1),
                               (uint32_t)sql_u64(&row, 2) };
    sql_end(&row);
    return true;
}

static bool remove_some(struct account *account, const struct made *made, uint64_t modseq,
                        struct mail_list *mails, bool *end, struct error *err)
{
    struct uid_range range = { made->lo, made->hi };
    const struct uidset which = { &range, 1, 1 };
    const struct mail_scan scan = { .mailbox = made->mailbox, .which = &which, .max = SLICE_ROWS };
    struct mailbox_delta delta = { .modseq = modseq };

    if (!mail_scan(account, &scan, mails, end, err))
        return false;
    return mails->count == 0 || (mail_remove(account, made->mailbox, mails->items, mails->count,
                                             false, modseq, &delta, err) &&
                                 mailbox_apply(account, made->mailbox, &delta, err) &&
                                 account_charge(account, delta.bytes, delta.total, true, err));
}

/* Within a transaction. A mailbox that is gone took its messages along. */
static bool undo_some(struct account *account, const struct made *made, struct error *err)
{
    AUTO(mail_list_free) struct mail_list mails = { 0 };
    struct mailbox_row row;
    bool end;

    if (!mailbox_row(account, made->mailbox, &row, err))
        return err->kind == ERROR_NOT_FOUND &&
               sql_run(&account->db, SQL_COPYING_DROP, NULL, err, "u", made->copy);
    if (!remove_some(account, made, row.modseq + 1, &mails, &end, err))
        return false;
    if (end)
        return sql_run(&account->db, SQL_COPYING_DONE, NULL, err, "uu", made->copy,
                       (uint64_t)made->lo);
    return sql_run(&account->db, SQL_COPYING_SHRINK, NULL, err, "uuu", made->copy,
                   (uint64_t)made->lo, (uint64_t)mails.items[mails.count - 1].uid + 1);
}

static bool undo_step(struct account *account, uint64_t copy, bool *end_out, struct error *err)
{
    struct made made;
    bool any;

    if (!last_made(account, copy, &made, &any, err))
        return false;
    *end_out = !any;
    if (!any)
        return true;
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!undo_some(account, &made, err))
        return account_rollback(account);
    return account_commit(account, made.mailbox, err);
}

/* `until_ms` 0: to the end. */
static bool undo(struct account *account, uint64_t copy, uint64_t until_ms, bool *end_out,
                 struct error *err)
{
    do {
        if (!undo_step(account, copy, end_out, err))
            return false;
    } while (!*end_out && (until_ms == 0 || clock_ms() < until_ms));
    return true;
}

bool copying_undo(struct copying *copying, struct account *to, bool *end_out, struct error *err)
{
    *end_out = !copying->made;
    if (copying->made && !undo_step(to, copying->id, end_out, err))
        return false;
    copying->made = !*end_out;
    return true;
}

static void warn(struct account *account, const struct error *err)
{
    log_warn(&account->store->options.log, "broken copy not undone",
             F_NUM("account", (int64_t)account->id), F_ERR(err));
}

void copying_break_off(struct copying *copying, struct account *to)
{
    struct error err;
    bool end = true;

    if (!copying->made)
        return;
    if (!undo(to, copying->id, clock_ms() + BREAK_OFF_MS, &end, &err))
        warn(to, &err);
    else if (!end)
        to->collect_due_ms = 0;
    copying->made = false;
}

void copying_free(struct copying **copying)
{
    if (*copying == NULL)
        return;
    if ((*copying)->lock >= 0)
        close((*copying)->lock); /* and the lock goes */
    free(TAKE(*copying));
}

/* What others have broken off. */

/* Unless somebody is at work on it. */
static bool settle_copy(struct account *account, uint64_t copy, uint64_t until_ms, bool *more,
                        struct error *err)
{
    struct error later;
    bool end = true;

    if (!account_lock_byte(account->lock, copy, F_WRLCK, false, &later))
        return true;
    bool ok = undo(account, copy, until_ms, &end, err);
    *more |= ok && !end;
    return account_lock_byte(account->lock, copy, F_UNLCK, false, ok ? err : &later) && ok;
}

static bool settle_copies(struct account *account, uint64_t until_ms, bool *more, struct error *err)
{
    for (uint64_t copy = 0, last;;) {
        last = copy;
        copy = 0;
        if (!sql_number(&account->db, SQL_COPYING_NEXT, &copy, err, "u", last))
            return false;
        if (copy == 0)
            return true;
        if (!settle_copy(account, copy, until_ms, more, err))
            return false;
    }
}

void copying_settle(struct account *account, uint64_t until_ms, bool *more)
{
    struct error err;

    if (!settle_copies(account, until_ms, more, &err))
        warn(account, &err);
}
