/* advice_mail.c - is it to be seen that mail of the domain is its own: SPF, DKIM, DMARC (advice.h).
 */
#include "admin/advice.h"

#include "message/proof/dmarc.h"
#include "message/proof/spf.h"

/* --- SPF --- */

/* What receivers make of mail from one of the host's addresses. */
static bool try_address(struct advice *advice, const char *address)
{
    const struct publication *all = advice->publication;
    AUTO(buf_free) struct buf sender = { 0 };
    struct spf_query query = {
        .address = address, .helo = all->host, .receiver = all->host, .now_s = advice->now_s
    };
    struct spf_outcome outcome;

    buf_fmt(&sender, "postmaster@" SLICE_FMT, SLICE_ARG(all->domain));
    query.sender = buf_slice(&sender);
    if (!spf_check(&advice->arena, advice->table, &query, &outcome))
        return false;
    if (outcome.result == SPF_PASS)
        advise(advice, ADVICE_GOOD, all->domain, "SPF", NULL, "lets %s send", address);
    else
        advise(advice, ADVICE_WRONG, all->domain, "SPF", advice_record(advice, RECORD_SPF),
               "mail from %s is judged \"%s\" (" SLICE_FMT ")", address,
               spf_result_name(outcome.result), SLICE_ARG(outcome.reason));
    return true;
}

static bool try_addresses(struct advice *advice, enum dns_type type)
{
    const struct dns_answer *answer = dns_get(advice->table, advice->publication->host, type);
    bool complete = true;
    char address[46];

    if (answer == NULL)
        return false;
    for (size_t i = 0; i < answer->count; i++)
        if (dns_address(answer->records[i], address))
            complete &= try_address(advice, address);
    return complete;
}

/* A record that lets everybody send says nothing. */
static bool lets_everybody(struct slice text)
{
    struct slice term;

    while (slice_split(&text, ' ', &term))
        if (slice_is(term, "+all") || slice_is(term, "all"))
            return true;
    return false;
}

bool advise_spf(struct advice *advice)
{
    struct slice domain = advice->publication->domain, text;
    const struct record *record = advice_record(advice, RECORD_SPF);
    size_t count;
    bool failed, v4, v6;

    if (!advice_texts(advice, domain, "SPF", "v=spf1", &text, 1, &count, &failed))
        return false;
    if (failed)
        return true;
    if (count == 0)
        advise(advice, ADVICE_WRONG, domain, "SPF", record,
               "no SPF record: nobody can tell who may send mail of the domain");
    if (count > 1)
        advise(advice, ADVICE_WRONG, domain, "SPF", record,
               "there are %zu SPF records: receivers take none of them (RFC 7208 section 4.5); "
               "make one of them",
               count);
    if (count != 1)
        return true;
    if (lets_everybody(text))
        advise(advice, ADVICE_WRONG, domain, "SPF", record,
               "\"all\" lets everybody send mail of the domain: end with -all");
    v4 = try_addresses(advice, DNS_A);
    v6 = try_addresses(advice, DNS_AAAA);
    return v4 && v6;
}

/* --- DKIM --- */

static void key_missing(struct advice *advice, const struct record *record)
{
    switch (record->key->state) {
    case KEY_WAITING:
        advise(advice, ADVICE_WRONG, record->name, "DKIM", record,
               "not published; mail is not signed with this key before it is");
        return;
    case KEY_ACTIVE:
        advise(advice, ADVICE_WRONG, record->name, "DKIM", record,
               "not published, but mail is signed with it: its signatures fail");
        return;
    case KEY_RETIRED:
        advise(advice, ADVICE_HINT, record->name, "DKIM", record,
               "no more published; fine if all mail signed with it has arrived (`postane dkim "
               "remove`)");
        return;
    }
}

static bool advise_key(struct advice *advice, const struct record *record)
{
    const struct dns_answer *answer = advice_ask(advice, record->name, DNS_TXT, "DKIM");
    struct arena *arena = &advice->arena;
    struct slice text, wanted = advice_tag(arena, record->value, "p"), found = { 0 };

    if (answer == NULL || answer->state == DNS_FAILED)
        return answer != NULL;
    for (size_t i = 0; i < answer->count; i++)
        if (dns_text(arena, answer->records[i], &text))
            found = advice_tag(arena, text, "p");
    if (answer->count == 0)
        key_missing(advice, record);
    else if (answer->count > 1)
        advise(advice, ADVICE_WRONG, record->name, "DKIM", record,
               "there are %zu records: receivers may take the wrong one", answer->count);
    else if (!slice_equal(found, wanted))
        advise(advice, ADVICE_WRONG, record->name, "DKIM", record,
               found.len == 0 ? "the record has no key (p=)" : "the record has another key");
    else
        advise(advice, ADVICE_GOOD, record->name, "DKIM", NULL, "published, %s",
               record->key->state == KEY_WAITING ? "smtpd will begin to sign with it soon"
                                                 : key_state_name(record->key->state));
    return true;
}

bool advise_dkim(struct advice *advice)
{
    const struct publication *all = advice->publication;
    bool complete = true, any = false;

    for (size_t i = 0; i < all->count; i++) {
        const struct record *record = &all->records[i];

        if (record->kind != RECORD_DKIM)
            continue;
        any |= record->key->state != KEY_RETIRED;
        complete &= advise_key(advice, record);
    }
    if (!any)
        advise(advice, ADVICE_WRONG, all->domain, "DKIM", NULL,
               "there are no keys, mail is not signed: `postane dkim rotate " SLICE_FMT "`",
               SLICE_ARG(all->domain));
    return complete;
}

/* --- DMARC --- */

/* The domain after the last "@" of a "mailto:" URI, without a size limit; empty for others. */
static struct slice uri_domain(struct slice uri)
{
    struct slice address = { 0 };
    ptrdiff_t at;

    uri = slice_trim(uri);
    if (!slice_starts(uri, "mailto:"))
        return (struct slice){ 0 };
    uri = slice_from(uri, strlen("mailto:"));
    slice_split(&uri, '!', &address);
    at = slice_find_last(address, '@');
    if (at < 0)
        return (struct slice){ 0 };
    return slice_trim(slice_from(address, (size_t)at + 1));
}

/* Whether every place that wants reports has said so (RFC 7489 section 7.1). */
static bool advise_rua(struct advice *advice, struct slice name, struct slice rua)
{
    bool complete = true;
    struct slice uri;

    while (slice_split(&rua, ',', &uri)) {
        struct slice to = uri_domain(uri);
        bool may = true;

        if (to.len == 0)
            advise(advice, ADVICE_HINT, name, "DMARC", NULL,
                   "\"" SLICE_FMT "\" is no mail address; reports go to addresses only",
                   SLICE_ARG(slice_trim(uri)));
        else if (!dmarc_may_report(&advice->arena, advice->table, advice->publication->domain, to,
                                   &may))
            complete = false;
        if (!may)
            advise(advice, ADVICE_WRONG, name, "DMARC", NULL,
                   SLICE_FMT " does not say that it takes reports about this domain: it needs the "
                             "record " SLICE_FMT "._report._dmarc." SLICE_FMT " \"v=DMARC1\"",
                   SLICE_ARG(to), SLICE_ARG(advice->publication->domain), SLICE_ARG(to));
    }
    return complete;
}

static bool judge_dmarc(struct advice *advice, const struct record *record, struct slice text)
{
    struct dmarc_record dmarc;

    if (dmarc_record_parse(text, &dmarc) != PARSE_OK) {
        advise(advice, ADVICE_WRONG, record->name, "DMARC", record,
               "receivers cannot make sense of \"" SLICE_FMT "\"", SLICE_ARG(text));
        return true;
    }
    if (dmarc.policy == DMARC_POLICY_NONE)
        advise(advice, ADVICE_HINT, record->name, "DMARC", NULL,
               "p=none stops nobody from using the domain's name; when `postane dmarc report` "
               "shows nothing amiss: p=quarantine, then p=reject");
    else
        advise(advice, ADVICE_GOOD, record->name, "DMARC", NULL, "p=%s",
               dmarc_policy_name(dmarc.policy));
    if (dmarc.rua.len == 0)
        advise(advice, ADVICE_HINT, record->name, "DMARC", record,
               "without rua= nobody reports who uses the domain's name");
    return advise_rua(advice, record->name, dmarc.rua);
}

bool advise_dmarc(struct advice *advice)
{
    const struct record *record = advice_record(advice, RECORD_DMARC);
    struct slice text;
    size_t count;
    bool failed;

    if (!advice_texts(advice, record->name, "DMARC", "v=DMARC1", &text, 1, &count, &failed))
        return false;
    if (failed)
        return true;
    if (count == 1)
        return judge_dmarc(advice, record, text);
    if (count == 0)
        advise(advice, ADVICE_WRONG, record->name, "DMARC", record,
               "no DMARC record: some providers refuse mail without one");
    else
        advise(advice, ADVICE_WRONG, record->name, "DMARC", record,
               "there are %zu DMARC records: receivers take none of them (RFC 7489 section 6.6.3)",
               count);
    return true;
}
