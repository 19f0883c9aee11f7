/* dmarc_mail.c - see dmarc_mail.h.
 *
 * The policy in the report is the one that is published when the report is made; the rows tell what
 * was done by the one of their time.
 */
#include "smtpd/report/dmarc_mail.h"

#include "message/proof/dmarc.h"
#include "smtpd/report/counts.h"

#define DAY_S 86400

static const char text[] =
    "This is a report on mail that bears the name of your domain, as RFC 7489 describes it.\r\n"
    "Your DNS asks for it in the record _dmarc.\r\n";

/* One evaluation. Slices live in the arena or the table. */
struct inquiry {
    struct smtpd *smtpd;
    struct arena *arena;
    struct dns_table *table;
    struct dmarc_record policy;
    struct report_mail mail;
};

/* A domain with several records has none (section 6.6.3). */
static bool find_policy(struct inquiry *inquiry, const struct dns_answer *answer)
{
    size_t found = 0;

    for (size_t i = 0; i < answer->count; i++) {
        struct dmarc_record record;
        struct slice txt;

        if (!dns_text(inquiry->arena, answer->records[i], &txt) ||
            dmarc_record_parse(txt, &record) != PARSE_OK)
            continue;
        inquiry->policy = record;
        found++;
    }
    return found == 1;
}

/* Who is somewhere else must have said that they take reports about this domain (section 7.1). */
static bool check_addresses(struct inquiry *inquiry)
{
    struct report_mail *mail = &inquiry->mail;
    bool complete = true;
    size_t kept = 0;

    for (size_t i = 0; i < mail->n_to; i++) {
        bool may = false;

        complete &= dmarc_may_report(inquiry->arena, inquiry->table, mail->domain,
                                     mail->to[i].domain, &may);
        if (may)
            mail->to[kept++] = mail->to[i];
    }
    mail->n_to = kept;
    return complete;
}

/* Whether some answer has failed, so that consent may be there all the same. */
static bool nobody_knows(const struct inquiry *inquiry, struct error *err)
{
    for (const struct dns_answer *a = inquiry->table->first; a != NULL; a = a->next) {
        if (a->state != DNS_FAILED)
            continue;
        error_set(err, ERROR_TEMPORARY, SLICE_FMT ": " SLICE_FMT, SLICE_ARG(a->name),
                  SLICE_ARG(a->reason));
        return true;
    }
    return false;
}

static enum report_mail_state find_addresses(struct inquiry *inquiry, struct error *err)
{
    struct report_mail *mail = &inquiry->mail;
    AUTO(buf_free) struct buf name = { 0 };
    const struct dns_answer *answer;
    size_t n_others;

    buf_fmt(&name, "_dmarc." SLICE_FMT, SLICE_ARG(mail->domain));
    answer = dns_get(inquiry->table, buf_slice(&name), DNS_TXT);
    if (answer == NULL)
        return REPORT_MAIL_AGAIN;
    if (answer->state == DNS_FAILED) {
        error_set(err, ERROR_TEMPORARY, "%s: " SLICE_FMT, buf_text(&name),
                  SLICE_ARG(answer->reason));
        return REPORT_MAIL_LATER;
    }
    if (!find_policy(inquiry, answer))
        return REPORT_MAIL_UNWANTED;
    mail->n_to = report_addresses(inquiry->arena, inquiry->policy.rua, mail->to, &n_others);
    if (!check_addresses(inquiry))
        return REPORT_MAIL_AGAIN;
    if (mail->n_to > 0)
        return REPORT_MAIL_READY;
    return nobody_knows(inquiry, err) ? REPORT_MAIL_LATER : REPORT_MAIL_UNWANTED;
}

static struct slice number_text(struct arena *arena, uint64_t number)
{
    AUTO(buf_free) struct buf digits = { 0 };

    buf_add_number(&digits, number);
    return slice_copy(arena, buf_slice(&digits));
}

static void print_report(struct inquiry *inquiry, const struct tally *which,
                         const struct tally_list *counts, struct buf *xml)
{
    const struct report_mail *mail = &inquiry->mail;
    const struct dmarc_record *policy = &inquiry->policy;
    struct dmarc_report report = {
        .organisation = mail->sender->domain,
        .email = mail->sender->address,
        .id = mail->id,
        .begin_s = (uint64_t)(which->day * DAY_S),
        .end_s = (uint64_t)(which->day * DAY_S + DAY_S - 1),
        .domain = which->domain,
        .policy = slice_of(dmarc_policy_name(policy->policy)),
        .subdomain_policy = slice_of(dmarc_policy_name(policy->subdomain_policy)),
        .adkim = policy->strict_dkim ? SLICE("s") : SLICE("r"),
        .aspf = policy->strict_spf ? SLICE("s") : SLICE("r"),
        .percent = number_text(inquiry->arena, policy->percent),
        .rows = ARENA_ARRAY(inquiry->arena, struct dmarc_row, counts->count),
        .n_rows = counts->count,
    };

    for (size_t i = 0; i < counts->count; i++)
        counts_row(&counts->items[i], &report.rows[i]);
    dmarc_report_print(&report, xml);
}

static bool make(struct inquiry *inquiry, struct desk *desk, const struct tally *which,
                 struct letter **letter_out, struct error *err)
{
    AUTO(buf_free) struct buf xml = { 0 };
    struct report_sender sender;
    struct tally_list counts;

    if (!tally_read(desk, inquiry->arena, which, &counts, err) ||
        !report_sender(inquiry->smtpd, desk, inquiry->arena, &sender, err))
        return false;
    inquiry->mail.sender = &sender;
    inquiry->mail.id = report_id(inquiry->arena, "dmarc");
    print_report(inquiry, which, &counts, &xml);
    inquiry->mail.report = buf_slice(&xml);
    return report_mail_make(inquiry->smtpd, desk, &inquiry->mail, letter_out, err);
}

enum report_mail_state dmarc_mail_make(struct smtpd *smtpd, struct desk *desk,
                                       const struct tally *which, struct dns_table *table,
                                       struct letter **letter_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct inquiry inquiry = {
        .smtpd = smtpd,
        .arena = &arena,
        .table = table,
        .mail = { .domain = which->domain,
                  .headers = "",
                  .type = "multipart/mixed",
                  .text = text,
                  .file_type = "application/gzip",
                  .file_end = "xml.gz",
                  .day = which->day },
    };
    enum report_mail_state state = find_addresses(&inquiry, err);

    if (state != REPORT_MAIL_READY)
        return state;
    if (!make(&inquiry, desk, which, letter_out, err))
        return REPORT_MAIL_LATER;
    return *letter_out != NULL ? REPORT_MAIL_READY : REPORT_MAIL_UNWANTED;
}
