/* mail_part.c - see mail_part.h. */
#include "storage/mail_part.h"

#include "message/header.h"
#include "message/section.h"

#define HEADER_READ_BYTES (64 * 1024)

static bool nothing(struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "there is no such message or part");
}

static bool find_mail(struct account *account, uint64_t mailbox, uint32_t uid,
                      struct mail *mail_out, struct error *err)
{
    AUTO(uidset_free) struct uidset which = { 0 };
    AUTO(changes_free) struct changes changes = { 0 };

    uidset_add(&which, uid, uid);
    if (!mailbox_changes(account, mailbox, 0, &which, &changes, err))
        return false;
    if (changes.count == 0)
        return nothing(err);
    *mail_out = changes.mails[0];
    return true;
}

/* The message's own header, without the rest where that is long. */
static bool read_header(struct account *account, const struct mail *mail, struct buf *out,
                        struct error *err)
{
    for (size_t want = HEADER_READ_BYTES;; want *= 4) {
        if (!account_read(account, mail->msg, out->len, want - out->len, out, err))
            return false;
        size_t len = header_length(buf_slice(out));
        /* A header that ends where the piece ends may go on behind it. */
        if (len < out->len || out->len >= mail->size) {
            buf_truncate(out, len);
            return true;
        }
    }
}

/* Bytes that contain the section, from the start of the message on, and where it lies in them. */
static bool locate(struct account *account, const struct mail *mail, const struct section *section,
                   struct buf *bytes, struct mail_part *part, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    size_t at, len;

    if (section_is_header(section)) {
        part->at = 0;
        if (!read_header(account, mail, bytes, err))
            return false;
        part->len = bytes->len;
        return true;
    }
    if (!account_read(account, mail->msg, 0, mail->size, bytes, err))
        return false;
    if (!section_find(section, mime_parse(&arena, buf_slice(bytes)), &at, &len))
        return nothing(err);
    part->at = at;
    part->len = len;
    return true;
}

static bool find_section(struct account *account, const struct mail *mail,
                         const struct section *section, struct mail_part *part, struct error *err)
{
    AUTO(buf_free) struct buf bytes = { 0 };

    if (section_is_whole(section)) {
        part->len = mail->size;
        return true;
    }
    if (!locate(account, mail, section, &bytes, part, err))
        return false;
    part->is_picked = section_picks(section);
    if (!part->is_picked)
        return true;
    section_pick(section, slice_part(buf_slice(&bytes), (size_t)part->at, (size_t)part->len),
                 &part->picked);
    part->at = 0;
    part->len = part->picked.len;
    return true;
}

bool mail_part_find(struct account *account, uint64_t mailbox, uint32_t uidvalidity,
                    const struct imap_url *url, struct mail_part *part_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct section section;
    struct mail mail;

    *part_out = (struct mail_part){ 0 };
    if ((url->uidvalidity != 0 && url->uidvalidity != uidvalidity) ||
        !section_text_parse(url->section, &arena, &section))
        return nothing(err);
    if (!find_mail(account, mailbox, url->uid, &mail, err))
        return false;
    part_out->msg = mail.msg;
    if (!find_section(account, &mail, &section, part_out, err))
        return false;
    if (url->partial) {
        uint64_t skip = MIN(url->from, part_out->len);

        part_out->at += skip;
        part_out->len -= skip;
        if (url->length > 0)
            part_out->len = MIN(part_out->len, url->length);
    }
    return true;
}

void mail_hide_nuls(struct buf *bytes, size_t at)
{
    char *nul = bytes->data + at;

    if (bytes->len == at)
        return;
    while ((nul = memchr(nul, '\0', (size_t)(bytes->data + bytes->len - nul))) != NULL)
        *nul = (char)0x80;
}

bool mail_part_read(struct account *account, const struct mail_part *part, uint64_t offset,
                    size_t len, struct buf *out, struct error *err)
{
    size_t at = out->len;

    len = (size_t)MIN(len, part->len - MIN(offset, part->len));
    if (part->is_picked) {
        buf_add_slice(out, slice_part(buf_slice(&part->picked), (size_t)(part->at + offset), len));
    } else if (len > 0 && !account_read(account, part->msg, part->at + offset, len, out, err)) {
        return false;
    }
    if (out->len - at < len)
        return error_set(err, ERROR_INTERNAL, "message is shorter than its row says");
    mail_hide_nuls(out, at);
    return true;
}

void mail_part_free(struct mail_part *part)
{
    buf_free(&part->picked);
    *part = (struct mail_part){ 0 };
}
