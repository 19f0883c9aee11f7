/* seen.c - see seen_private.h. */
#include "storage/sqlite/seen_private.h"

#include <stdlib.h>

#define GAP_MAX 64 /* UIDs between two messages that one query passes over */

void desk_read_as(struct desk *desk, uint64_t reader)
{
    desk->reader = reader;
}

uint64_t account_reader(const struct account *account)
{
    uint64_t reader = account->desk != NULL ? account->desk->reader : 0;

    return reader != account->id ? reader : 0;
}

/* Reading. */

/* Messages so close together that one query is best for all. */
static bool overlay_some(struct account *account, uint64_t mailbox, uint64_t reader,
                         struct mail *mails, size_t count, struct error *err)
{
    struct sql_row row;
    size_t i = 0;

    for (size_t k = 0; k < count; k++)
        mails[k].flags &= ~MAIL_SEEN;
    if (!sql_query(&account->db, SQL_SEEN, &row, err, "uuuu", mailbox, reader,
                   (uint64_t)mails[0].uid, (uint64_t)mails[count - 1].uid))
        return false;
    while (sql_next(&row, err)) {
        uint64_t lo = sql_u64(&row, 0), hi = sql_u64(&row, 1), modseq = sql_u64(&row, 3);

        while (i < count && mails[i].uid < lo)
            i++;
        for (; i < count && mails[i].uid <= hi; i++) {
            mails[i].flags |= sql_u64(&row, 2) != 0 ? MAIL_SEEN : 0;
            mails[i].modseq = MAX(mails[i].modseq, modseq);
        }
    }
    return !row.failed;
}

static bool overlay(struct account *account, uint64_t mailbox, uint64_t reader, struct mail *mails,
                    size_t count, struct error *err)
{
    for (size_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && mails[next].uid - mails[next - 1].uid <= GAP_MAX;
             next++)
            continue;
        if (!overlay_some(account, mailbox, reader, mails + first, next - first, err))
            return false;
    }
    return true;
}

bool seen_overlay(struct account *account, uint64_t mailbox, struct mail *mails, size_t count,
                  struct error *err)
{
    uint64_t reader = account_reader(account);

    return reader == 0 || overlay(account, mailbox, reader, mails, count, err);
}

bool seen_changed(struct account *account, uint64_t mailbox, uint64_t since, struct uidset *set,
                  struct error *err)
{
    uint64_t reader = account_reader(account);
    struct sql_row row;

    if (reader == 0)
        return true;
    if (!sql_query(&account->db, SQL_SEEN_CHANGED, &row, err, "uuu", mailbox, reader, since))
        return false;
    while (sql_next(&row, err))
        uidset_add(set, (uint32_t)sql_u64(&row, 0), (uint32_t)sql_u64(&row, 1));
    return !row.failed;
}

bool mailbox_unseen(struct account *account, const struct mailbox_info *info, uint64_t *unseen_out,
                    struct error *err)
{
    uint64_t reader = account_reader(account), seen = 0;

    *unseen_out = info->n_unseen;
    if (reader == 0)
        return true;
    if (!sql_number(&account->db, SQL_SEEN_COUNT, &seen, err, "uu", info->id, reader))
        return false;
    *unseen_out = info->n_total - MIN(seen, info->n_total);
    return true;
}

/* Writing. */

static bool put(struct account *account, uint64_t mailbox, uint64_t reader, struct uid_range range,
                bool seen, uint64_t modseq, struct error *err)
{
    uint64_t lo = range.lo, hi = range.hi, extended;
    struct sql_db *db = &account->db;

    if (!sql_run(db, SQL_READER_NOTE, NULL, err, "uu", mailbox, reader) ||
        !sql_run(db, SQL_SEEN_SPLIT, NULL, err, "uuu", mailbox, reader, hi) ||
        !sql_run(db, SQL_SEEN_CUT, NULL, err, "uuu", mailbox, reader, lo) ||
        !sql_run(db, SQL_SEEN_CLEAR, NULL, err, "uuuu", mailbox, reader, lo, hi) ||
        !sql_run(db, SQL_SEEN_EXTEND, &extended, err, "uuuuuu", mailbox, reader, lo, hi,
                 (uint64_t)seen, modseq))
        return false;
    return extended > 0 || sql_run(db, SQL_SEEN_INSERT, NULL, err, "uuuuuu", mailbox, reader, lo,
                                   hi, (uint64_t)seen, modseq);
}

bool seen_put(struct account *account, uint64_t mailbox, struct uid_range range, bool seen,
              uint64_t modseq, struct error *err)
{
    return put(account, mailbox, account_reader(account), range, seen, modseq, err);
}

bool seen_check_room(struct account *account, uint64_t mailbox, struct error *err)
{
    uint64_t full = 0;

    if (!sql_number(&account->db, SQL_SEEN_FULL, &full, err, "uuu", mailbox,
                    account_reader(account), (uint64_t)SEEN_RANGES_MAX))
        return false;
    return full == 0 || error_set(err, ERROR_LIMIT, "too many ranges of \\Seen");
}

bool seen_put_new(struct account *account, uint64_t mailbox, uint32_t uid, uint64_t *flags,
                  uint64_t modseq, struct error *err)
{
    if ((*flags & MAIL_SEEN) == 0 || account_reader(account) == 0)
        return true;
    *flags &= ~MAIL_SEEN;
    return seen_put(account, mailbox, (struct uid_range){ uid, uid }, true, modseq, err);
}

/* `mails` as this reader sees them. */
static bool copy_ranges(struct account *account, const struct seen_copy *copy, uint64_t reader,
                        const struct mail *mails, struct error *err)
{
    for (size_t first = 0, next; first < copy->count; first = next) {
        uint64_t seen = mails[first].flags & MAIL_SEEN;

        for (next = first + 1; next < copy->count && (mails[next].flags & MAIL_SEEN) == seen;
             next++)
            continue;
        if (seen != 0 && !put(account, copy->target, reader,
                              (struct uid_range){ copy->first_uid + (uint32_t)first,
                                                  copy->first_uid + (uint32_t)next - 1 },
                              true, copy->modseq, err))
            return false;
    }
    return true;
}

/* Everybody who reads the mailbox. Free *readers_out. */
static bool load_readers(struct account *account, uint64_t mailbox, uint64_t **readers_out,
                         size_t *count_out, struct error *err)
{
    size_t room = 0;
    struct sql_row row;

    *readers_out = NULL;
    *count_out = 0;
    if (!sql_query(&account->db, SQL_READERS, &row, err, "u", mailbox))
        return false;
    while (sql_next(&row, err)) {
        *readers_out = mem_grow(*readers_out, &room, *count_out + 1, sizeof(**readers_out));
        (*readers_out)[(*count_out)++] = sql_u64(&row, 0);
    }
    return !row.failed;
}

static bool copy_for_reader(struct account *account, const struct seen_copy *copy, uint64_t reader,
                            struct error *err)
{
    size_t size = copy->count * sizeof(*copy->mails);
    struct mail *mails = mem_zero(size);

    memcpy(mails, copy->mails, size);
    bool ok = overlay(account, copy->mailbox, reader, mails, copy->count, err) &&
              copy_ranges(account, copy, reader, mails, err);
    free(mails);
    return ok;
}

bool seen_copy(struct account *account, const struct seen_copy *copy, struct error *err)
{
    uint64_t *readers;
    size_t count;
    bool ok = load_readers(account, copy->mailbox, &readers, &count, err);

    for (size_t i = 0; i < count && ok; i++)
        ok = readers[i] == copy->except || copy_for_reader(account, copy, readers[i], err);
    free(readers);
    return ok;
}

/* Recent. */

bool seen_recent(struct account *account, uint64_t mailbox, const struct mailbox_row *row,
                 uint32_t *first_out, struct error *err)
{
    uint64_t reader = account_reader(account), first = 1;

    *first_out = row->recent_from;
    if (reader == 0)
        return true;
    if (!sql_number(&account->db, SQL_READER_RECENT, &first, err, "uu", mailbox, reader))
        return false;
    *first_out = (uint32_t)first;
    return true;
}

bool seen_claim(struct account *account, uint64_t mailbox, struct error *err)
{
    uint64_t reader = account_reader(account);

    if (reader == 0)
        return sql_run(&account->db, SQL_MAILBOX_CLAIM, NULL, err, "u", mailbox);
    return sql_run(&account->db, SQL_READER_CLAIM, NULL, err, "uu", mailbox, reader);
}

/* Cleaning up. */

bool seen_drop(struct account *account, uint64_t mailbox, bool *more_out, struct error *err)
{
    uint64_t dropped;

    if (!sql_run(&account->db, SQL_SEEN_DROP, &dropped, err, "uu", mailbox, (uint64_t)SEEN_BATCH))
        return false;
    *more_out = dropped == SEEN_BATCH;
    return *more_out || sql_run(&account->db, SQL_READER_DROP, NULL, err, "u", mailbox);
}

bool seen_is_stale(struct account *account, uint64_t mailbox, bool *stale_out, struct error *err)
{
    uint64_t stale = 0;

    if (!sql_number(&account->db, SQL_SEEN_STALE, &stale, err, "u", mailbox))
        return false;
    *stale_out = stale != 0;
    return true;
}

bool seen_trim(struct account *account, uint64_t mailbox, struct error *err)
{
    return sql_run(&account->db, SQL_SEEN_TRIM, NULL, err, "uu", mailbox, (uint64_t)SEEN_BATCH);
}
