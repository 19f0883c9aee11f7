/* objectid.c - see objectid.h. */
#include "imapd/objectid.h"

#define EMAIL_HASH 12 /* bytes of the hash that are shown */

void objectid_mailbox(struct buf *out, const struct account *account, uint64_t mailbox)
{
    buf_fmt(out, "F%016llx-%llx", (unsigned long long)account_id(account),
            (unsigned long long)mailbox);
}

/* What a mailbox, UIDVALIDITY and UID always lead to: the bytes and the date. */
void objectid_email(struct buf *out, const struct object_ids *ids, int64_t received_ms)
{
    static const char digits[] = "0123456789abcdef";

    buf_add_byte(out, 'M');
    for (size_t i = 0; i < EMAIL_HASH; i++) {
        buf_add_byte(out, digits[ids->hash[i] >> 4]);
        buf_add_byte(out, digits[ids->hash[i] & 15]);
    }
    buf_fmt(out, "-%llx", (unsigned long long)received_ms);
}

void objectid_thread(struct buf *out, const struct object_ids *ids)
{
    buf_fmt(out, "T%016llx", (unsigned long long)ids->thread);
}

bool objectid_is_valid(struct slice text)
{
    static const char others[] = "_-";

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && memchr(others, c, 2) == NULL)
            return false;
    }
    return text.len > 0 && text.len <= 255;
}
