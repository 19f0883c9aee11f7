/* security.c - see security.h. */
#include "smtpd/remote/security.h"

#include "smtpd/remote/sts.h"
#include "smtpd/report/counts.h"

#include <stdlib.h>

/* What the operator says of a relay goes before what is said of all servers, if it demands more. */
static enum tls_wish wish_of(const struct security_question *question)
{
    enum tls_wish wish = (enum tls_wish)question->smtpd->settings->outgoing_tls;

    if (question->way->host[0] == '/' && question->way->tls == WAY_TLS_DEFAULT)
        return TLS_WISH_ANY; /* what goes to this machine itself leaves it to nobody */
    switch (question->way->tls) {
    case WAY_TLS_DEFAULT:
        return wish == TLS_WISH_ANY && question->way->auth ? TLS_WISH_ENCRYPT : wish;
    case WAY_TLS_ENCRYPT:
        return wish == TLS_WISH_ANY ? TLS_WISH_ENCRYPT : wish;
    case WAY_TLS_VERIFY:
        return TLS_WISH_VERIFY;
    }
    abort();
}

/* A host with the domain's own name needs no proof of it, whether MX records name it or not. */
static struct tls_query query_of(const struct security_question *question)
{
    const struct settings *settings = question->smtpd->settings;
    const struct shipment *shipment = question->shipment;
    const struct queue_message *message = &shipment->letter->message;
    bool is_relay = question->way->kind == WAY_RELAY;
    struct slice host = slice_of(question->host->name);
    struct slice domain = is_relay ? host : slice_of(shipment->domain);
    struct tls_query query = {
        .by_mx = !slice_equal_case(host, domain),
        .mx_secure = question->mx_secure,
        .port = is_relay ? question->way->port : (uint16_t)settings->remote_port,
        .wish = wish_of(question),
        .no_dane = !settings->dane,
        .no_sts = is_relay || !settings->mta_sts || question->smtpd->sts == NULL,
        .require_tls = message->require_tls,
        .tls_optional = message->tls_optional && !message->require_tls,
        .null_sender = shipment_sender(shipment).len == 0,
    };

    if (!question->is_address && !slice_starts(host, "[")) {
        query.domain = domain;
        query.host = host;
    }
    return query;
}

static void count_fault(const struct security_question *question, const struct sts_answer *answer)
{
    const struct tls_session session = {
        .domain = slice_of(question->shipment->domain),
        .policy = slice_of(tls_source_name(TLS_BY_STS)),
        .result = slice_of(answer->fault),
        .reason = slice_of(answer->reason),
    };

    counts_session(question->smtpd->counts, &session);
}

/* False: it is being fetched. */
static bool ask_sts(const struct security_question *question, struct tls_query *query,
                    struct slice id, void (*done)(void *context), void *context)
{
    struct sts_answer answer;

    if (!sts_find(question->smtpd->sts, query->domain, id, &answer, done, context))
        return false;
    if (answer.fault != NULL)
        count_fault(question, &answer);
    query->sts_known = true;
    query->sts = answer.policy;
    query->sts_text = answer.text;
    return true;
}

enum security_state security_find(const struct security_question *question,
                                  struct tls_policy *policy_out, void (*done)(void *context),
                                  void *context)
{
    struct smtpd *smtpd = question->smtpd;
    struct tls_query query = query_of(question);

    for (;;) {
        switch (tls_policy_find(question->table, &query, policy_out)) {
        case TLS_STEP_DNS:
            smtpd->fetch(smtpd->resolver, question->table, done, context);
            return SECURITY_WAITS;
        case TLS_STEP_STS:
            if (!ask_sts(question, &query, policy_out->sts_id, done, context))
                return SECURITY_WAITS;
            break;
        case TLS_STEP_USE:
            return SECURITY_FOUND;
        case TLS_STEP_SKIP:
            return SECURITY_REFUSED;
        }
    }
}

void security_count(const struct security_question *question, const struct tls_policy *policy,
                    const struct client_task *task, const char *address)
{
    const char *result = task != NULL ? task->tls_result : NULL;
    const char *reason = task != NULL ? task->tls_reason : "";

    if (policy->violation != NULL && (task == NULL || result != NULL)) {
        result = policy->violation;
        reason = policy->text;
    }
    if (result == NULL || question->host->name[0] == '[' || question->way->kind == WAY_RELAY)
        return; /* it did not come to TLS; or there is no domain to tell */
    const struct tls_session session = {
        .domain = slice_of(question->shipment->domain),
        .policy = slice_of(tls_source_name(policy->source)),
        .policy_text = policy->text_of_policy,
        .result = slice_of(result),
        .host = slice_of(question->host->name),
        .address = slice_of(address),
        .reason = slice_of(reason),
    };

    counts_session(question->smtpd->counts, &session);
}
