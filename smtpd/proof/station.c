/* station.c - see station.h. */
#include "smtpd/proof/station.h"

#include "common/clock.h"
#include "common/crypto.h"
#include "common/daemon.h"
#include "common/networks.h"
#include "message/header.h"
#include "smtpd/forward.h"
#include "smtpd/proof/proof.h"
#include "smtpd/proof/row.h"
#include "smtpd/proof/sign.h"
#include "smtpd/reply.h"
#include "smtpd/report/counts.h"

#include <stdlib.h>

/* All answers of the DNS together; the client waits for its reply ten minutes (RFC 5321 section
 * 4.5.3.2.6). */
#define PATIENCE_MS (30 * 1000)

static bool is_wanted(const struct smtp *smtp)
{
    const struct settings *settings = smtp->smtpd->settings;

    return smtp->service == SERVICE_MX && settings->verify &&
           !networks_contain(slice_of(settings->trusted_networks), smtp->call->peer->address);
}

/* The header as it came, and the body; both as long-lived as the transaction. Behind a line that is
 * no field there are programs that see header still: so does the proof, and trusts none of it. */
static bool split_message(struct smtp *smtp, struct slice *header_out, struct slice *body_out,
                          struct error *err)
{
    const struct transaction *mail = &smtp->mail;
    struct slice message;
    size_t length, whole;

    if (!body_bytes(mail->letter->body, &message, err))
        return false;
    length = header_length(message);
    whole = header_whole_length(slice_part(message, 0, MAX(length, CONTENT_HEADER_MAX)));
    *header_out = slice_part(message, 0, whole);
    *body_out = slice_from(message, whole);
    if (mail->content.original.len > 0 && whole == length)
        *header_out = buf_slice(&mail->content.original);
    return true;
}

static bool begin(struct smtp *smtp, struct error *err)
{
    struct proof_facts facts = {
        .settings = smtp->smtpd->settings,
        .address = smtp->call->peer->address,
        .helo = buf_slice(&smtp->helo),
        .sender = smtp->mail.letter->message.sender,
        .iprev = door_iprev(smtp),
        .now_s = time_ms() / 1000,
        .chance = (unsigned)(random_u64() % 100),
    };

    if (!split_message(smtp, &facts.header, &facts.body, err))
        return false;
    smtp->mail.proof = proof_new(&facts);
    smtp->mail.proof_until_ms = clock_ms() + PATIENCE_MS;
    return true;
}

static void log_proof(struct smtp *smtp, const struct results *results)
{
    const char *dkim = results->n_dkim == 0 ? "none" : dkim_result_name(results->dkim[0].result);

    log_info(&smtp->call->log, "proof", F_TEXT("from", results->from_domain),
             F_STR("spf", spf_result_name(results->spf_sender->result)), F_STR("dkim", dkim),
             F_STR("dmarc", dmarc_result_name(results->dmarc->result)),
             F_STR("arc", arc_result_name(results->arc->result)),
             F_TEXT("spf_reason", results->spf_sender->reason));
}

/* On top of Received: what was found when it came in here. */
static void add_field(struct smtp *smtp)
{
    AUTO(buf_free) struct buf field = { 0 };

    proof_print(smtp->mail.proof, &field);
    letter_prepend(smtp->mail.letter, buf_slice(&field));
}

static void count(struct smtp *smtp)
{
    const struct proof *proof = smtp->mail.proof;
    struct dmarc_row row;

    if (smtp->smtpd->counts != NULL && proof_row(proof, &row))
        counts_mail(smtp->smtpd->counts, proof_results(proof)->dmarc->domain, &row);
}

/* What outlives the proof: filters may change the message that it looks into. A chain whose keys
 * could not be asked for is not sealed: it may be good. */
static void keep_for_seal(struct smtp *smtp)
{
    const struct results *results = proof_results(smtp->mail.proof);
    AUTO(buf_free) struct buf text = { 0 };

    if (results->arc->temporary)
        return;
    results_print(results, &text);
    smtp->mail.seal = (struct seal_facts){
        .chain = results->arc->result,
        .n_sets = results->arc->sets,
        .results = slice_copy(&smtp->mail.letter->arena, buf_slice(&text)),
    };
}

static enum station_result follow(struct smtp *smtp, const char **reply_out)
{
    const struct proof *proof = smtp->mail.proof;

    switch (proof_verdict(proof)) {
    case PROOF_ACCEPT:
        return STATION_PASS;
    case PROOF_JUNK:
        smtp->mail.letter->message.junk = true;
        return STATION_PASS;
    case PROOF_REFUSE:
        *reply_out = slice_text(&smtp->mail.letter->arena, slice_of(proof_reply(proof)));
        return STATION_REFUSE;
    }
    abort();
}

static enum station_result end_check(struct smtp *smtp, const char **reply_out)
{
    enum station_result result;

    log_proof(smtp, proof_results(smtp->mail.proof));
    add_field(smtp);
    count(smtp);
    keep_for_seal(smtp);
    result = follow(smtp, reply_out);
    proof_free(&smtp->mail.proof);
    return result;
}

enum station_result proof_station_check(struct smtp *smtp, const char **reply_out)
{
    struct error err;

    if (!is_wanted(smtp))
        return STATION_PASS;
    if (smtp->mail.proof == NULL && !begin(smtp, &err)) {
        log_failure(&smtp->call->log, &err);
        *reply_out = reply_for_error(&err);
        return STATION_REFUSE;
    }
    if (clock_ms() >= smtp->mail.proof_until_ms)
        proof_give_up(smtp->mail.proof);
    if (proof_check(smtp->mail.proof))
        return end_check(smtp, reply_out);
    (void)smtp_fetch(smtp, proof_table(smtp->mail.proof));
    return STATION_WAIT;
}

/* A message that cannot be signed goes out all the same. */
enum station_result proof_station_sign(struct smtp *smtp, const char **reply_out)
{
    struct letter *letter = smtp->mail.letter;
    struct error err;
    bool ok = true;

    if (!smtp->smtpd->settings->sign)
        return STATION_PASS;
    if (smtp->service == SERVICE_SUBMISSION)
        ok = sign_letter(smtp->smtpd, smtp->call->desk, letter, &err);
    else if (forward_is_wanted(letter))
        ok = forward_seal(smtp->smtpd, smtp->call->desk, letter, &smtp->mail.seal, &err);
    if (!ok)
        log_warn(&smtp->call->log, "not signed", F_ERR(&err));
    return STATION_PASS;
}
