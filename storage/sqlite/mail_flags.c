/* mail_flags.c - STORE, keywords, and what is \Recent. */
#include "storage/sqlite/seen_private.h"

#include <stdlib.h>

#define KEYWORD_LEN_MAX 255

struct flag_job {
    const struct flag_change *change;
    uint64_t keep, add; /* all three operations are (flags & keep) | add */
    bool apart;         /* \Seen is this reader's own: the two below are for it alone */
    uint64_t seen_keep, seen_add;
    struct mail_list done;
    struct uidset refused;
};

static void set_masks(struct flag_job *job, const struct flag_change *change)
{
    switch (change->op) {
    case FLAGS_REPLACE:
        job->keep = change->kept;
        job->add = change->flags & ~change->kept;
        return;
    case FLAGS_ADD:
        job->keep = ~0ull;
        job->add = change->flags & ~change->kept;
        return;
    case FLAGS_REMOVE:
        job->keep = ~change->flags | change->kept;
        return;
    }
    abort();
}

/* \Seen goes its own way; `keep` and `add` leave it as it is in `message`. */
static void set_apart(struct flag_job *job)
{
    job->apart = true;
    job->seen_keep = job->keep & MAIL_SEEN;
    job->seen_add = job->add & MAIL_SEEN;
    job->keep |= MAIL_SEEN;
    job->add &= ~MAIL_SEEN;
}

/* RFC 7162 section 3.1.3: refused even if the flags are as wanted already. */
static bool is_refused(const struct flag_job *job, const struct mail *mail)
{
    return job->change->guarded && mail->modseq > job->change->unchanged_since;
}

/* The row as it will be; false when that is how it is. */
static bool change_mail(const struct flag_job *job, struct mail *mail, uint64_t modseq,
                        struct mailbox_delta *delta)
{
    uint64_t flags = (mail->flags & job->keep) | job->add;

    if (flags == mail->flags)
        return false;
    mailbox_delta_mail(delta, mail->flags, mail->size, -1);
    mailbox_delta_mail(delta, flags, mail->size, 1);
    mail->flags = flags;
    mail->modseq = modseq;
    return true;
}

/* The reader's \Seen, in the rows as the reader sees them; all that changes becomes the same. */
static bool store_seen(struct bulk *bulk, struct mail *mails, size_t count, uint64_t modseq,
                       bool *changed, struct error *err)
{
    const struct flag_job *job = bulk->context;

    for (size_t first = 0, next; first < count; first = next + 1) {
        for (next = first; next < count; next++) {
            uint64_t seen = (mails[next].flags & job->seen_keep) | job->seen_add;

            if ((mails[next].flags & MAIL_SEEN) == seen)
                break;
            mails[next].flags ^= MAIL_SEEN;
            mails[next].modseq = modseq;
        }
        if (next == first)
            continue;
        *changed = true;
        if (!seen_put(bulk->account, bulk->mailbox,
                      (struct uid_range){ mails[first].uid, mails[next - 1].uid },
                      job->seen_add != 0, modseq, err))
            return false;
    }
    return true;
}

static void add_done(struct flag_job *job, const struct mail *mails, size_t count)
{
    struct mail_list *done = &job->done;

    if (count == 0)
        return;
    done->items = mem_grow(done->items, &done->room, done->count + count, sizeof(done->items[0]));
    memcpy(done->items + done->count, mails, count * sizeof(mails[0]));
    done->count += count;
}

/* Rows from `first` on that one statement can change: no other row lies between them. */
static size_t run_of(const struct bulk *bulk, const struct mail_list *mails, size_t first)
{
    const struct flag_job *job = bulk->context;
    uint32_t end = mail_range_end(bulk->which, mails->items[first].uid);
    size_t i = first;

    while (i < mails->count && mails->items[i].uid <= end && !is_refused(job, &mails->items[i]))
        i++;
    return i - first;
}

static bool store_run(struct bulk *bulk, struct mail *mails, size_t count, uint64_t modseq,
                      struct mailbox_delta *delta, bool *changed, struct error *err)
{
    struct flag_job *job = bulk->context;
    bool any = false;

    for (size_t i = 0; i < count; i++)
        any |= change_mail(job, &mails[i], modseq, delta);
    if (job->apart && !store_seen(bulk, mails, count, modseq, changed, err))
        return false;
    add_done(job, mails, count);
    if (!any)
        return true;
    *changed = true;
    return sql_run(&bulk->account->db, SQL_FLAGS_UPDATE, NULL, err, "uuuuuu", bulk->mailbox,
                   (uint64_t)mails[0].uid, (uint64_t)mails[count - 1].uid, job->keep, job->add,
                   modseq);
}

static bool store_slice(struct bulk *bulk, const struct mail_list *mails, uint64_t modseq,
                        bool *changed, struct error *err)
{
    struct flag_job *job = bulk->context;
    struct mailbox_delta delta = { 0 };

    if (!seen_overlay(bulk->account, bulk->mailbox, mails->items, mails->count, err))
        return false;
    for (size_t i = 0; i < mails->count;) {
        size_t count = run_of(bulk, mails, i);

        if (count == 0)
            uidset_add(&job->refused, mails->items[i].uid, mails->items[i].uid);
        else if (!store_run(bulk, &mails->items[i], count, modseq, &delta, changed, err))
            return false;
        i += MAX(count, 1);
    }
    if (job->apart && *changed && !seen_check_room(bulk->account, bulk->mailbox, err))
        return false;
    return !*changed || mailbox_apply(bulk->account, bulk->mailbox, &delta, err);
}

bool mailbox_store_flags(struct account *account, uint64_t mailbox, const struct uidset *which,
                         const struct flag_change *change, struct flags_result *result_out,
                         struct error *err)
{
    struct flag_job job = { .change = change };
    struct bulk bulk = {
        .account = account,
        .mailbox = mailbox,
        .which = which,
        .durable = !account->store->options.relaxed_flags,
        .slice = store_slice,
        .context = &job,
    };

    set_masks(&job, change);
    if (account_reader(account) != 0)
        set_apart(&job);
    bool ok = bulk_run(&bulk, err);
    *result_out = (struct flags_result){ .mails = job.done.items,
                                         .count = job.done.count,
                                         .refused = job.refused,
                                         .modseq = bulk.modseq_out };
    if (bulk.since + bulk.n_steps == bulk.modseq_out)
        result_out->since = bulk.since;
    if (!ok)
        flags_result_free(result_out);
    return ok;
}

void flags_result_free(struct flags_result *result)
{
    free(result->mails);
    uidset_free(&result->refused);
    *result = (struct flags_result){ 0 };
}

/* Keywords. */

bool keyword_all(struct account *account, struct arena *arena, struct keyword_list *list_out,
                 struct error *err)
{
    struct sql_row row;

    *list_out = (struct keyword_list){ 0 };
    if (!sql_query(&account->db, SQL_KEYWORDS, &row, err, ""))
        return false;
    while (sql_next(&row, err))
        if (sql_u64(&row, 0) < COUNT_OF(list_out->names))
            list_out->names[sql_u64(&row, 0)] = slice_copy(arena, sql_slice(&row, 1));
    return !row.failed;
}

static bool keyword_find(struct account *account, struct slice name, unsigned *bit_out, bool *found,
                         struct error *err)
{
    struct sql_row row;

    if (!sql_query(&account->db, SQL_KEYWORD_FIND, &row, err, "t", name))
        return false;
    *found = sql_next(&row, err);
    if (row.failed)
        return false;
    if (*found) {
        *bit_out = (unsigned)sql_u64(&row, 0);
        sql_end(&row);
    }
    return true;
}

static bool keyword_insert(struct account *account, struct slice name, unsigned *bit_out,
                           struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct keyword_list list;
    unsigned bit = MAIL_KEYWORD_FIRST;

    if (!keyword_all(account, &arena, &list, err))
        return false;
    while (bit <= MAIL_KEYWORD_LAST && list.names[bit].len > 0)
        bit++;
    if (bit > MAIL_KEYWORD_LAST)
        return error_set(err, ERROR_LIMIT, "too many keywords");
    *bit_out = bit;
    return sql_run(&account->db, SQL_KEYWORD_INSERT, NULL, err, "ut", (uint64_t)bit, name);
}

bool keyword_bit(struct account *account, struct slice name, unsigned *bit_out, struct error *err)
{
    bool found = false;

    if (name.len == 0 || name.len > KEYWORD_LEN_MAX)
        return error_set(err, ERROR_INVALID, "keyword is empty or too long");
    if (!keyword_find(account, name, bit_out, &found, err) || found)
        return found;
    if (!account_begin(account, SQL_FULL, err))
        return false;
    if (!keyword_find(account, name, bit_out, &found, err) ||
        (!found && !keyword_insert(account, name, bit_out, err)))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

/* Recent. */

/* A power cut may make messages recent again, which does no harm: no fsync. */
static bool claim_recent(struct account *account, uint64_t mailbox, uint32_t *first_out,
                         struct error *err)
{
    struct mailbox_row row;

    if (!account_begin(account, SQL_NORMAL, err))
        return false;
    if (!mailbox_row(account, mailbox, &row, err) ||
        !seen_recent(account, mailbox, &row, first_out, err) || !seen_claim(account, mailbox, err))
        return account_rollback(account);
    return account_commit_quietly(account, err);
}

/* When the disk is full, whoever comes next has them as recent, too: mail can be read. */
bool mailbox_recent(struct account *account, uint64_t mailbox, bool claim, uint32_t *first_out,
                    struct error *err)
{
    struct mailbox_row row;

    if (!mailbox_row(account, mailbox, &row, err) ||
        !seen_recent(account, mailbox, &row, first_out, err))
        return false;
    return !claim || *first_out == row.uidnext || claim_recent(account, mailbox, first_out, err) ||
           err->kind == ERROR_TEMPORARY;
}
