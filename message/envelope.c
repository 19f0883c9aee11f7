/* envelope.c - ENVELOPE, RFC 3501 section 7.4.2.
 *
 * A field that is there several times counts once, but lists of addresses go on in each of them.
 * Values are unfolded; encoded words stay encoded: the client decodes them.
 */
#include "message/summary_private.h"

#include "message/address.h"
#include "message/date.h"
#include "message/header.h"

#define ADDRESSES_MAX 2000 /* of one field; bounds what is stored of a hostile header */

enum envelope_field {
    FIELD_DATE,
    FIELD_SUBJECT,
    FIELD_FROM, /* the addresses: from here ... */
    FIELD_SENDER,
    FIELD_REPLY_TO,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC, /* ... to here */
    FIELD_IN_REPLY_TO,
    FIELD_MESSAGE_ID,
    N_FIELDS,
};

static const struct {
    const char *name;
    size_t len;
} field_names[N_FIELDS] = {
    [FIELD_DATE] = { "Date", 4 },
    [FIELD_SUBJECT] = { "Subject", 7 },
    [FIELD_FROM] = { "From", 4 },
    [FIELD_SENDER] = { "Sender", 6 },
    [FIELD_REPLY_TO] = { "Reply-To", 8 },
    [FIELD_TO] = { "To", 2 },
    [FIELD_CC] = { "Cc", 2 },
    [FIELD_BCC] = { "Bcc", 3 },
    [FIELD_IN_REPLY_TO] = { "In-Reply-To", 11 },
    [FIELD_MESSAGE_ID] = { "Message-ID", 10 },
};

static enum envelope_field field_of(struct slice name)
{
    enum envelope_field field = FIELD_DATE;

    while (field < N_FIELDS &&
           (field_names[field].len != name.len || !slice_is(name, field_names[field].name)))
        field++;
    return field;
}

static bool is_address_field(enum envelope_field field)
{
    return field >= FIELD_FROM && field <= FIELD_BCC;
}

/* What is written for a missing half: IMAP takes NIL there for a group (RFC 3501 section 7.4.2). */
static void add_part(struct slice text, const char *missing, struct buf *out)
{
    add_nstring(text.len > 0 ? text : slice_of(missing), out);
}

static void add_mailbox(const struct address *address, struct buf *out)
{
    buf_add_byte(out, '(');
    add_nstring(address->name, out);
    buf_add_byte(out, ' ');
    add_nstring(address->route, out);
    buf_add_byte(out, ' ');
    add_part(address->local, "MISSING_MAILBOX", out);
    buf_add_byte(out, ' ');
    add_part(address->domain, "MISSING_DOMAIN", out);
    buf_add_byte(out, ')');
}

static void add_address(const struct address *address, struct buf *out)
{
    switch (address->kind) {
    case ADDRESS_MAILBOX:
        add_mailbox(address, out);
        break;
    case ADDRESS_GROUP_START:
        buf_add_text(out, "(NIL NIL ");
        add_string(address->name, out);
        buf_add_text(out, " NIL)");
        break;
    case ADDRESS_GROUP_END:
        buf_add_text(out, "(NIL NIL NIL NIL)");
        break;
    }
}

/* *left counts down how many more items a field may have. */
static void add_addresses(struct arena *arena, struct slice value, size_t *left, struct buf *out)
{
    struct address_list list;

    address_list_parse(arena, value, *left, &list);
    for (size_t i = 0; i < list.count; i++)
        add_address(&list.items[i], out);
    *left -= list.count;
}

struct envelope {
    struct slice values[N_FIELDS]; /* unfolded; addresses: as they are */
    struct slice more[N_FIELDS];   /* the header from the second field of that name on */
};

static void read_fields(struct slice header, struct envelope *envelope)
{
    struct slice rest = header;
    struct header_field field;

    while (header_next(&rest, &field)) {
        enum envelope_field which = field_of(field.name);

        if (which == N_FIELDS)
            continue;
        if (envelope->values[which].data == NULL)
            envelope->values[which] = field.value;
        else if (envelope->more[which].data == NULL)
            envelope->more[which] = slice_make(field.raw.data, field.raw.len + rest.len);
    }
}

/* "(...)" with the addresses of all fields of the name, or NIL. */
static void add_address_field(struct arena *arena, const struct envelope *envelope,
                              enum envelope_field which, struct buf *out)
{
    size_t start = out->len;
    size_t left = ADDRESSES_MAX;
    struct slice rest = envelope->more[which];
    struct header_field field;

    buf_add_byte(out, '(');
    add_addresses(arena, envelope->values[which], &left, out);
    while (left > 0 && rest.len > 0 && header_next(&rest, &field))
        if (field_of(field.name) == which)
            add_addresses(arena, field.value, &left, out);
    if (out->len > start + 1) {
        buf_add_byte(out, ')');
    } else {
        buf_truncate(out, start);
        buf_add_text(out, "NIL");
    }
}

/* Sender and Reply-To are From where they are missing or empty. */
static void add_default_field(struct arena *arena, const struct envelope *envelope,
                              enum envelope_field which, struct buf *out)
{
    size_t start = out->len;

    add_address_field(arena, envelope, which, out);
    if (out->data[start] == '(')
        return;
    buf_truncate(out, start);
    add_address_field(arena, envelope, FIELD_FROM, out);
}

static void add_field(struct arena *arena, const struct envelope *envelope,
                      enum envelope_field which, struct buf *out)
{
    if (which == FIELD_SENDER || which == FIELD_REPLY_TO)
        add_default_field(arena, envelope, which, out);
    else if (is_address_field(which))
        add_address_field(arena, envelope, which, out);
    else
        add_nstring(header_unfold(arena, envelope->values[which]), out);
}

void envelope_write(struct arena *arena, struct slice header, struct buf *out, int64_t *sent_ms_out)
{
    struct envelope envelope = { .values = { { NULL, 0 } } };
    struct date date;

    read_fields(header, &envelope);
    for (enum envelope_field which = FIELD_DATE; which < N_FIELDS; which++) {
        buf_add_byte(out, which == FIELD_DATE ? '(' : ' ');
        add_field(arena, &envelope, which, out);
    }
    buf_add_byte(out, ')');
    *sent_ms_out = date_parse(envelope.values[FIELD_DATE], &date) ? date.unix_ms : 0;
}
