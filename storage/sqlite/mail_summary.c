/* mail_summary.c - what was computed from messages when they came.
 *
 * A summary that is missing or of another version is made again from the bytes, given to the
 * caller, and stored; so a new SUMMARY_VERSION needs no migration.
 */
#include "storage/sqlite/cache_private.h"

#include <stdlib.h>

#define RUN_MAX 1000 /* bounds what is rebuilt before it is stored */
#define RUN_GAP 16   /* ids not asked for that are stepped over */

bool summary_put(struct account *account, uint64_t msg, const struct summary *summary,
                 struct error *err)
{
    return sql_run(&account->db, SQL_CACHE_PUT, NULL, err, "uuiubbbb", msg,
                   (uint64_t)SUMMARY_VERSION, summary->sent_ms, (uint64_t)summary->header_len,
                   buf_slice(&summary->envelope), buf_slice(&summary->body_structure),
                   buf_slice(&summary->body), buf_slice(&summary->sort_keys));
}

typedef void (*each_cached)(const struct cached *cached, void *context);

struct rebuilt {
    struct {
        uint64_t msg;
        struct summary summary;
    } items[RUN_MAX];
    size_t count;
};

struct reader {
    struct account *account;
    enum account_slot slot; /* the statement that gives what is asked for */
    each_cached each;
    void *context;
    struct rebuilt *rebuilt; /* NULL until there is something */
};

static void give_summary(struct reader *reader, uint64_t msg, const struct summary *summary)
{
    reader->each(&(struct cached){ .msg = msg,
                                   .envelope = buf_slice(&summary->envelope),
                                   .body_structure = buf_slice(&summary->body_structure),
                                   .body = buf_slice(&summary->body),
                                   .sort_keys = buf_slice(&summary->sort_keys),
                                   .sent_ms = summary->sent_ms,
                                   .header_len = summary->header_len },
                 reader->context);
}

/* A message that is gone or damaged has no summary, but must not hide the others. */
static bool rebuild(struct reader *reader, uint64_t msg, struct error *err)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    struct error why;

    if (!account_read(reader->account, msg, 0, SIZE_MAX, &bytes, &why)) {
        if (why.kind == ERROR_TEMPORARY) {
            *err = why;
            return false;
        }
        reader->each(&(struct cached){ .msg = msg }, reader->context);
        return true;
    }
    if (reader->rebuilt == NULL)
        reader->rebuilt = NEW(struct rebuilt);
    struct summary *summary = &reader->rebuilt->items[reader->rebuilt->count].summary;
    reader->rebuilt->items[reader->rebuilt->count++].msg = msg;
    summary_make(buf_slice(&bytes), summary);
    give_summary(reader, msg, summary);
    return true;
}

static bool store_all(struct account *account, const struct rebuilt *rebuilt, struct error *err)
{
    for (size_t i = 0; i < rebuilt->count; i++)
        if (!summary_put(account, rebuilt->items[i].msg, &rebuilt->items[i].summary, err))
            return false;
    return true;
}

/* Only saves time later: when it does not work now, or within account_hold_reads(), they are made
 * again. */
static void store_rebuilt(struct reader *reader)
{
    struct rebuilt *rebuilt = reader->rebuilt;
    struct error ignored;
    bool busy;

    if (rebuilt == NULL || rebuilt->count == 0)
        return;
    if (!sql_in_transaction(&reader->account->db) &&
        account_try_begin(reader->account, SQL_NORMAL, &busy, &ignored) && !busy) {
        if (!store_all(reader->account, rebuilt, &ignored) ||
            !account_commit_quietly(reader->account, &ignored))
            account_rollback(reader->account);
    }
    for (size_t i = 0; i < rebuilt->count; i++)
        summary_free(&rebuilt->items[i].summary);
    rebuilt->count = 0;
}

static void give_row(struct reader *reader, const struct sql_row *row)
{
    reader->each(&(struct cached){ .msg = sql_u64(row, 0),
                                   .sent_ms = sql_i64(row, 2),
                                   .header_len = sql_u64(row, 3),
                                   .envelope = sql_slice(row, 4),
                                   .body_structure = sql_slice(row, 5),
                                   .body = sql_slice(row, 6),
                                   .sort_keys = sql_slice(row, 7) },
                 reader->context);
}

/* How many of msgs[0..count) ascend in steps small enough for one range query. */
static size_t run_length(const uint64_t *msgs, size_t count)
{
    size_t n = 1;

    while (n < count && n < RUN_MAX && msgs[n] > msgs[n - 1] && msgs[n] - msgs[n - 1] <= RUN_GAP)
        n++;
    return n;
}

/* Gives msgs[*at..] as far as the row shows them to be missing, and the row itself if asked for. */
static bool give_up_to(struct reader *reader, const struct sql_row *row, const uint64_t *msgs,
                       size_t count, size_t *at, struct error *err)
{
    uint64_t msg = sql_u64(row, 0);

    for (; *at < count && msgs[*at] < msg; ++*at)
        if (!rebuild(reader, msgs[*at], err))
            return false;
    if (*at == count || msgs[*at] != msg)
        return true;
    ++*at;
    if (sql_u64(row, 1) != SUMMARY_VERSION)
        return rebuild(reader, msg, err);
    give_row(reader, row);
    return true;
}

static bool give_run(struct reader *reader, const uint64_t *msgs, size_t count, struct error *err)
{
    size_t at = 0;
    struct sql_row row;

    if (!sql_query(&reader->account->db, reader->slot, &row, err, "uu", msgs[0], msgs[count - 1]))
        return false;
    while (sql_next(&row, err)) {
        if (!give_up_to(reader, &row, msgs, count, &at, err)) {
            sql_end(&row);
            return false;
        }
    }
    if (row.failed)
        return false;
    for (; at < count; at++)
        if (!rebuild(reader, msgs[at], err))
            return false;
    return true;
}

static enum account_slot slot_of(unsigned parts)
{
    if (parts == CACHED_ENVELOPE)
        return SQL_CACHE_ENVELOPES;
    return parts == CACHED_SORT_KEYS ? SQL_CACHE_SORT_KEYS : SQL_CACHE_RANGE;
}

bool account_summaries(struct account *account, unsigned parts, const uint64_t *msgs, size_t count,
                       void (*each)(const struct cached *cached, void *context), void *context,
                       struct error *err)
{
    struct reader reader = { account, slot_of(parts), each, context, NULL };
    bool ok = true;

    for (size_t i = 0, n; i < count && ok; i += n) {
        n = run_length(msgs + i, count - i);
        ok = give_run(&reader, msgs + i, n, err);
        store_rebuilt(&reader);
    }
    free(reader.rebuilt);
    return ok;
}

bool account_cached(struct account *account, const uint64_t *msgs, size_t count,
                    void (*each)(const struct cached *cached, void *context), void *context,
                    struct error *err)
{
    return account_summaries(account, CACHED_ALL, msgs, count, each, context, err);
}
