/* dmarc.c - `postane dmarc report`: what others have told of mail in our name.
 *
 * The reports lie in a mailbox, as mail with a packed XML file. All of them are read and summed up
 * by where the mail came from and what became of it.
 */
#include "admin/commands.h"
#include "admin/output.h"
#include "common/clock.h"
#include "common/pack.h"
#include "message/decode.h"
#include "message/header.h"
#include "message/mime.h"
#include "message/proof/dmarc_report.h"
#include "storage/directory.h"
#include "storage/mail.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADER_LOOK (64 * 1024)
#define MAIL_MAX    (32u << 20)
#define DAY_MS      (24ll * 60 * 60 * 1000)

/* One line of the summary. */
struct sum {
    struct slice domain, source, disposition, dkim, spf;
    uint64_t count, n_reports;
};

struct summary {
    struct tool *tool;
    struct account *account;
    struct sum *sums;
    size_t count, room;
    uint64_t n_reports, n_unreadable;
};

/* --- summing up --- */

static bool same(const struct sum *a, const struct sum *b)
{
    return slice_equal(a->domain, b->domain) && slice_equal(a->source, b->source) &&
           slice_equal(a->disposition, b->disposition) && slice_equal(a->dkim, b->dkim) &&
           slice_equal(a->spf, b->spf);
}

static void add_row(struct summary *summary, const struct dmarc_report *report,
                    const struct dmarc_row *row)
{
    struct sum sum = { .domain = row->header_from.len > 0 ? row->header_from : report->domain,
                       .source = row->source,
                       .disposition = row->disposition,
                       .dkim = row->dkim,
                       .spf = row->spf };
    size_t i = 0;

    while (i < summary->count && !same(&summary->sums[i], &sum))
        i++;
    if (i == summary->count) {
        summary->sums = mem_grow(summary->sums, &summary->room, summary->count + 1, sizeof(sum));
        summary->sums[summary->count++] = sum;
    }
    summary->sums[i].count += row->count;
    summary->sums[i].n_reports++;
}

static bool failed(const struct sum *sum)
{
    return !slice_is(sum->dkim, "pass") && !slice_is(sum->spf, "pass");
}

/* What failed first, then the most. */
static int compare(const void *left, const void *right)
{
    const struct sum *a = left, *b = right;

    if (failed(a) != failed(b))
        return failed(a) ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return slice_compare(a->source, b->source);
}

/* --- finding the reports --- */

static bool is_packed_type(struct slice type, struct slice subtype)
{
    static const char *const subtypes[] = { "gzip", "x-gzip",      "zip", "x-zip-compressed",
                                            "xml",  "octet-stream" };

    if (slice_is(type, "text"))
        return slice_is(subtype, "xml");
    if (!slice_is(type, "application"))
        return false;
    for (size_t i = 0; i < COUNT_OF(subtypes); i++)
        if (slice_is(subtype, subtypes[i]))
            return true;
    return false;
}

static bool take_report(struct summary *summary, struct slice packed)
{
    AUTO(buf_free) struct buf xml = { 0 };
    struct dmarc_report report;

    if (!unpack(packed, DMARC_REPORT_SIZE, &xml, &summary->tool->err) ||
        !dmarc_report_parse(&summary->tool->arena, buf_slice(&xml), &report, &summary->tool->err))
        return false;
    for (size_t i = 0; i < report.n_rows; i++)
        add_row(summary, &report, &report.rows[i]);
    summary->n_reports++;
    return true;
}

static bool take_part(struct summary *summary, struct slice message, const struct mime_part *part)
{
    AUTO(buf_free) struct buf packed = { 0 };

    if (part->children != NULL) {
        for (const struct mime_part *child = part->children; child != NULL; child = child->next)
            if (take_part(summary, message, child))
                return true;
        return false;
    }
    if (!is_packed_type(part->type, part->subtype))
        return false;
    transfer_decode(part->encoding, slice_part(message, part->body_at, part->body_len), &packed);
    return take_report(summary, buf_slice(&packed));
}

static bool looks_like_report(struct arena *arena, struct slice header)
{
    AUTO(buf_free) struct buf subject = { 0 };
    struct header_field field;

    if (!header_find(header, "Subject", &field))
        return false;
    header_decode(header_unfold(arena, field.value), &subject);
    return dmarc_report_subject(buf_slice(&subject));
}

/* False only when the store cannot be read. */
static bool look_at(struct summary *summary, const struct mail *mail)
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct error *err = &summary->tool->err;
    struct slice message;

    if (!account_read(summary->account, mail->msg, 0, HEADER_LOOK, &text, err))
        return err->kind == ERROR_NOT_FOUND; /* expunged meanwhile */
    if (mail->size > MAIL_MAX || !looks_like_report(&arena, buf_slice(&text)))
        return true;
    if (mail->size > text.len &&
        !account_read(summary->account, mail->msg, text.len, mail->size - text.len, &text, err))
        return err->kind == ERROR_NOT_FOUND;
    message = buf_slice(&text);
    if (!take_part(summary, message, mime_parse(&arena, message))) {
        summary->n_unreadable++;
        fprintf(stderr, "message %u is no report that can be read: %s\n", mail->uid, err->text);
    }
    return true;
}

static bool look_at_all(struct summary *summary, uint64_t mailbox, int64_t since_ms)
{
    struct tool *tool = summary->tool;
    struct changes all;
    bool ok = true;

    if (!mailbox_changes(summary->account, mailbox, 0, NULL, &all, &tool->err))
        return false;
    for (size_t i = 0; ok && i < all.count; i++)
        if (all.mails[i].received_ms >= since_ms)
            ok = look_at(summary, &all.mails[i]);
    changes_free(&all);
    return ok;
}

/* --- showing --- */

static json_t *sum_object(const struct sum *sum)
{
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:I}", "domain", output_text(sum->domain),
                     "source", output_text(sum->source), "messages", (json_int_t)sum->count,
                     "disposition", output_text(sum->disposition), "dkim", output_text(sum->dkim),
                     "spf", output_text(sum->spf), "reports", (json_int_t)sum->n_reports);
}

static void show(struct summary *summary)
{
    static const struct column columns[] = {
        { "domain", "DOMAIN", COLUMN_PLAIN },     { "source", "SOURCE", COLUMN_PLAIN },
        { "messages", "MESSAGES", COLUMN_PLAIN }, { "disposition", "DISPOSITION", COLUMN_PLAIN },
        { "dkim", "DKIM", COLUMN_PLAIN },         { "spf", "SPF", COLUMN_PLAIN },
        { "reports", "REPORTS", COLUMN_PLAIN },
    };
    json_t *rows = json_array();

    if (summary->count > 0)
        qsort(summary->sums, summary->count, sizeof(summary->sums[0]), compare);
    for (size_t i = 0; i < summary->count; i++)
        json_array_append_new(rows, sum_object(&summary->sums[i]));
    if (!summary->tool->json && summary->count == 0)
        printf("No reports there.\n");
    output_list(summary->tool, columns, COUNT_OF(columns), rows);
    fprintf(stderr, "%llu reports read, %llu unreadable\n", (unsigned long long)summary->n_reports,
            (unsigned long long)summary->n_unreadable);
}

static bool open_mailbox(struct summary *summary, struct slice address, struct slice name,
                         struct mailbox_info *mailbox)
{
    struct tool *tool = summary->tool;
    struct account_info info;

    if (!tool_open(tool) || !tool_account(tool, address, &info) ||
        !desk_account(tool->desk, info.id, &summary->account, &tool->err))
        return false;
    return mailbox_by_name(summary->account, &tool->arena, name, mailbox, &tool->err) ||
           tool_not_found(tool, "mailbox", name, "mailbox list ADDRESS");
}

enum outcome dmarc_report_command(struct tool *tool)
{
    const char *mailbox_name = "INBOX", *days_text = "30";
    struct summary summary = { .tool = tool };
    struct mailbox_info mailbox;
    struct slice address;
    uint64_t days;
    bool ok;

    if (!tool_option(tool, "--mailbox", &mailbox_name) ||
        !tool_option(tool, "--days", &days_text) ||
        !tool_number(tool, "--days", days_text, &days) ||
        !tool_argument(tool, "ADDRESS", &address) || !tool_end(tool))
        return OUTCOME_USAGE;
    if (!open_mailbox(&summary, address, slice_of(mailbox_name), &mailbox))
        return OUTCOME_FAILED;
    ok = look_at_all(&summary, mailbox.id, time_ms() - (int64_t)MIN(days, 36500) * DAY_MS);
    if (ok)
        show(&summary);
    free(summary.sums);
    return ok ? OUTCOME_DONE : OUTCOME_FAILED;
}
