/* mail_scan.c - reads the rows of a set of UIDs, and changes many rows in slices.
 *
 * A scan asks one range query for every stretch of the set, and passes over small gaps: stepping
 * to the next row costs far less than another query.
 *
 * A bulk change holds the lock for one slice at a time. Each slice has a modseq of its own, which
 * others may see at once, so it is as durable as the whole; one more transaction at the end tells
 * them to look.
 */
#include "storage/sqlite/account_private.h"

#include <stdlib.h>

#define GAP_MAX 16 /* UIDs not asked for that are stepped over */

void mail_list_free(struct mail_list *list)
{
    free(list->items);
    *list = (struct mail_list){ 0 };
}

void mail_from_row(const struct sql_row *row, struct mail *mail_out)
{
    mail_out->uid = (uint32_t)sql_u64(row, 0);
    mail_out->size = (uint32_t)sql_u64(row, 1);
    mail_out->modseq = sql_u64(row, 2);
    mail_out->flags = sql_u64(row, 3);
    mail_out->received_ms = sql_i64(row, 4);
    mail_out->saved_ms = sql_i64(row, 5);
    mail_out->msg = sql_u64(row, 6);
}

/* Position in the ranges of a set, walked along with ascending UIDs. */
struct walk {
    const struct uidset *set; /* NULL: everything */
    size_t at;
};

static bool walk_has(struct walk *walk, uint32_t uid)
{
    while (walk->at < walk->set->count && walk->set->ranges[walk->at].hi < uid)
        walk->at++;
    return walk->at < walk->set->count && walk->set->ranges[walk->at].lo <= uid;
}

size_t mail_range_at(const struct uidset *set, uint32_t uid)
{
    size_t lo = 0, hi = set->count;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (set->ranges[mid].hi < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The next stretch to ask for, of ranges from *at on; false when there is none. */
static bool next_stretch(const struct uidset *which, size_t *at, struct uid_range *stretch_out)
{
    if (which == NULL) {
        *stretch_out = (struct uid_range){ 1, UINT32_MAX };
        return (*at)++ == 0;
    }
    if (*at >= which->count)
        return false;
    *stretch_out = which->ranges[(*at)++];
    while (*at < which->count && which->ranges[*at].lo - stretch_out->hi <= GAP_MAX)
        stretch_out->hi = which->ranges[(*at)++].hi;
    return true;
}

static bool query_stretch(struct account *account, const struct mail_scan *scan,
                          struct uid_range stretch, struct sql_row *row_out, struct error *err)
{
    uint64_t lo = MAX((uint64_t)stretch.lo, (uint64_t)scan->after + 1), hi = stretch.hi;

    if (scan->only_deleted)
        return sql_query(&account->db, SQL_SCAN_DELETED, row_out, err, "uuu", scan->mailbox, lo,
                         hi);
    if (scan->since > 0)
        return sql_query(&account->db, SQL_SCAN_SINCE, row_out, err, "uuuu", scan->mailbox, lo, hi,
                         scan->since);
    return sql_query(&account->db, SQL_SCAN, row_out, err, "uuu", scan->mailbox, lo, hi);
}

static bool is_full(const struct mail_scan *scan, const struct mail_list *list)
{
    return scan->max != 0 && list->count >= scan->max;
}

static bool scan_stretch(struct account *account, const struct mail_scan *scan,
                         struct uid_range stretch, struct walk *walk, struct mail_list *list,
                         struct error *err)
{
    struct sql_row row;

    if (!query_stretch(account, scan, stretch, &row, err))
        return false;
    while (sql_next(&row, err)) {
        if (walk->set != NULL && !walk_has(walk, (uint32_t)sql_u64(&row, 0)))
            continue;
        if (list->count == list->room)
            list->items =
                mem_grow(list->items, &list->room, list->count + 1, sizeof(list->items[0]));
        mail_from_row(&row, &list->items[list->count++]);
        if (is_full(scan, list)) {
            sql_end(&row);
            return true;
        }
    }
    return !row.failed;
}

bool mail_scan(struct account *account, const struct mail_scan *scan, struct mail_list *list,
               bool *end_out, struct error *err)
{
    size_t at = scan->which != NULL ? mail_range_at(scan->which, scan->after + 1) : 0;
    struct walk walk = { scan->which, at };
    struct uid_range stretch;

    while (!is_full(scan, list) && next_stretch(scan->which, &at, &stretch))
        if (!scan_stretch(account, scan, stretch, &walk, list, err))
            return false;
    if (end_out != NULL)
        *end_out = !is_full(scan, list);
    return true;
}

uint32_t mail_range_end(const struct uidset *which, uint32_t uid)
{
    return which == NULL ? UINT32_MAX : which->ranges[mail_range_at(which, uid)].hi;
}

/* Bulk changes. */

/* One slice of at most `max` rows (0: all), within its transaction. */
static bool run_slice(struct bulk *bulk, size_t max, uint32_t *after, bool *end, struct error *err)
{
    AUTO(mail_list_free) struct mail_list list = { 0 };
    struct mail_scan scan = { bulk->mailbox, bulk->which, *after, 0, bulk->only_deleted, max };
    struct mailbox_row row;
    bool changed = false;

    if (!mailbox_row(bulk->account, bulk->mailbox, &row, err) ||
        !mail_scan(bulk->account, &scan, &list, end, err))
        return false;
    bulk->modseq_out = row.modseq;
    if (bulk->n_steps == 0)
        bulk->since = row.modseq;
    if (list.count == 0)
        return true;
    if (!bulk->slice(bulk, &list, row.modseq + 1, &changed, err))
        return false;
    *after = list.items[list.count - 1].uid;
    if (!changed)
        return true;
    bulk->n_steps++;
    bulk->modseq_out = row.modseq + 1;
    return mailbox_apply(bulk->account, bulk->mailbox,
                         &(struct mailbox_delta){ .modseq = bulk->modseq_out }, err);
}

/* All in one transaction: the usual case. */
static bool run_at_once(struct bulk *bulk, enum sql_sync sync, struct error *err)
{
    uint32_t after = 0;
    bool end;

    if (!account_begin(bulk->account, sync, err))
        return false;
    if (!run_slice(bulk, 0, &after, &end, err))
        return account_rollback(bulk->account);
    if (bulk->n_steps == 0) {
        account_rollback(bulk->account);
        return true;
    }
    return account_commit(bulk->account, bulk->mailbox, err);
}

static bool run_slices(struct bulk *bulk, enum sql_sync sync, struct error *err)
{
    uint32_t after = 0;

    for (bool end = false; !end;) {
        if (!account_begin(bulk->account, sync, err))
            return false;
        if (!run_slice(bulk, SLICE_ROWS, &after, &end, err))
            return account_rollback(bulk->account);
        if (!account_commit_quietly(bulk->account, err))
            return false;
    }
    return true;
}

/* Even when some slices failed: what the others did is news. */
static bool finish_slices(struct bulk *bulk, struct error *err)
{
    struct mailbox_row row;

    if (bulk->n_steps == 0)
        return true;
    if (!account_begin(bulk->account, SQL_NORMAL, err))
        return false;
    if (!mailbox_row(bulk->account, bulk->mailbox, &row, err))
        return account_rollback(bulk->account);
    bulk->modseq_out = row.modseq;
    return account_commit(bulk->account, bulk->mailbox, err);
}

bool bulk_run(struct bulk *bulk, struct error *err)
{
    enum sql_sync sync = bulk->durable ? SQL_FULL : SQL_NORMAL;
    struct mailbox_row row;
    struct error later;

    if (!mailbox_row(bulk->account, bulk->mailbox, &row, err) ||
        (!bulk->durable && !account_relax(bulk->account, err)))
        return false;
    uint64_t most = bulk->only_deleted ? row.n_deleted : row.n_total;
    if (bulk->which != NULL)
        most = MIN(most, uidset_size(bulk->which));
    if (bulk->at_once || most < SLICE_ROWS)
        return run_at_once(bulk, sync, err);

    bool ok = run_slices(bulk, sync, err);
    return finish_slices(bulk, ok ? err : &later) && ok;
}
