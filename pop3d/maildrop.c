/* maildrop.c - see maildrop.h. */
#include "pop3d/maildrop.h"

#include <stdlib.h>

static int compare_by_msg(const void *a, const void *b)
{
    const struct maildrop_item *x = *(struct maildrop_item *const *)a;
    const struct maildrop_item *y = *(struct maildrop_item *const *)b;

    if (x->msg != y->msg)
        return x->msg < y->msg ? -1 : 1;
    return x->uid < y->uid ? -1 : 1;
}

/* A message that was copied within INBOX is there twice with the same bytes: all but the first
 * need another unique-id. */
static void find_second_copies(struct maildrop *drop)
{
    struct maildrop_item **sorted = mem_zero(MAX(drop->count, 1) * sizeof(struct maildrop_item *));

    for (size_t i = 0; i < drop->count; i++)
        sorted[i] = &drop->items[i];
    qsort(sorted, drop->count, sizeof(struct maildrop_item *), compare_by_msg);
    for (size_t i = 1; i < drop->count; i++)
        sorted[i]->second_copy = sorted[i]->msg == sorted[i - 1]->msg;
    free(sorted);
}

bool maildrop_open(struct maildrop *drop, struct account *account, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(changes_free) struct changes changes = { 0 };
    struct mailbox_info inbox;

    if (!mailbox_by_name(account, &arena, SLICE("INBOX"), &inbox, err) ||
        !mailbox_changes(account, inbox.id, 0, NULL, &changes, err))
        return false;
    drop->mailbox = inbox.id;
    drop->count = changes.count;
    drop->items = mem_zero(MAX(changes.count, 1) * sizeof(*drop->items));
    for (size_t i = 0; i < changes.count; i++) {
        const struct mail *mail = &changes.mails[i];

        drop->items[i] = (struct maildrop_item){
            .uid = mail->uid,
            .size = mail->size,
            .msg = mail->msg,
            .seen = (mail->flags & MAIL_SEEN) != 0,
        };
    }
    find_second_copies(drop);
    return true;
}

void maildrop_free(struct maildrop *drop)
{
    free(drop->items);
    *drop = (struct maildrop){ 0 };
}

struct maildrop_item *maildrop_item(struct maildrop *drop, uint64_t number)
{
    if (number == 0 || number > drop->count || drop->items[number - 1].deleted)
        return NULL;
    return &drop->items[number - 1];
}

void maildrop_sum(const struct maildrop *drop, uint64_t *count_out, uint64_t *bytes_out)
{
    *count_out = *bytes_out = 0;
    for (size_t i = 0; i < drop->count; i++) {
        if (drop->items[i].deleted)
            continue;
        *count_out += 1;
        *bytes_out += drop->items[i].size;
    }
}

void maildrop_reset(struct maildrop *drop)
{
    for (size_t i = 0; i < drop->count; i++)
        drop->items[i].deleted = false;
}

void maildrop_uidl(struct account *account, const struct maildrop_item *item, struct buf *out)
{
    account_uidl(account, item->msg, out);
    if (item->second_copy)
        buf_fmt(out, "-%u", item->uid);
}

bool maildrop_update(struct maildrop *drop, struct account *account, uint64_t *removed_out,
                     struct error *err)
{
    AUTO(uidset_free) struct uidset gone = { 0 };
    AUTO(uidset_free) struct uidset read = { 0 };
    AUTO(uidset_free) struct uidset expunged = { 0 };
    AUTO(flags_result_free) struct flags_result flags = { 0 };
    const struct flag_change seen = { .op = FLAGS_ADD, .flags = MAIL_SEEN };
    uint64_t modseq;

    for (size_t i = 0; i < drop->count; i++) {
        const struct maildrop_item *item = &drop->items[i];

        if (item->deleted)
            uidset_add(&gone, item->uid, item->uid);
        else if (item->retrieved && !item->seen)
            uidset_add(&read, item->uid, item->uid);
    }
    if (gone.count > 0 &&
        !mailbox_expunge(account, drop->mailbox, &gone, true, &expunged, &modseq, err))
        return false;
    *removed_out = uidset_size(&expunged);
    return read.count == 0 ||
           mailbox_store_flags(account, drop->mailbox, &read, &seen, &flags, err);
}
