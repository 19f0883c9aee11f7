/* queue_operate.c - see storage/queue_operate.h.
 *
 * Selecting walks the recipients: the operator's time is worth no index of its own.
 */
#include "storage/queue_operate.h"
#include "storage/names.h"
#include "storage/notice.h"
#include "storage/sqlite/queue_private.h"

#include <stdlib.h>

/* A filter with its domain in the form of the DNS. */
struct sieve {
    const struct queue_filter *filter;
    struct buf domain;
};

static bool is_domain_of(struct slice address, struct slice domain)
{
    AUTO(buf_free) struct buf name = { 0 };
    size_t at = address.len;

    while (at > 0 && address.data[at - 1] != '@')
        at--;
    address = slice_from(address, at);
    return at > 0 && (slice_equal_case(address, domain) ||
                      (name_domain(address, &name) && slice_equal(buf_slice(&name), domain)));
}

static bool passes(const struct sieve *sieve, const struct queue_message *message,
                   const struct queue_recipient *recipient)
{
    const struct queue_filter *filter = sieve->filter;

    return (filter->message == 0 || message->id == filter->message) &&
           (filter->account == 0 || message->account == filter->account) &&
           (filter->sender.len == 0 || slice_equal_case(message->sender, filter->sender)) &&
           (!filter->held || recipient->state == QUEUE_HELD) &&
           (filter->recipient.len == 0 || slice_equal_case(recipient->address, filter->recipient) ||
            slice_equal_case(recipient->original, filter->recipient)) &&
           (sieve->domain.len == 0 || is_domain_of(recipient->address, buf_slice(&sieve->domain)));
}

static bool keeps(const struct queue_choice *choice, const struct queue_message *message,
                  const struct queue_recipient *recipient)
{
    return passes(choice->context, message, recipient);
}

static bool open_sieve(struct sieve *sieve, struct error *err)
{
    struct slice domain = sieve->filter->destination;

    if (domain.len == 0 || name_domain(domain, &sieve->domain))
        return true;
    return error_set(err, ERROR_INVALID, SLICE_FMT " is no domain", SLICE_ARG(domain));
}

struct ids {
    uint64_t *items;
    size_t count, room;
};

static void add_id(struct ids *ids, uint64_t id)
{
    ids->items = mem_grow(ids->items, &ids->room, ids->count + 1, sizeof(ids->items[0]));
    ids->items[ids->count++] = id;
}

/* The ids of recipients that pass, or of their messages, each once: at most `max`. */
static bool scan(struct sql_db *db, const struct sieve *sieve, uint64_t after, bool messages,
                 size_t max, struct ids *ids, struct error *err)
{
    uint64_t only = sieve->filter->message;
    struct sql_row row;

    if (!sql_query(db, QUEUE_SCAN, &row, err, "uu", MAX(only, after + 1),
                   only != 0 ? only : (uint64_t)INT64_MAX))
        return false;
    while (ids->count < max && sql_next(&row, err)) {
        const struct queue_recipient recipient = { .address = sql_slice(&row, 2),
                                                   .original = sql_slice(&row, 3),
                                                   .state = (enum queue_state)sql_i64(&row, 4) };
        const struct queue_message message = { .id = sql_u64(&row, 1),
                                               .account = sql_u64(&row, 5),
                                               .sender = sql_slice(&row, 6) };

        if (messages && ids->count > 0 && ids->items[ids->count - 1] == message.id)
            continue;
        if (passes(sieve, &message, &recipient))
            add_id(ids, messages ? message.id : sql_u64(&row, 0));
    }
    if (ids->count == max)
        sql_end(&row);
    return !row.failed;
}

static bool select_messages(struct sql_db *db, struct arena *arena, const struct sieve *sieve,
                            uint64_t after, size_t max, struct queue_list *list_out,
                            struct error *err)
{
    const struct queue_choice choice = { .keeps = keeps, .context = sieve };
    struct ids ids = { 0 };
    bool ok = scan(db, sieve, after, true, max, &ids, err);

    list_out->items = ARENA_ARRAY(arena, struct queue_message, ids.count);
    list_out->count = ids.count;
    for (size_t i = 0; ok && i < ids.count; i++)
        ok = queue_read(db, arena, ids.items[i], &choice, &list_out->items[i], err);
    free(ids.items);
    return ok;
}

bool queue_select(struct desk *desk, struct arena *arena, const struct queue_filter *filter,
                  uint64_t after_message_id, size_t max_messages, struct queue_list *list_out,
                  struct error *err)
{
    struct sieve sieve = { .filter = filter };
    struct sql_db *db;
    bool ok;

    *list_out = (struct queue_list){ 0 };
    if (!open_sieve(&sieve, err) || !desk_queue(desk, &db, err) || !sql_begin_read(db, err)) {
        buf_free(&sieve.domain);
        return false;
    }
    ok = select_messages(db, arena, &sieve, after_message_id, max_messages, list_out, err);
    buf_free(&sieve.domain);
    return queue_end_read(db, ok, err);
}

bool queue_count(struct desk *desk, struct queue_totals *totals_out, struct error *err)
{
    struct sql_db *db;
    struct sql_row row;

    *totals_out = (struct queue_totals){ 0 };
    if (!desk_queue(desk, &db, err) || !sql_query(db, QUEUE_TOTALS, &row, err, ""))
        return false;
    if (sql_next(&row, err)) {
        *totals_out = (struct queue_totals){ sql_u64(&row, 0), sql_u64(&row, 1), sql_u64(&row, 2) };
        sql_end(&row);
    }
    return !row.failed;
}

/* --- changes --- */

static bool set_state(struct sql_db *db, uint64_t id, enum queue_state from, enum queue_state to,
                      uint64_t *changes_out, struct error *err)
{
    return sql_run(db, QUEUE_SET_STATE, changes_out, err, "uuu", id, (uint64_t)from, (uint64_t)to);
}

static bool carry_out(struct sql_db *db, enum queue_order order, uint64_t id,
                      struct file_names *obsolete, uint64_t *changes_out, struct error *err)
{
    int64_t delta = 0;
    bool ok;

    switch (order) {
    case ORDER_HOLD:
        return set_state(db, id, QUEUE_WAITING, QUEUE_HELD, changes_out, err);
    case ORDER_RELEASE:
        return set_state(db, id, QUEUE_HELD, QUEUE_WAITING, changes_out, err) &&
               (*changes_out == 0 || sql_run(db, QUEUE_SET_DUE, NULL, err, "ui", id, time_ms()));
    case ORDER_RETRY:
        return sql_run(db, QUEUE_SET_DUE, changes_out, err, "ui", id, time_ms());
    case ORDER_REMOVE:
        ok = queue_delete_recipient(db, id, &delta, obsolete, err);
        *changes_out = (uint64_t)-delta;
        return ok;
    }
    abort();
}

static bool operate(struct sql_db *db, enum queue_order order, const struct sieve *sieve,
                    struct file_names *obsolete, uint64_t *count_out, struct error *err)
{
    struct ids ids = { 0 };
    bool ok = scan(db, sieve, 0, false, SIZE_MAX, &ids, err);

    for (size_t i = 0; ok && i < ids.count; i++) {
        uint64_t changes = 0;

        ok = carry_out(db, order, ids.items[i], obsolete, &changes, err);
        *count_out += changes;
    }
    free(ids.items);
    return ok;
}

/* Commits, and tells the daemon. */
static bool finish(struct desk *desk, struct sql_db *db, bool ok, struct error *err)
{
    struct notice notice = { .kind = NOTICE_QUEUE };

    if (!ok) {
        sql_rollback(db);
        return false;
    }
    if (!sql_commit(db, err))
        return false;
    notice_send(desk->store, &notice);
    return true;
}

bool queue_operate(struct desk *desk, enum queue_order order, const struct queue_filter *filter,
                   uint64_t *count_out, struct error *err)
{
    struct sieve sieve = { .filter = filter };
    struct file_names obsolete = { 0 };
    struct sql_db *db;
    bool ok;

    *count_out = 0;
    ok = open_sieve(&sieve, err) && desk_queue(desk, &db, err) && sql_begin(db, err) &&
         finish(desk, db, operate(db, order, &sieve, &obsolete, count_out, err), err);
    if (ok)
        file_names_unlink(&obsolete, desk->store);
    free(obsolete.items);
    buf_free(&sieve.domain);
    return ok;
}

bool queue_mend_times(struct desk *desk, int64_t now_ms, int64_t max_wait_ms, uint64_t *count_out,
                      struct error *err)
{
    struct sql_db *db;
    bool ok;

    *count_out = 0;
    if (!desk_queue(desk, &db, err) || !sql_begin(db, err))
        return false;
    ok = sql_run(db, QUEUE_MEND_TIMES, count_out, err, "ii", now_ms, now_ms + max_wait_ms);
    if (ok && *count_out == 0) {
        sql_rollback(db);
        return true;
    }
    return finish(desk, db, ok, err);
}
