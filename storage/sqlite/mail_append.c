/* mail_append.c - new messages.
 *
 * What costs time (hash, summary) is done before the lock is taken. Inline bytes become one value;
 * of a large message the prefix is the value and the body file is linked as big/<msg>, before the
 * row commits: see the crash states in body.h. A file left by a crash has the id of no row; when
 * that id is given again, the file is replaced.
 */
#include "storage/sqlite/object_private.h"
#include "storage/sqlite/seen_private.h"

#include "message/header.h"
#include "message/sort_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* One item, made ready outside the transaction. */
struct ready {
    struct summary summary;
    struct buf joined;   /* prefix and body of an inline message */
    struct slice stored; /* what goes into the `body` table */
    unsigned char hash[HASH_SIZE];
    uint64_t size, msg;
    bool linked;
    bool has_summary; /* or only its sort keys */
};

/* One call, within its transaction. */
struct batch {
    struct account *account;
    uint64_t mailbox;
    struct ready *ready;
    struct append *items;
    size_t count;
    bool over_quota_is_fine;
    struct replaced *replaced; /* NULL: nothing is */
    uint32_t *recent_from;     /* NULL: nobody claims \Recent */
    uint32_t uidvalidity;
    bool is_new; /* there was something but replays */
};

/* A file with bytes before it, as one piece of memory: the file is mapped at a page, and the
 * prefix lies at the end of the page before it. */
struct glue {
    void *base;
    size_t len;
    struct slice whole;
};

static void unglue(struct glue *glue)
{
    if (glue->base != NULL)
        munmap(glue->base, glue->len);
    *glue = (struct glue){ 0 };
}

static bool map_file_at(void *where, const char *path, size_t size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_errno(err, "opening %s", path);
    void *mapped = mmap(where, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
    close(fd);
    return mapped != MAP_FAILED || error_errno(err, "mapping %s", path);
}

static bool glue_together(struct glue *glue, struct slice prefix, const struct body *body,
                          struct error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t front = (prefix.len + page - 1) / page * page;
    size_t len = front + body_size(body);
    char *base =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return error_errno(err, "mapping a message");
    *glue = (struct glue){ base, len, { base + front - prefix.len, prefix.len + len - front } };
    if (prefix.len > 0)
        memcpy(base + front - prefix.len, prefix.data, prefix.len);
    return map_file_at(base + front, body_file(body), body_size(body), err);
}

/* For the thread, which is given with the message. */
static void make_sort_keys(struct slice whole, struct buf *out)
{
    AUTO(arena_free) struct arena arena = { 0 };

    sort_keys_write(&arena, slice_part(whole, 0, header_length(whole)), out);
}

static void finish_ready(struct ready *ready, const struct append *item, struct slice whole)
{
    struct hash hash;

    ready->size = whole.len;
    ready->has_summary = !item->summary_later || body_is_large(item->body);
    if (ready->has_summary)
        summary_make(whole, &ready->summary);
    else
        make_sort_keys(whole, &ready->summary.sort_keys);
    if (item->prefix.len == 0) {
        memcpy(ready->hash, body_hash(item->body), HASH_SIZE);
        return;
    }
    hash_init(&hash);
    hash_add(&hash, whole.data, whole.len);
    hash_end(&hash, ready->hash);
}

static bool make_ready_inline(struct ready *ready, const struct append *item, struct error *err)
{
    if (!body_bytes(item->body, &ready->stored, err))
        return false;
    if (item->prefix.len > 0) {
        buf_add_slice(&ready->joined, item->prefix);
        buf_add_slice(&ready->joined, ready->stored);
        ready->stored = buf_slice(&ready->joined);
    }
    finish_ready(ready, item, ready->stored);
    return true;
}

static bool make_ready_large(struct ready *ready, const struct append *item, struct error *err)
{
    AUTO(unglue) struct glue glue = { 0 };

    if (!glue_together(&glue, item->prefix, item->body, err))
        return false;
    ready->stored = item->prefix;
    finish_ready(ready, item, glue.whole);
    return true;
}

static bool make_ready(struct ready *ready, const struct append *item, struct error *err)
{
    if ((uint64_t)body_size(item->body) + item->prefix.len > UINT32_MAX)
        return error_set(err, ERROR_LIMIT, "a message of more than 4 GB");
    return body_is_large(item->body) ? make_ready_large(ready, item, err)
                                     : make_ready_inline(ready, item, err);
}

void account_big_path(const struct account *account, uint64_t msg, struct buf *out)
{
    store_account_path(account->store, account->id, "big", out);
    buf_fmt(out, "/%llu", (unsigned long long)msg);
}

static bool link_body(struct account *account, struct ready *ready, const struct append *item,
                      struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };

    account_big_path(account, ready->msg, &path);
    if (unlink(buf_text(&path)) != 0 && errno != ENOENT)
        return error_errno(err, "removing what a crash left, %s", buf_text(&path));
    if (link(body_file(item->body), buf_text(&path)) != 0)
        return error_errno(err, "linking %s", buf_text(&path));
    ready->linked = true;
    return true;
}

static struct slice delivery_id(const struct append *item)
{
    static const unsigned char none[sizeof(item->delivery_id)];

    if (memcmp(item->delivery_id, none, sizeof(none)) == 0)
        return SLICE("");
    return slice_make(item->delivery_id, sizeof(item->delivery_id));
}

/* The msg with all that belongs to it; ready->msg stays 0 for a replay. */
static bool insert_msg(struct account *account, struct ready *ready, const struct append *item,
                       struct error *err)
{
    uint64_t inserted, thread;

    if (!thread_assign(account, buf_slice(&ready->summary.sort_keys), ready->hash, &thread, err) ||
        !sql_run(&account->db, SQL_MSG_INSERT, &inserted, err, "uubbi", ready->size,
                 (uint64_t)ready->stored.len, slice_make(ready->hash, HASH_SIZE), delivery_id(item),
                 (int64_t)thread))
        return false;
    if (inserted == 0)
        return true;
    ready->msg = sql_last_id(&account->db);
    if (ready->stored.len > 0 &&
        !sql_run(&account->db, SQL_BODY_INSERT, NULL, err, "ub", ready->msg, ready->stored))
        return false;
    return !body_is_large(item->body) || link_body(account, ready, item, err);
}

static bool insert_mail(struct account *account, uint64_t mailbox, const struct ready *ready,
                        struct append *item, struct mailbox_delta *delta, struct error *err)
{
    int64_t now_ms = time_ms();
    int64_t received_ms = item->received_ms != 0 ? item->received_ms : now_ms;
    uint64_t flags = item->flags;

    if (delta->uidnext >= UINT32_MAX)
        return error_set(err, ERROR_LIMIT, "out of UIDs");
    item->uid_out = (uint32_t)delta->uidnext++;
    if (!seen_put_new(account, mailbox, item->uid_out, &flags, delta->modseq, err))
        return false;
    mailbox_delta_mail(delta, flags, (uint32_t)ready->size, 1);
    return sql_run(&account->db, SQL_MESSAGE_INSERT, NULL, err, "uuuuiuui", mailbox,
                   (uint64_t)item->uid_out, delta->modseq, flags, received_ms, ready->size,
                   ready->msg, now_ms);
}

static bool insert_all(const struct batch *batch, struct mailbox_delta *delta, struct error *err)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct ready *ready = &batch->ready[i];

        batch->items[i].uid_out = 0;
        if (!insert_msg(batch->account, ready, &batch->items[i], err))
            return false;
        if (ready->msg != 0 &&
            !insert_mail(batch->account, batch->mailbox, ready, &batch->items[i], delta, err))
            return false;
    }
    return true;
}

static bool sync_linked(const struct batch *batch, struct error *err)
{
    AUTO(buf_free) struct buf path = { 0 };
    bool any = false;

    for (size_t i = 0; i < batch->count; i++)
        any |= batch->ready[i].linked;
    store_account_path(batch->account->store, batch->account->id, "big", &path);
    return !any || dir_sync(buf_text(&path), err);
}

/* Takes out the message that is replaced, from the mailbox that has it; what the new ones do to
 * theirs is counted in `delta` already. */
static bool remove_replaced(struct batch *batch, struct mailbox_delta *delta, struct error *err)
{
    struct replaced *replaced = batch->replaced;
    AUTO(uidset_free) struct uidset which = { 0 };
    AUTO(mail_list_free) struct mail_list mails = { 0 };
    struct mailbox_delta elsewhere = { 0 };
    bool same = replaced->mailbox == batch->mailbox;
    struct mailbox_row row;

    uidset_add(&which, replaced->uid, replaced->uid);
    if (!mailbox_row(batch->account, replaced->mailbox, &row, err) ||
        !mail_scan(batch->account,
                   &(struct mail_scan){ .mailbox = replaced->mailbox, .which = &which }, &mails,
                   NULL, err))
        return false;
    replaced->modseq = row.modseq + 1;
    replaced->gone = mails.count == 0;
    if (replaced->gone)
        return error_set(err, ERROR_NOT_FOUND, "the message to be replaced is gone");
    elsewhere.modseq = replaced->modseq;
    if (!mail_remove(batch->account, replaced->mailbox, mails.items, mails.count, false,
                     replaced->modseq, same ? delta : &elsewhere, err))
        return false;
    if (same)
        return true;
    delta->total--;
    delta->bytes -= mails.items[0].size;
    return mailbox_apply(batch->account, replaced->mailbox, &elsewhere, err);
}

/* Who appends to the mailbox it looks at has the new messages as \Recent: cheaper here than in a
 * transaction of its own. */
static bool claim_recent(const struct batch *batch, const struct mailbox_row *row,
                         struct error *err)
{
    if (batch->recent_from == NULL)
        return true;
    return seen_recent(batch->account, batch->mailbox, row, batch->recent_from, err) &&
           seen_claim(batch->account, batch->mailbox, err);
}

static bool append_all(struct batch *batch, struct error *err)
{
    struct mailbox_row row;

    if (!mailbox_row(batch->account, batch->mailbox, &row, err))
        return false;
    struct mailbox_delta delta = { .uidnext = row.uidnext, .modseq = row.modseq + 1 };
    batch->uidvalidity = row.uidvalidity;
    if (!insert_all(batch, &delta, err))
        return false;
    batch->is_new = delta.total > 0;
    if (!batch->is_new)
        return true;
    struct mailbox_delta charge = delta;
    if (batch->replaced != NULL && !remove_replaced(batch, &charge, err))
        return false;
    if (batch->replaced != NULL && batch->replaced->mailbox == batch->mailbox)
        delta = charge;
    return mailbox_apply(batch->account, batch->mailbox, &delta, err) &&
           claim_recent(batch, &row, err) &&
           account_charge(batch->account, charge.bytes, charge.total, batch->over_quota_is_fine,
                          err) &&
           sync_linked(batch, err);
}

/* Removes the files of a transaction that will be rolled back. Not those of a failed commit: the
 * lock is gone then, and the ids may be somebody else's. The sweeper takes them. */
static void undo(const struct batch *batch)
{
    AUTO(buf_free) struct buf path = { 0 };

    for (size_t i = 0; i < batch->count; i++) {
        batch->items[i].uid_out = 0;
        buf_clear(&path);
        account_big_path(batch->account, batch->ready[i].msg, &path);
        if (batch->ready[i].linked)
            unlink(buf_text(&path));
    }
}

static bool has_summaries(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->ready[i].has_summary)
            return true;
    return false;
}

static void put_summaries(const struct batch *batch)
{
    struct cache_item *items = mem_zero(batch->count * sizeof(*items));

    for (size_t i = 0; i < batch->count; i++)
        if (batch->ready[i].has_summary)
            items[i] = (struct cache_item){ batch->ready[i].msg, &batch->ready[i].summary };
    cache_put(batch->account, items, batch->count);
    free(items);
}

/* The summaries come behind the commit, and before anybody hears of the messages. */
static bool commit(const struct batch *batch, uint64_t mailbox, struct error *err)
{
    if (!account_commit_holding(batch->account, err))
        return false;
    if (has_summaries(batch))
        put_summaries(batch);
    account_let_go(batch->account, mailbox);
    return true;
}

static bool append_ready(struct batch *batch, struct error *err)
{
    bool several = batch->replaced != NULL && batch->replaced->mailbox != batch->mailbox;

    if (!account_begin(batch->account, SQL_FULL, err))
        return false;
    bool ok = append_all(batch, err);
    if (ok && batch->is_new)
        return commit(batch, several ? 0 : batch->mailbox, err);
    if (!ok)
        undo(batch);
    account_rollback(batch->account);
    return ok;
}

static bool append_batch(struct batch *batch, struct error *err)
{
    bool ok = true;

    batch->ready = mem_zero((batch->count + 1) * sizeof(batch->ready[0]));
    for (size_t i = 0; i < batch->count && ok; i++)
        ok = make_ready(&batch->ready[i], &batch->items[i], err);
    if (has_summaries(batch))
        cache_ready(batch->account);
    ok = ok && append_ready(batch, err);
    for (size_t i = 0; i < batch->count; i++) {
        summary_free(&batch->ready[i].summary);
        buf_free(&batch->ready[i].joined);
    }
    free(batch->ready);
    return ok;
}

bool mailbox_append(struct account *account, uint64_t mailbox, struct append *items, size_t count,
                    bool over_quota_is_fine, uint32_t *uidvalidity_out, struct error *err)
{
    struct batch batch = {
        .account = account,
        .mailbox = mailbox,
        .items = items,
        .count = count,
        .over_quota_is_fine = over_quota_is_fine,
    };
    bool ok = append_batch(&batch, err);

    *uidvalidity_out = batch.uidvalidity;
    return ok;
}

bool mailbox_append_claiming(struct account *account, uint64_t mailbox, struct append *items,
                             size_t count, uint32_t *recent_from_out, uint32_t *uidvalidity_out,
                             struct error *err)
{
    struct batch batch = {
        .account = account,
        .mailbox = mailbox,
        .items = items,
        .count = count,
        .recent_from = recent_from_out,
    };
    bool ok = append_batch(&batch, err);

    *uidvalidity_out = batch.uidvalidity;
    return ok;
}

bool mailbox_replace(struct account *account, uint64_t mailbox, struct append *item,
                     struct replaced *replaced, uint32_t *uidvalidity_out, struct error *err)
{
    struct batch batch = {
        .account = account,
        .mailbox = mailbox,
        .items = item,
        .count = 1,
        .replaced = replaced,
    };
    bool ok = append_batch(&batch, err);

    *uidvalidity_out = batch.uidvalidity;
    return ok;
}
