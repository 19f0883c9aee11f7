/* tls_mail.c - see tls_mail.h.
 *
 * A report must arrive where TLS is broken: it goes out whatever the domain's policy demands (RFC
 * 8460 section 3), and says so to whoever passes it on (RFC 8689 section 5).
 */
#include "smtpd/report/tls_mail.h"

#include "smtpd/report/tls_report.h"

static const char text[] =
    "This is a report on the TLS connections of our mail server to yours, as RFC 8460\r\n"
    "describes it. Your DNS asks for it in the record _smtp._tls.\r\n";

/* A domain with several such records has none (RFC 8460 section 3). */
static bool find_record(struct arena *arena, const struct dns_answer *answer, struct slice *rua_out)
{
    size_t found = 0;

    for (size_t i = 0; i < answer->count; i++) {
        struct slice record, rua;

        if (!dns_text(arena, answer->records[i], &record) || !tls_report_record(record, &rua))
            continue;
        *rua_out = rua;
        found++;
    }
    return found == 1;
}

static enum report_mail_state find_addresses(struct arena *arena, struct dns_table *table,
                                             struct report_mail *mail, struct error *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    const struct dns_answer *answer;
    struct slice rua;
    size_t n_others;

    buf_fmt(&name, "_smtp._tls." SLICE_FMT, SLICE_ARG(mail->domain));
    answer = dns_get(table, buf_slice(&name), DNS_TXT);
    if (answer == NULL)
        return REPORT_MAIL_AGAIN;
    if (answer->state == DNS_FAILED) {
        error_set(err, ERROR_TEMPORARY, "%s: " SLICE_FMT, buf_text(&name),
                  SLICE_ARG(answer->reason));
        return REPORT_MAIL_LATER;
    }
    if (!find_record(arena, answer, &rua))
        return REPORT_MAIL_UNWANTED;
    mail->n_to = report_addresses(arena, rua, mail->to, &n_others);
    return mail->n_to > 0 ? REPORT_MAIL_READY : REPORT_MAIL_UNWANTED;
}

static bool make(struct smtpd *smtpd, struct desk *desk, struct arena *arena,
                 const struct tally *which, struct report_mail *mail, struct letter **letter_out,
                 struct error *err)
{
    AUTO(buf_free) struct buf json = { 0 }, headers = { 0 };
    struct report_sender sender;
    struct tally_list counts;

    if (!tally_read(desk, arena, which, &counts, err) ||
        !report_sender(smtpd, desk, arena, &sender, err))
        return false;
    mail->sender = &sender;
    mail->id = report_id(arena, "tls");
    tls_report_print(&(struct tls_report){ which->domain, sender.domain, sender.address, mail->id,
                                           which->day, &counts },
                     &json);
    buf_fmt(&headers,
            "TLS-Report-Domain: " SLICE_FMT "\r\nTLS-Report-Submitter: " SLICE_FMT "\r\n"
            "TLS-Required: No\r\n",
            SLICE_ARG(which->domain), SLICE_ARG(sender.domain));
    mail->headers = buf_text(&headers);
    mail->report = buf_slice(&json);
    return report_mail_make(smtpd, desk, mail, letter_out, err);
}

enum report_mail_state tls_mail_make(struct smtpd *smtpd, struct desk *desk,
                                     const struct tally *which, struct dns_table *table,
                                     struct letter **letter_out, struct error *err)
{
    AUTO(arena_free) struct arena arena = { 0 };
    struct report_mail mail = {
        .domain = which->domain,
        .tls_optional = true,
        .type = "multipart/report; report-type=tlsrpt",
        .text = text,
        .file_type = "application/tlsrpt+gzip",
        .file_end = "json.gz",
        .day = which->day,
    };
    enum report_mail_state state = find_addresses(&arena, table, &mail, err);

    if (state != REPORT_MAIL_READY)
        return state;
    if (!make(smtpd, desk, &arena, which, &mail, letter_out, err))
        return REPORT_MAIL_LATER;
    return *letter_out != NULL ? REPORT_MAIL_READY : REPORT_MAIL_UNWANTED;
}
