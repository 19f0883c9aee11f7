/* changes.c - what is new in a mailbox since a modseq (RFC 7162): SELECT, resync, and every look at
 * a mailbox that is open already.
 */
#include "storage/sqlite/seen_private.h"

#include <stdlib.h>

/* Up to one changed row in so many, the modseq index is faster than reading all rows in order. */
#define INDEX_SHARE 8

#define FEED_ROWS 2048 /* given to a sink at once */

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

/* A slice on its way to whom the changes are for. */
struct feed {
    struct account *account;
    uint64_t mailbox, since;
    const struct uidset *which;
    const struct mail_sink *sink;
    struct mail_list list;
};

static bool flush(struct feed *feed, struct error *err)
{
    if (!seen_overlay(feed->account, feed->mailbox, feed->list.items, feed->list.count, err))
        return false;
    if (feed->list.count > 0)
        feed->sink->take(feed->sink->context, feed->list.items, feed->list.count);
    feed->list.count = 0;
    return true;
}

static bool feed_by_index(struct feed *feed, struct error *err)
{
    struct mail_list *list = &feed->list;
    struct sql_row row;

    if (!sql_query(&feed->account->db, SQL_CHANGED, &row, err, "uu", feed->mailbox, feed->since))
        return false;
    while (sql_next(&row, err)) {
        if (feed->which != NULL && !uidset_has(feed->which, (uint32_t)sql_u64(&row, 0)))
            continue;
        if (list->count == list->room)
            list->items =
                mem_grow(list->items, &list->room, list->count + 1, sizeof(list->items[0]));
        mail_from_row(&row, &list->items[list->count++]);
        if (list->count == FEED_ROWS && !flush(feed, err)) {
            sql_end(&row);
            return false;
        }
    }
    return !row.failed && flush(feed, err);
}

static bool feed_in_order(struct feed *feed, uint64_t since, const struct uidset *which,
                          struct error *err)
{
    struct mail_scan scan = {
        .mailbox = feed->mailbox, .which = which, .since = since, .max = FEED_ROWS
    };

    for (bool end = false; !end;) {
        if (!mail_scan(feed->account, &scan, &feed->list, &end, err))
            return false;
        if (feed->list.count > 0)
            scan.after = feed->list.items[feed->list.count - 1].uid;
        if (!flush(feed, err))
            return false;
    }
    return true;
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

/* Rows that have changed, beside those whose \Seen has changed for this reader alone. */
static bool feed_with_seen(struct feed *feed, const struct uidset *seen, struct error *err)
{
    AUTO(uidset_free) struct uidset which = { 0 };
    struct sql_row row;

    for (size_t i = 0; i < seen->count; i++)
        add_within(&which, seen->ranges[i].lo, seen->ranges[i].hi, feed->which);
    if (!sql_query(&feed->account->db, SQL_CHANGED, &row, err, "uu", feed->mailbox, feed->since))
        return false;
    while (sql_next(&row, err))
        add_within(&which, (uint32_t)sql_u64(&row, 0), (uint32_t)sql_u64(&row, 0), feed->which);
    return !row.failed && feed_in_order(feed, 0, &which, err);
}

static bool feed_rows(struct feed *feed, uint64_t n_total, struct error *err)
{
    AUTO(uidset_free) struct uidset seen = { 0 };
    bool few = false;

    if (feed->since == 0)
        return feed_in_order(feed, 0, feed->which, err);
    if (!seen_changed(feed->account, feed->mailbox, feed->since, &seen, err))
        return false;
    if (seen.count > 0)
        return feed_with_seen(feed, &seen, err);
    if (!changed_are_few(feed->account, feed->mailbox, feed->since, n_total, &few, err))
        return false;
    return few ? feed_by_index(feed, err) : feed_in_order(feed, feed->since, feed->which, err);
}

static bool feed_mails(struct feed *feed, uint64_t n_total, struct error *err)
{
    bool ok = feed_rows(feed, n_total, err);

    mail_list_free(&feed->list);
    return ok;
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
                 const struct uidset *which, const struct mail_sink *sink, struct changes *changes,
                 struct error *err)
{
    struct feed feed = { account, mailbox, since, which, sink, { 0 } };
    struct mailbox_row row;

    if (!mailbox_row(account, mailbox, &row, err))
        return false;
    from_row(&row, changes);
    return (sink == NULL || feed_mails(&feed, row.n_total, err)) &&
           load_vanished(account, mailbox, since, row.vanished_floor, which, changes, err);
}

bool mailbox_changes_each(struct account *account, uint64_t mailbox, uint64_t since,
                          const struct uidset *which, const struct mail_sink *sink,
                          struct changes *changes_out, struct error *err)
{
    struct mailbox_row row;

    if (!mailbox_row(account, mailbox, &row, err))
        return false;
    from_row(&row, changes_out);
    if (since >= row.modseq)
        return true;
    if (!sql_begin_read(&account->db, err))
        return false;
    bool ok = load(account, mailbox, since, which, sink, changes_out, err);
    sql_rollback(&account->db);
    if (!ok)
        changes_free(changes_out);
    return ok;
}

static void collect(void *context, const struct mail *mails, size_t count)
{
    struct mail_list *list = context;

    list->items = mem_grow(list->items, &list->room, list->count + count, sizeof(list->items[0]));
    memcpy(list->items + list->count, mails, count * sizeof(mails[0]));
    list->count += count;
}

bool mailbox_changes(struct account *account, uint64_t mailbox, uint64_t since,
                     const struct uidset *which, struct changes *changes_out, struct error *err)
{
    struct mail_list list = { 0 };
    const struct mail_sink sink = { collect, &list };

    if (!mailbox_changes_each(account, mailbox, since, which, &sink, changes_out, err)) {
        mail_list_free(&list);
        return false;
    }
    changes_out->mails = list.items;
    changes_out->count = list.count;
    return true;
}

void changes_free(struct changes *changes)
{
    free(changes->mails);
    uidset_free(&changes->vanished);
    *changes = (struct changes){ 0 };
}
