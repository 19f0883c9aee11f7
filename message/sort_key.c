/* sort_key.c - see sort_key.h.
 *
 *     flags 1 | sent_ms 8 | id 8 | lengths of the texts, 1 each | texts | references, 8 each
 *
 * Numbers are as the machine has them: summaries do not travel.
 */
#include "message/sort_key.h"

#include "message/address.h"
#include "message/base_subject.h"
#include "message/date.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/message_id.h"
#include "message/text.h"

#define HAS_DATE  1
#define IS_REPLY  2
#define HEAD_SIZE (1 + 8 + 8 + SORT_TEXTS)

enum field {
    FIELD_SUBJECT,
    FIELD_FROM,
    FIELD_TO,
    FIELD_CC,
    FIELD_DATE,
    FIELD_MESSAGE_ID,
    FIELD_REFERENCES,
    FIELD_IN_REPLY_TO,
    N_FIELDS,
};

static const struct {
    const char *name;
    size_t len;
} field_names[N_FIELDS] = {
    [FIELD_SUBJECT] = { "Subject", 7 },
    [FIELD_FROM] = { "From", 4 },
    [FIELD_TO] = { "To", 2 },
    [FIELD_CC] = { "Cc", 2 },
    [FIELD_DATE] = { "Date", 4 },
    [FIELD_MESSAGE_ID] = { "Message-ID", 10 },
    [FIELD_REFERENCES] = { "References", 10 },
    [FIELD_IN_REPLY_TO] = { "In-Reply-To", 11 },
};

struct draft {
    struct arena *arena;
    struct slice header;
    struct slice values[N_FIELDS]; /* of the first of each name; NULL: there is none */
    unsigned char flags;
    int64_t sent_ms;
    uint64_t id;
    unsigned char lengths[SORT_TEXTS];
    struct buf texts, references;
};

static void read_fields(struct draft *draft)
{
    struct slice rest = draft->header;
    struct header_field field;

    while (header_next(&rest, &field))
        for (size_t i = 0; i < N_FIELDS; i++)
            if (field_names[i].len == field.name.len && draft->values[i].data == NULL &&
                slice_is(field.name, field_names[i].name))
                draft->values[i] = field.value;
}

static struct slice value_of(const struct draft *draft, enum field which)
{
    return header_unfold(draft->arena, draft->values[which]);
}

static void add_text(struct draft *draft, enum sort_text which, struct slice text)
{
    size_t start = draft->texts.len;

    text_fold(slice_part(text, 0, BASE_SUBJECT_MAX), &draft->texts);
    buf_truncate(&draft->texts, MIN(draft->texts.len, start + SORT_TEXT_MAX));
    draft->lengths[which] = (unsigned char)(draft->texts.len - start);
}

static void add_subject(struct draft *draft)
{
    AUTO(buf_free) struct buf decoded = { 0 };
    AUTO(buf_free) struct buf base = { 0 };

    header_decode(value_of(draft, FIELD_SUBJECT), &decoded);
    if (base_subject(buf_slice(&decoded), &base))
        draft->flags |= IS_REPLY;
    add_text(draft, SORT_SUBJECT, buf_slice(&base));
}

/* The first address that ENVELOPE shows: mostly it is in the first field of the name. False: NIL.
 */
static bool first_address(const struct draft *draft, enum field which, struct address *address_out)
{
    struct slice rest = draft->header;
    struct header_field field = { .value = draft->values[which] };
    struct address_list list;

    if (field.value.data == NULL)
        return false;
    address_list_parse(draft->arena, field.value, 3, &list); /* a group has three items */
    while (list.count == 0 && header_next(&rest, &field))
        if (slice_is(field.name, field_names[which].name))
            address_list_parse(draft->arena, field.value, 3, &list);
    if (list.count > 0)
        *address_out = list.items[0];
    return list.count > 0;
}

/* As ENVELOPE has addr-mailbox and addr-host; a group has its name for the one, and no other. */
static struct slice mailbox_of(const struct address *address)
{
    if (address->kind == ADDRESS_GROUP_START)
        return address->name;
    return address->local.len > 0 ? address->local : SLICE("MISSING_MAILBOX");
}

/* RFC 5957 section 3. */
static void add_display(struct draft *draft, enum sort_text which, const struct address *address)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (address->kind == ADDRESS_MAILBOX)
        header_decode(address->name, &text);
    if (text.len == 0) {
        buf_add_slice(&text, mailbox_of(address));
        if (address->kind == ADDRESS_MAILBOX) {
            buf_add_byte(&text, '@');
            buf_add_slice(&text,
                          address->domain.len > 0 ? address->domain : SLICE("MISSING_DOMAIN"));
        }
    }
    add_text(draft, which, buf_slice(&text));
}

/* In the order of enum sort_text. */
static void add_addresses(struct draft *draft)
{
    struct address from, to, cc;
    bool has_from = first_address(draft, FIELD_FROM, &from);
    bool has_to = first_address(draft, FIELD_TO, &to);

    if (has_from)
        add_text(draft, SORT_FROM, mailbox_of(&from));
    if (has_to)
        add_text(draft, SORT_TO, mailbox_of(&to));
    if (first_address(draft, FIELD_CC, &cc))
        add_text(draft, SORT_CC, mailbox_of(&cc));
    if (has_from)
        add_display(draft, SORT_DISPLAY_FROM, &from);
    if (has_to)
        add_display(draft, SORT_DISPLAY_TO, &to);
}

static void add_date(struct draft *draft)
{
    struct date date;

    if (draft->values[FIELD_DATE].data == NULL || !date_parse(draft->values[FIELD_DATE], &date))
        return;
    draft->flags |= HAS_DATE;
    draft->sent_ms = date.unix_ms;
}

static void add_reference(struct draft *draft, const struct buf *id)
{
    uint64_t hash = message_id_hash(buf_slice(id));

    buf_add(&draft->references, &hash, sizeof(hash));
    if (draft->references.len > SORT_REFERENCES_MAX * sizeof(hash))
        buf_drop(&draft->references, sizeof(hash));
}

/* The ids of References, or else the first of In-Reply-To (RFC 5256, REFERENCES). */
static void add_references(struct draft *draft)
{
    AUTO(buf_free) struct buf id = { 0 };
    struct slice rest = value_of(draft, FIELD_MESSAGE_ID);

    if (message_id_next(&rest, &id))
        draft->id = message_id_hash(buf_slice(&id));
    rest = value_of(draft, FIELD_REFERENCES);
    while (message_id_next(&rest, &id))
        add_reference(draft, &id);
    rest = value_of(draft, FIELD_IN_REPLY_TO);
    if (draft->references.len == 0 && message_id_next(&rest, &id))
        add_reference(draft, &id);
}

void sort_keys_write(struct arena *arena, struct slice header, struct buf *out)
{
    struct draft draft = { .arena = arena, .header = header };

    read_fields(&draft);
    add_subject(&draft);
    add_addresses(&draft);
    add_date(&draft);
    add_references(&draft);
    buf_add_byte(out, (char)draft.flags);
    buf_add(out, &draft.sent_ms, sizeof(draft.sent_ms));
    buf_add(out, &draft.id, sizeof(draft.id));
    buf_add(out, draft.lengths, sizeof(draft.lengths));
    buf_move(out, &draft.texts);
    buf_move(out, &draft.references);
    buf_free(&draft.texts);
    buf_free(&draft.references);
}

bool sort_keys_read(struct slice written, struct sort_keys *keys_out)
{
    struct slice rest = slice_from(written, HEAD_SIZE);
    const unsigned char *lengths;

    if (written.len < HEAD_SIZE)
        return false;
    *keys_out = (struct sort_keys){ .has_date = (written.data[0] & HAS_DATE) != 0,
                                    .is_reply = (written.data[0] & IS_REPLY) != 0 };
    memcpy(&keys_out->sent_ms, written.data + 1, sizeof(keys_out->sent_ms));
    memcpy(&keys_out->id, written.data + 9, sizeof(keys_out->id));
    lengths = (const unsigned char *)written.data + 17;
    for (size_t i = 0; i < SORT_TEXTS; i++) {
        if (rest.len < lengths[i])
            return false;
        keys_out->texts[i] = slice_part(rest, 0, lengths[i]);
        rest = slice_from(rest, lengths[i]);
    }
    keys_out->references = rest;
    keys_out->n_references = rest.len / sizeof(uint64_t);
    return rest.len % sizeof(uint64_t) == 0;
}

uint64_t sort_reference(const struct sort_keys *keys, size_t i)
{
    uint64_t hash;

    memcpy(&hash, keys->references.data + i * sizeof(hash), sizeof(hash));
    return hash;
}
