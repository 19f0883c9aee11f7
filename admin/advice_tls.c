/* advice_tls.c - can others be sure of TLS to us (MTA-STS, TLSRPT, DANE), and do mail programs find
 * us (see advice.h). */
#include "admin/advice.h"

#define DAY_S 86400

/* --- MTA-STS and TLSRPT --- */

/* One TXT record that is good to have. *found_out: there is one that may be right. */
static bool advise_text(struct advice *advice, const struct record *record, const char *type,
                        const char *start, const char *missing, struct slice *text_out)
{
    size_t count;
    bool failed;

    *text_out = (struct slice){ 0 };
    if (!advice_texts(advice, record->name, type, start, text_out, 1, &count, &failed))
        return false;
    if (count == 0 && !failed)
        advise(advice, ADVICE_HINT, record->name, type, record, "%s", missing);
    if (count > 1) {
        advise(advice, ADVICE_WRONG, record->name, type, record,
               "there are %zu such records: others take none of them", count);
        *text_out = (struct slice){ 0 };
    }
    return true;
}

/* The policy file itself is fetched over HTTPS, which is not done here. */
static bool advise_policy_host(struct advice *advice)
{
    struct slice domain = advice->publication->domain, host;
    AUTO(buf_free) struct buf name = { 0 };
    const struct dns_answer *v4, *v6;

    buf_fmt(&name, "mta-sts." SLICE_FMT, SLICE_ARG(domain));
    host = slice_copy(&advice->arena, buf_slice(&name));
    v4 = advice_ask(advice, host, DNS_A, "MTA-STS");
    v6 = dns_get(advice->table, host, DNS_AAAA);
    if (v4 == NULL || v6 == NULL)
        return false;
    if (v4->state != DNS_FAILED && v4->count + v6->count == 0)
        advise(advice, ADVICE_WRONG, host, "MTA-STS", NULL,
               "has no address, so others cannot fetch the policy file: give it one, or take "
               "out the record _mta-sts");
    else
        advise(advice, ADVICE_GOOD, host, "MTA-STS", NULL,
               "is there; compare https://" SLICE_FMT "/.well-known/mta-sts.txt with `postane "
               "domain dns " SLICE_FMT "`",
               SLICE_ARG(host), SLICE_ARG(domain));
    return true;
}

static bool advise_tlsrpt(struct advice *advice)
{
    const struct record *record = advice_record(advice, RECORD_TLSRPT);
    struct slice text;

    if (!advise_text(advice, record, "TLSRPT", "v=TLSRPTv1",
                     "not published; with it others tell when TLS to this machine fails", &text))
        return false;
    if (text.len == 0)
        return true;
    if (advice_tag(&advice->arena, text, "rua").len == 0)
        advise(advice, ADVICE_WRONG, record->name, "TLSRPT", record,
               "the record has no rua=: nobody knows where to report to");
    else
        advise(advice, ADVICE_GOOD, record->name, "TLSRPT", NULL, "published");
    return true;
}

bool advise_sts(struct advice *advice)
{
    const struct record *record = advice_record(advice, RECORD_STS);
    bool complete = advise_tlsrpt(advice);
    struct slice text;

    if (!advise_text(advice, record, "MTA-STS", "v=STSv1",
                     "not published; with it others insist on TLS to this machine", &text))
        return false;
    if (text.len == 0)
        return complete;
    if (advice_tag(&advice->arena, text, "id").len == 0)
        advise(advice, ADVICE_WRONG, record->name, "MTA-STS", record, "the record has no id=");
    return advise_policy_host(advice) && complete;
}

/* --- certificate and TLSA --- */

static void advise_certificate(struct advice *advice)
{
    const struct publication *all = advice->publication;
    int64_t left_s = all->certificate_expires_s - advice->now_s;

    if (all->certificate_problem != NULL) {
        advise(advice, ADVICE_WRONG, all->host, "TLS", NULL, "%s", all->certificate_problem);
        return;
    }
    if (left_s <= 0)
        advise(advice, ADVICE_WRONG, all->host, "TLS", NULL,
               "the certificate expired %lld days ago", (long long)(-left_s / DAY_S));
    else if (left_s < 7 * DAY_S)
        advise(advice, ADVICE_HINT, all->host, "TLS", NULL, "the certificate expires in %lld days",
               (long long)(left_s / DAY_S));
    if (!all->certificate_is_for_host)
        advise(advice, ADVICE_WRONG, all->host, "TLS", NULL,
               "the certificate is for another name: MTA-STS and mail programs refuse it");
    else if (left_s > 0)
        advise(advice, ADVICE_GOOD, all->host, "TLS", NULL, "the certificate is for this name");
}

/* "3 1 1 ab12..." as in rdata: usage, selector, matching type, hash. */
static bool is_tlsa(struct slice rdata, struct slice value)
{
    AUTO(buf_free) struct buf text = { 0 };

    if (rdata.len < 4)
        return false;
    for (size_t i = 0; i < 3; i++)
        buf_fmt(&text, "%u ", (unsigned char)rdata.data[i]);
    for (size_t i = 3; i < rdata.len; i++)
        buf_fmt(&text, "%02x", (unsigned char)rdata.data[i]);
    return slice_equal(buf_slice(&text), value);
}

/* Usages 0 and 1 are not for SMTP (RFC 7672 section 3.1.3), usage 2 needs the authority's
 * certificate, which is not looked at here. */
static bool may_be_of_authority(struct slice rdata)
{
    return rdata.len >= 4 && rdata.data[0] == 2;
}

static void judge_tlsa(struct advice *advice, const struct record *record,
                       const struct dns_answer *answer)
{
    bool right = false, authority = false;

    for (size_t i = 0; i < answer->count; i++) {
        right |= is_tlsa(answer->records[i], record->value);
        authority |= may_be_of_authority(answer->records[i]);
    }
    if (!answer->secure)
        advise(advice, ADVICE_HINT, record->name, "TLSA", NULL,
               "published, but the zone is not signed with DNSSEC: nobody looks at it");
    if (right)
        advise(advice, ADVICE_GOOD, record->name, "TLSA", NULL, "is that of the certificate");
    else if (authority)
        advise(advice, ADVICE_HINT, record->name, "TLSA", record,
               "names an authority (usage 2), which is not compared here");
    else
        advise(advice, ADVICE_WRONG, record->name, "TLSA", record,
               "is not that of the certificate: servers that use DANE send no mail here");
}

bool advise_tlsa(struct advice *advice)
{
    const struct record *record = advice_record(advice, RECORD_TLSA);
    const struct dns_answer *answer;

    advise_certificate(advice);
    if (record == NULL)
        return true;
    answer = advice_ask(advice, record->name, DNS_TLSA, "TLSA");
    if (answer == NULL || answer->state == DNS_FAILED)
        return answer != NULL;
    if (answer->count > 0)
        judge_tlsa(advice, record, answer);
    else if (answer->secure)
        advise(advice, ADVICE_HINT, record->name, "TLSA", record,
               "not published; with it others can be sure of the certificate (DANE)");
    else
        advise(advice, ADVICE_HINT, record->name, "TLSA", NULL,
               "the zone is not signed with DNSSEC, so there is no DANE");
    return true;
}

/* --- SRV --- */

/* RFC 2782: priority, weight, port, target. */
static bool is_srv(struct advice *advice, struct slice rdata, struct slice value)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct slice target, field = slice_from(value, strlen("0 1 "));
    const unsigned char *bytes = (const unsigned char *)rdata.data;

    if (rdata.len < 7 || !dns_name(&advice->arena, slice_from(rdata, 6), &target))
        return false;
    buf_fmt(&text, "%u " SLICE_FMT ".", (unsigned)bytes[4] << 8 | bytes[5], SLICE_ARG(target));
    return slice_equal_case(buf_slice(&text), field);
}

static bool advise_service(struct advice *advice, const struct record *record)
{
    const struct dns_answer *answer = advice_ask(advice, record->name, DNS_SRV, "SRV");
    bool right = false;

    if (answer == NULL || answer->state == DNS_FAILED)
        return answer != NULL;
    for (size_t i = 0; i < answer->count; i++)
        right |= is_srv(advice, answer->records[i], record->value);
    if (right)
        advise(advice, ADVICE_GOOD, record->name, "SRV", NULL, "published");
    else
        advise(advice, ADVICE_HINT, record->name, "SRV", record,
               answer->count == 0 ? "not published; some mail programs find the server with it"
                                  : "leads mail programs to another server");
    return true;
}

bool advise_services(struct advice *advice)
{
    const struct publication *all = advice->publication;
    bool complete = true;

    for (size_t i = 0; i < all->count; i++)
        if (all->records[i].kind == RECORD_SRV)
            complete &= advise_service(advice, &all->records[i]);
    return complete;
}
