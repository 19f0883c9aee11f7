/* queue_apply.c - one change of the queue, as rows and files.
 *
 * Crash states of a large body in queue/: a file without a row (linked, not committed; or row gone,
 * not yet unlinked), which the sweeper removes; or row and file. Never a row without its file.
 */
#include "storage/sqlite/queue_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPLY_MAX  500 /* bytes kept of a remote server's reply */
#define HOST_MAX   255
#define TLS_MAX    100
#define STATUS_MAX 20

void file_names_add(struct file_names *names, struct slice name)
{
    struct file_name *item;

    if (name.len == 0 || name.len >= QUEUE_FILE_NAME_SIZE)
        return;
    names->items = mem_grow(names->items, &names->room, names->count + 1, sizeof(*names->items));
    item = &names->items[names->count++];
    memcpy(item->text, name.data, name.len);
    item->text[name.len] = '\0';
}

void file_names_unlink(const struct file_names *names, const struct store *store)
{
    for (size_t i = 0; i < names->count; i++) {
        AUTO(buf_free) struct buf path = { 0 };

        queue_file_path(store, names->items[i].text, &path);
        unlink(buf_text(&path));
    }
}

void queue_file_path(const struct store *store, const char *name, struct buf *out)
{
    buf_fmt(out, "%s/queue/%.2s/%s", store->options.path, name, name);
}

bool queue_file_link(const struct store *store, const struct body *body,
                     char name_out[QUEUE_FILE_NAME_SIZE], struct error *err)
{
    AUTO(buf_free) struct buf folder = { 0 };
    AUTO(buf_free) struct buf path = { 0 };

    snprintf(name_out, QUEUE_FILE_NAME_SIZE, "%016" PRIx64, random_u64());
    buf_fmt(&folder, "%s/queue/%.2s", store->options.path, name_out);
    queue_file_path(store, name_out, &path);

    if (access(buf_text(&folder), F_OK) != 0 && !dir_make(buf_text(&folder), err))
        return false;
    if (link(body_file(body), buf_text(&path)) != 0)
        return error_errno(err, "linking %s", buf_text(&path));
    if (dir_sync(buf_text(&folder), err))
        return true;
    unlink(buf_text(&path));
    return false;
}

static uint64_t features_of(const struct queue_message *message)
{
    return (message->utf8 ? FEATURE_UTF8 : 0u) | (message->eight_bit ? FEATURE_EIGHT_BIT : 0u) |
           (message->binary ? FEATURE_BINARY : 0u) | (message->junk ? FEATURE_JUNK : 0u) |
           (message->require_tls ? FEATURE_REQUIRE_TLS : 0u) |
           (message->tls_optional ? FEATURE_TLS_OPTIONAL : 0u);
}

static bool insert_recipient(struct sql_db *db, uint64_t message, struct queue_recipient *recipient,
                             struct error *err)
{
    static const unsigned char none[sizeof(recipient->delivery_id)];
    struct slice delivery_id = slice_make(recipient->delivery_id, sizeof(recipient->delivery_id));
    char domain[QUEUE_DOMAIN_SIZE];

    queue_domain(recipient->address, domain);
    if (memcmp(recipient->delivery_id, none, sizeof(none)) == 0)
        random_bytes(recipient->delivery_id, sizeof(recipient->delivery_id));
    if (!sql_run(db, QUEUE_INSERT_RECIPIENT, NULL, err, "uuttttubuituutt", message,
                 recipient->account, recipient->address, recipient->detail, recipient->original,
                 recipient->orcpt, (uint64_t)recipient->notify, delivery_id,
                 (uint64_t)recipient->tries, recipient->next_try_ms,
                 slice_part(recipient->last_reply, 0, REPLY_MAX), (uint64_t)recipient->state,
                 (uint64_t)recipient->report, recipient->reverse_path, slice_of(domain)))
        return false;
    recipient->id = sql_last_id(db);
    return true;
}

static bool insert_body(struct sql_db *db, uint64_t message, struct body *body, struct error *err)
{
    struct slice bytes;

    if (body_is_large(body))
        return true;
    return body_bytes(body, &bytes, err) &&
           sql_run(db, QUEUE_INSERT_BODY, NULL, err, "ub", message, bytes);
}

/* For the account's allowance. */
static bool count_sent(struct sql_db *db, const struct queue_message *message, struct error *err)
{
    int64_t now = message->arrived_ms / QUEUE_SENT_STEP_MS;

    return message->account == 0 ||
           (sql_run(db, QUEUE_ADD_SENT, NULL, err, "uiu", message->account, now,
                    (uint64_t)message->n_recipients) &&
            sql_run(db, QUEUE_FORGET_SENT, NULL, err, "uii", message->account, now - STEPS_PER_DAY,
                    now + STEPS_PER_DAY));
}

static bool insert_message(struct sql_db *db, struct queue_change *change, struct error *err)
{
    struct queue_message *message = change->message;

    message->size = message->prefix.len + body_size(change->body);
    if (!sql_run(db, QUEUE_INSERT_MESSAGE, NULL, err, "tutuuiubutbt", message->sender,
                 message->account, message->envid, (uint64_t)message->ret, features_of(message),
                 message->arrived_ms, message->size, message->prefix,
                 (uint64_t)body_size(change->body), slice_of(change->file),
                 slice_make(body_hash(change->body), HASH_SIZE), message->client))
        return false;
    message->id = sql_last_id(db);
    if (!insert_body(db, message->id, change->body, err) || !count_sent(db, message, err))
        return false;
    for (size_t i = 0; i < message->n_recipients; i++) {
        if (!insert_recipient(db, message->id, &message->recipients[i], err))
            return false;
    }
    return true;
}

static bool delete_message(struct sql_db *db, uint64_t message, struct file_names *obsolete,
                           struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, QUEUE_FIND_FILE, &row, err, "u", message))
        return false;
    if (sql_next(&row, err))
        file_names_add(obsolete, sql_slice(&row, 0));
    sql_end(&row);
    return !row.failed && sql_run(db, QUEUE_DELETE_BODY, NULL, err, "u", message) &&
           sql_run(db, QUEUE_DELETE_MESSAGE, NULL, err, "u", message);
}

static bool has_recipients(struct sql_db *db, uint64_t message, bool *has_out, struct error *err)
{
    struct sql_row row;

    if (!sql_query(db, QUEUE_HAS_RECIPIENTS, &row, err, "u", message))
        return false;
    *has_out = sql_next(&row, err);
    sql_end(&row);
    return !row.failed;
}

bool queue_delete_recipient(struct sql_db *db, uint64_t recipient, int64_t *delta,
                            struct file_names *obsolete, struct error *err)
{
    struct sql_row row;
    uint64_t message = 0, tries = 0;
    bool found, others;

    if (!sql_query(db, QUEUE_DELETE_RECIPIENT, &row, err, "u", recipient))
        return false;
    found = sql_next(&row, err);
    if (found) {
        message = sql_u64(&row, 0);
        tries = sql_u64(&row, 1);
        sql_end(&row);
    }
    if (!found)
        return !row.failed;
    *delta -= 1;
    if (tries > 0 && !sql_run(db, QUEUE_DELETE_ATTEMPTS, NULL, err, "u", recipient))
        return false;
    return has_recipients(db, message, &others, err) &&
           (others || delete_message(db, message, obsolete, err));
}

/* Of a recipient that the operator has removed meanwhile there is nothing to remember. */
static bool remember(struct sql_db *db, uint64_t recipient, const struct queue_try *made,
                     struct error *err)
{
    return sql_run(db, QUEUE_INSERT_ATTEMPT, NULL, err, "uittttu", recipient, made->at_ms,
                   slice_part(made->host, 0, HOST_MAX), slice_part(made->tls, 0, TLS_MAX),
                   slice_part(made->status, 0, STATUS_MAX), slice_part(made->reply, 0, REPLY_MAX),
                   (uint64_t)made->answered) &&
           sql_run(db, QUEUE_TRIM_ATTEMPTS, NULL, err, "uu", recipient, (uint64_t)QUEUE_TRIES_KEPT);
}

static bool apply_retries(struct sql_db *db, const struct queue_change *change, struct error *err)
{
    for (size_t i = 0; i < change->n_retries; i++) {
        const struct queue_retry *retry = &change->retries[i];

        if (!sql_run(db, QUEUE_RETRY, NULL, err, "uitiiu", retry->recipient, retry->next_try_ms,
                     slice_part(retry->made.reply, 0, REPLY_MAX), retry->made.at_ms,
                     retry->waited_ms, (uint64_t)(retry->warn ? REPORT_DELAYED : REPORT_NONE)) ||
            !remember(db, retry->recipient, &retry->made, err))
            return false;
    }
    return true;
}

static bool apply_ends(struct sql_db *db, const struct queue_change *change, struct error *err)
{
    for (size_t i = 0; i < change->n_ends; i++) {
        const struct queue_end *end = &change->ends[i];

        if (!sql_run(db, QUEUE_END, NULL, err, "utiu", end->recipient,
                     slice_part(end->made.reply, 0, REPLY_MAX), end->made.at_ms,
                     (uint64_t)end->report) ||
            !remember(db, end->recipient, &end->made, err))
            return false;
    }
    for (size_t i = 0; i < change->n_warned; i++)
        if (!sql_run(db, QUEUE_WARNED, NULL, err, "u", change->warned[i]))
            return false;
    return true;
}

bool queue_apply(struct sql_db *db, struct queue_change *change, int64_t *delta,
                 struct file_names *obsolete, struct error *err)
{
    if (change->message != NULL) {
        if (!insert_message(db, change, err))
            return false;
        *delta += (int64_t)change->message->n_recipients;
    }
    for (size_t i = 0; i < change->n_gone; i++) {
        if (!queue_delete_recipient(db, change->gone[i], delta, obsolete, err))
            return false;
    }
    return apply_retries(db, change, err) && apply_ends(db, change, err);
}
