/* reports.c - see reports.h. */
#include "admin/reports.h"

#include "common/clock.h"
#include "common/pack.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/proof/dmarc_report.h"
#include "storage/directory.h"
#include "storage/mail.h"

#include <stdio.h>

#define HEADER_LOOK (64 * 1024)
#define MAIL_MAX    (32u << 20)
#define DAY_MS      (24ll * 60 * 60 * 1000)

/* What a part of a message turned out to be. */
enum part_result { PART_NONE, PART_READ, PART_OTHER, PART_BAD };

static bool is_report_type(struct slice type, struct slice subtype)
{
    static const char *const subtypes[] = {
        "gzip", "x-gzip",       "zip",         "x-zip-compressed", "xml",
        "json", "octet-stream", "tlsrpt+gzip", "tlsrpt+json",      "tlsrpt+zip"
    };

    if (slice_is(type, "text"))
        return slice_is(subtype, "xml");
    if (!slice_is(type, "application"))
        return false;
    for (size_t i = 0; i < COUNT_OF(subtypes); i++)
        if (slice_is(subtype, subtypes[i]))
            return true;
    return false;
}

static bool is_of_kind(enum report_kind kind, struct slice document)
{
    struct slice text = slice_trim(document);

    if (slice_starts(text, "\xef\xbb\xbf")) /* a byte order mark */
        text = slice_trim(slice_from(text, 3));
    return slice_starts(text, kind == REPORT_KIND_DMARC ? "<" : "{");
}

static enum part_result take_document(struct report_reader *reader, struct slice packed)
{
    AUTO(buf_free) struct buf document = { 0 };
    struct error *err = &reader->tool->err;
    enum report_kind other =
        reader->kind == REPORT_KIND_DMARC ? REPORT_KIND_TLS : REPORT_KIND_DMARC;

    if (!unpack(packed, DMARC_REPORT_SIZE, &document, err))
        return PART_BAD;
    if (is_of_kind(other, buf_slice(&document)))
        return PART_OTHER;
    if (!is_of_kind(reader->kind, buf_slice(&document))) {
        error_set(err, ERROR_INVALID, "no report");
        return PART_BAD;
    }
    return reader->take(reader->context, buf_slice(&document)) ? PART_READ : PART_BAD;
}

/* The first part that is a report of either kind, else one that cannot be read. */
static enum part_result take_part(struct report_reader *reader, struct slice message,
                                  const struct mime_part *part)
{
    AUTO(buf_free) struct buf packed = { 0 };
    enum part_result result = PART_NONE;

    if (part->children != NULL) {
        for (const struct mime_part *child = part->children; child != NULL; child = child->next) {
            enum part_result found = take_part(reader, message, child);

            if (found == PART_READ || found == PART_OTHER)
                return found;
            result = found == PART_BAD ? found : result;
        }
        return result;
    }
    if (!is_report_type(part->type, part->subtype))
        return PART_NONE;
    transfer_decode(part->encoding, slice_part(message, part->body_at, part->body_len), &packed);
    return take_document(reader, buf_slice(&packed));
}

/* Reports of both kinds bear the same subject (RFC 7489 section 7.2.1.1, RFC 8460 section 5.3). */
static bool looks_like_report(struct arena *arena, struct slice header)
{
    AUTO(buf_free) struct buf subject = { 0 };
    struct header_field field;

    if (!header_find(header, "Subject", &field))
        return false;
    header_decode(header_unfold(arena, field.value), &subject);
    return dmarc_report_subject(buf_slice(&subject));
}

static void look_into(struct report_reader *reader, const struct mail *mail, struct slice message)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct error *err = &reader->tool->err;

    error_set(err, ERROR_INVALID, "there is no file in it");
    switch (take_part(reader, message, mime_parse(&arena, message))) {
    case PART_READ:
        reader->n_read++;
        return;
    case PART_OTHER:
        return;
    case PART_NONE:
    case PART_BAD:
        reader->n_unreadable++;
        fprintf(stderr, "message %u is no report that can be read: %s\n", mail->uid, err->text);
        return;
    }
}

/* False only when the store cannot be read. */
static bool look_at(struct report_reader *reader, struct account *account, const struct mail *mail)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct error *err = &reader->tool->err;

    if (!account_read(account, mail->msg, 0, HEADER_LOOK, &text, err))
        return err->kind == ERROR_NOT_FOUND; /* expunged meanwhile */
    if (mail->size > MAIL_MAX || !looks_like_report(&arena, buf_slice(&text)))
        return true;
    if (mail->size > text.len &&
        !account_read(account, mail->msg, text.len, mail->size - text.len, &text, err))
        return err->kind == ERROR_NOT_FOUND;
    look_into(reader, mail, buf_slice(&text));
    return true;
}

static bool look_at_all(struct report_reader *reader, struct account *account, uint64_t mailbox,
                        int64_t since_ms)
{
    struct changes all;
    bool ok = true;

    if (!mailbox_changes(account, mailbox, 0, NULL, &all, &reader->tool->err))
        return false;
    for (size_t i = 0; ok && i < all.count; i++)
        if (all.mails[i].received_ms >= since_ms)
            ok = look_at(reader, account, &all.mails[i]);
    changes_free(&all);
    return ok;
}

static bool open_mailbox(struct tool *tool, struct slice address, struct slice name,
                         struct account **account_out, struct mailbox_info *mailbox)
{
    struct account_info info;

    if (!tool_open(tool) || !tool_account(tool, address, &info) ||
        !desk_account(tool->desk, info.id, account_out, &tool->err))
        return false;
    return mailbox_by_name(*account_out, &tool->arena, name, mailbox, &tool->err) ||
           tool_not_found(tool, "mailbox", name, "mailbox list ADDRESS");
}

enum outcome reports_read(struct report_reader *reader)
{
    const char *mailbox_name = "INBOX", *days_text = "30";
    struct tool *tool = reader->tool;
    struct mailbox_info mailbox;
    struct account *account;
    struct slice address;
    uint64_t days;

    if (!tool_option(tool, "--mailbox", &mailbox_name) ||
        !tool_option(tool, "--days", &days_text) ||
        !tool_number(tool, "--days", days_text, &days) ||
        !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_mailbox(tool, address, slice_of(mailbox_name), &account, &mailbox) ||
        !look_at_all(reader, account, mailbox.id, time_ms() - (int64_t)MIN(days, 36500) * DAY_MS))
        return OUTCOME_FAILED;
    return OUTCOME_DONE;
}

void reports_tell(const struct report_reader *reader)
{
    if (!reader->tool->json && reader->n_read == 0)
        printf("No reports there.\n");
    fprintf(stderr, "%llu reports read, %llu unreadable\n", (unsigned long long)reader->n_read,
            (unsigned long long)reader->n_unreadable);
}
