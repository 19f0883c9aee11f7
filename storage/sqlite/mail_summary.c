/* mail_summary.c - what was computed from messages when they came.
 *
 * A summary that is not in cache.db is made again from the bytes, given to the caller, and stored.
 */
#include "storage/sqlite/cache_private.h"

#include <stdlib.h>

#define RUN_MAX 1000 /* bounds what is rebuilt before it is stored */
#define RUN_GAP 16   /* ids not asked for that are stepped over */

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
    enum cache_slot slot; /* the statement that gives what is asked for */
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
                                   .preview = buf_slice(&summary->preview),
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

/* Only saves time later: when it does not work now, they are made again. */
static void store_rebuilt(struct reader *reader)
{
    struct rebuilt *rebuilt = reader->rebuilt;
    struct cache_item items[RUN_MAX];

    if (rebuilt == NULL || rebuilt->count == 0)
        return;
    for (size_t i = 0; i < rebuilt->count; i++)
        items[i] = (struct cache_item){ rebuilt->items[i].msg, &rebuilt->items[i].summary };
    cache_put(reader->account, items, rebuilt->count);
    for (size_t i = 0; i < rebuilt->count; i++)
        summary_free(&rebuilt->items[i].summary);
    rebuilt->count = 0;
}

static void give_row(struct reader *reader, const struct sql_row *row)
{
    reader->each(&(struct cached){ .msg = sql_u64(row, 0),
                                   .sent_ms = sql_i64(row, 1),
                                   .header_len = sql_u64(row, 2),
                                   .envelope = sql_slice(row, 3),
                                   .body_structure = sql_slice(row, 4),
                                   .body = sql_slice(row, 5),
                                   .sort_keys = sql_slice(row, 6),
                                   .preview = sql_slice(row, 7) },
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
    give_row(reader, row);
    return true;
}

/* Gives what cache.db has of msgs[*at..], and what is missing in between. False: a message could
 * not be read; what cache.db could not give is left. */
static bool give_stored(struct reader *reader, const uint64_t *msgs, size_t count, size_t *at,
                        struct error *err)
{
    struct sql_row row;
    struct error why;

    if (!cache_ready(reader->account))
        return true;
    if (!sql_query(&reader->account->cache, reader->slot, &row, &why, "uu", msgs[0],
                   msgs[count - 1])) {
        cache_failed(reader->account, &why);
        return true;
    }
    while (sql_next(&row, &why)) {
        if (!give_up_to(reader, &row, msgs, count, at, err)) {
            sql_end(&row);
            return false;
        }
    }
    if (row.failed)
        cache_failed(reader->account, &why);
    return true;
}

static bool give_run(struct reader *reader, const uint64_t *msgs, size_t count, struct error *err)
{
    size_t at = 0;

    if (!give_stored(reader, msgs, count, &at, err))
        return false;
    for (; at < count; at++)
        if (!rebuild(reader, msgs[at], err))
            return false;
    return true;
}

static enum cache_slot slot_of(unsigned parts)
{
    if (parts == CACHED_ENVELOPE)
        return CACHE_ENVELOPES;
    return parts == CACHED_SORT_KEYS ? CACHE_SORTINGS : CACHE_RANGE;
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
