/* changes.c - what is new in a mailbox since a modseq (RFC 7162): SELECT, resync, and every look at
 * a mailbox that is open already.
 */
#include "storage/sqlite/account_private.h"

#include <stdlib.h>

/* Up to one changed row in so many, the modseq index is faster than reading all rows in order. */
#define INDEX_SHARE 8

static bool changed_are_few(struct account *account, uint64_t mailbox, uint64_t since,
                            uint64_t n_total, bool *few_out, struct error *err)
{
    uint64_t limit = n_total / INDEX_SHARE + 1;
    struct sql_row row;

    if (!sql_query(&account->db, SQL_CHANGED_COUNT, &row, err, "uuu", mailbox, since, limit))
        return false;
    *few_out = sql_next(&row, err) && sql_u64(&row, 0) < limit;
    if (row.failed)
        return false;
    sql_end(&row);
    return true;
}

static bool load_by_index(struct account *account, uint64_t mailbox, uint64_t since,
                          const struct uidset *which, struct mail_list *list, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_CHANGED, &row, err, "uu", mailbox, since))
        return false;
    while (sql_next(&row, err)) {
        if (which != NULL && !uidset_has(which, (uint32_t)sql_u64(&row, 0)))
            continue;
        if (list->count == list->room)
            list->items =
                mem_grow(list->items, &list->room, list->count + 1, sizeof(list->items[0]));
        mail_from_row(&row, &list->items[list->count++]);
    }
    return !row.failed;
}

static bool load_mails(struct account *account, uint64_t mailbox, uint64_t since,
                       const struct uidset *which, const struct changes *changes,
                       struct mail_list *list, struct error *err)
{
    struct mail_scan scan = { .mailbox = mailbox, .which = which, .since = since };
    bool few = false;

    if (since > 0 && !changed_are_few(account, mailbox, since, changes->n_total, &few, err))
        return false;
    if (few)
        return load_by_index(account, mailbox, since, which, list, err);
    if (since == 0 && which == NULL)
        list->items = mem_grow(NULL, &list->room, changes->n_total + 1, sizeof(list->items[0]));
    return mail_scan(account, &scan, list, NULL, err);
}

/* A long change may have written rows already under the modseq it will give the mailbox at its end
 * (mail_scan.c). Nobody may see it before: who takes it for the mailbox's would miss the rest. */
static void hide_unpublished(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        changes->mails[i].modseq = MIN(changes->mails[i].modseq, changes->modseq);
}

static void add_within(struct uidset *set, uint32_t lo, uint32_t hi, const struct uidset *which)
{
    if (which == NULL) {
        uidset_add(set, lo, hi);
        return;
    }
    for (size_t i = mail_range_at(which, lo); i < which->count && which->ranges[i].lo <= hi; i++)
        uidset_add(set, MAX(lo, which->ranges[i].lo), MIN(hi, which->ranges[i].hi));
}

static bool load_tombstones(struct account *account, uint64_t mailbox, uint64_t since,
                            const struct uidset *which, struct uidset *vanished, struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_VANISHED, &row, err, "uu", mailbox, since))
        return false;
    while (sql_next(&row, err))
        add_within(vanished, (uint32_t)sql_u64(&row, 0), (uint32_t)sql_u64(&row, 1), which);
    return !row.failed;
}

static bool load_gaps(struct account *account, uint64_t mailbox, const struct uidset *which,
                      struct changes *changes, struct error *err)
{
    uint32_t next = 1;
    struct sql_row row;

    if (!sql_query(&account->db, SQL_UIDS, &row, err, "u", mailbox))
        return false;
    while (sql_next(&row, err)) {
        uint32_t uid = (uint32_t)sql_u64(&row, 0);

        if (uid > next)
            add_within(&changes->vanished, next, uid - 1, which);
        next = uid + 1;
    }
    if (changes->uidnext > next)
        add_within(&changes->vanished, next, changes->uidnext - 1, which);
    return !row.failed;
}

static bool load_vanished(struct account *account, uint64_t mailbox, uint64_t since, uint64_t floor,
                          const struct uidset *which, struct changes *changes, struct error *err)
{
    changes->all_vanished_known = since == 0 || since >= floor;
    if (since == 0)
        return true;
    if (changes->all_vanished_known)
        return load_tombstones(account, mailbox, since, which, &changes->vanished, err);
    return load_gaps(account, mailbox, which, changes, err);
}

static void from_row(const struct mailbox_row *row, struct changes *changes_out)
{
    *changes_out = (struct changes){
        .all_vanished_known = true,
        .uidvalidity = row->uidvalidity,
        .uidnext = row->uidnext,
        .modseq = row->modseq,
        .n_total = row->n_total,
    };
}

/* Within a read transaction. */
static bool load(struct account *account, uint64_t mailbox, uint64_t since,
                 const struct uidset *which, struct changes *changes, struct error *err)
{
    struct mail_list list = { 0 };
    struct mailbox_row row;

    if (!mailbox_row(account, mailbox, &row, err))
        return false;
    from_row(&row, changes);
    bool ok = load_mails(account, mailbox, since, which, changes, &list, err);
    changes->mails = list.items;
    changes->count = list.count;
    hide_unpublished(changes);
    return ok && load_vanished(account, mailbox, since, row.vanished_floor, which, changes, err);
}

bool mailbox_changes(struct account *account, uint64_t mailbox, uint64_t since,
                     const struct uidset *which, struct changes *changes_out, struct error *err)
{
    struct mailbox_row row;

    if (!mailbox_row(account, mailbox, &row, err))
        return false;
    from_row(&row, changes_out);
    if (since >= row.modseq)
        return true;
    if (!sql_begin_read(&account->db, err))
        return false;
    bool ok = load(account, mailbox, since, which, changes_out, err);
    sql_rollback(&account->db);
    if (!ok)
        changes_free(changes_out);
    return ok;
}

void changes_free(struct changes *changes)
{
    free(changes->mails);
    uidset_free(&changes->vanished);
    *changes = (struct changes){ 0 };
}
