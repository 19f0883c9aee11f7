/* object.c - what messages are known by in all mailboxes: a hash of their bytes, and their thread.
 *
 * A message joins the thread of the first of these that is known: its own Message-ID, then those it
 * refers to, the nearest first. Else it begins one, named after the oldest it refers to, so that
 * other accounts come to the same name. It stays when two threads turn out to be one, since clients
 * may have seen both (RFC 8474 section 5.2).
 *
 * Messages of before there were threads have 0, until somebody asks.
 */
#include "storage/sqlite/object_private.h"

#include <stdlib.h>

#define IDS_MAX 12 /* that are looked at; bounds what a delivery costs */

struct thread_ids {
    uint64_t ids[IDS_MAX]; /* own, then references, the nearest first; the last is the oldest */
    size_t count;
};

static void collect_ids(const struct sort_keys *keys, struct thread_ids *out)
{
    size_t n = keys->n_references;

    out->count = 0;
    if (keys->id != 0)
        out->ids[out->count++] = keys->id;
    for (; n > 1 && out->count + 1 < IDS_MAX; n--)
        out->ids[out->count++] = sort_reference(keys, n - 1);
    if (n > 0)
        out->ids[out->count++] = sort_reference(keys, 0);
}

static bool find_thread(struct account *account, const struct thread_ids *ids, uint64_t *thread_out,
                        struct error *err)
{
    struct sql_row row;

    *thread_out = 0;
    for (size_t i = 0; i < ids->count && *thread_out == 0; i++) {
        if (!sql_query(&account->db, SQL_THREAD_FIND, &row, err, "i", (int64_t)ids->ids[i]))
            return false;
        if (sql_next(&row, err)) {
            *thread_out = (uint64_t)sql_i64(&row, 0);
            sql_end(&row);
        }
        if (row.failed)
            return false;
    }
    return true;
}

/* Without any id it is by its bytes, so that equal messages share a thread. */
static uint64_t new_thread(const struct thread_ids *ids, const unsigned char *hash)
{
    uint64_t thread;

    if (ids->count > 0)
        return ids->ids[ids->count - 1];
    memcpy(&thread, hash, sizeof(thread));
    return thread != 0 ? thread : 1;
}

/* A new thread is known by the ends of what its message names; one that was there by the message
 * alone: each id that is written costs a page. */
static bool is_remembered(const struct thread_ids *ids, size_t i, bool has_own, bool is_new)
{
    return (has_own && i == 0) || (is_new && (i <= 1 || i + 1 == ids->count));
}

bool thread_assign(struct account *account, struct slice sort_keys, const unsigned char *hash,
                   uint64_t *thread_out, struct error *err)
{
    struct thread_ids ids = { .count = 0 };
    struct sort_keys keys = { .id = 0 };
    bool is_new;

    if (sort_keys_read(sort_keys, &keys))
        collect_ids(&keys, &ids);
    if (!find_thread(account, &ids, thread_out, err))
        return false;
    is_new = *thread_out == 0;
    if (is_new)
        *thread_out = new_thread(&ids, hash);
    for (size_t i = 0; i < ids.count; i++)
        if (is_remembered(&ids, i, keys.id != 0, is_new) &&
            !sql_run(&account->db, SQL_THREAD_PUT, NULL, err, "ii", (int64_t)ids.ids[i],
                     (int64_t)*thread_out))
            return false;
    return true;
}

/* Nothing of a message that is gone but its number. */
static bool find_object(struct account *account, uint64_t msg, struct object_ids *ids_out,
                        struct error *err)
{
    struct sql_row row;
    struct slice hash;

    *ids_out = (struct object_ids){ .msg = msg };
    if (!sql_query(&account->db, SQL_MSG_OBJECT, &row, err, "u", msg))
        return false;
    if (!sql_next(&row, err))
        return !row.failed;
    hash = sql_slice(&row, 0);
    memcpy(ids_out->hash, hash.data, MIN(hash.len, sizeof(ids_out->hash)));
    ids_out->thread = (uint64_t)sql_i64(&row, 1);
    ids_out->exists = true;
    sql_end(&row);
    return true;
}

struct newcomers {
    struct account *account;
    struct error *err;
    bool failed;
};

static void assign_one(const struct cached *cached, void *context)
{
    struct newcomers *newcomers = context;
    struct account *account = newcomers->account;
    struct object_ids ids;

    if (newcomers->failed || !find_object(account, cached->msg, &ids, newcomers->err)) {
        newcomers->failed = true;
        return;
    }
    if (!ids.exists || ids.thread != 0)
        return;
    newcomers->failed =
        !thread_assign(account, cached->sort_keys, ids.hash, &ids.thread, newcomers->err) ||
        !sql_run(&account->db, SQL_MSG_THREAD, NULL, newcomers->err, "iu", (int64_t)ids.thread,
                 cached->msg);
}

/* Gives threads to those that have none yet. */
static bool assign_missing(struct account *account, const uint64_t *msgs, size_t count,
                           struct error *err)
{
    struct newcomers newcomers = { .account = account, .err = err };

    cache_ready(account);
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!account_summaries(account, CACHED_SORT_KEYS, msgs, count, assign_one, &newcomers, err) ||
        newcomers.failed)
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

static bool find_objects(struct account *account, const uint64_t *msgs, size_t count,
                         struct object_ids *ids_out, bool *missing_out, struct error *err)
{
    *missing_out = false;
    for (size_t i = 0; i < count; i++) {
        if (!find_object(account, msgs[i], &ids_out[i], err))
            return false;
        *missing_out |= ids_out[i].exists && ids_out[i].thread == 0;
    }
    return true;
}

bool account_objects(struct account *account, const uint64_t *msgs, size_t count,
                     struct object_ids *ids_out, struct error *err)
{
    bool missing;

    if (!find_objects(account, msgs, count, ids_out, &missing, err))
        return false;
    if (!missing)
        return true;
    return assign_missing(account, msgs, count, err) &&
           find_objects(account, msgs, count, ids_out, &missing, err);
}
