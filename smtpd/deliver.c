/* deliver.c - see deliver.h. */
#include "smtpd/deliver.h"

#include "message/header.h"
#include "smtpd/trace.h"
#include "storage/mail.h"

#include <stdlib.h>

struct parcel *parcel_new(struct letter *letter, size_t index)
{
    struct parcel *parcel = NEW(struct parcel);

    parcel->letter = letter_share(letter);
    parcel->index = index;
    return parcel;
}

void parcel_free(struct parcel **parcel)
{
    struct parcel *old = TAKE(*parcel);

    if (old == NULL)
        return;
    body_free(&old->own_body);
    letter_free(&old->letter);
    free(old);
}

const struct queue_recipient *parcel_recipient(const struct parcel *parcel)
{
    return &parcel->letter->message.recipients[parcel->index];
}

struct body *parcel_body(const struct parcel *parcel)
{
    return parcel->own_body != NULL ? parcel->own_body : parcel->letter->body;
}

static void fail(struct parcel *parcel, const char *status, const char *reason)
{
    parcel->outcome = OUTCOME_FAILED;
    parcel->status = status;
    parcel->reason = reason;
}

/* What a failure of the store means for one message. */
static void settle_error(struct parcel *parcel, const struct error *err)
{
    parcel->err = *err;
    switch (err->kind) {
    case ERROR_NOT_FOUND:
        fail(parcel, "5.1.1", "There is no such mailbox any more");
        break;
    case ERROR_OVER_QUOTA:
        fail(parcel, "5.2.2", "The mailbox is full");
        break;
    case ERROR_NONE:
    case ERROR_EXISTS:
    case ERROR_INVALID:
    case ERROR_DENIED:
    case ERROR_LIMIT:
    case ERROR_TEMPORARY:
    case ERROR_NEWER:
    case ERROR_INTERNAL:
        parcel->outcome = OUTCOME_LATER;
        break;
    }
}

static void settle_all(struct parcel **parcels, size_t count, const struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (parcels[i]->outcome == OUTCOME_OPEN)
            settle_error(parcels[i], err);
}

/* A letter's body in memory may be read by several workers at once; a large one is a file that
 * each opens for itself. */
static bool can_share(const struct letter *letter)
{
    return letter->body != NULL &&
           (letter->message.n_recipients == 1 || !body_is_large(letter->body));
}

static bool open_body(struct parcel *parcel, struct desk *desk)
{
    struct error err;

    if (can_share(parcel->letter))
        return true;
    if (queue_body(desk, parcel->letter->message.id, &parcel->own_body, &err))
        return true;
    if (err.kind == ERROR_NOT_FOUND)
        parcel->outcome = OUTCOME_DROPPED;
    else
        settle_error(parcel, &err);
    return false;
}

static bool is_loop(struct parcel *parcel)
{
    struct slice bytes;
    struct error err;

    if (!parcel->letter->has_delivered_to)
        return false;
    if (!body_bytes(parcel_body(parcel), &bytes, &err)) {
        settle_error(parcel, &err);
        return true;
    }
    bytes = slice_part(bytes, 0, header_length(bytes));
    if (!trace_was_delivered_to(bytes, parcel_recipient(parcel)->address))
        return false;
    fail(parcel, "5.4.6", "The message has been delivered to this mailbox before: a loop");
    return true;
}

static void prepare(struct parcel *parcel, struct arena *arena, struct append *item)
{
    AUTO(buf_free) struct buf prefix = { 0 };
    const struct queue_recipient *recipient = parcel_recipient(parcel);

    trace_delivery(parcel->letter->message.sender, recipient->address, &prefix);
    buf_add_slice(&prefix, parcel->letter->message.prefix);
    *item = (struct append){
        .body = parcel_body(parcel),
        .prefix = slice_copy(arena, buf_slice(&prefix)),
        .received_ms = parcel->letter->message.arrived_ms,
        .summary_later = true,
    };
    memcpy(item->delivery_id, recipient->delivery_id, sizeof(item->delivery_id));
}

/* The transaction; when the mailbox has no room for all, as many as it has room for. */
static void append(struct account *account, uint64_t mailbox, struct parcel **parcels,
                   struct append *items, size_t count)
{
    uint32_t uidvalidity;
    struct error err;

    if (count == 0)
        return;
    if (!mailbox_append(account, mailbox, items, count, false, &uidvalidity, &err)) {
        if (err.kind != ERROR_OVER_QUOTA || count == 1) {
            settle_all(parcels, count, &err);
            return;
        }
        for (size_t i = 0; i < count; i++)
            append(account, mailbox, parcels + i, items + i, 1);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        parcels[i]->outcome = OUTCOME_DELIVERED;
        parcels[i]->uid = items[i].uid_out;
    }
}

/* Those of the parcels that go to this mailbox. */
static void deliver(struct account *account, uint64_t mailbox, bool junk, struct desk *desk,
                    struct parcel **parcels, size_t count)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct parcel *ready[DELIVER_BATCH];
    struct append items[DELIVER_BATCH];
    size_t n_ready = 0;

    for (size_t i = 0; i < count; i++) {
        if (parcels[i]->letter->message.junk != junk || !open_body(parcels[i], desk) ||
            is_loop(parcels[i]))
            continue;
        prepare(parcels[i], &arena, &items[n_ready]);
        ready[n_ready++] = parcels[i];
    }
    append(account, mailbox, ready, items, n_ready);
}

/* The mailbox of \Junk (RFC 6154); INBOX where the user has removed it. */
static bool find_junk(struct account *account, struct arena *arena, uint64_t *junk,
                      struct error *err)
{
    struct mailbox_list list;

    if (!mailbox_all(account, arena, &list, err))
        return false;
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].special_use == SPECIAL_JUNK)
            *junk = list.items[i].id;
    return true;
}

static bool has_junk(struct parcel *const *parcels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parcels[i]->letter->message.junk)
            return true;
    return false;
}

void deliver_batch(struct desk *desk, uint64_t account_id, struct parcel **parcels, size_t count)
{
    AUTO(arena_free) struct arena arena = { 0 };
    bool some_junk = has_junk(parcels, count);
    struct account *account;
    struct mailbox_info inbox;
    uint64_t junk;
    struct error err;

    if (!desk_account(desk, account_id, &account, &err) ||
        !mailbox_by_name(account, &arena, SLICE("INBOX"), &inbox, &err)) {
        settle_all(parcels, count, &err);
        return;
    }
    junk = inbox.id;
    if (some_junk && !find_junk(account, &arena, &junk, &err)) {
        settle_all(parcels, count, &err);
        return;
    }
    deliver(account, inbox.id, false, desk, parcels, count);
    if (some_junk)
        deliver(account, junk, true, desk, parcels, count);
}
