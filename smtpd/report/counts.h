/* counts.h - sums in memory of what other domains will be told (RFC 7489, RFC 8460), written to
 * storage/tally.h every now and then.
 *
 *     counts_mail(smtpd->counts, outcome.domain, &row);     a message under a DMARC policy
 *     counts_session(smtpd->counts, &session);              a session with another domain's server
 *
 * What is counted is a tuple of texts; messages and sessions that are alike in all of them become
 * one row of the report. Both return at once, and do nothing with NULL (a test without counts), an
 * empty domain, or when the operator wants no such reports. Texts may be anything: they are cut at
 * COUNTS_PART_MAX, and control characters become blanks.
 *
 * Threads: any; one lock inside, not held while writing.
 */
#pragma once

#include "message/proof/dmarc_report.h"
#include "storage/tally.h"

struct counts;

#define COUNTS_MAX      20000 /* different ones between two writes; more are not counted */
#define COUNTS_PART_MAX 1024  /* bytes of one text */

/* What is counted at all. */
struct counts *counts_new(bool mail, bool sessions);
void counts_free(struct counts **counts);

/* One message that came from outside (RFC 7489 section 7.2). `domain`: where the DMARC record was
 * found, and its owner wants reports (rua=). `row`: what the report will say; `count` is not looked
 * at, all else is:
 *     source                           the client's address
 *     disposition                      "none", "quarantine", "reject": what was done
 *     dkim, spf                        aligned: "pass", "fail"
 *     reason                           why not what the policy says: "forwarded", "sampled_out",
 *                                      "trusted_forwarder", "mailing_list", "local_policy",
 *                                      "other"; or empty
 *     header_from, envelope_from       domains; the second may be empty
 *     dkim_domain, _selector, _result  the aligned signature, else the first; or empty
 *     spf_domain, _scope, _result      "mfrom" or "helo" */
void counts_mail(struct counts *counts, struct slice domain, const struct dmarc_row *row);

/* One session with a server of a domain, or an attempt at one (RFC 8460 section 4). */
struct tls_session {
    struct slice domain; /* of the recipients: whose policy it is */
    struct slice policy; /* "tlsa", "sts", "no-policy-found" */
    struct slice
        policy_text;      /* its lines, '\n' between: "3 1 1 ab12...", "mode: enforce"; or empty */
    struct slice result;  /* empty: TLS was there as the policy wants it. Else a result type of
                             section 4.3: "starttls-not-supported", "certificate-expired", ... */
    struct slice host;    /* the MX host asked; with a failure of the policy itself empty */
    struct slice address; /* its address */
    struct slice reason;  /* more of a failure, in a few words; may be empty */
};
void counts_session(struct counts *counts, const struct tls_session *session);

/* From a tally of that kind back to its tuple; `count` is the tally's. */
void counts_row(const struct tally *tally, struct dmarc_row *row_out);
void counts_tls(const struct tally *tally, struct tls_session *session_out);

bool counts_is_empty(struct counts *counts);

/* Writes all and forgets them. On failure they are kept for the next time. */
bool counts_write(struct counts *counts, struct desk *desk, struct error *err) MUST_CHECK;

/* Days since 1970, UTC. */
int64_t counts_day(int64_t ms);
