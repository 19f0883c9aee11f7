/* cmd_status.c - STATUS (RFC 3501 section 6.3.10) with SIZE (RFC 8438), HIGHESTMODSEQ (RFC 7162),
 * APPENDLIMIT (RFC 7889), DELETED and DELETED-STORAGE (RFC 9208). */
#include "imapd/args.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/objectid.h"
#include "imapd/place.h"
#include "imapd/reply.h"
#include "imapd/status.h"

/* Most are columns of the mailbox's row; some are counted. */
typedef bool (*status_value)(struct client *client, const struct place *place, uint64_t *value_out,
                             struct error *err);

#define COLUMN(function, expression)                                                               \
    static bool function(struct client *client, const struct place *place, uint64_t *value_out,    \
                         struct error *err)                                                        \
    {                                                                                              \
        *value_out = (expression);                                                                 \
        return true;                                                                               \
    }

COLUMN(value_messages, place->info.n_total)
COLUMN(value_uidnext, place->info.uidnext)
COLUMN(value_uidvalidity, place->info.uidvalidity)
COLUMN(value_deleted, place->info.n_deleted)
COLUMN(value_size, place->info.bytes)
COLUMN(value_modseq, place->info.modseq)
COLUMN(value_appendlimit, client->imap->settings->literal)

static bool value_unseen(struct client *client, const struct place *place, uint64_t *value_out,
                         struct error *err)
{
    return mailbox_unseen(place->account, &place->info, value_out, err);
}

static void count_mails(void *count, const struct mail *mails, size_t n_mails)
{
    *(uint64_t *)count += n_mails;
}

/* UIDs may have gaps, so the recent ones are counted where there can be any. */
static bool value_recent(struct client *client, const struct place *place, uint64_t *value_out,
                         struct error *err)
{
    const struct mail_sink sink = { count_mails, value_out };
    AUTO(changes_free) struct changes changes = { 0 };
    AUTO(uidset_free) struct uidset recent = { 0 };
    uint32_t first;

    *value_out = 0;
    if (!mailbox_recent(place->account, place->info.id, false, &first, err))
        return false;
    if (first >= place->info.uidnext)
        return true;
    uidset_add(&recent, MAX(first, 1), place->info.uidnext - 1);
    return mailbox_changes_each(place->account, place->info.id, 0, &recent, &sink, &changes, err);
}

static void add_deleted(void *bytes, const struct mail *mails, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((mails[i].flags & MAIL_DELETED) != 0)
            *(uint64_t *)bytes += mails[i].size;
}

/* In units of 1024 bytes, RFC 9208 section 5.1. */
static bool value_deleted_storage(struct client *client, const struct place *place,
                                  uint64_t *value_out, struct error *err)
{
    AUTO(changes_free) struct changes changes = { 0 };
    uint64_t bytes = 0;
    const struct mail_sink sink = { add_deleted, &bytes };

    if (place->info.n_deleted > 0 &&
        !mailbox_changes_each(place->account, place->info.id, 0, NULL, &sink, &changes, err))
        return false;
    *value_out = (bytes + 1023) / 1024;
    return true;
}

static const struct {
    const char *name;
    status_value value;
} status_items[] = {
    { "MESSAGES", value_messages },
    { "RECENT", value_recent },
    { "UIDNEXT", value_uidnext },
    { "UIDVALIDITY", value_uidvalidity },
    { "UNSEEN", value_unseen },
    { "DELETED", value_deleted },
    { "SIZE", value_size },
    { "HIGHESTMODSEQ", value_modseq },
    { "APPENDLIMIT", value_appendlimit },
    { "DELETED-STORAGE", value_deleted_storage },
    { "MAILBOXID", NULL }, /* RFC 8474 section 4.3: no number */
};

static bool take_item(struct args *args, unsigned *items)
{
    struct slice name;

    if (!args_atom(args, &name))
        return false;
    for (size_t i = 0; i < COUNT_OF(status_items); i++) {
        if (!slice_is(name, status_items[i].name))
            continue;
        *items |= 1u << i;
        return true;
    }
    return args_fail(args, "there is no such status item");
}

bool status_take_items(struct args *args, unsigned *items_out)
{
    *items_out = 0;
    if (!args_open(args))
        return false;
    do {
        if (!take_item(args, items_out))
            return false;
    } while (args_try_byte(args, ' '));
    return args_close(args);
}

bool status_wants_modseq(unsigned items)
{
    for (size_t i = 0; i < COUNT_OF(status_items); i++)
        if ((items & 1u << i) != 0 && status_items[i].value == value_modseq)
            return true;
    return false;
}

static bool print_value(struct client *client, const struct place *place, status_value value,
                        struct buf *out, struct error *err)
{
    uint64_t number;

    if (value == NULL) {
        buf_add_byte(out, '(');
        objectid_mailbox(out, place->account, place->info.id);
        buf_add_byte(out, ')');
        return true;
    }
    if (!value(client, place, &number, err))
        return false;
    buf_add_number(out, number);
    return true;
}

bool status_print(struct call *call, const struct place *place, unsigned items, struct error *err)
{
    struct client *client = client_of(call);
    struct buf *out = &call->out;
    char before = '(';

    buf_add_text(out, "* STATUS ");
    reply_mailbox(client, out, place->info.name);
    buf_add_byte(out, ' ');
    for (size_t i = 0; i < COUNT_OF(status_items); i++) {
        if ((items & 1u << i) == 0)
            continue;
        buf_add_byte(out, before);
        before = ' ';
        buf_add_text(out, status_items[i].name);
        buf_add_byte(out, ' ');
        if (!print_value(client, place, status_items[i].value, out, err))
            return false;
    }
    buf_add_text(out, ")\r\n");
    return true;
}

/* status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" */
enum next imap_status(struct call *call, struct args *args)
{
    struct place place;
    struct slice name;
    struct error err;
    unsigned items;
    size_t start;

    if (!args_space(args) || !args_mailbox(args, &name) || !args_space(args) ||
        !status_take_items(args, &items) || !args_end(args))
        return reply_syntax(call, args);
    if (status_wants_modseq(items))
        condstore_enable(call);
    if (!place_find(call, name, RIGHT_READ, &place, &err))
        return reply_error(call, &err);
    start = call->out.len;
    if (!status_print(call, &place, items, &err)) {
        buf_truncate(&call->out, start);
        return reply_error(call, &err);
    }
    return reply_ok(call, "STATUS completed");
}
